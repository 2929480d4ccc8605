//! Sessions: one row each, whatever happens to their tokens.

use std::time::Duration;

use countersign_wire::{BrowserSessionId, ClientId, Scope, SessionId, UserId};

use super::{Reason, StatusIndex};
use crate::time::Timestamp;

/// Where a request came from, as keyed hashes: enough to tell places apart, not to name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Context {
    /// Of the network (IPv4 /24, IPv6 /48).
    pub network: u32,
    /// Of the user agent.
    pub agent: u32,
}

/// One of the last few refreshes of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent {
    /// When, to the second.
    pub at: Timestamp,
    /// From where.
    pub context: Context,
}

impl Recent {
    /// How many are kept.
    pub const KEPT: usize = 4;
    /// Bytes of one in the row: seconds, network, agent, each a big-endian u32.
    pub const LEN: usize = 12;

    /// Bytes of the row's field. It has them from the beginning, so that no refresh makes a row
    /// longer: a table full of rows that grow splits its pages.
    pub const FIELD_LEN: usize = Self::KEPT * Self::LEN;

    /// The row's field: these entries, newest first, and room for the rest.
    pub fn encode_all(entries: &[Self]) -> [u8; Self::FIELD_LEN] {
        let mut field = [0; Self::FIELD_LEN];
        for (place, entry) in field.chunks_exact_mut(Self::LEN).zip(entries) {
            place.copy_from_slice(&entry.encode());
        }
        field
    }

    /// The entry's bytes, to be put in front of the row's field.
    pub fn encode(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let seconds = u32::try_from(self.at.seconds()).unwrap_or(u32::MAX);
        for (slot, part) in bytes.chunks_exact_mut(4).zip([seconds, self.context.network, self.context.agent])
        {
            slot.copy_from_slice(&part.to_be_bytes());
        }
        bytes
    }

    /// The entries of the row's field, newest first; room that is not used yet is zeros.
    pub fn decode_all(field: &[u8]) -> Vec<Self> {
        let word = |bytes: &[u8]| bytes.iter().fold(0_u32, |acc, b| (acc << 8) | u32::from(*b));
        field
            .chunks_exact(Self::LEN)
            .take_while(|entry| entry.iter().any(|byte| *byte != 0))
            .map(|entry| {
                let mut words = entry.chunks_exact(4).map(word);
                let mut next = || words.next().unwrap_or_default();
                Self {
                    at: Timestamp(i64::from(next()) * 1000),
                    context: Context { network: next(), agent: next() },
                }
            })
            .collect()
    }
}

/// The record of foreign replays in consecutive generations (the design's *lockstep*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lockstep {
    /// The generation in which the last foreign replay was seen.
    pub generation: u32,
    /// How many consecutive generations have seen one.
    pub streak: u32,
}

/// Why and when a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// A session as stored. The first part never changes, the second changes with each refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id, a UUIDv7.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// For which client.
    pub client: ClientId,
    /// What was granted.
    pub scope: Scope,
    /// For which resources.
    pub audience: Vec<String>,
    /// A name that a person gave the device.
    pub device: Option<String>,
    /// The network where it was last seen to change place, in words.
    pub network: Option<String>,
    /// The user agent it was last seen to change to.
    pub agent: Option<String>,
    /// Whether it lives longer because the user asked to be remembered.
    pub remember: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// When the user authenticated.
    pub auth_time: Timestamp,
    /// How well.
    pub acr: Option<String>,
    /// By which methods.
    pub amr: Vec<String>,
    /// The browser session that it ends with, if any.
    pub browser: Option<BrowserSessionId>,
    /// Its place in the status lists, if it was started while there were some.
    pub status_index: Option<StatusIndex>,

    /// SHA-256 of the nonce that each of its refresh tokens carries.
    pub nonce_hash: [u8; 32],
    /// The user's stamp when it began.
    pub user_stamp: u64,
    /// The revocation log's number when it began.
    pub born: u64,
    /// The current generation: the only refresh token that is live.
    pub generation: u32,
    /// The number of the key that made the current generation's token.
    pub key_number: u8,
    /// The hash of the `Idempotency-Key` of the refresh that made the current generation.
    pub retry_hash: Option<[u8; 16]>,
    /// When the current generation was made.
    pub rotated_at: Timestamp,
    /// How far a refresh moves the idle expiry.
    pub idle_lifetime: Duration,
    /// When it expires if it is not refreshed.
    pub idle_expires_at: Timestamp,
    /// When it expires in any case.
    pub expires_at: Timestamp,
    /// The last few refreshes, newest first; the first is the one that made the current generation.
    pub recent: Vec<Recent>,
    /// Permitted replays so far.
    pub replays: u32,
    /// Foreign replays.
    pub lockstep: Lockstep,
    /// Why it ended, once it did. Never taken back.
    pub ended: Option<Ended>,
}

/// The state of what a session depends on, read in the same snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gates {
    /// The client exists and is enabled.
    pub client_enabled: bool,
    /// The client's revision.
    pub client_revision: u64,
    /// The user exists and is enabled.
    pub user_enabled: bool,
    /// The user's stamp.
    pub user_stamp: u64,
    /// The largest of the client's, the tenant's and the global cut.
    pub cut: u64,
}

/// What a token says of its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFacts {
    /// The name.
    pub username: String,
    /// The address.
    pub email: Option<String>,
    /// The tenant.
    pub tenant: Option<String>,
    /// The roles.
    pub roles: Vec<String>,
}

/// A session, its gates and its user in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The session.
    pub session: Session,
    /// Its gates.
    pub gates: Gates,
    /// Its user.
    pub user: UserFacts,
    /// The newest revocation's number in this snapshot: the `rev` claim.
    pub position: u64,
}

impl Standing {
    /// True while nothing has ended the session: the exact condition of the conditional updates, but
    /// for the generation and the client's revision.
    pub fn is_live(&self, now: Timestamp) -> bool {
        let Self { session, gates, .. } = self;
        session.ended.is_none()
            && session.expires_at > now
            && session.idle_expires_at > now
            && gates.client_enabled
            && gates.user_enabled
            && gates.user_stamp == session.user_stamp
            && gates.cut <= session.born
    }
}

/// A session to start.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The id.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// For which client.
    pub client: ClientId,
    /// The client's revision that the caller decided with.
    pub client_revision: u64,
    /// What is granted.
    pub scope: Scope,
    /// For which resources.
    pub audience: Vec<String>,
    /// A name for the device.
    pub device: Option<String>,
    /// The network in words.
    pub network: Option<String>,
    /// The user agent.
    pub agent: Option<String>,
    /// Whether the user asked to be remembered.
    pub remember: bool,
    /// When the user authenticated.
    pub auth_time: Timestamp,
    /// How well.
    pub acr: Option<String>,
    /// By which methods.
    pub amr: Vec<String>,
    /// What it is started from, when the person signed in with us. A gate: see
    /// [`StartRefusal::Ticket`] and [`StartRefusal::Browser`].
    pub sign_in: Option<SignIn>,
    /// Positions drawn at random, of which it gets one that is free in the status list that is being
    /// filled. When none is, the next list is begun. Empty: it is in no list.
    pub status_positions: Vec<u32>,
    /// SHA-256 of the nonce.
    pub nonce_hash: [u8; 32],
    /// The key that makes generation 1.
    pub key_number: u8,
    /// How far a refresh moves the idle expiry.
    pub idle_lifetime: Duration,
    /// How long it lives in any case.
    pub absolute_lifetime: Duration,
    /// From where.
    pub context: Context,
    /// Most live sessions of this user, this one included.
    pub limit: u32,
    /// When.
    pub now: Timestamp,
    /// When the last access token of a session ended now has expired.
    pub keep_until: Timestamp,
}

impl NewSession {
    /// The browser session that it will end with, if any.
    pub fn ends_with(&self) -> Option<BrowserSessionId> {
        self.sign_in.filter(|sign_in| sign_in.ends_with_browser).map(|sign_in| sign_in.browser)
    }
}

/// What a session is started from, when the person signed in with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignIn {
    /// The code's ticket, which is spent in the same transaction.
    pub ticket: [u8; 32],
    /// The browser session in which the person agreed; it must be live.
    pub browser: BrowserSessionId,
    /// Whether the session ends when the person signs out there.
    pub ends_with_browser: bool,
}

/// Why no session was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartRefusal {
    /// No such user, or disabled.
    User,
    /// The client is gone, disabled, or changed since it was looked up.
    Client,
    /// The client serves another tenant.
    Tenant,
    /// The ticket has expired, was spent or is gone.
    Ticket,
    /// The browser session has ended or expired, or is of another user.
    Browser,
}

/// What came of starting a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It was started, at generation 1; the named ones were ended to keep the limit.
    Session {
        /// The new session.
        standing: Box<Standing>,
        /// The sessions it displaced.
        displaced: Vec<SessionId>,
    },
    /// It was not; nothing changed.
    Refused(StartRefusal),
}

/// The conditional update of a refresh. Succeeds while the row has `generation` and `nonce_hash`,
/// belongs to `client` of `client_revision`, and [`Standing::is_live`].
#[derive(Debug, Clone)]
pub struct RotateSession {
    /// The session.
    pub id: SessionId,
    /// The presented generation.
    pub generation: u32,
    /// True to move to the next generation; false for the `reuse` policy, which only moves the
    /// idle expiry.
    pub advance: bool,
    /// SHA-256 of the presented nonce.
    pub nonce_hash: [u8; 32],
    /// The client that presented it.
    pub client: ClientId,
    /// The client's revision that the caller decided with.
    pub client_revision: u64,
    /// The key that makes the successor.
    pub key_number: u8,
    /// The hash of the `Idempotency-Key`.
    pub retry_hash: Option<[u8; 16]>,
    /// From where.
    pub context: Context,
    /// When.
    pub now: Timestamp,
}

/// The record of a permitted replay. Succeeds while the row has `generation` (the successor's),
/// `nonce_hash` and the record `seen`, belongs to `client` of `client_revision`, and [`Standing::is_live`].
#[derive(Debug, Clone)]
pub struct Replay {
    /// The session.
    pub id: SessionId,
    /// The current generation, which is answered again.
    pub generation: u32,
    /// SHA-256 of the presented nonce.
    pub nonce_hash: [u8; 32],
    /// The client that presented it.
    pub client: ClientId,
    /// The client's revision that the caller decided with.
    pub client_revision: u64,
    /// The record of foreign replays that was judged: of two replays at once, the second must not
    /// write over what the first has counted.
    pub seen: Lockstep,
    /// The same after this one.
    pub lockstep: Lockstep,
    /// When.
    pub now: Timestamp,
    /// A sentence for the timeline.
    pub detail: String,
}

/// Which sessions to list.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Of this user.
    pub user: Option<UserId>,
    /// Of this client.
    pub client: Option<ClientId>,
    /// Live or ended ones.
    pub live: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_of_recent_refreshes_has_one_length_for_ever() {
        let entry = |seconds: i64| Recent {
            at: Timestamp(seconds * 1000),
            context: Context { network: 1, agent: 2 },
        };
        let mut field = Recent::encode_all(&[entry(1)]).to_vec();
        assert_eq!(Recent::decode_all(&field), [entry(1)]);
        for seconds in 2..=6 {
            field.splice(0..0, entry(seconds).encode());
            field.truncate(Recent::FIELD_LEN);
            assert_eq!(field.len(), Recent::FIELD_LEN);
        }
        let kept = [entry(6), entry(5), entry(4), entry(3)];
        assert_eq!(Recent::decode_all(&field), kept);
        assert_eq!(Recent::encode_all(&kept).as_slice(), field);
    }
}
