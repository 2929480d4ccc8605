//! Places: where a person has signed in from, and with what. They outlive browser sessions.

use std::time::Duration;

use countersign_wire::{BrowserSessionId, UserId};

use crate::time::Timestamp;

/// A network and a device with which a person has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The browser session that began here first: the place's name.
    pub id: BrowserSessionId,
    /// Whose.
    pub user: UserId,
    /// The network in words; empty when it was not known.
    pub network: String,
    /// The user agent without what changes with each of its versions, by which it is known again.
    pub device: String,
    /// The user agent of the last sign-in here.
    pub agent: String,
    /// When the person first signed in here.
    pub since: Timestamp,
    /// When last.
    pub seen_at: Timestamp,
    /// The browser session that began here last.
    pub browser: BrowserSessionId,
    /// The person has yet to say that this was them.
    pub is_new: bool,
}

impl Place {
    /// Most places of a user; the one where the last sign-in was longest ago makes room.
    pub const MOST: u32 = 20;
    /// How long a place is remembered after the last sign-in there: as long as a session can live at
    /// most.
    pub const REMEMBERED: Duration = Duration::from_secs(400 * 24 * 3600);

    /// Places where the last sign-in was then or earlier are forgotten.
    pub(super) fn oldest(now: Timestamp) -> Timestamp {
        now.minus(Self::REMEMBERED)
    }
}

/// The place where a browser session begins. Its network and user agent are the browser session's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPlace {
    /// See [`Place::device`].
    pub device: String,
    /// Whether the person is to be asked if this was them, when the place is not known.
    pub asks: bool,
}
