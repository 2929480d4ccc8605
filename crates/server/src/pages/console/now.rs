//! What goes on now: rates, and who reads the revocation feed.

use super::table::{Cell, Table};
use super::{ConsoleUrls, Named, Section};
use crate::metrics::{Doing, Rate};
use crate::pages::{Chrome, texts::Texts};
use crate::time::Timestamp;

/// What goes on at this node.
#[derive(Debug, Clone, Default)]
pub struct NowPage {
    /// Where the console's pages are.
    pub urls: ConsoleUrls,
    /// How often what happens.
    pub rates: Vec<Rate>,
    /// Where the revocation log ends.
    pub cursor: u64,
    /// Who reads it here.
    pub readers: Vec<ReaderRow>,
}

/// An API that reads the revocation feed.
#[derive(Debug, Clone, Default)]
pub struct ReaderRow {
    /// The client.
    pub client: Named,
    /// From where.
    pub network: String,
    /// Whether it stays connected.
    pub streams: bool,
    /// Since when.
    pub since: Timestamp,
    /// When it was sent something last.
    pub at: Timestamp,
    /// Up to where.
    pub cursor: u64,
}

#[derive(askama::Template)]
#[template(path = "console_now.html")]
struct Now<'a> {
    chrome: &'a Chrome,
    t: &'static Texts,
    urls: &'a ConsoleUrls,
    section: Section,
    cursor: u64,
    rates: Table,
    readers: Table,
}

/// The page.
///
/// # Errors
/// When a template cannot be written out, which is a bug.
pub fn now_page(chrome: &Chrome, view: &NowPage) -> Result<String, askama::Error> {
    let t = chrome.lang.texts();
    let rates = rate_table(chrome, &view.rates);
    let readers = reader_table(chrome, view);
    let now = Now { chrome, t, urls: &view.urls, section: Section::Now, cursor: view.cursor, rates, readers };
    askama::Template::render(&now)
}

fn rate_table(chrome: &Chrome, rates: &[Rate]) -> Table {
    let c = &chrome.lang.texts().console;
    let cells = |rate: &Rate| {
        let name = name(chrome, rate.doing);
        vec![
            if rate.doing.is_alarming() && rate.minute > 0 { Cell::bad(name) } else { Cell::text(name) },
            Cell::text(&format!("{:.1}", rate.per_second)),
            Cell::number(rate.minute),
            Cell::steps(&rate.steps),
            Cell::number(rate.total),
        ]
    };
    Table {
        caption: c.activity,
        columns: vec![c.what, c.per_second, c.last_minute, c.five_minutes, c.since_start],
        rows: rates.iter().map(cells).collect(),
    }
}

fn reader_table(chrome: &Chrome, view: &NowPage) -> Table {
    let c = &chrome.lang.texts().console;
    let cells = |row: &ReaderRow| {
        let behind = view.cursor.saturating_sub(row.cursor);
        vec![
            Cell::named(Some(&row.client)),
            Cell::text(&row.network),
            Cell::plain_badge(if row.streams { c.streams } else { c.polls }),
            Cell::time(chrome.lang, Some(row.since)),
            Cell::time(chrome.lang, Some(row.at)),
            if behind == 0 { Cell::good("0") } else { Cell::bad(&behind.to_string()) },
        ]
    };
    Table {
        caption: c.readers,
        columns: vec![c.client, c.network, c.reads, c.created, c.sent, c.behind],
        rows: view.readers.iter().map(cells).collect(),
    }
}

fn name(chrome: &Chrome, doing: Doing) -> &'static str {
    let c = &chrome.lang.texts().console;
    match doing {
        Doing::SignedIn => c.signed_in,
        Doing::SignInRefused => c.sign_in_refused,
        Doing::Issued => c.issued,
        Doing::Rotated => c.rotated,
        Doing::Replayed => c.replayed,
        Doing::Reuse => c.reuse,
        Doing::RefreshRefused => c.refresh_refused,
        Doing::Revoked => c.revoked,
        Doing::Active => c.active,
        Doing::Inactive => c.inactive,
        Doing::StoreFailed => c.store_failed,
    }
}
