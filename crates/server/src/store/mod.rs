//! What the product needs remembered, in the product's words. Two engines keep it, SQLite and
//! PostgreSQL; one suite, `contract.rs`, says what each must do.
//!
//! Rules for an engine: a gate is in the SQL of the write that it guards, or is read under the lock
//! without which nobody writes, never in a read before it; a write is answered only when it is
//! durable; an outcome that is not known is [`StoreError::Unavailable`], never a guess.

mod browser;
mod client;
#[cfg(test)]
pub(crate) mod contract;
mod effect;
mod event;
mod factor;
pub(crate) mod hex;
mod key;
mod logout;
mod migrations;
mod place;
pub mod postgres;
mod resource;
mod revocation;
mod session;
pub mod sqlite;
mod status;
mod tables;
mod ticket;
mod user;

pub use browser::{BrowserSession, BrowserStanding, NewBrowserSession, RenewBrowserSession};
pub use client::{
    Client, ClientFilter, ClientKind, ClientSettings, LifetimeSettings, Rotation, SecretHash, SignInSettings,
    TokenFormat,
};
pub use event::{Event, EventFilter, EventKind};
pub use factor::{Consent, Factor, FactorKind, FactorUse};
pub use key::{KeyPurpose, KeyRecord};
pub use logout::LogoutNotice;
pub use place::{NewPlace, Place};
pub use resource::Resource;
pub use revocation::{Liveness, LivenessQuery, Reason, Receipt, RevocationEntry, Target};
pub use session::{
    Context, Ended, Gates, Lockstep, NewSession, Recent, Replay, RotateSession, Session, SessionFilter,
    SignIn, Standing, StartRefusal, Started, UserFacts,
};
pub use status::{StatusBits, StatusIndex};
pub use tables::{Column, ColumnKind, TABLES, Table};
pub use ticket::{Ticket, TicketKind};
pub use user::{OwnChange, Profile, User, UserChange, UserFilter};

use async_trait::async_trait;
use countersign_wire::{BrowserSessionId, ClientId, Scope, SessionId, UserId};

use crate::time::Timestamp;

/// Why the store gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The store is away, too slow or full, or the outcome of a commit is not known: 503, and the
    /// same request may be sent again.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The stored data or the statement is wrong: a bug, or a damaged store.
    #[error("the store failed: {0}")]
    Broken(String),
}

/// What each store call returns.
pub type StoreResult<T> = Result<T, StoreError>;

/// Which part of a list is wanted: rows after a key, in the list's own order.
#[derive(Debug, Clone)]
pub struct Page<K> {
    /// The key of the last row seen; `None` starts at the beginning.
    pub after: Option<K>,
    /// Most rows to return.
    pub limit: u32,
}

/// Whether a thing was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It was.
    Yes,
    /// Something of that name exists already; nothing was changed.
    Exists,
}

/// The store.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// `sqlite` or `postgres`, with the engine's version.
    fn engine(&self) -> String;

    /// Reaches the store and comes back: for readiness.
    async fn ping(&self) -> StoreResult<()>;

    // --- sessions ---------------------------------------------------------------------------

    /// Adds a session if its user and client may have one. Sessions of that user beyond
    /// `new.limit` are ended, oldest first, in the same transaction, each with its log entry.
    async fn start_session(&self, new: &NewSession) -> StoreResult<Started>;

    /// The one conditional update of a refresh: succeeds only while the presented generation is
    /// the current one and every gate is open. `None` says that nothing changed.
    async fn rotate(&self, rotate: &RotateSession) -> StoreResult<Option<Standing>>;

    /// Counts a permitted replay while the successor is still the current generation and every
    /// gate is open. `None` says that nothing changed.
    async fn replay(&self, replay: &Replay) -> StoreResult<Option<Standing>>;

    /// A session and the state of all its gates, in one snapshot.
    async fn standing(&self, id: SessionId) -> StoreResult<Option<Standing>>;

    /// Sessions, newest first, keyed by id.
    async fn sessions(
        &self,
        filter: &SessionFilter,
        page: &Page<SessionId>,
        now: Timestamp,
    ) -> StoreResult<Vec<Standing>>;

    /// Remembers where a session was last seen, and adds a `network` event. Nothing depends on it.
    async fn note_network(
        &self,
        id: SessionId,
        network: &str,
        agent: &str,
        now: Timestamp,
    ) -> StoreResult<()>;

    // --- access tokens ----------------------------------------------------------------------

    /// Whether an access token's session, user, client, tenant and id are all still good, and
    /// whether the caller's record is still of the revision it was authenticated with.
    async fn liveness(&self, query: &LivenessQuery) -> StoreResult<Liveness>;

    /// How many changes there have been that may have ended something. What [`Self::liveness`] found
    /// good stays good while this number, read before it was asked, is the same. `None`: others write
    /// to the store too, so it must be asked each time.
    fn endings(&self) -> Option<u64>;

    /// The gate of client credentials: the newest revocation's number, if the client is enabled
    /// and still of that revision.
    async fn client_position(&self, client: &ClientId, revision: u64) -> StoreResult<Option<u64>>;

    // --- status lists -----------------------------------------------------------------------

    /// Whether any session that is still stored has an index in that status list.
    async fn has_status_list(&self, list: u64) -> StoreResult<bool>;

    /// What a status list says: the sessions that are in it, have not reached their absolute expiry,
    /// and whose tokens [`Self::liveness`] refuses, are over. One query, which reads the sessions of
    /// that list and no others.
    async fn status_list(&self, list: u64, now: Timestamp) -> StoreResult<StatusBits>;

    // --- revocation -------------------------------------------------------------------------

    /// Ends what `target` names and writes the log entry and the events in the same transaction.
    /// Ending what has ended changes nothing and writes nothing.
    /// `keep_until` is when the last access token that the entry could concern has expired.
    async fn revoke(
        &self,
        target: &Target,
        reason: Reason,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Receipt>;

    /// What `revoke` would end now.
    async fn preview(&self, target: &Target, now: Timestamp) -> StoreResult<Receipt>;

    /// Log entries numbered above `after`, in order, that have not expired.
    async fn revocations(&self, after: u64, limit: u32, now: Timestamp) -> StoreResult<Vec<RevocationEntry>>;

    /// The newest entry's number.
    async fn position(&self) -> StoreResult<u64>;

    // --- users ------------------------------------------------------------------------------

    /// Adds a user; the canonical username must be free.
    async fn add_user(&self, user: &User) -> StoreResult<Added>;

    /// By id.
    async fn user(&self, id: UserId) -> StoreResult<Option<User>>;

    /// By username, in its canonical form.
    async fn find_user_by_name(&self, canonical: &str) -> StoreResult<Option<User>>;

    /// Users by canonical name.
    async fn users(&self, filter: &UserFilter, page: &Page<String>) -> StoreResult<Vec<User>>;

    /// Changes a user. A change that must end what the user has (all but [`UserChange::Enable`]
    /// and a widening of roles) moves the stamp on and writes the log entry in the same
    /// transaction; the receipt says what it ended. `None`: no such user.
    async fn change_user(
        &self,
        id: UserId,
        change: &UserChange,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>>;

    /// The same by the person, in a browser that stays signed in. The browser session goes on as another one, with the
    /// user's new stamp, in the same transaction: see [`OwnChange`]. How and when the person authenticated and when it
    /// ends are as they were: a change is no authentication. `None`: nothing was changed.
    async fn change_own_user(&self, own: &OwnChange) -> StoreResult<Option<Receipt>>;

    /// Removes a user, and with it browser sessions, places, factors and consents; ends all that the user
    /// has, with its log entry, in the same transaction. `None`: no such user.
    async fn remove_user(
        &self,
        id: UserId,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>>;

    // --- signing in -------------------------------------------------------------------------

    /// Starts a browser session, and notes its place in the same transaction: one that is there is
    /// seen again, and beyond [`Place::MOST`] the one that was not seen for longest goes. `None`: the
    /// user is gone, disabled, or has another stamp by now, and nothing was changed.
    async fn start_browser_session(&self, new: &NewBrowserSession) -> StoreResult<Option<BrowserStanding>>;

    /// Records another authentication in a browser session, with a new secret. `None`: nothing
    /// changed, see [`RenewBrowserSession`].
    async fn renew_browser_session(
        &self,
        renew: &RenewBrowserSession,
    ) -> StoreResult<Option<BrowserStanding>>;

    /// A browser session by the hash of its secret, live or not, with its user and gates in one
    /// snapshot.
    async fn browser_session(&self, secret_hash: &[u8; 32]) -> StoreResult<Option<BrowserStanding>>;

    /// The live browser sessions of a user, newest first.
    async fn browser_sessions(&self, user: UserId, now: Timestamp) -> StoreResult<Vec<BrowserStanding>>;

    /// Moves the idle expiry of a browser session, never past the absolute one nor back, and
    /// remembers where it is used from. Nothing but that depends on it.
    async fn touch_browser_session(
        &self,
        id: BrowserSessionId,
        network: &str,
        agent: &str,
        now: Timestamp,
    ) -> StoreResult<()>;

    /// Ends a browser session and every live session that ends with it, each with its log entry, in
    /// one transaction; the receipt has the last entry's number. Ending what has ended changes
    /// nothing. `None`: no such browser session.
    async fn end_browser_session(
        &self,
        id: BrowserSessionId,
        reason: Reason,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>>;

    /// The places of a user, the newest first.
    async fn places(&self, user: UserId) -> StoreResult<Vec<Place>>;

    /// Whether a user, by the canonical name, has a place in that network: one question whether there is
    /// such a user or not, so that it takes the same time.
    async fn has_place_in(&self, canonical: &str, network: &str) -> StoreResult<bool>;

    /// The person has said that it was them: the place is not new any more. `false`: there is no such
    /// place of that user that is.
    async fn settle_place(&self, user: UserId, id: BrowserSessionId) -> StoreResult<bool>;

    /// Forgets a place. `false`: there is no such place of that user.
    async fn forget_place(&self, user: UserId, id: BrowserSessionId) -> StoreResult<bool>;

    /// Adds a ticket; the hash must be free.
    async fn add_ticket(&self, ticket: &Ticket) -> StoreResult<Added>;

    /// A ticket by its hash, expired or spent ones too, until they are purged.
    async fn ticket(&self, hash: &[u8; 32]) -> StoreResult<Option<Ticket>>;

    /// Replaces a ticket's body while its revision is still `ticket.revision`, it has not expired
    /// and is not spent; the revision moves on. `false`: nothing was changed.
    async fn replace_ticket(&self, ticket: &Ticket, now: Timestamp) -> StoreResult<bool>;

    /// Takes a ticket away, if it has not expired and is not spent: of two at once, one gets it.
    async fn take_ticket(&self, hash: &[u8; 32], now: Timestamp) -> StoreResult<Option<Ticket>>;

    /// What a user consented to for a client.
    async fn consent(&self, user: UserId, client: &ClientId) -> StoreResult<Option<Consent>>;

    /// All that a user consented to, by client.
    async fn consents(&self, user: UserId) -> StoreResult<Vec<Consent>>;

    /// Remembers a consent, while there is such a user: `scope` takes the place of what was there,
    /// and `now` of when.
    async fn grant_consent(
        &self,
        user: UserId,
        client: &ClientId,
        scope: &Scope,
        now: Timestamp,
    ) -> StoreResult<()>;

    /// Forgets a consent and ends the user's live sessions with that client, each with its log
    /// entry, in one transaction; the receipt has the last entry's number. `None`: there was none.
    async fn withdraw_consent(
        &self,
        user: UserId,
        client: &ClientId,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>>;

    /// A user's factors, oldest first. They are added and removed by [`Self::change_user`].
    async fn factors(&self, user: UserId) -> StoreResult<Vec<Factor>>;

    /// Uses a factor up to a counter: see [`FactorUse`]. `false`: nothing was changed.
    async fn use_factor(&self, used: &FactorUse) -> StoreResult<bool>;

    /// Notices that are due, the longest due first, but for those of the clients in `but_for`; each is put off until
    /// `again_at`, so that of two callers one gets it, and one that is never finished comes back.
    async fn due_logout_notices(
        &self,
        limit: u32,
        but_for: &[ClientId],
        now: Timestamp,
        again_at: Timestamp,
    ) -> StoreResult<Vec<LogoutNotice>>;

    /// Puts a notice off after a failure, and counts it.
    async fn postpone_logout_notice(&self, session: SessionId, again_at: Timestamp) -> StoreResult<()>;

    /// Forgets a notice: it was delivered, or given up.
    async fn finish_logout_notice(&self, session: SessionId) -> StoreResult<()>;

    // --- clients ----------------------------------------------------------------------------

    /// Adds a client; the id must be free. The store sets `cut` to the current position, and, when
    /// the log remembers an earlier client of that id, a `revision` that the earlier one never
    /// had: nothing of a removed client comes back with its name.
    async fn add_client(&self, client: &Client) -> StoreResult<Added>;

    /// By id.
    async fn client(&self, id: &ClientId) -> StoreResult<Option<Client>>;

    /// Clients by id.
    async fn clients(&self, filter: &ClientFilter, page: &Page<ClientId>) -> StoreResult<Vec<Client>>;

    /// Replaces a client's settings and secrets if its revision is still `revision`; the revision
    /// moves on. `false`: it changed meanwhile, or is gone; nothing was changed.
    async fn replace_client(&self, client: &Client, revision: u64) -> StoreResult<bool>;

    /// Enables or disables a client. Disabling ends its sessions and access tokens for good: they
    /// do not come back when it is enabled again. `None`: no such client.
    async fn set_client_enabled(
        &self,
        id: &ClientId,
        enabled: bool,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>>;

    /// Removes a client and ends all that it has. `None`: no such client.
    async fn remove_client(
        &self,
        id: &ClientId,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>>;

    // --- resources --------------------------------------------------------------------------

    /// Adds a resource, or replaces what is known of the one of that audience, all but when it was
    /// added. `Exists` says that one was replaced.
    async fn replace_resource(&self, resource: &Resource) -> StoreResult<Added>;

    /// By audience.
    async fn resource(&self, audience: &str) -> StoreResult<Option<Resource>>;

    /// Resources by audience.
    async fn resources(&self, page: &Page<String>) -> StoreResult<Vec<Resource>>;

    /// Removes a resource. `false`: there was none.
    async fn remove_resource(&self, audience: &str) -> StoreResult<bool>;

    // --- keys -------------------------------------------------------------------------------

    /// All keys that have not been removed.
    async fn keys(&self) -> StoreResult<Vec<KeyRecord>>;

    /// Adds a key; `Exists` says that another node made the same number first.
    async fn add_key(&self, key: &KeyRecord) -> StoreResult<Added>;

    /// Sets when a key stops being needed for verification.
    async fn retire_key(&self, id: &str, expires_at: Timestamp) -> StoreResult<()>;

    /// Removes keys that expired before `now`; says how many.
    async fn remove_expired_keys(&self, now: Timestamp) -> StoreResult<u64>;

    // --- events -----------------------------------------------------------------------------

    /// Adds an event. For what no other call records.
    async fn add_event(&self, event: &Event) -> StoreResult<()>;

    /// Events, oldest first when a session is named, else newest first; keyed by number.
    async fn events(&self, filter: &EventFilter, page: &Page<u64>) -> StoreResult<Vec<Event>>;

    // --- upkeep -----------------------------------------------------------------------------

    /// Removes, in a step of at most `limit` rows, sessions of both kinds past their absolute
    /// expiry, log entries that have expired, events older than `events_before`, tickets that need
    /// not be kept any longer, logout notices that are a day old and places that were not seen for
    /// long. Says how many rows went.
    async fn purge(&self, now: Timestamp, events_before: Timestamp, limit: u32) -> StoreResult<u64>;

    /// Ends every session and token minted so far: the epoch rule after a restored backup.
    /// Unlike a revocation of everything it also outdates tokens that this store never saw.
    async fn begin_epoch(&self, now: Timestamp, keep_until: Timestamp) -> StoreResult<()>;

    /// Rows of one table of [`TABLES`] as JSON objects, in a stable order, for backup; see
    /// `backup.rs`. `after` is how many rows the caller has had already.
    async fn export(&self, table: &str, after: u64, limit: u32) -> StoreResult<Vec<serde_json::Value>>;

    /// Adds exported rows to an empty table; the row of `meta` replaces the one that is there. Tables
    /// can come in any order.
    async fn import(&self, table: &str, rows: &[serde_json::Value]) -> StoreResult<()>;

    /// A number that changes whenever clients, resources, keys or the revocation log change on any node, so
    /// that caches know when to look again.
    async fn version(&self) -> StoreResult<u64>;

    /// Returns when another node has changed something, or after `wait` at the latest.
    async fn changed(&self, wait: std::time::Duration);

    /// Finishes what was begun and lets go of the store: for shutdown.
    async fn close(&self);
}
