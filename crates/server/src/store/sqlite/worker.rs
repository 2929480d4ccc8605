//! A thread that owns a connection and serves waiting calls, many to a transaction. The writer's
//! answers wait for the commit, so that one sync of the disk pays for all that were waiting; a
//! reader's transaction begins after its calls were asked for, so that no answer is older than
//! its question.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::checkpoint::LogKeeper;
use super::connection::{self, Purpose};
use crate::store::{StoreError, StoreResult};

/// Most calls that wait; more are turned away at once.
const QUEUE: usize = 4096;
/// Most calls in one transaction.
const BATCH: usize = 256;
/// How long a call waits for its answer.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);
/// The same for what reads or writes very many rows.
pub(super) const BULK_DEADLINE: Duration = Duration::from_secs(120);

/// A queue of calls and the threads that serve it.
pub(super) struct Worker {
    queue: SyncSender<Message>,
    threads: Mutex<Vec<JoinHandle<()>>>,
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
    /// Several statements write: they are undone together if one fails.
    Several,
}

impl Worker {
    /// Starts the thread that writes.
    pub(super) fn writer(path: &Path, keeper: LogKeeper) -> StoreResult<Self> {
        Self::start(path, "sqlite-writer", 1, Purpose::Write, Some(keeper))
    }

    /// Starts threads that read.
    pub(super) fn readers(path: &Path, name: &str, count: usize) -> StoreResult<Self> {
        Self::start(path, name, count, Purpose::Read, None)
    }

    fn start(
        path: &Path,
        name: &str,
        count: usize,
        purpose: Purpose,
        mut keeper: Option<LogKeeper>,
    ) -> StoreResult<Self> {
        let (queue, receiver) = sync_channel(QUEUE);
        let receiver = Arc::new(Mutex::new(receiver));
        let mut threads = Vec::with_capacity(count);
        for _ in 0..count {
            let served = Served { conn: connection::open(path, purpose)?, purpose, keeper: keeper.take() };
            let receiver = receiver.clone();
            let thread = std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || served.serve(&receiver))
                .map_err(|e| StoreError::Unavailable(format!("no thread for the store: {e}")))?;
            threads.push(thread);
        }
        Ok(Self { queue, threads: Mutex::new(threads) })
    }

    /// Runs `work` in a transaction and gives its answer once that is committed. When the
    /// deadline passes first, the outcome is unknown to the caller.
    pub(super) async fn run<T, F>(&self, extent: Extent, deadline: Duration, work: F) -> StoreResult<T>
    where
        F: FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
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

    /// Serves what is waiting, then ends the threads. Blocks until they have ended.
    pub(super) fn stop(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for _ in &threads {
            // Fails only when the threads have ended already.
            let _ = self.queue.send(Message::Stop);
        }
        for thread in threads {
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
    fn run(&mut self, conn: &Connection) -> bool;
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
    F: FnOnce(&Connection) -> StoreResult<T> + Send,
    T: Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn run(&mut self, conn: &Connection) -> bool {
        self.result = self.work.take().map(|work| work(conn));
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
    fn serve(mut self, receiver: &Mutex<Receiver<Message>>) {
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
        if self.purpose == Purpose::Read {
            while let Some(mut call) = waiting.pop_front() {
                call.run(&self.conn);
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
            let stands = self.run_undoable(call.as_mut());
            done.push(call);
            // A full disk and the like make SQLite undo the whole transaction.
            if stands.is_err() || self.conn.is_autocommit() {
                outcome = Err(unavailable("the transaction was undone"));
                self.undo();
                break;
            }
        }
        if outcome.is_ok() {
            outcome = self.execute("COMMIT").map_err(|why| {
                self.undo();
                tracing::error!(error = %why, "a commit failed");
                unavailable("the commit failed")
            });
        }
        done.into_iter().for_each(|call| call.answer(&outcome));
        if let Some(keeper) = &mut self.keeper {
            keeper.after_commit(&self.conn);
        }
    }

    /// Runs a call so that a failure undoes what it wrote and nothing else.
    fn run_undoable(&self, call: &mut dyn Call) -> StoreResult<()> {
        if call.extent() == Extent::Single {
            call.run(&self.conn);
            return Ok(());
        }
        self.execute("SAVEPOINT call")?;
        if !call.run(&self.conn) && !self.conn.is_autocommit() {
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
            Purpose::Read | Purpose::Checkpoint => "BEGIN DEFERRED",
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
fn wait_for_calls(receiver: &Mutex<Receiver<Message>>, waiting: &mut VecDeque<Box<dyn Call>>) -> bool {
    let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
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
