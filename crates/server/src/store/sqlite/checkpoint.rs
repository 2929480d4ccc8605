//! Writing the log (the WAL) back into the database without making requests wait. A thread of its
//! own copies pages while the writer goes on; the writer itself only finishes: it copies the few
//! pages that came meanwhile and starts the log over, which no other thread can do while it
//! writes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::connection::{self, Purpose};
use crate::store::{StoreError, StoreResult};

/// The log is copied when it has this many pages.
const COPY_PAGES: i64 = 16_000;
/// The copying is repeated until at most this many pages are left for the writer to finish.
const FINISH_PAGES: i64 = 2_000;
/// Most repetitions; then the writer finishes whatever is left, so that the log has a bound.
const REPETITIONS: usize = 4;
/// The log's length is looked at no more often than this.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The writer's part.
pub(super) struct LogKeeper {
    /// Wakes the copying thread; ends it when dropped.
    written: SyncSender<()>,
    finish: Arc<AtomicBool>,
}

impl LogKeeper {
    /// Starts the copying thread.
    pub(super) fn start(path: &Path) -> StoreResult<(Self, JoinHandle<()>)> {
        let conn = connection::open(path, Purpose::Checkpoint)?;
        let (written, commits) = sync_channel(1);
        let finish = Arc::new(AtomicBool::new(false));
        let copier = Copier { conn, commits, finish: finish.clone() };
        let thread = std::thread::Builder::new()
            .name("sqlite-log".to_owned())
            .spawn(move || copier.run())
            .map_err(|e| StoreError::Unavailable(format!("no thread for the store: {e}")))?;
        Ok((Self { written, finish }, thread))
    }

    /// Called by the writer between two transactions.
    pub(super) fn after_commit(&self, conn: &Connection) {
        if self.finish.swap(false, Ordering::AcqRel)
            && let Err(error) = checkpoint(conn, "RESTART")
        {
            tracing::warn!(%error, "the log could not be started over");
        }
        // When a wake-up is waiting already, one more is not needed.
        let _ = self.written.try_send(());
    }
}

struct Copier {
    conn: Connection,
    commits: Receiver<()>,
    finish: Arc<AtomicBool>,
}

impl Copier {
    fn run(self) {
        while self.commits.recv().is_ok() {
            if let Err(error) = self.copy_if_long() {
                tracing::warn!(%error, "the log could not be copied");
            }
            std::thread::park_timeout(LOOK_EVERY);
        }
    }

    fn copy_if_long(&self) -> StoreResult<()> {
        let log = checkpoint(&self.conn, "NOOP")?;
        if log.pages < COPY_PAGES || self.finish.load(Ordering::Acquire) {
            return Ok(());
        }
        for _ in 0..REPETITIONS {
            checkpoint(&self.conn, "PASSIVE")?;
            let log = checkpoint(&self.conn, "NOOP")?;
            if log.pages - log.copied <= FINISH_PAGES {
                break;
            }
        }
        self.finish.store(true, Ordering::Release);
        Ok(())
    }
}

struct Log {
    pages: i64,
    copied: i64,
}

fn checkpoint(conn: &Connection, how: &str) -> StoreResult<Log> {
    let sql = format!("PRAGMA wal_checkpoint({how})");
    let log = conn
        .prepare_cached(&sql)?
        .query_row([], |row| Ok(Log { pages: row.get(1)?, copied: row.get(2)? }))?;
    Ok(log)
}
