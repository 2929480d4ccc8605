//! The lifetimes page, for client developers: one document without script.

use askama::Template;

use crate::flows::lifetimes::LifetimesDocument;

#[derive(Template)]
#[template(path = "lifetimes.html")]
struct LifetimesPage<'a> {
    document: &'a LifetimesDocument,
}

/// The lifetimes page.
///
/// # Errors
/// When a template cannot be written out, which is a bug.
pub fn lifetimes(document: &LifetimesDocument) -> Result<String, askama::Error> {
    LifetimesPage { document }.render()
}

/// Filters for the templates.
mod filters {
    #![expect(unreachable_pub, reason = "the filter macro makes public items")]

    /// Seconds in words: `10 min`, `12 h`, `7 d`.
    #[askama::filter_fn]
    pub(super) fn span(seconds: &u64, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(super::span(*seconds))
    }

    /// As [`span`], or a dash for none.
    #[askama::filter_fn]
    pub(super) fn maybe_span(seconds: &Option<u64>, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(seconds.map_or_else(|| "\u{2013}".to_owned(), super::span))
    }

    /// The name of a value as JSON has it.
    #[askama::filter_fn]
    pub(super) fn name<T: serde::Serialize>(value: &T, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(serde_json::to_value(value)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default())
    }
}

/// Seconds in the largest unit that divides them.
fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "d"), (3_600, "h"), (60, "min")];
    UNITS
        .iter()
        .find(|(size, _)| seconds >= *size && seconds.is_multiple_of(*size))
        .map_or_else(|| format!("{seconds} s"), |(size, unit)| format!("{} {unit}", seconds / size))
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn spans_are_told_in_the_largest_whole_unit() {
        assert_eq!(
            [span(600), span(43_200), span(604_800), span(90), span(0)],
            ["10 min", "12 h", "7 d", "90 s", "0 s"]
        );
    }
}
