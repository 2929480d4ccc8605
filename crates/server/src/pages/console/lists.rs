//! The lists.

use super::{
    ClientList, ClientRow, ConsoleAction, ConsoleUrls, EventList, EventRow, Filter, KeyList, KeyRow, Named,
    Section, SessionList, SessionRow, UserList, UserRow,
    table::{Cell, Table},
};
use crate::flows::keys::KeyState;
use crate::pages::{Chrome, texts::Texts};

#[derive(askama::Template)]
#[template(path = "console_list.html")]
struct List<'a> {
    chrome: &'a Chrome,
    t: &'static Texts,
    urls: &'a ConsoleUrls,
    section: Section,
    filter: Option<&'a Filter>,
    csrf: &'a str,
    action: Option<&'a ConsoleAction>,
    table: Table,
    next: Option<&'a str>,
    live: bool,
}

impl<'a> List<'a> {
    fn new(chrome: &'a Chrome, urls: &'a ConsoleUrls, section: Section, table: Table) -> Self {
        let t = chrome.lang.texts();
        Self {
            chrome,
            t,
            urls,
            section,
            filter: None,
            csrf: "",
            action: None,
            table,
            next: None,
            live: false,
        }
    }

    fn render(self, filter: &'a Filter, next: Option<&'a String>) -> Result<String, askama::Error> {
        let live = self.section == Section::Events;
        let filter = Some(filter).filter(|filter| !filter.fields.is_empty());
        askama::Template::render(&Self { filter, next: next.map(String::as_str), live, ..self })
    }
}

/// The list of users.
///
/// # Errors
/// When a template cannot be written out, which is a bug.
pub fn user_list(chrome: &Chrome, view: &UserList) -> Result<String, askama::Error> {
    let table = user_table(chrome, &view.rows);
    List::new(chrome, &view.urls, Section::Users, table).render(&view.filter, view.next.as_ref())
}

/// The list of clients.
///
/// # Errors
/// When a template cannot be written out, which is a bug.
pub fn client_list(chrome: &Chrome, view: &ClientList) -> Result<String, askama::Error> {
    let c = &chrome.lang.texts().console;
    let table = Table {
        caption: c.clients,
        columns: vec![c.client, c.kind, c.format, c.tenant, c.state, c.created],
        rows: view.rows.iter().map(|row| client_cells(chrome, row)).collect(),
    };
    List::new(chrome, &view.urls, Section::Clients, table).render(&view.filter, view.next.as_ref())
}

/// The list of sessions.
///
/// # Errors
/// When a template cannot be written out, which is a bug.
pub fn session_list(chrome: &Chrome, view: &SessionList) -> Result<String, askama::Error> {
    let table = session_table(chrome, &view.rows);
    List::new(chrome, &view.urls, Section::Sessions, table).render(&view.filter, view.next.as_ref())
}

/// The list of events.
///
/// # Errors
/// When a template cannot be written out, which is a bug.
pub fn event_list(chrome: &Chrome, view: &EventList) -> Result<String, askama::Error> {
    let c = &chrome.lang.texts().console;
    let cells = |row: &EventRow| {
        vec![
            Cell::time(chrome.lang, Some(row.at)),
            if row.alarming { Cell::bad(&row.kind) } else { Cell::plain_badge(&row.kind) },
            Cell::sentence(&row.text),
            Cell::named(row.user.as_ref()),
            Cell::named(row.client.as_ref()),
            Cell::named(row.session.as_ref().map(shortened).as_ref()),
        ]
    };
    let table = Table {
        caption: c.events,
        columns: vec![c.when, c.event, c.what, c.user, c.client, c.session],
        rows: view.rows.iter().map(cells).collect(),
    };
    List::new(chrome, &view.urls, Section::Events, table).render(&view.filter, view.next.as_ref())
}

/// The list of keys.
///
/// # Errors
/// When a template cannot be written out, which is a bug.
pub fn key_list(chrome: &Chrome, view: &KeyList) -> Result<String, askama::Error> {
    let c = &chrome.lang.texts().console;
    let cells = |row: &KeyRow| {
        vec![
            Cell::code(&row.id),
            Cell::text(&row.purpose),
            Cell::text(&row.algorithm),
            match row.state {
                KeyState::Next => Cell::plain_badge(c.comes),
                KeyState::Active => Cell::good(c.in_use),
                KeyState::Retiring => Cell::plain_badge(c.verifies),
            },
            Cell::time(chrome.lang, Some(row.created)),
            Cell::time(chrome.lang, row.retires),
        ]
    };
    let table = Table {
        caption: c.keys,
        columns: vec![c.id, c.purpose, c.algorithm, c.state, c.created, c.retires],
        rows: view.rows.iter().map(cells).collect(),
    };
    let list = List::new(chrome, &view.urls, Section::Keys, table);
    List { csrf: &view.csrf, action: view.rotate.as_ref(), ..list }.render(&Filter::default(), None)
}

fn user_table(chrome: &Chrome, rows: &[UserRow]) -> Table {
    let c = &chrome.lang.texts().console;
    let cells = |row: &UserRow| {
        vec![
            Cell::link(&row.username, &row.url),
            Cell::optional(row.email.as_ref()),
            Cell::optional(row.tenant.as_ref()),
            Cell::words(&row.roles),
            enabled(chrome, row.enabled),
            Cell::time(chrome.lang, Some(row.created)),
        ]
    };
    Table {
        caption: c.users,
        columns: vec![c.user, c.email, c.tenant, c.roles, c.state, c.created],
        rows: rows.iter().map(cells).collect(),
    }
}

fn client_cells(chrome: &Chrome, row: &ClientRow) -> Vec<Cell> {
    vec![
        Cell::link(&row.id, &row.url),
        Cell::text(&row.kind),
        Cell::text(&row.token_format),
        Cell::optional(row.tenant.as_ref()),
        enabled(chrome, row.enabled),
        Cell::time(chrome.lang, Some(row.created)),
    ]
}

/// A table of sessions.
pub(super) fn session_table(chrome: &Chrome, rows: &[SessionRow]) -> Table {
    let c = &chrome.lang.texts().console;
    let cells = |row: &SessionRow| {
        vec![
            Cell::link(&short(&row.id), &row.url),
            Cell::named(Some(&row.user)),
            Cell::named(Some(&row.client)),
            Cell::optional(row.device.as_ref()),
            Cell::number(row.generation.into()),
            Cell::time(chrome.lang, Some(row.last_seen)),
            session_state(chrome, row),
        ]
    };
    Table {
        caption: c.sessions,
        columns: vec![c.session, c.user, c.client, c.device, c.generation, c.last_seen, c.state],
        rows: rows.iter().map(cells).collect(),
    }
}

/// Live, or why not.
pub(super) fn session_state(chrome: &Chrome, row: &SessionRow) -> Cell {
    match &row.ended {
        None => Cell::good(chrome.lang.texts().console.live),
        Some(why) if row.alarming => Cell::bad(why),
        Some(why) => Cell::plain_badge(why),
    }
}

/// Enabled or not.
pub(super) fn enabled(chrome: &Chrome, enabled: bool) -> Cell {
    let c = &chrome.lang.texts().console;
    if enabled { Cell::good(c.enabled) } else { Cell::bad(c.disabled) }
}

fn shortened(named: &Named) -> Named {
    Named { text: short(&named.text), url: named.url.clone() }
}

/// The beginning and the end of an id: enough to tell rows apart.
fn short(id: &str) -> String {
    let letters: Vec<char> = id.chars().collect();
    match letters.as_slice() {
        [first @ .., a, b, c, d] if first.len() > 12 => {
            let first: String = first.iter().take(8).collect();
            format!("{first}\u{2026}{a}{b}{c}{d}")
        }
        _ => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn long_ids_are_shortened() {
        assert_eq!(short("0199f0b2-8811-7d10-b1c2-0f6d22a6b0aa"), "0199f0b2\u{2026}b0aa");
        assert_eq!([short("mail"), short("")], ["mail", ""]);
    }
}
