//! Receipts: what a revocation ended, or would end.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::flows::Target;
use crate::flows::revocation::Ending;

/// The parameter of every revoking verb.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Preview {
    /// True to change nothing, and only say what would end.
    #[serde(default)]
    #[param(required = false)]
    pub(super) preview: bool,
}

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoQuery {}

/// What a revocation ended, or would end.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Receipt {
    /// True when nothing was changed.
    preview: bool,
    /// `token`, `session`, `user`, `client`, `tenant` or `everything`.
    target: &'static str,
    /// Its id or name; empty for everything.
    subject: String,
    /// Sessions that were alive and are not any more.
    sessions_ended: u64,
    /// The number of the entry in the revocation log; null for a preview, and when there was nothing to end.
    revocation_number: Option<u64>,
    /// When the last access token that it concerns expires: until then an API that checks locally,
    /// without the revocation feed, may still accept one.
    #[schema(format = DateTime)]
    access_tokens_expire_by: String,
    /// The same in words.
    summary: String,
}

impl Receipt {
    /// The receipt of an ending, or of one that was only looked at.
    pub(super) fn new(target: &Target, ending: &Ending, preview: bool) -> Self {
        let Ending { receipt, access_tokens_expire_by } = ending;
        Self {
            preview,
            target: target.kind(),
            subject: target.subject(),
            sessions_ended: receipt.sessions_ended,
            revocation_number: receipt.number.filter(|_| !preview),
            access_tokens_expire_by: access_tokens_expire_by.to_string(),
            summary: summary(target, ending, preview),
        }
    }
}

fn summary(target: &Target, ending: &Ending, preview: bool) -> String {
    let Ending { receipt, access_tokens_expire_by: by } = ending;
    let verb = if preview { "ends" } else { "ended" };
    let what = match (target, receipt.sessions_ended) {
        (_, 0) if !preview && receipt.number.is_none() => {
            return "ended nothing: it had ended before".to_owned();
        }
        (Target::Token(_), _) => return format!("{verb} one access token; it expires by {by}"),
        (_, 0) => "no live session".to_owned(),
        (_, 1) => "1 session".to_owned(),
        (_, n) => format!("{n} sessions"),
    };
    format!("{verb} {what}; the last access token expires by {by}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Receipt as Stored;
    use crate::time::Timestamp;

    #[test]
    fn summaries_are_sentences() {
        let summary = |target: &Target, sessions_ended, number, preview| {
            let receipt = Stored { sessions_ended, number };
            summary(target, &Ending { receipt, access_tokens_expire_by: Timestamp(600_000) }, preview)
        };
        let by = "the last access token expires by 1970-01-01T00:10:00Z";
        assert_eq!(summary(&Target::Everything, 3, None, true), format!("ends 3 sessions; {by}"));
        assert_eq!(summary(&Target::Everything, 1, Some(7), false), format!("ended 1 session; {by}"));
        assert_eq!(summary(&Target::Everything, 0, None, true), format!("ends no live session; {by}"));
        assert_eq!(summary(&Target::Everything, 0, Some(7), false), format!("ended no live session; {by}"));
        assert_eq!(summary(&Target::Everything, 0, None, false), "ended nothing: it had ended before");
        assert_eq!(
            summary(&Target::Token("x".to_owned()), 0, Some(7), false),
            "ended one access token; it expires by 1970-01-01T00:10:00Z"
        );
    }
}
