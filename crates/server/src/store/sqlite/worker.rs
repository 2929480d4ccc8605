//! A thread that owns a connection and serves waiting calls, many to a transaction. The writer's
//! answers wait for the commit, so that one sync of the disk pays for all that were waiting; a
//! reader's transaction begins after its calls were asked for, so that no answer is older than
//! its question.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::checkpoint::LogKeeper;
use super::connection::{self, Purpose};
use super::session::Rotations;
use crate::store::{StoreError, StoreResult};

/// Most calls that wait; more are turned away at once.
const QUEUE: usize = 4096;
/// Most calls in one transaction.
const BATCH: usize = 256;
/// How long a call waits for its answer.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);
/// The same for what reads or writes very many rows.
pub(super) const BULK_DEADLINE: Duration = Duration::from_secs(120);

/// A queue of calls and the thread that serves it.
pub(super) struct Worker {
    queue: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Message {
    Call(Box<dyn Call>),
    Stop,
}

/// How a call stands to its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// At most one statement writes, or the call only reads: it is all or nothing by itself.
    Single,
    /// Several statements write: they are undone together if one fails. Afterwards a token that was
    /// good is good still.
    Several,
    /// The same, but afterwards a token that was good may be good no more.
    Ending,
}

/// What a call works with: the connection, and what is kept for the transaction.
pub(super) struct Desk<'c> {
    pub(super) conn: &'c Connection,
    /// The statements of refreshes.
    pub(super) rotations: Rotations<'c>,
    /// Whether a token that was good may be good no more afterwards. Calls of [`Extent::Ending`] set
    /// it before they begin, others when they find that they end something.
    pub(super) ending: bool,
}

impl<'c> Desk<'c> {
    fn new(conn: &'c Connection) -> Self {
        Self { conn, rotations: Rotations::default(), ending: false }
    }
}

impl Worker {
    /// Starts the thread that writes.
    pub(super) fn writer(path: &Path, keeper: LogKeeper) -> StoreResult<Self> {
        Self::start(path, "sqlite-writer", Purpose::Write, Some(keeper))
    }

    /// Starts the thread for what walks over many rows.
    pub(super) fn walker(path: &Path) -> StoreResult<Self> {
        Self::start(path, "sqlite-walker", Purpose::Walk, None)
    }

    fn start(path: &Path, name: &str, purpose: Purpose, keeper: Option<LogKeeper>) -> StoreResult<Self> {
        let (queue, receiver) = sync_channel(QUEUE);
        let served = Served { conn: connection::open(path, purpose)?, purpose, keeper };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || served.serve(&receiver))
            .map_err(|e| StoreError::Unavailable(format!("no thread for the store: {e}")))?;
        Ok(Self { queue, thread: Mutex::new(Some(thread)) })
    }

    /// Runs `work` in a transaction and gives its answer once that is committed. When the
    /// deadline passes first, the outcome is unknown to the caller.
    pub(super) async fn run<T, F>(&self, extent: Extent, deadline: Duration, work: F) -> StoreResult<T>
    where
        F: FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        self.run_at_desk(extent, deadline, move |desk| work(desk.conn)).await
    }

    /// As [`Self::run`], for what needs more than the connection.
    pub(super) async fn run_at_desk<T, F>(
        &self,
        extent: Extent,
        deadline: Duration,
        work: F,
    ) -> StoreResult<T>
    where
        F: FnOnce(&mut Desk<'_>) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call = Pending { work: Some(work), extent, result: None, reply };
        self.queue.try_send(Message::Call(Box::new(call))).map_err(|e| match e {
            TrySendError::Full(_) => unavailable("too many calls are waiting"),
            TrySendError::Disconnected(_) => unavailable("it is closed"),
        })?;
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(unavailable("the call was lost")),
            Err(_) => Err(unavailable("the call took too long")),
        }
    }

    /// What ends the thread once it has served what is waiting now; it blocks.
    pub(super) fn stopping(&self) -> impl FnOnce() + Send + 'static {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let queue = self.queue.clone();
        move || {
            let Some(thread) = thread else { return };
            // Fails only when the thread has ended already.
            let _ = queue.send(Message::Stop);
            if thread.join().is_err() {
                tracing::error!("a thread of the store ended in a panic");
            }
        }
    }
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}

/// A waiting call, whatever its result's type.
trait Call: Send {
    /// The caller has gone away.
    fn is_abandoned(&self) -> bool;
    fn extent(&self) -> Extent;
    /// Runs the work and keeps its result; says whether it succeeded.
    fn run(&mut self, desk: &mut Desk<'_>) -> bool;
    /// Hands out the result, or why the transaction failed.
    fn answer(self: Box<Self>, outcome: &StoreResult<()>);
}

struct Pending<T, F> {
    work: Option<F>,
    extent: Extent,
    result: Option<StoreResult<T>>,
    reply: oneshot::Sender<StoreResult<T>>,
}

impl<T, F> Call for Pending<T, F>
where
    F: FnOnce(&mut Desk<'_>) -> StoreResult<T> + Send,
    T: Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn run(&mut self, desk: &mut Desk<'_>) -> bool {
        self.result = self.work.take().map(|work| work(desk));
        matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, outcome: &StoreResult<()>) {
        let result = match outcome {
            Ok(()) => self.result.unwrap_or_else(|| Err(unavailable("the call was not run"))),
            Err(why) => Err(why.clone()),
        };
        // The caller may have gone away.
        let _ = self.reply.send(result);
    }
}

/// What a thread has.
struct Served {
    conn: Connection,
    purpose: Purpose,
    keeper: Option<LogKeeper>,
}

impl Served {
    fn serve(mut self, receiver: &Receiver<Message>) {
        let mut waiting = VecDeque::with_capacity(BATCH);
        loop {
            let go_on = wait_for_calls(receiver, &mut waiting);
            while !waiting.is_empty() {
                if catch_unwind(AssertUnwindSafe(|| self.transaction(&mut waiting))).is_err() {
                    // Whoever was in that transaction gets "the call was lost".
                    tracing::error!("a call of the store panicked; its transaction is undone");
                    self.undo();
                }
            }
            if !go_on {
                return;
            }
        }
    }

    /// Runs calls in one transaction. Takes those it answers.
    fn transaction(&mut self, waiting: &mut VecDeque<Box<dyn Call>>) {
        waiting.retain(|call| !call.is_abandoned());
        if waiting.is_empty() {
            return;
        }
        if let Err(why) = self.execute(self.begin()) {
            self.undo();
            waiting.drain(..).for_each(|call| call.answer(&Err(why.clone())));
            return;
        }
        let mut desk = Desk::new(&self.conn);
        if self.purpose == Purpose::Walk {
            while let Some(mut call) = waiting.pop_front() {
                call.run(&mut desk);
                call.answer(&Ok(()));
            }
            if self.execute("COMMIT").is_err() {
                self.undo();
            }
            return;
        }
        let mut done = Vec::with_capacity(waiting.len());
        let mut outcome = Ok(());
        while let Some(mut call) = waiting.pop_front() {
            desk.ending |= call.extent() == Extent::Ending;
            let stands = self.run_undoable(call.as_mut(), &mut desk);
            done.push(call);
            // A full disk and the like make SQLite undo the whole transaction.
            if stands.is_err() || self.conn.is_autocommit() {
                outcome = Err(unavailable("the transaction was undone"));
                self.undo();
                break;
            }
        }
        let ending = desk.ending;
        drop(desk);
        if outcome.is_ok() {
            outcome = self.execute("COMMIT").map_err(|why| {
                self.undo();
                tracing::error!(error = %why, "a commit failed");
                unavailable("the commit failed")
            });
        }
        if let Some(keeper) = &self.keeper {
            keeper.committed(ending);
        }
        done.into_iter().for_each(|call| call.answer(&outcome));
        if let Some(keeper) = &mut self.keeper {
            keeper.after_commit(&self.conn);
        }
    }

    /// Runs a call so that a failure undoes what it wrote and nothing else.
    fn run_undoable(&self, call: &mut dyn Call, desk: &mut Desk<'_>) -> StoreResult<()> {
        if call.extent() == Extent::Single {
            call.run(desk);
            return Ok(());
        }
        self.execute("SAVEPOINT call")?;
        if !call.run(desk) && !self.conn.is_autocommit() {
            self.execute("ROLLBACK TO call")?;
        }
        if !self.conn.is_autocommit() {
            self.execute("RELEASE call")?;
        }
        Ok(())
    }

    fn begin(&self) -> &'static str {
        match self.purpose {
            Purpose::Write => "BEGIN IMMEDIATE",
            Purpose::Read | Purpose::Walk | Purpose::Checkpoint => "BEGIN DEFERRED",
        }
    }

    fn execute(&self, sql: &str) -> StoreResult<()> {
        self.conn.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    fn undo(&self) {
        if !self.conn.is_autocommit()
            && let Err(why) = self.execute("ROLLBACK")
        {
            tracing::error!(error = %why, "a transaction could not be undone");
        }
    }
}

/// Blocks for a first call and takes what else waits. False: it is time to stop.
fn wait_for_calls(receiver: &Receiver<Message>, waiting: &mut VecDeque<Box<dyn Call>>) -> bool {
    match receiver.recv() {
        Ok(Message::Call(call)) => waiting.push_back(call),
        Ok(Message::Stop) | Err(_) => return false,
    }
    while waiting.len() < BATCH {
        match receiver.try_recv() {
            Ok(Message::Call(call)) => waiting.push_back(call),
            Ok(Message::Stop) => return false,
            Err(_) => return true,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;

    use super::super::readers::Readers;
    use super::*;

    struct Bench {
        worker: Arc<Worker>,
        _dir: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("test.sqlite");
            connection::prepare(&path).unwrap();
            let readers = Arc::new(Readers::new(&path));
            let (keeper, _) = LogKeeper::start(&path, readers).unwrap();
            Self { worker: Arc::new(Worker::writer(&path, keeper).unwrap()), _dir: dir }
        }

        async fn run<T: Send + 'static>(
            &self,
            work: impl FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
        ) -> StoreResult<T> {
            self.worker.run(Extent::Several, DEADLINE, work).await
        }

        fn spawn<T: Send + 'static>(
            &self,
            work: impl FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
        ) -> tokio::task::JoinHandle<StoreResult<T>> {
            let worker = self.worker.clone();
            tokio::spawn(async move { worker.run(Extent::Several, DEADLINE, work).await })
        }

        /// Holds the writer up in a transaction of its own, so that what is asked for meanwhile
        /// shares the next one; drop the sender to let it go on.
        async fn hold(&self) -> std::sync::mpsc::Sender<()> {
            let (release, held) = std::sync::mpsc::channel::<()>();
            let (entered, in_it) = oneshot::channel();
            self.spawn(move |_| {
                let _ = entered.send(());
                let _ = held.recv();
                Ok(())
            });
            in_it.await.unwrap();
            release
        }

        async fn tenants(&self) -> Vec<String> {
            self.run(|conn| {
                let mut statement = conn.prepare("SELECT id FROM tenant ORDER BY id")?;
                let ids = statement.query_map([], |row| row.get(0))?;
                Ok(ids.collect::<Result<Vec<_>, _>>()?)
            })
            .await
            .unwrap()
        }
    }

    fn add(conn: &Connection, id: &str) -> StoreResult<()> {
        conn.execute("INSERT INTO tenant (id, cut) VALUES (?1, 0)", [id])?;
        Ok(())
    }

    /// Lets the tasks that were spawned reach the queue.
    async fn queued() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_call_that_fails_spoils_no_other() {
        let bench = Bench::new();
        let held = bench.hold().await;
        let a = bench.spawn(|conn| add(conn, "a"));
        let b = bench.spawn(|conn| {
            add(conn, "b1")?;
            add(conn, "b2")?;
            add(conn, "b1")
        });
        let c = bench.spawn(|conn| add(conn, "c"));
        queued().await;
        drop(held);
        assert!(a.await.unwrap().is_ok());
        assert!(matches!(b.await.unwrap(), Err(StoreError::Broken(_))));
        assert!(c.await.unwrap().is_ok());
        assert_eq!(bench.tenants().await, ["a", "c"]);
    }

    #[tokio::test]
    async fn nothing_stands_of_a_transaction_that_was_undone() {
        let bench = Bench::new();
        let held = bench.hold().await;
        let a = bench.spawn(|conn| add(conn, "a"));
        let b = bench.spawn(|conn| Ok(conn.execute_batch("ROLLBACK")?));
        let c = bench.spawn(|conn| add(conn, "c"));
        queued().await;
        drop(held);
        assert!(matches!(a.await.unwrap(), Err(StoreError::Unavailable(_))));
        assert!(matches!(b.await.unwrap(), Err(StoreError::Unavailable(_))));
        // What came behind is served in the next one.
        assert!(c.await.unwrap().is_ok());
        assert_eq!(bench.tenants().await, ["c"]);
    }

    #[tokio::test]
    async fn a_full_disk_is_unavailable_and_passes_without_a_restart() {
        let bench = Bench::new();
        let big = |conn: &Connection| {
            add(conn, &"x".repeat(1 << 20))?;
            add(conn, "after")
        };
        bench.run(|conn| Ok(conn.query_row("PRAGMA max_page_count = 60", [], |_| Ok(()))?)).await.unwrap();
        assert!(matches!(bench.run(big).await, Err(StoreError::Unavailable(_))));
        assert_eq!(bench.tenants().await, [""; 0]);
        bench.run(|conn| Ok(conn.query_row("PRAGMA max_page_count = 60000", [], |_| Ok(()))?)).await.unwrap();
        bench.run(big).await.unwrap();
    }

    #[tokio::test]
    async fn a_commit_that_fails_is_unavailable_for_all() {
        let bench = Bench::new();
        let prepare = "PRAGMA foreign_keys = ON";
        // Outside of a transaction, where alone the pragma has an effect.
        bench
            .run(move |conn| {
                conn.execute_batch(&format!("COMMIT; {prepare}; BEGIN IMMEDIATE; SAVEPOINT call"))?;
                conn.execute_batch(
                    "CREATE TABLE child (id TEXT REFERENCES tenant (id) DEFERRABLE INITIALLY DEFERRED)",
                )?;
                Ok(())
            })
            .await
            .unwrap();
        let held = bench.hold().await;
        let a = bench.spawn(|conn| add(conn, "a"));
        let b = bench
            .worker
            .run(Extent::Single, DEADLINE, |conn| Ok(conn.execute("INSERT INTO child VALUES ('gone')", [])?));
        let mut b = Box::pin(b);
        assert!((&mut b).now_or_never().is_none());
        queued().await;
        drop(held);
        assert!(matches!(a.await.unwrap(), Err(StoreError::Unavailable(_))));
        assert!(matches!(b.await, Err(StoreError::Unavailable(_))));
        assert_eq!(bench.tenants().await, [""; 0]);
        bench.run(|conn| add(conn, "later")).await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_ends_its_transaction_and_not_the_store() {
        let bench = Bench::new();
        let lost = bench.run::<()>(|conn| {
            add(conn, "a")?;
            panic!("a bug")
        });
        assert!(matches!(lost.await, Err(StoreError::Unavailable(_))));
        assert_eq!(bench.tenants().await, [""; 0]);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_begun() {
        let bench = Bench::new();
        let held = bench.hold().await;
        let late = bench.worker.run(Extent::Single, Duration::from_millis(1), |conn| add(conn, "late"));
        assert!(matches!(late.await, Err(StoreError::Unavailable(_))));
        let gone = bench.spawn(|conn| add(conn, "gone"));
        queued().await;
        gone.abort();
        queued().await;
        drop(held);
        assert_eq!(bench.tenants().await, [""; 0]);
    }

    #[tokio::test]
    async fn a_full_queue_turns_away_at_once() {
        let bench = Bench::new();
        let held = bench.hold().await;
        let mut waiting = Vec::new();
        for _ in 0..QUEUE {
            let mut call = Box::pin(bench.run(|_| Ok(())));
            assert!((&mut call).now_or_never().is_none());
            waiting.push(call);
        }
        assert!(matches!(bench.run(|_| Ok(())).await, Err(StoreError::Unavailable(_))));
        drop(held);
        for call in waiting {
            call.await.unwrap();
        }
    }

    #[tokio::test]
    async fn stopping_serves_what_waits() {
        let bench = Bench::new();
        let held = bench.hold().await;
        let a = bench.spawn(|conn| add(conn, "a"));
        queued().await;
        let stopping = tokio::task::spawn_blocking(bench.worker.stopping());
        drop(held);
        stopping.await.unwrap();
        assert!(a.await.unwrap().is_ok());
        assert!(matches!(bench.run(|_| Ok(())).await, Err(StoreError::Unavailable(_))));
    }
}
