//! Back-channel logout: whom to tell that a session has ended.

use std::time::Duration;

use countersign_wire::{ClientId, SessionId, UserId};

use crate::time::Timestamp;

/// How long a client that cannot be told is tried: its own session has ended of itself by then.
const TRIED_FOR: Duration = Duration::from_secs(24 * 3600);

/// A notice that a client is owed (OpenID Connect Back-Channel Logout 1.0), written in the
/// transaction that ended the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutNotice {
    /// The session that ended; there is one notice for each.
    pub session: SessionId,
    /// Whose it was.
    pub user: UserId,
    /// Whom to tell.
    pub client: ClientId,
    /// How often it was tried.
    pub attempts: u32,
    /// When the session ended.
    pub ended_at: Timestamp,
}

impl LogoutNotice {
    /// Notices of sessions that ended then or earlier are given up.
    pub(super) fn oldest(now: Timestamp) -> Timestamp {
        now.minus(TRIED_FOR)
    }
}
