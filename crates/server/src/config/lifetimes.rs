//! How long things live, by kind of client (the design's section 4).

use std::time::Duration;

use crate::store::ClientKind;

/// The lifetimes of one kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindLifetimes {
    /// Access tokens.
    pub access: Duration,
    /// Refresh tokens; a service gets none.
    pub refresh: Option<RefreshLifetimes>,
}

/// The lifetimes of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshLifetimes {
    /// One that is not used.
    pub idle: Duration,
    /// A session, however often refreshed.
    pub absolute: Duration,
    /// As `idle`, when the user asked to be remembered; the same as `idle` for all but `web`.
    pub remember_idle: Duration,
    /// As `absolute`, when the user asked to be remembered; the same as `absolute` for all but `web`.
    pub remember_absolute: Duration,
}

/// The lifetimes of every kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Browser programs.
    pub spa: KindLifetimes,
    /// Web servers.
    pub web: KindLifetimes,
    /// Mobile and desktop programs.
    pub native: KindLifetimes,
    /// Command-line programs and agents.
    pub cli: KindLifetimes,
    /// Programs that act for themselves.
    pub service: KindLifetimes,
}

impl Lifetimes {
    /// Those of a kind.
    pub fn of(&self, kind: ClientKind) -> &KindLifetimes {
        match kind {
            ClientKind::Spa => &self.spa,
            ClientKind::Web => &self.web,
            ClientKind::Native => &self.native,
            ClientKind::Cli => &self.cli,
            ClientKind::Service => &self.service,
        }
    }
}
