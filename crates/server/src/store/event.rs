//! Notable events: what `explain` tells from. Purgeable; nothing about correctness reads them.

use countersign_wire::{ClientId, SessionId, UserId};

use crate::time::Timestamp;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A session began.
    Start,
    /// A spent token was answered again with the same successor.
    Replay,
    /// The session was seen on a new network or with a new user agent.
    Network,
    /// A spent token was presented outside of what is forgiven.
    Reuse,
    /// A session, user, client, tenant or everything was ended.
    End,
    /// A presentation that was refused and changed nothing, of a kind worth knowing.
    Refused,
    /// A user, client or key was added or changed.
    Admin,
    /// A person signed in with us.
    SignIn,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Start,
        Self::Replay,
        Self::Network,
        Self::Reuse,
        Self::End,
        Self::Refused,
        Self::Admin,
        Self::SignIn,
    ];

    /// The name as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Replay => "replay",
            Self::Network => "network",
            Self::Reuse => "reuse",
            Self::End => "end",
            Self::Refused => "refused",
            Self::Admin => "admin",
            Self::SignIn => "sign_in",
        }
    }

    /// The kind of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == name)
    }
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number; 0 before it is stored.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// Of which session.
    pub session: Option<SessionId>,
    /// Of which user.
    pub user: Option<UserId>,
    /// Of which client.
    pub client: Option<ClientId>,
    /// A sentence for people, without secrets.
    pub detail: String,
}

/// Which events to list.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this session.
    pub session: Option<SessionId>,
    /// Of this user.
    pub user: Option<UserId>,
    /// Of this client.
    pub client: Option<ClientId>,
    /// Of this kind.
    pub kind: Option<EventKind>,
}
