//! Lists: how much of one is wanted, and what comes after it.

use serde::Serialize;
use utoipa::ToSchema;

use super::error::AdminError;
use crate::app::App;
use crate::flows::Page;

/// Items of a page when nothing is asked for.
const DEFAULT_LIMIT: u32 = 50;
/// Most items of a page.
const MAX_LIMIT: u32 = 500;

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T> {
    /// The items in order.
    items: Vec<T>,
    /// What to send as `cursor` to get the next part; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A part of a list that is asked for.
pub(super) struct Wanted<'a> {
    app: &'a App,
    /// The list's name: a cursor of one list is not one of another.
    list: &'static str,
    limit: usize,
    after: Option<String>,
}

impl<'a> Wanted<'a> {
    /// Reads `limit` and `cursor`.
    pub(super) fn read(
        app: &'a App,
        list: &'static str,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<Self, AdminError> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(AdminError::invalid(format!("limit: must be 1 to {MAX_LIMIT}")));
        }
        let open = |cursor| app.keys.snapshot().open_cursor(list, cursor).ok_or_else(wrong_cursor);
        let after = cursor.map(open).transpose()?;
        Ok(Self { app, list, limit: usize::try_from(limit).unwrap_or(1), after })
    }

    /// The page for the store: one row more than wanted, to see whether there is more.
    pub(super) fn page<K: std::str::FromStr>(&self) -> Result<Page<K>, AdminError> {
        let parse = |value: &String| value.parse().map_err(|_| wrong_cursor());
        Ok(Page { after: self.after.as_ref().map(parse).transpose()?, limit: self.rows() })
    }

    /// How many rows to ask the store for.
    pub(super) fn rows(&self) -> u32 {
        u32::try_from(self.limit + 1).unwrap_or(MAX_LIMIT)
    }

    /// The answer to the rows that the store gave.
    pub(super) fn answer<R, T>(
        &self,
        mut rows: Vec<R>,
        key: impl Fn(&R) -> String,
        view: impl Fn(&R) -> T,
    ) -> List<T> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let last = rows.last().filter(|_| more).map(key);
        List {
            items: rows.iter().map(view).collect(),
            next_cursor: last.map(|value| self.app.keys.snapshot().seal_cursor(self.list, &value)),
        }
    }
}

impl<T> List<T> {
    /// A list that is never long.
    pub(super) fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

fn wrong_cursor() -> AdminError {
    AdminError::invalid("cursor: send a next_cursor of this list as it was answered")
}
