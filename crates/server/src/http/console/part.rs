//! Parts of long lists: the admin API's sealed cursors, in links.

use std::str::FromStr;

use super::Desk;
use crate::flows::{FlowError, FlowResult, Page};

/// Rows of a part.
const ROWS: usize = 50;

/// A part of a list.
pub(super) struct Part<'a> {
    desk: &'a Desk,
    /// The list's name, which is also its path: a cursor of one list is not one of another.
    list: &'static str,
    after: Option<String>,
}

impl<'a> Part<'a> {
    /// The part that the query asks for; with a cursor that is not ours, the first.
    pub(super) fn read(desk: &'a Desk, list: &'static str) -> Self {
        let cursor = desk.visit.parameter("cursor");
        let keys = desk.public.app.keys.snapshot();
        Self { desk, list, after: cursor.and_then(|cursor| keys.open_cursor(list, cursor)) }
    }

    /// The page for the flow: one row more than is shown, to see whether there is more.
    pub(super) fn page<K: FromStr>(&self) -> Page<K> {
        let after = self.after.as_deref().and_then(|after| after.parse().ok());
        Page { after, limit: u32::try_from(ROWS).unwrap_or(u32::MAX).saturating_add(1) }
    }

    /// Takes the row too many away; where the next part is, with the same filter.
    pub(super) fn next<R>(&self, rows: &mut Vec<R>, key: impl Fn(&R) -> String) -> Option<String> {
        let more = rows.len() > ROWS;
        rows.truncate(ROWS);
        let last = rows.last().filter(|_| more).map(key)?;
        let cursor = self.desk.public.app.keys.snapshot().seal_cursor(self.list, &last);
        let filter = self.desk.visit.query.iter().filter(|(name, _)| name != "cursor");
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(filter)
            .append_pair("cursor", &cursor)
            .finish();
        Some(format!("{}?{query}", self.desk.at(self.list)))
    }
}

/// A filter that names what is not there finds nothing, which is no error.
pub(super) fn found<R>(rows: FlowResult<Vec<R>>) -> FlowResult<Vec<R>> {
    match rows {
        Err(FlowError::Refused(_)) => Ok(Vec::new()),
        other => other,
    }
}
