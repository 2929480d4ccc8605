//! Single records: a user, a client, a session.

use super::{
    ClientRow, ConsoleAction, ConsoleUrls, Section, SessionRow, UserRow,
    lists::{enabled, session_state, session_table},
    table::{Cell, Table},
};
use crate::{
    pages::{BrowserRow, Chrome, TimelinePoint, texts::Texts, timeline_svg},
    time::Timestamp,
};

/// A user's page.
#[derive(Debug, Clone, Default)]
pub struct UserPage {
    /// Where the console's pages are.
    pub urls: ConsoleUrls,
    /// The token of every form.
    pub csrf: String,
    /// The user.
    pub user: UserRow,
    /// The user's id.
    pub id: String,
    /// The user's stamp.
    pub stamp: u64,
    /// The sign-in methods, in words.
    pub methods: Vec<String>,
    /// What can be done.
    pub actions: Vec<ConsoleAction>,
    /// The sessions.
    pub sessions: Vec<SessionRow>,
    /// The browser sessions.
    pub browsers: Vec<BrowserRow>,
}

/// A client's page.
#[derive(Debug, Clone, Default)]
pub struct ClientPage {
    /// Where the console's pages are.
    pub urls: ConsoleUrls,
    /// The token of every form.
    pub csrf: String,
    /// The client.
    pub client: ClientRow,
    /// How it refreshes, in words.
    pub rotation: String,
    /// The redirect URIs.
    pub redirect_uris: Vec<String>,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The audiences.
    pub audiences: Vec<String>,
    /// What can be done.
    pub actions: Vec<ConsoleAction>,
    /// The sessions.
    pub sessions: Vec<SessionRow>,
}

/// A session's page.
#[derive(Debug, Clone, Default)]
pub struct SessionPage {
    /// Where the console's pages are.
    pub urls: ConsoleUrls,
    /// The token of every form.
    pub csrf: String,
    /// The session.
    pub session: SessionRow,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The network it was last used from.
    pub network: Option<String>,
    /// How many replays were forgiven.
    pub replays: u64,
    /// When it expires if it is not used.
    pub idle_expires: Timestamp,
    /// When it expires in any case.
    pub expires: Timestamp,
    /// Why it ended, in a sentence.
    pub why: Option<String>,
    /// Its life.
    pub timeline: Vec<TimelinePoint>,
    /// What can be done.
    pub actions: Vec<ConsoleAction>,
}

#[derive(askama::Template)]
#[template(path = "console_record.html")]
struct Record<'a> {
    chrome: &'a Chrome,
    t: &'static Texts,
    urls: &'a ConsoleUrls,
    section: Section,
    csrf: &'a str,
    title: &'a str,
    state: Cell,
    why: Option<&'a str>,
    alarming: bool,
    facts: Vec<(&'static str, Cell)>,
    actions: &'a [ConsoleAction],
    points: &'a [TimelinePoint],
    tables: Vec<Table>,
}

impl Record<'_> {
    fn timeline_svg(&self) -> String {
        timeline_svg(self.t.timeline.picture, self.points)
    }
}

/// A user's page.
///
/// # Errors
/// When a template cannot be written out, which is a bug.
pub fn user_page(chrome: &Chrome, view: &UserPage) -> Result<String, askama::Error> {
    let t = chrome.lang.texts();
    let c = &t.console;
    let user = &view.user;
    let browser = |row: &BrowserRow| {
        vec![
            Cell::text(&row.device),
            Cell::optional(row.network.as_ref()),
            Cell::time(chrome.lang, Some(row.first_seen)),
            Cell::time(chrome.lang, Some(row.last_seen)),
        ]
    };
    let browsers = Table {
        caption: c.browsers,
        columns: vec![c.device, c.network, c.created, c.last_seen],
        rows: view.browsers.iter().map(browser).collect(),
    };
    askama::Template::render(&Record {
        chrome,
        t,
        urls: &view.urls,
        section: Section::Users,
        csrf: &view.csrf,
        title: &user.username,
        state: enabled(chrome, user.enabled),
        why: None,
        alarming: false,
        facts: vec![
            (c.id, Cell::code(&view.id)),
            (c.email, Cell::optional(user.email.as_ref())),
            (c.tenant, Cell::optional(user.tenant.as_ref())),
            (c.roles, Cell::words(&user.roles)),
            (c.methods, Cell::words(&view.methods)),
            (c.stamp, Cell::number(view.stamp)),
            (c.created, Cell::time(chrome.lang, Some(user.created))),
        ],
        actions: &view.actions,
        points: &[],
        tables: vec![session_table(chrome, &view.sessions), browsers],
    })
}

/// A client's page.
///
/// # Errors
/// When a template cannot be written out, which is a bug.
pub fn client_page(chrome: &Chrome, view: &ClientPage) -> Result<String, askama::Error> {
    let t = chrome.lang.texts();
    let c = &t.console;
    let client = &view.client;
    askama::Template::render(&Record {
        chrome,
        t,
        urls: &view.urls,
        section: Section::Clients,
        csrf: &view.csrf,
        title: &client.id,
        state: enabled(chrome, client.enabled),
        why: None,
        alarming: false,
        facts: vec![
            (c.kind, Cell::text(&client.kind)),
            (c.format, Cell::text(&client.token_format)),
            (c.rotation, Cell::text(&view.rotation)),
            (c.tenant, Cell::optional(client.tenant.as_ref())),
            (c.scopes, Cell::words(&view.scopes)),
            (c.audiences, Cell::words(&view.audiences)),
            (c.redirects, Cell::words(&view.redirect_uris)),
            (c.created, Cell::time(chrome.lang, Some(client.created))),
        ],
        actions: &view.actions,
        points: &[],
        tables: vec![session_table(chrome, &view.sessions)],
    })
}

/// A session's page.
///
/// # Errors
/// When a template cannot be written out, which is a bug.
pub fn session_page(chrome: &Chrome, view: &SessionPage) -> Result<String, askama::Error> {
    let t = chrome.lang.texts();
    let c = &t.console;
    let session = &view.session;
    askama::Template::render(&Record {
        chrome,
        t,
        urls: &view.urls,
        section: Section::Sessions,
        csrf: &view.csrf,
        title: &session.id,
        state: session_state(chrome, session),
        why: view.why.as_deref(),
        alarming: session.alarming,
        facts: vec![
            (c.user, Cell::named(Some(&session.user))),
            (c.client, Cell::named(Some(&session.client))),
            (c.device, Cell::optional(session.device.as_ref())),
            (c.network, Cell::optional(view.network.as_ref())),
            (c.scopes, Cell::words(&view.scopes)),
            (c.generation, Cell::number(session.generation.into())),
            (c.replays, Cell::number(view.replays)),
            (c.created, Cell::time(chrome.lang, Some(session.created))),
            (c.last_seen, Cell::time(chrome.lang, Some(session.last_seen))),
            (c.idle_expires, Cell::time(chrome.lang, Some(view.idle_expires))),
            (c.expires, Cell::time(chrome.lang, Some(view.expires))),
        ],
        actions: &view.actions,
        points: &view.timeline,
        tables: Vec::new(),
    })
}
