//! The lists.

use super::{
    ConsoleAction, ConsoleUrls, Named, Section,
    table::{Cell, Table},
};
use crate::{
    pages::{Chrome, texts::Texts},
    time::Timestamp,
};

/// A list's filter: a form that is sent by `GET`.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Where it is sent to.
    pub action: String,
    /// Its fields.
    pub fields: Vec<FilterField>,
}

/// A field of a filter.
#[derive(Debug, Clone)]
pub struct FilterField {
    /// What it filters by; it decides the label.
    pub kind: FilterKind,
    /// Its name in the query.
    pub name: String,
    /// What it is set to.
    pub value: String,
    /// What it can be set to, for a choice; the empty choice is added. Empty: free text.
    pub options: Vec<String>,
}

/// What a list is filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterKind {
    /// Any name.
    Name,
    /// A user.
    User,
    /// A client.
    Client,
    /// A tenant.
    Tenant,
    /// Live, ended, enabled, disabled.
    State,
    /// The kind of event.
    Event,
}

impl FilterKind {
    fn label(&self, t: &Texts) -> &'static str {
        match self {
            Self::Name => t.console.name,
            Self::User => t.console.user,
            Self::Client => t.console.client,
            Self::Tenant => t.console.tenant,
            Self::State => t.console.state,
            Self::Event => t.console.event,
        }
    }
}

/// The list of users.
#[derive(Debug, Clone, Default)]
pub struct UserList {
    /// Where the console's pages are.
    pub urls: ConsoleUrls,
    /// The filter.
    pub filter: Filter,
    /// This page of the list.
    pub rows: Vec<UserRow>,
    /// Where the next page is.
    pub next: Option<String>,
}

/// A user.
#[derive(Debug, Clone, Default)]
pub struct UserRow {
    /// The user's page.
    pub url: String,
    /// The username.
    pub username: String,
    /// The email address.
    pub email: Option<String>,
    /// The tenant.
    pub tenant: Option<String>,
    /// The roles.
    pub roles: Vec<String>,
    /// Whether the user is let in.
    pub enabled: bool,
    /// When the user was added.
    pub created: Timestamp,
}

/// The list of clients.
#[derive(Debug, Clone, Default)]
pub struct ClientList {
    /// Where the console's pages are.
    pub urls: ConsoleUrls,
    /// The filter.
    pub filter: Filter,
    /// This page of the list.
    pub rows: Vec<ClientRow>,
    /// Where the next page is.
    pub next: Option<String>,
}

/// A client.
#[derive(Debug, Clone, Default)]
pub struct ClientRow {
    /// The client's page.
    pub url: String,
    /// Its id.
    pub id: String,
    /// Its kind: `web`, `spa`, …
    pub kind: String,
    /// The format of its access tokens.
    pub token_format: String,
    /// The tenant.
    pub tenant: Option<String>,
    /// Whether it is let in.
    pub enabled: bool,
    /// When it was added.
    pub created: Timestamp,
}

/// The list of sessions.
#[derive(Debug, Clone, Default)]
pub struct SessionList {
    /// Where the console's pages are.
    pub urls: ConsoleUrls,
    /// The filter.
    pub filter: Filter,
    /// This page of the list.
    pub rows: Vec<SessionRow>,
    /// Where the next page is.
    pub next: Option<String>,
}

/// A session.
#[derive(Debug, Clone, Default)]
pub struct SessionRow {
    /// The session's page.
    pub url: String,
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub user: Named,
    /// Which client's.
    pub client: Named,
    /// The device's label.
    pub device: Option<String>,
    /// Its generation.
    pub generation: u32,
    /// When it began.
    pub created: Timestamp,
    /// When it was last refreshed.
    pub last_seen: Timestamp,
    /// Why it ended, in a word, once it did.
    pub ended: Option<String>,
    /// It ended by theft.
    pub alarming: bool,
}

/// The list of events, newest first. A script keeps it up to date while it is looked at, by loading the same
/// page again.
#[derive(Debug, Clone, Default)]
pub struct EventList {
    /// Where the console's pages are.
    pub urls: ConsoleUrls,
    /// The filter.
    pub filter: Filter,
    /// This page of the list.
    pub rows: Vec<EventRow>,
    /// Where the next page is.
    pub next: Option<String>,
}

/// An event.
#[derive(Debug, Clone, Default)]
pub struct EventRow {
    /// When.
    pub at: Timestamp,
    /// Its kind, as it is stored.
    pub kind: String,
    /// An operator should look at it.
    pub alarming: bool,
    /// Whom it concerns.
    pub user: Option<Named>,
    /// Which client.
    pub client: Option<Named>,
    /// Which session.
    pub session: Option<Named>,
    /// What happened.
    pub text: String,
}

/// The list of keys.
#[derive(Debug, Clone, Default)]
pub struct KeyList {
    /// Where the console's pages are.
    pub urls: ConsoleUrls,
    /// The token of the form.
    pub csrf: String,
    /// The button that rotates, for those who may.
    pub rotate: Option<ConsoleAction>,
    /// The keys.
    pub rows: Vec<KeyRow>,
}

/// A key.
#[derive(Debug, Clone, Default)]
pub struct KeyRow {
    /// Its id.
    pub id: String,
    /// What it is used for.
    pub purpose: String,
    /// Its algorithm.
    pub algorithm: String,
    /// New tokens are made with it.
    pub current: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it can go.
    pub retires: Option<Timestamp>,
}

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
            Cell::text(&row.text),
            Cell::named(row.user.as_ref()),
            Cell::named(row.client.as_ref()),
            Cell::named(row.session.as_ref()),
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
            if row.current { Cell::good(c.signs) } else { Cell::plain_badge(c.verifies) },
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
            Cell::link(&row.id, &row.url),
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
