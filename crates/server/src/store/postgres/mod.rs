//! The PostgreSQL engine: any number of nodes on one database, none of which holds a truth of
//! its own. PostgreSQL 14 or newer; nothing is used as a device of correctness that its
//! relatives CockroachDB and YugabyteDB lack.
//!
//! Each file has the queries of its subject as `…_once`: one attempt, in which a transaction may
//! lose against another (`Failure::Lost`); here they are run until they have not.

mod backup;
mod browsers;
mod clients;
mod clock;
mod connect;
mod count;
mod error;
mod events;
mod factors;
mod keys;
mod lease;
mod listen;
mod migrate;
mod notices;
mod places;
mod resources;
mod revoke;
mod rotate;
mod rows;
mod sessions;
mod status;
mod tickets;
mod upkeep;
mod users;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use countersign_wire::{BrowserSessionId, ClientId, Scope, SessionId, UserId};
use tokio::task::AbortHandle;

use self::error::retrying;
use self::lease::Pool;
use super::{
    Added, BrowserStanding, Client, ClientFilter, Consent, Event, EventFilter, Factor, FactorUse, KeyRecord,
    Liveness, LivenessQuery, LogoutNotice, NewBrowserSession, NewSession, OwnChange, Page, Place, Reason,
    Receipt, RenewBrowserSession, Replay, Resource, RevocationEntry, RotateSession, SessionFilter, Standing,
    Started, StatusBits, Store, StoreError, StoreResult, Target, Ticket, User, UserChange, UserFilter,
};
use crate::time::{Clock, Timestamp};

/// Longest time any call takes, the wait for a connection included, unless the store is opened
/// with another.
const CALL_DEADLINE: Duration = Duration::from_secs(5);
/// The same for counting what the revocation of a client, a tenant or everything
/// ends: it visits every session.
const COUNT_DEADLINE: Duration = Duration::from_secs(60);
/// Connections for all but refreshes; those have [`rotate::CONNECTIONS`] of their own, and two
/// more are for listening and starting up.
const CONNECTIONS: usize = 16;
/// The oldest PostgreSQL that will do, as `server_version_num` has it.
const OLDEST_VERSION: i32 = 140_000;

/// The store on a PostgreSQL database.
pub struct PostgresStore {
    engine: String,
    pool: Pool,
    rotator_pool: Pool,
    rotator: rotate::Rotator,
    clock: Arc<clock::DatabaseClock>,
    bell: Arc<listen::Bell>,
    /// Whether a change tells of itself by NOTIFY.
    nodes_listen: bool,
    /// Of each table being exported: how many rows have been, and the last one's key.
    exported: Mutex<HashMap<&'static str, (u64, Vec<String>)>>,
    /// Tasks that go on until the store is closed.
    background: Vec<AbortHandle>,
}

impl PostgresStore {
    /// Connects, brings the schema up to date, and measures the database's clock.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database cannot be reached; [`StoreError::Broken`]
    /// for a URL, a version or a schema that will not do, and what to do about it.
    pub async fn open(url: &str) -> StoreResult<Arc<Self>> {
        Self::open_with(url, CALL_DEADLINE).await
    }

    /// As [`Self::open`], with calls that take no longer than `deadline`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_with(url: &str, deadline: Duration) -> StoreResult<Arc<Self>> {
        let target = connect::Target::parse(url, deadline)?;
        let (client, _messages) = target.connect_alone().await?;
        connect::prepare(&client, "", deadline).await.map_err(|error| error::classify(&error))?;
        let engine = check_version(&client).await?;
        migrate::migrate(&client).await?;
        let nodes_listen = listen::is_there(&target).await?;

        let pool = Pool::new(&target, CONNECTIONS, "")?;
        let rotator_pool = Pool::new(&target, rotate::CONNECTIONS, rotate::SETTINGS)?;
        let clock = Arc::new(clock::DatabaseClock::measured(&pool).await?);
        let bell = Arc::new(listen::Bell::default());
        let mut background =
            vec![tokio::spawn(clock::keep_measuring(Arc::clone(&clock), pool.clone())).abort_handle()];
        if nodes_listen {
            background.push(tokio::spawn(listen::listen(target, Arc::clone(&bell))).abort_handle());
        }
        let rotator = rotate::Rotator::start(&rotator_pool);
        Ok(Arc::new(Self {
            engine,
            pool,
            rotator_pool,
            rotator,
            clock,
            bell,
            nodes_listen,
            exported: Mutex::default(),
            background,
        }))
    }

    /// The database's clock, which every node on it shares.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        for task in &self.background {
            task.abort();
        }
    }
}

/// Refuses a PostgreSQL that is too old. Its relatives count their versions otherwise, and are
/// not refused for that.
async fn check_version(client: &tokio_postgres::Client) -> StoreResult<String> {
    const VERSION: &str = "SELECT version() AS version, current_setting('server_version_num')::int AS number,
                                  current_setting('fsync', true) AS fsync";
    let row = client.query_one(VERSION, &[]).await.map_err(|error| error::classify(&error))?;
    let version: &str = rows::get(&row, "version")?;
    let number: i32 = rows::get(&row, "number")?;
    let relative = version.contains("CockroachDB") || version.contains("-YB-");
    if number < OLDEST_VERSION && !relative {
        return Err(StoreError::Broken(format!("PostgreSQL 14 or newer is needed; this is {version}")));
    }
    if rows::get::<Option<&str>>(&row, "fsync")? == Some("off") {
        tracing::warn!("PostgreSQL runs with fsync=off: a crash can take back what was answered");
    }
    let short = version.split_whitespace().nth(1).unwrap_or(version);
    Ok(format!("postgres {short}"))
}

#[async_trait]
impl Store for PostgresStore {
    fn engine(&self) -> String {
        self.engine.clone()
    }

    async fn ping(&self) -> StoreResult<()> {
        retrying(|| self.ping_once()).await
    }

    async fn start_session(&self, new: &NewSession) -> StoreResult<Started> {
        retrying(|| self.start_session_once(new)).await
    }

    async fn rotate(&self, rotate: &RotateSession) -> StoreResult<Option<Standing>> {
        self.rotator.rotate(rotate).await
    }

    async fn replay(&self, replay: &Replay) -> StoreResult<Option<Standing>> {
        retrying(|| self.replay_once(replay)).await
    }

    async fn standing(&self, id: SessionId) -> StoreResult<Option<Standing>> {
        retrying(|| self.standing_once(id)).await
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        page: &Page<SessionId>,
        now: Timestamp,
    ) -> StoreResult<Vec<Standing>> {
        retrying(|| self.sessions_once(filter, page, now)).await
    }

    async fn note_network(
        &self,
        id: SessionId,
        network: &str,
        agent: &str,
        now: Timestamp,
    ) -> StoreResult<()> {
        retrying(|| self.note_network_once(id, network, agent, now)).await
    }

    async fn liveness(&self, query: &LivenessQuery) -> StoreResult<Liveness> {
        retrying(|| self.liveness_once(query)).await
    }

    fn endings(&self) -> Option<u64> {
        None
    }

    async fn client_position(&self, client: &ClientId, revision: u64) -> StoreResult<Option<u64>> {
        retrying(|| self.client_position_once(client, revision)).await
    }

    async fn has_status_list(&self, list: u64) -> StoreResult<bool> {
        retrying(|| self.has_status_list_once(list)).await
    }

    async fn status_list(&self, list: u64, now: Timestamp) -> StoreResult<StatusBits> {
        retrying(|| self.status_list_once(list, now)).await
    }

    async fn revoke(
        &self,
        target: &Target,
        reason: Reason,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Receipt> {
        retrying(|| self.revoke_once(target, reason, now, keep_until)).await
    }

    async fn preview(&self, target: &Target, now: Timestamp) -> StoreResult<Receipt> {
        retrying(|| self.preview_once(target, now)).await
    }

    async fn revocations(&self, after: u64, limit: u32, now: Timestamp) -> StoreResult<Vec<RevocationEntry>> {
        retrying(|| self.revocations_once(after, limit, now)).await
    }

    async fn position(&self) -> StoreResult<u64> {
        retrying(|| self.position_once()).await
    }

    async fn add_user(&self, user: &User) -> StoreResult<Added> {
        retrying(|| self.add_user_once(user)).await
    }

    async fn user(&self, id: UserId) -> StoreResult<Option<User>> {
        retrying(|| self.user_once(id)).await
    }

    async fn find_user_by_name(&self, canonical: &str) -> StoreResult<Option<User>> {
        retrying(|| self.find_user_by_name_once(canonical)).await
    }

    async fn users(&self, filter: &UserFilter, page: &Page<String>) -> StoreResult<Vec<User>> {
        retrying(|| self.users_once(filter, page)).await
    }

    async fn change_user(
        &self,
        id: UserId,
        change: &UserChange,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>> {
        retrying(|| self.change_user_once(id, change, now, keep_until)).await
    }

    async fn change_own_user(&self, own: &OwnChange) -> StoreResult<Option<Receipt>> {
        retrying(|| self.change_own_user_once(own)).await
    }

    async fn remove_user(
        &self,
        id: UserId,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>> {
        retrying(|| self.remove_user_once(id, now, keep_until)).await
    }

    async fn start_browser_session(&self, new: &NewBrowserSession) -> StoreResult<Option<BrowserStanding>> {
        retrying(|| self.start_browser_session_once(new)).await
    }

    async fn renew_browser_session(
        &self,
        renew: &RenewBrowserSession,
    ) -> StoreResult<Option<BrowserStanding>> {
        retrying(|| self.renew_browser_session_once(renew)).await
    }

    async fn browser_session(&self, secret_hash: &[u8; 32]) -> StoreResult<Option<BrowserStanding>> {
        retrying(|| self.browser_session_once(secret_hash)).await
    }

    async fn browser_sessions(&self, user: UserId, now: Timestamp) -> StoreResult<Vec<BrowserStanding>> {
        retrying(|| self.browser_sessions_once(user, now)).await
    }

    async fn touch_browser_session(
        &self,
        id: BrowserSessionId,
        network: &str,
        agent: &str,
        now: Timestamp,
    ) -> StoreResult<()> {
        retrying(|| self.touch_browser_session_once(id, network, agent, now)).await
    }

    async fn end_browser_session(
        &self,
        id: BrowserSessionId,
        reason: Reason,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>> {
        retrying(|| self.end_browser_session_once(id, reason, now, keep_until)).await
    }

    async fn places(&self, user: UserId) -> StoreResult<Vec<Place>> {
        retrying(|| self.places_once(user)).await
    }

    async fn has_place_in(&self, canonical: &str, network: &str) -> StoreResult<bool> {
        retrying(|| self.has_place_in_once(canonical, network)).await
    }

    async fn settle_place(&self, user: UserId, id: BrowserSessionId) -> StoreResult<bool> {
        retrying(|| self.settle_place_once(user, id)).await
    }

    async fn forget_place(&self, user: UserId, id: BrowserSessionId) -> StoreResult<bool> {
        retrying(|| self.forget_place_once(user, id)).await
    }

    async fn add_ticket(&self, ticket: &Ticket) -> StoreResult<Added> {
        retrying(|| self.add_ticket_once(ticket)).await
    }

    async fn ticket(&self, hash: &[u8; 32]) -> StoreResult<Option<Ticket>> {
        retrying(|| self.ticket_once(hash)).await
    }

    async fn replace_ticket(&self, ticket: &Ticket, now: Timestamp) -> StoreResult<bool> {
        retrying(|| self.replace_ticket_once(ticket, now)).await
    }

    async fn take_ticket(&self, hash: &[u8; 32], now: Timestamp) -> StoreResult<Option<Ticket>> {
        retrying(|| self.take_ticket_once(hash, now)).await
    }

    async fn consent(&self, user: UserId, client: &ClientId) -> StoreResult<Option<Consent>> {
        retrying(|| self.consent_once(user, client)).await
    }

    async fn consents(&self, user: UserId) -> StoreResult<Vec<Consent>> {
        retrying(|| self.consents_once(user)).await
    }

    async fn grant_consent(
        &self,
        user: UserId,
        client: &ClientId,
        scope: &Scope,
        now: Timestamp,
    ) -> StoreResult<()> {
        retrying(|| self.grant_consent_once(user, client, scope, now)).await
    }

    async fn withdraw_consent(
        &self,
        user: UserId,
        client: &ClientId,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>> {
        retrying(|| self.withdraw_consent_once(user, client, now, keep_until)).await
    }

    async fn factors(&self, user: UserId) -> StoreResult<Vec<Factor>> {
        retrying(|| self.factors_once(user)).await
    }

    async fn use_factor(&self, used: &FactorUse) -> StoreResult<bool> {
        retrying(|| self.use_factor_once(used)).await
    }

    async fn due_logout_notices(
        &self,
        limit: u32,
        but_for: &[ClientId],
        now: Timestamp,
        again_at: Timestamp,
    ) -> StoreResult<Vec<LogoutNotice>> {
        retrying(|| self.due_logout_notices_once(limit, but_for, now, again_at)).await
    }

    async fn postpone_logout_notice(&self, session: SessionId, again_at: Timestamp) -> StoreResult<()> {
        retrying(|| self.postpone_logout_notice_once(session, again_at)).await
    }

    async fn finish_logout_notice(&self, session: SessionId) -> StoreResult<()> {
        retrying(|| self.finish_logout_notice_once(session)).await
    }

    async fn add_client(&self, client: &Client) -> StoreResult<Added> {
        retrying(|| self.add_client_once(client)).await
    }

    async fn client(&self, id: &ClientId) -> StoreResult<Option<Client>> {
        retrying(|| self.client_once(id)).await
    }

    async fn clients(&self, filter: &ClientFilter, page: &Page<ClientId>) -> StoreResult<Vec<Client>> {
        retrying(|| self.clients_once(filter, page)).await
    }

    async fn replace_client(&self, client: &Client, revision: u64) -> StoreResult<bool> {
        retrying(|| self.replace_client_once(client, revision)).await
    }

    async fn set_client_enabled(
        &self,
        id: &ClientId,
        enabled: bool,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>> {
        retrying(|| self.set_client_enabled_once(id, enabled, now, keep_until)).await
    }

    async fn remove_client(
        &self,
        id: &ClientId,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>> {
        retrying(|| self.remove_client_once(id, now, keep_until)).await
    }

    async fn replace_resource(&self, resource: &Resource) -> StoreResult<Added> {
        retrying(|| self.replace_resource_once(resource)).await
    }

    async fn resource(&self, audience: &str) -> StoreResult<Option<Resource>> {
        retrying(|| self.resource_once(audience)).await
    }

    async fn resources(&self, page: &Page<String>) -> StoreResult<Vec<Resource>> {
        retrying(|| self.resources_once(page)).await
    }

    async fn remove_resource(&self, audience: &str) -> StoreResult<bool> {
        retrying(|| self.remove_resource_once(audience)).await
    }

    async fn keys(&self) -> StoreResult<Vec<KeyRecord>> {
        retrying(|| self.keys_once()).await
    }

    async fn add_key(&self, key: &KeyRecord) -> StoreResult<Added> {
        retrying(|| self.add_key_once(key)).await
    }

    async fn retire_key(&self, id: &str, expires_at: Timestamp) -> StoreResult<()> {
        retrying(|| self.retire_key_once(id, expires_at)).await
    }

    async fn remove_expired_keys(&self, now: Timestamp) -> StoreResult<u64> {
        retrying(|| self.remove_expired_keys_once(now)).await
    }

    async fn add_event(&self, event: &Event) -> StoreResult<()> {
        retrying(|| self.add_event_once(event)).await
    }

    async fn events(&self, filter: &EventFilter, page: &Page<u64>) -> StoreResult<Vec<Event>> {
        retrying(|| self.events_once(filter, page)).await
    }

    async fn purge(&self, now: Timestamp, events_before: Timestamp, limit: u32) -> StoreResult<u64> {
        retrying(|| self.purge_once(now, events_before, limit)).await
    }

    async fn begin_epoch(&self, now: Timestamp, keep_until: Timestamp) -> StoreResult<()> {
        retrying(|| self.begin_epoch_once(now, keep_until)).await
    }

    async fn export(&self, table: &str, after: u64, limit: u32) -> StoreResult<Vec<serde_json::Value>> {
        retrying(|| self.export_once(table, after, limit)).await
    }

    async fn import(&self, table: &str, rows: &[serde_json::Value]) -> StoreResult<()> {
        retrying(|| self.import_once(table, rows)).await
    }

    async fn version(&self) -> StoreResult<u64> {
        retrying(|| self.version_once()).await
    }

    async fn changed(&self, wait: Duration) {
        self.bell.heard(wait).await;
    }

    async fn close(&self) {
        self.rotator.close().await;
        for task in &self.background {
            task.abort();
        }
        self.pool.close();
        self.rotator_pool.close();
    }
}
