//! The SQLite engine: one file, one process. One thread writes, and commits what is waiting
//! together; what reads a few rows is done where it is asked for; one thread is for what walks over
//! many rows; one writes the log back.

mod backup;
mod browser;
mod checkpoint;
mod client;
mod connection;
mod convert;
mod count;
mod event;
mod factor;
mod key;
mod liveness;
mod logout;
mod number;
mod place;
mod query;
mod readers;
mod resource;
mod revocation;
mod session;
mod standing;
mod status;
mod ticket;
mod user;
mod worker;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use countersign_wire::{BrowserSessionId, ClientId, Scope, SessionId, UserId};
use rusqlite::Connection;
use tokio::sync::Notify;

use self::checkpoint::LogKeeper;
use self::liveness::{KnownGood, Positions};
use self::readers::Readers;
use self::revocation::{Change, Done};
use self::worker::{BULK_DEADLINE, DEADLINE, Desk, Extent, Worker};
use super::{
    Added, BrowserStanding, Client, ClientFilter, Consent, Event, EventFilter, Factor, FactorUse, KeyRecord,
    Liveness, LivenessQuery, LogoutNotice, NewBrowserSession, NewSession, OwnChange, Page, Place, Reason,
    Receipt, RenewBrowserSession, Replay, Resource, RevocationEntry, RotateSession, SessionFilter, Standing,
    Started, StatusBits, Store, StoreError, StoreResult, Table, Target, Ticket, User, UserChange, UserFilter,
};
use crate::time::Timestamp;

/// The store in a SQLite file.
pub struct SqliteStore {
    writer: Worker,
    readers: Arc<Readers>,
    known_good: KnownGood,
    positions: Positions,
    /// For what walks over many rows, so that nothing short waits behind it.
    walker: Worker,
    log_thread: Mutex<Option<JoinHandle<()>>>,
    changed: Notify,
}

impl SqliteStore {
    /// Opens the store, making the file if it is missing and bringing its schema up to date. Its
    /// directory must be there, and belong to this process alone.
    pub fn open(path: &Path) -> StoreResult<Arc<Self>> {
        connection::prepare(path)?;
        let readers = Arc::new(Readers::new(path));
        let (keeper, log_thread) = LogKeeper::start(path, readers.clone())?;
        Ok(Arc::new(Self {
            writer: Worker::writer(path, keeper)?,
            readers,
            known_good: KnownGood::default(),
            positions: Positions::default(),
            walker: Worker::walker(path)?,
            log_thread: Mutex::new(Some(log_thread)),
            changed: Notify::new(),
        }))
    }

    /// A call that reads a few rows, all of them as they were at one time.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> StoreResult<T>) -> StoreResult<T> {
        self.readers.run(work)
    }

    /// A call that may read very many rows.
    async fn walk<T, F>(&self, work: F) -> StoreResult<T>
    where
        F: FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        self.walker.run(Extent::Single, BULK_DEADLINE, work).await
    }

    /// A call that writes several statements and ends nothing.
    async fn note<T, F>(&self, work: F) -> StoreResult<T>
    where
        F: FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        self.writer.run(Extent::Several, DEADLINE, work).await
    }

    /// A call that writes whatever it likes.
    async fn write<T, F>(&self, work: F) -> StoreResult<T>
    where
        F: FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        self.writer.run(Extent::Ending, DEADLINE, work).await
    }

    /// The same, for what moves the version on.
    async fn write_and_tell<T, F>(&self, work: F) -> StoreResult<T>
    where
        F: FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let result = self.write(work).await;
        self.changed.notify_waiters();
        result
    }

    /// The receipt, with the sessions counted that the writer left uncounted.
    async fn count(&self, done: Done, now: Timestamp) -> StoreResult<Receipt> {
        let mut receipt = done.receipt;
        if let Some(before) = done.to_count {
            receipt.sessions_ended = self.walk(move |conn| before.count(conn, now, receipt.number)).await?;
        }
        Ok(receipt)
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn engine(&self) -> String {
        format!("sqlite {}", rusqlite::version())
    }

    async fn ping(&self) -> StoreResult<()> {
        // The writer too: while another process holds the file, the store is not ready.
        self.writer.run(Extent::Single, DEADLINE, |_| Ok(())).await?;
        self.read(|conn| revocation::position(conn).map(|_| ()))
    }

    async fn start_session(&self, new: &NewSession) -> StoreResult<Started> {
        let new = new.clone();
        // Signing in ends nothing, unless it is one session too many.
        let start = move |desk: &mut Desk<'_>| {
            let started = session::start(desk.conn, &new)?;
            desk.ending |= displaces(&started);
            Ok(started)
        };
        let started = self.writer.run_at_desk(Extent::Several, DEADLINE, start).await?;
        if displaces(&started) {
            self.changed.notify_waiters();
        }
        Ok(started)
    }

    async fn rotate(&self, rotate: &RotateSession) -> StoreResult<Option<Standing>> {
        let rotate = rotate.clone();
        self.writer
            .run_at_desk(Extent::Single, DEADLINE, move |desk| desk.rotations.rotate(desk.conn, &rotate))
            .await
    }

    async fn replay(&self, replay: &Replay) -> StoreResult<Option<Standing>> {
        let replay = replay.clone();
        self.note(move |conn| session::replay(conn, &replay)).await
    }

    async fn standing(&self, id: SessionId) -> StoreResult<Option<Standing>> {
        self.read(|conn| standing::find(conn, id))
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        page: &Page<SessionId>,
        now: Timestamp,
    ) -> StoreResult<Vec<Standing>> {
        let (filter, page) = (filter.clone(), page.clone());
        self.walk(move |conn| standing::list(conn, &filter, &page, now)).await
    }

    async fn note_network(
        &self,
        id: SessionId,
        network: &str,
        agent: &str,
        now: Timestamp,
    ) -> StoreResult<()> {
        let (network, agent) = (network.to_owned(), agent.to_owned());
        self.note(move |conn| session::note_network(conn, id, &network, &agent, now)).await
    }

    async fn liveness(&self, query: &LivenessQuery) -> StoreResult<Liveness> {
        let endings = self.readers.endings();
        if self.known_good.has(endings, query) {
            return Ok(Liveness { caller_current: true, live: true });
        }
        let liveness = self.read(|conn| liveness::liveness(conn, query))?;
        if liveness.caller_current && liveness.live {
            self.known_good.add(endings, query);
        }
        Ok(liveness)
    }

    async fn client_position(&self, client: &ClientId, revision: u64) -> StoreResult<Option<u64>> {
        let endings = self.readers.endings();
        if let Some(position) = self.positions.find(endings, client, revision) {
            return Ok(Some(position));
        }
        let position = self.read(|conn| liveness::client_position(conn, client, revision))?;
        if let Some(position) = position {
            self.positions.add(endings, client, revision, position);
        }
        Ok(position)
    }

    fn endings(&self) -> Option<u64> {
        Some(self.readers.endings())
    }

    async fn has_status_list(&self, list: u64) -> StoreResult<bool> {
        self.read(|conn| status::is_used(conn, list))
    }

    async fn status_list(&self, list: u64, now: Timestamp) -> StoreResult<StatusBits> {
        self.walk(move |conn| status::bits(conn, list, now)).await
    }

    async fn revoke(
        &self,
        target: &Target,
        reason: Reason,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Receipt> {
        let target = target.clone();
        let done =
            self.write_and_tell(move |conn| Change { conn, now, keep_until }.revoke(&target, reason)).await?;
        self.count(done, now).await
    }

    async fn preview(&self, target: &Target, now: Timestamp) -> StoreResult<Receipt> {
        let target = target.clone();
        let sessions_ended = self.walk(move |conn| revocation::preview(conn, &target, now)).await?;
        Ok(Receipt { sessions_ended, number: None })
    }

    async fn revocations(&self, after: u64, limit: u32, now: Timestamp) -> StoreResult<Vec<RevocationEntry>> {
        self.read(|conn| revocation::list(conn, after, limit, now))
    }

    async fn position(&self) -> StoreResult<u64> {
        self.read(revocation::position)
    }

    async fn add_user(&self, user: &User) -> StoreResult<Added> {
        let user = user.clone();
        self.write(move |conn| user::add(conn, &user)).await
    }

    async fn user(&self, id: UserId) -> StoreResult<Option<User>> {
        self.read(|conn| user::find(conn, id))
    }

    async fn find_user_by_name(&self, canonical: &str) -> StoreResult<Option<User>> {
        self.read(|conn| user::find_by_name(conn, canonical))
    }

    async fn users(&self, filter: &UserFilter, page: &Page<String>) -> StoreResult<Vec<User>> {
        let (filter, page) = (filter.clone(), page.clone());
        self.walk(move |conn| user::list(conn, &filter, &page)).await
    }

    async fn change_user(
        &self,
        id: UserId,
        change: &UserChange,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>> {
        let what = change.clone();
        self.write_and_tell(move |conn| user::change(Change { conn, now, keep_until }, id, &what)).await
    }

    async fn change_own_user(&self, own: &OwnChange) -> StoreResult<Option<Receipt>> {
        let own = own.clone();
        self.write_and_tell(move |conn| user::change_own(conn, &own)).await
    }

    async fn remove_user(
        &self,
        id: UserId,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>> {
        self.write_and_tell(move |conn| user::remove(Change { conn, now, keep_until }, id)).await
    }

    async fn start_browser_session(&self, new: &NewBrowserSession) -> StoreResult<Option<BrowserStanding>> {
        let new = new.clone();
        self.note(move |conn| browser::start(conn, &new)).await
    }

    async fn renew_browser_session(
        &self,
        renew: &RenewBrowserSession,
    ) -> StoreResult<Option<BrowserStanding>> {
        let renew = renew.clone();
        self.note(move |conn| browser::renew(conn, &renew)).await
    }

    async fn browser_session(&self, secret_hash: &[u8; 32]) -> StoreResult<Option<BrowserStanding>> {
        self.read(|conn| browser::find(conn, secret_hash))
    }

    async fn browser_sessions(&self, user: UserId, now: Timestamp) -> StoreResult<Vec<BrowserStanding>> {
        self.read(|conn| browser::list(conn, user, now))
    }

    async fn touch_browser_session(
        &self,
        id: BrowserSessionId,
        network: &str,
        agent: &str,
        now: Timestamp,
    ) -> StoreResult<()> {
        let (network, agent) = (network.to_owned(), agent.to_owned());
        self.note(move |conn| browser::touch(conn, id, &network, &agent, now)).await
    }

    async fn end_browser_session(
        &self,
        id: BrowserSessionId,
        reason: Reason,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>> {
        self.write_and_tell(move |conn| browser::end(Change { conn, now, keep_until }, id, reason)).await
    }

    async fn places(&self, user: UserId) -> StoreResult<Vec<Place>> {
        self.read(|conn| place::list(conn, user))
    }

    async fn has_place_in(&self, canonical: &str, network: &str) -> StoreResult<bool> {
        self.read(|conn| place::is_in(conn, canonical, network))
    }

    async fn settle_place(&self, user: UserId, id: BrowserSessionId) -> StoreResult<bool> {
        self.note(move |conn| place::settle(conn, user, id)).await
    }

    async fn forget_place(&self, user: UserId, id: BrowserSessionId) -> StoreResult<bool> {
        self.note(move |conn| place::forget(conn, user, id)).await
    }

    async fn add_ticket(&self, ticket: &Ticket) -> StoreResult<Added> {
        let ticket = ticket.clone();
        self.note(move |conn| ticket::add(conn, &ticket)).await
    }

    async fn ticket(&self, hash: &[u8; 32]) -> StoreResult<Option<Ticket>> {
        self.read(|conn| ticket::find(conn, hash))
    }

    async fn replace_ticket(&self, ticket: &Ticket, now: Timestamp) -> StoreResult<bool> {
        let ticket = ticket.clone();
        self.note(move |conn| ticket::replace(conn, &ticket, now)).await
    }

    async fn take_ticket(&self, hash: &[u8; 32], now: Timestamp) -> StoreResult<Option<Ticket>> {
        let hash = *hash;
        self.note(move |conn| ticket::take(conn, &hash, now)).await
    }

    async fn consent(&self, user: UserId, client: &ClientId) -> StoreResult<Option<Consent>> {
        self.read(|conn| factor::consent(conn, user, client))
    }

    async fn consents(&self, user: UserId) -> StoreResult<Vec<Consent>> {
        self.read(|conn| factor::consents(conn, user))
    }

    async fn grant_consent(
        &self,
        user: UserId,
        client: &ClientId,
        scope: &Scope,
        now: Timestamp,
    ) -> StoreResult<()> {
        let (client, scope) = (client.clone(), scope.clone());
        self.note(move |conn| factor::grant(conn, user, &client, &scope, now)).await
    }

    async fn withdraw_consent(
        &self,
        user: UserId,
        client: &ClientId,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>> {
        let client = client.clone();
        self.write_and_tell(move |conn| factor::withdraw(Change { conn, now, keep_until }, user, &client))
            .await
    }

    async fn factors(&self, user: UserId) -> StoreResult<Vec<Factor>> {
        self.read(|conn| factor::list(conn, user))
    }

    async fn use_factor(&self, used: &FactorUse) -> StoreResult<bool> {
        let used = used.clone();
        self.note(move |conn| factor::consume(conn, &used)).await
    }

    async fn due_logout_notices(
        &self,
        limit: u32,
        but_for: &[ClientId],
        now: Timestamp,
        again_at: Timestamp,
    ) -> StoreResult<Vec<LogoutNotice>> {
        let but_for = but_for.to_vec();
        self.note(move |conn| logout::due(conn, limit, &but_for, now, again_at)).await
    }

    async fn postpone_logout_notice(&self, session: SessionId, again_at: Timestamp) -> StoreResult<()> {
        self.note(move |conn| logout::postpone(conn, session, again_at)).await
    }

    async fn finish_logout_notice(&self, session: SessionId) -> StoreResult<()> {
        self.note(move |conn| logout::finish(conn, session)).await
    }

    async fn add_client(&self, client: &Client) -> StoreResult<Added> {
        let client = client.clone();
        self.write_and_tell(move |conn| client::add(conn, &client)).await
    }

    async fn client(&self, id: &ClientId) -> StoreResult<Option<Client>> {
        self.read(|conn| client::find(conn, id))
    }

    async fn clients(&self, filter: &ClientFilter, page: &Page<ClientId>) -> StoreResult<Vec<Client>> {
        let (filter, page) = (filter.clone(), page.clone());
        self.walk(move |conn| client::list(conn, &filter, &page)).await
    }

    async fn replace_client(&self, client: &Client, revision: u64) -> StoreResult<bool> {
        let client = client.clone();
        self.write_and_tell(move |conn| client::replace(conn, &client, revision)).await
    }

    async fn set_client_enabled(
        &self,
        id: &ClientId,
        enabled: bool,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>> {
        let id = id.clone();
        let done = self
            .write_and_tell(move |conn| client::set_enabled(Change { conn, now, keep_until }, &id, enabled))
            .await?;
        match done {
            Some(done) => self.count(done, now).await.map(Some),
            None => Ok(None),
        }
    }

    async fn remove_client(
        &self,
        id: &ClientId,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> StoreResult<Option<Receipt>> {
        let id = id.clone();
        let done =
            self.write_and_tell(move |conn| client::remove(Change { conn, now, keep_until }, &id)).await?;
        match done {
            Some(done) => self.count(done, now).await.map(Some),
            None => Ok(None),
        }
    }

    async fn replace_resource(&self, resource: &Resource) -> StoreResult<Added> {
        let resource = resource.clone();
        self.write_and_tell(move |conn| resource::replace(conn, &resource)).await
    }

    async fn resource(&self, audience: &str) -> StoreResult<Option<Resource>> {
        self.read(|conn| resource::find(conn, audience))
    }

    async fn resources(&self, page: &Page<String>) -> StoreResult<Vec<Resource>> {
        let page = page.clone();
        self.walk(move |conn| resource::list(conn, &page)).await
    }

    async fn remove_resource(&self, audience: &str) -> StoreResult<bool> {
        let audience = audience.to_owned();
        self.write_and_tell(move |conn| resource::remove(conn, &audience)).await
    }

    async fn keys(&self) -> StoreResult<Vec<KeyRecord>> {
        self.read(key::list)
    }

    async fn add_key(&self, key: &KeyRecord) -> StoreResult<Added> {
        let key = key.clone();
        self.write_and_tell(move |conn| key::add(conn, &key)).await
    }

    async fn retire_key(&self, id: &str, expires_at: Timestamp) -> StoreResult<()> {
        let id = id.to_owned();
        self.write_and_tell(move |conn| key::retire(conn, &id, expires_at)).await
    }

    async fn remove_expired_keys(&self, now: Timestamp) -> StoreResult<u64> {
        self.write_and_tell(move |conn| key::remove_expired(conn, now)).await
    }

    async fn add_event(&self, event: &Event) -> StoreResult<()> {
        let event = event.clone();
        self.note(move |conn| {
            let concerns =
                event::Concerns { session: event.session, user: event.user, client: event.client.as_ref() };
            event::add(conn, event.at, event.kind, concerns, &event.detail)
        })
        .await
    }

    async fn events(&self, filter: &EventFilter, page: &Page<u64>) -> StoreResult<Vec<Event>> {
        let (filter, page) = (filter.clone(), page.clone());
        self.walk(move |conn| event::list(conn, &filter, &page)).await
    }

    async fn purge(&self, now: Timestamp, events_before: Timestamp, limit: u32) -> StoreResult<u64> {
        self.write(move |conn| backup::purge(conn, now, events_before, limit)).await
    }

    async fn begin_epoch(&self, now: Timestamp, keep_until: Timestamp) -> StoreResult<()> {
        self.write_and_tell(move |conn| Change { conn, now, keep_until }.begin_epoch()).await
    }

    async fn export(&self, table: &str, after: u64, limit: u32) -> StoreResult<Vec<serde_json::Value>> {
        let table = find_table(table)?;
        self.walk(move |conn| backup::export(conn, table, after, limit)).await
    }

    async fn import(&self, table: &str, rows: &[serde_json::Value]) -> StoreResult<()> {
        let table = find_table(table)?;
        let rows = rows.to_vec();
        self.writer
            .run(Extent::Ending, BULK_DEADLINE, move |conn| backup::import(conn, table, &rows))
            .await?;
        self.changed.notify_waiters();
        Ok(())
    }

    async fn version(&self) -> StoreResult<u64> {
        self.read(revocation::version)
    }

    /// No other process has this store, so what is waited for are this one's own changes.
    async fn changed(&self, wait: Duration) {
        // Past the wait there is nothing to do differently.
        let _ = tokio::time::timeout(wait, self.changed.notified()).await;
    }

    async fn close(&self) {
        self.readers.close();
        let (walker, writer) = (self.walker.stopping(), self.writer.stopping());
        let log_thread = self.log_thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let closed = tokio::task::spawn_blocking(move || {
            walker();
            writer();
            // Without a writer it ends of itself; the last connection writes the log back.
            log_thread.is_none_or(|thread| thread.join().is_ok())
        });
        if !matches!(closed.await, Ok(true)) {
            tracing::error!("the store did not close in order");
        }
    }
}

fn displaces(started: &Started) -> bool {
    matches!(started, Started::Session { displaced, .. } if !displaced.is_empty())
}

fn find_table(name: &str) -> StoreResult<&'static Table> {
    Table::find(name).ok_or_else(|| StoreError::Broken(format!("there is no table {name:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::fixtures::{T0, World, at, keep, new_session};

    async fn fresh() -> (Arc<dyn Store>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = SqliteStore::open(&dir.path().join("countersign.sqlite")).unwrap();
        (store, dir)
    }

    crate::store::contract::contract_tests!(fresh);

    /// What is remembered as good rests on this number.
    #[tokio::test]
    async fn everything_that_ends_something_is_counted_and_nothing_else() {
        let (store, _dir) = fresh().await;
        let world = World::new(store.clone()).await;
        let endings = || store.endings().unwrap();
        let start = async |now| {
            let mut new = new_session(world.user.id, &world.client, now);
            new.limit = 2;
            world.start_as(&new).await
        };
        let before = endings();
        let first = start(T0).await;
        let second = start(at(500)).await;
        let second = world.rotate(&second, at(1_000)).await.unwrap();
        assert_eq!(endings(), before);

        let mut last = before;
        let mut is_counted = |what: &str| {
            assert!(endings() > last, "{what}");
            last = endings();
        };
        start(at(1_500)).await;
        assert!(world.standing(&first).await.session.ended.is_some());
        is_counted("a session too many");
        world.revoke(&Target::Session(second.session.id), Reason::Operator, at(2_000)).await;
        is_counted("a revocation");
        let id = &world.client.id;
        let revision = world.client.revision;
        let position = store.client_position(id, revision).await.unwrap();
        assert_eq!(store.client_position(id, revision).await.unwrap(), position);
        assert!(store.replace_client(&world.client, revision).await.unwrap());
        is_counted("a change of a client");
        assert_eq!(store.client_position(id, revision).await.unwrap(), None);
        assert_eq!(store.client_position(id, revision + 1).await.unwrap(), position);
        store.set_client_enabled(id, false, at(3_000), keep(at(3_000))).await.unwrap().unwrap();
        is_counted("the disabling of a client");
        assert_eq!(store.client_position(id, revision + 2).await.unwrap(), None);
        store.change_user(world.user.id, &UserChange::SignOut, at(4_000), keep(at(4_000))).await.unwrap();
        is_counted("a sign-out");
        store.purge(at(5_000), at(5_000), 1).await.unwrap();
        is_counted("a purge");
    }

    #[tokio::test]
    async fn what_was_answered_is_there_after_a_close() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("countersign.sqlite");
        let store = SqliteStore::open(&path).unwrap();
        let receipt = store.revoke(&Target::Everything, Reason::Operator, Timestamp(1), Timestamp(2)).await;
        assert_eq!(receipt.unwrap().number, Some(1));
        store.close().await;
        assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
        store.close().await;
        // The log was written back: the one file is the store.
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let again = SqliteStore::open(&path).unwrap();
        assert_eq!(again.position().await.unwrap(), 1);
    }
}
