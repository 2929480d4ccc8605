//! What the lists are filled with.

use super::{ConsoleAction, ConsoleUrls, Named};
use crate::{flows::keys::KeyState, pages::texts::Texts, time::Timestamp};

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
    pub(super) fn label(&self, t: &Texts) -> &'static str {
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
#[derive(Debug, Clone)]
pub struct KeyRow {
    /// Its id.
    pub id: String,
    /// What it is used for.
    pub purpose: String,
    /// Its algorithm.
    pub algorithm: String,
    /// What it does now.
    pub state: KeyState,
    /// When it was made.
    pub created: Timestamp,
    /// When it can go.
    pub retires: Option<Timestamp>,
}
