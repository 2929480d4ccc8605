//! The operator's console: lists, single records, and revocation with its preview and receipt.
//!
//! The views are typed; what is written out is a table or a list of facts made from them, so that
//! there is one template for all lists and one for all records.

mod lists;
mod now;
mod records;
mod revoke;
mod table;
mod views;

pub use lists::{client_list, event_list, key_list, session_list, user_list};
pub use now::{NowPage, ReaderRow, now_page};
pub use records::{ClientPage, SessionPage, UserPage, client_page, session_page, user_page};
pub use revoke::{
    RevokeForm, RevokeKind, RevokePreview, RevokeReceipt, revoke_form, revoke_preview, revoke_receipt,
};
pub use views::{
    ClientList, ClientRow, EventList, EventRow, Filter, FilterField, FilterKind, KeyList, KeyRow,
    SessionList, SessionRow, UserList, UserRow,
};

/// Where the console's pages are.
#[derive(Debug, Clone, Default)]
pub struct ConsoleUrls {
    /// The list of users.
    pub users: String,
    /// The list of clients.
    pub clients: String,
    /// The list of sessions.
    pub sessions: String,
    /// The list of events.
    pub events: String,
    /// What goes on now.
    pub now: String,
    /// The list of keys.
    pub keys: String,
    /// Revocation.
    pub revoke: String,
}

/// A part of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Users,
    Clients,
    Sessions,
    Events,
    Now,
    Keys,
    Revoke,
}

impl ConsoleUrls {
    fn all(&self) -> [(Section, &str); 7] {
        [
            (Section::Users, &self.users),
            (Section::Clients, &self.clients),
            (Section::Sessions, &self.sessions),
            (Section::Events, &self.events),
            (Section::Now, &self.now),
            (Section::Keys, &self.keys),
            (Section::Revoke, &self.revoke),
        ]
    }
}

impl Section {
    fn name(&self, t: &super::texts::Texts) -> &'static str {
        match self {
            Self::Users => t.console.users,
            Self::Clients => t.console.clients,
            Self::Sessions => t.console.sessions,
            Self::Events => t.console.events,
            Self::Now => t.console.now,
            Self::Keys => t.console.keys,
            Self::Revoke => t.console.revoke,
        }
    }
}

/// A link with a text, where there is something to link to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// What it says.
    pub text: String,
    /// Where it leads; none for plain text.
    pub url: Option<String>,
}

/// A button on a record's page: a form that posts `csrf` and the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleAction {
    /// What it does.
    pub verb: Verb,
    /// Where it posts to.
    pub action: String,
    /// What it posts besides.
    pub fields: Vec<(String, String)>,
}

/// What a button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Lets a user or client back in.
    Enable,
    /// Locks a user or client out.
    Disable,
    /// Ends everything of a user.
    SignOut,
    /// Leads to the preview of a revocation.
    Revoke,
    /// Makes new signing keys.
    RotateKeys,
}

impl Verb {
    fn is_danger(&self) -> bool {
        matches!(self, Self::Disable | Self::SignOut | Self::Revoke)
    }

    fn name(&self, t: &super::texts::Texts) -> &'static str {
        match self {
            Self::Enable => t.console.enable,
            Self::Disable => t.console.disable,
            Self::SignOut => t.console.sign_out,
            Self::Revoke => t.console.revoke_this,
            Self::RotateKeys => t.console.rotate,
        }
    }
}
