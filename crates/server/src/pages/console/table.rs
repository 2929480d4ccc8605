//! What the console's templates write out.

use super::Named;
use crate::{pages::Lang, time::Timestamp};

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    /// What it is a table of.
    pub(super) caption: &'static str,
    /// The heads of its columns.
    pub(super) columns: Vec<&'static str>,
    /// Its rows: as many cells as columns.
    pub(super) rows: Vec<Vec<Cell>>,
}

/// A cell, or the value of a fact.
#[derive(Debug, Default)]
pub(super) struct Cell {
    text: String,
    url: Option<String>,
    class: &'static str,
    at: Option<Timestamp>,
}

impl Cell {
    pub(super) fn text(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    /// A text that may take more than one line.
    pub(super) fn sentence(text: &str) -> Self {
        Self { text: text.to_owned(), class: "sentence", ..Self::default() }
    }

    pub(super) fn code(text: &str) -> Self {
        Self { text: text.to_owned(), class: "code", ..Self::default() }
    }

    pub(super) fn number(number: u64) -> Self {
        Self { text: number.to_string(), class: "number", ..Self::default() }
    }

    pub(super) fn optional(text: Option<&String>) -> Self {
        text.map_or_else(|| Self::text("\u{2013}"), |text| Self::text(text))
    }

    pub(super) fn link(text: &str, url: &str) -> Self {
        Self { text: text.to_owned(), url: Some(url.to_owned()), ..Self::default() }
    }

    pub(super) fn named(named: Option<&Named>) -> Self {
        let Some(named) = named else { return Self::text("\u{2013}") };
        Self { text: named.text.clone(), url: named.url.clone(), ..Self::default() }
    }

    /// A time; a dash for none.
    pub(super) fn time(lang: Lang, at: Option<Timestamp>) -> Self {
        let Some(at) = at else { return Self::text("\u{2013}") };
        Self { text: lang.moment(&at), at: Some(at), ..Self::default() }
    }

    /// How much, in one step after another, as a little picture.
    pub(super) fn steps(steps: &[u64]) -> Self {
        const HEIGHTS: [char; 8] =
            ['\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}'];
        let most = steps.iter().copied().max().unwrap_or(0).max(1);
        // Only nothing is drawn as nothing.
        let height = |step: &u64| usize::try_from(step.saturating_mul(7).div_ceil(most)).unwrap_or(0);
        let text = steps.iter().filter_map(|step| HEIGHTS.get(height(step))).collect();
        Self { text, class: "steps", ..Self::default() }
    }

    pub(super) fn good(text: &str) -> Self {
        Self { text: text.to_owned(), class: "badge good", ..Self::default() }
    }

    pub(super) fn bad(text: &str) -> Self {
        Self { text: text.to_owned(), class: "badge bad", ..Self::default() }
    }

    pub(super) fn plain_badge(text: &str) -> Self {
        Self { text: text.to_owned(), class: "badge", ..Self::default() }
    }

    /// Words as a list: `a, b`; a dash for none.
    pub(super) fn words(words: &[String]) -> Self {
        if words.is_empty() { Self::text("\u{2013}") } else { Self::text(&words.join(", ")) }
    }

    pub(super) fn get(&self) -> (&str, Option<&str>, &'static str, Option<&Timestamp>) {
        (&self.text, self.url.as_deref(), self.class, self.at.as_ref())
    }
}
