//! Browser sessions: a person's sign-in with us, held by one browser's cookie.

use std::time::Duration;

use countersign_wire::{BrowserSessionId, UserId};

use super::{Ended, NewPlace, User};
use crate::time::Timestamp;

/// A browser session as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserSession {
    /// Its id, a UUIDv7.
    pub id: BrowserSessionId,
    /// Whose it is.
    pub user: UserId,
    /// SHA-256 of the cookie's secret, by which it is found. A new secret with each
    /// authentication.
    pub secret_hash: [u8; 32],
    /// The user's stamp when it began.
    pub user_stamp: u64,
    /// The revocation log's number when it began.
    pub born: u64,
    /// Whether the person asked to be remembered.
    pub remember: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// When the person last authenticated.
    pub auth_time: Timestamp,
    /// How well.
    pub acr: String,
    /// By which methods.
    pub amr: Vec<String>,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// How far use moves the idle expiry.
    pub idle_lifetime: Duration,
    /// When it expires if it is not used.
    pub idle_expires_at: Timestamp,
    /// When it expires in any case.
    pub expires_at: Timestamp,
    /// The network it was last used from, in words.
    pub network: Option<String>,
    /// The user agent it was last used with.
    pub agent: Option<String>,
    /// Why it ended, once it did.
    pub ended: Option<Ended>,
}

/// A browser session, its user and its gates in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserStanding {
    /// The browser session.
    pub session: BrowserSession,
    /// Its user as stored now.
    pub user: User,
    /// The larger of the user's tenant's and the global cut.
    pub cut: u64,
}

impl BrowserStanding {
    /// True while nothing has ended it: the exact condition that the SQL tests when a session is
    /// started from it.
    pub fn is_live(&self, now: Timestamp) -> bool {
        let Self { session, user, cut } = self;
        session.ended.is_none()
            && session.expires_at > now
            && session.idle_expires_at > now
            && user.enabled
            && user.stamp == session.user_stamp
            && *cut <= session.born
    }
}

/// A browser session to start. Succeeds while the user is enabled and has `user_stamp`: what the
/// person was authenticated against.
#[derive(Debug, Clone)]
pub struct NewBrowserSession {
    /// The id.
    pub id: BrowserSessionId,
    /// Whose.
    pub user: UserId,
    /// SHA-256 of the cookie's secret.
    pub secret_hash: [u8; 32],
    /// The stamp of the user's record that was authenticated.
    pub user_stamp: u64,
    /// Whether the person asked to be remembered.
    pub remember: bool,
    /// How well the person was authenticated.
    pub acr: String,
    /// By which methods.
    pub amr: Vec<String>,
    /// How far use moves the idle expiry.
    pub idle_lifetime: Duration,
    /// How long it lives in any case.
    pub absolute_lifetime: Duration,
    /// The network in words.
    pub network: Option<String>,
    /// The user agent.
    pub agent: Option<String>,
    /// The place that these make.
    pub place: NewPlace,
    /// When.
    pub now: Timestamp,
}

/// A person authenticated again in the same browser. Succeeds while the row has `seen_hash` and
/// [`BrowserStanding::is_live`]; the old secret is of no use from then on.
#[derive(Debug, Clone)]
pub struct RenewBrowserSession {
    /// Which.
    pub id: BrowserSessionId,
    /// SHA-256 of the secret that the browser has.
    pub seen_hash: [u8; 32],
    /// SHA-256 of the one that it is given.
    pub secret_hash: [u8; 32],
    /// When the person authenticated: not now, when it was only added to. It never goes back.
    pub auth_time: Timestamp,
    /// How well the person was authenticated.
    pub acr: String,
    /// By which methods.
    pub amr: Vec<String>,
    /// When.
    pub now: Timestamp,
}
