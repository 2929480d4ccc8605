//! Writing the log (the WAL) back into the database without making requests wait. A thread of its
//! own copies pages and syncs them while the writer goes on; the writer only finishes: it copies
//! the few pages that came meanwhile, after which its next transaction starts the log over.
//!
//! SQLite syncs the database file only in the checkpoint that reaches the log's end, which under
//! load is the writer's: without the thread's own sync it would pay for every page there, a stall
//! of 200 ms.
//!
//! When that sync fails, the copying ends for as long as the process runs. The system has reported
//! the lost pages once and forgets them, a second sync would succeed without them, and SQLite, which
//! counts them as copied, would start the log over or remove it: the only other place that has them.
//! The log stays whole and commits are synced to it as before; the next start copies all of it.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::connection::{self, Purpose};
use super::readers::Readers;
use crate::store::{StoreError, StoreResult};

/// The log is copied when it has this many pages.
const COPY_PAGES: i64 = 16_000;
/// The copying is repeated until at most this many pages are left for the writer to finish.
const FINISH_PAGES: i64 = 256;
/// Most repetitions in a row.
const REPETITIONS: usize = 6;
/// When even so the pages do not get fewer, the writer finishes at this length, so that the log
/// has a bound.
const MOST_PAGES: i64 = 64_000;
/// The log's length is looked at no more often than this.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The writer's part.
pub(super) struct LogKeeper {
    /// Wakes the copying thread; ends it when dropped.
    written: SyncSender<()>,
    finish: Arc<AtomicBool>,
    readers: Arc<Readers>,
}

impl LogKeeper {
    /// Starts the copying thread.
    pub(super) fn start(path: &Path, readers: Arc<Readers>) -> StoreResult<(Self, JoinHandle<()>)> {
        let conn = connection::open(path, Purpose::Checkpoint)?;
        // Kept for as long as the thread runs: closing any handle of the file gives up the locks
        // that the process holds on it.
        let file = File::open(path).map_err(|e| StoreError::Unavailable(e.to_string()))?;
        let (written, commits) = sync_channel(1);
        let finish = Arc::new(AtomicBool::new(false));
        let copier = Copier {
            conn,
            file,
            commits,
            finish: finish.clone(),
            readers: readers.clone(),
            copy_at: COPY_PAGES,
        };
        let thread = std::thread::Builder::new()
            .name("sqlite-log".to_owned())
            .spawn(move || copier.run())
            .map_err(|e| StoreError::Unavailable(format!("no thread for the store: {e}")))?;
        Ok((Self { written, finish, readers }, thread))
    }

    /// Called by the writer when a transaction has ended, before it answers for it.
    pub(super) fn committed(&self, ending: bool) {
        self.readers.committed(ending);
    }

    /// Called by the writer between two transactions.
    pub(super) fn after_commit(&self, conn: &Connection) {
        if self.finish.load(Ordering::Acquire) {
            // Passive, so that it does not wait for a long walk over the rows.
            if let Err(error) = checkpoint(conn, "PASSIVE") {
                tracing::warn!(%error, "the copying of the log could not be finished");
            }
            // Views of what is in the database altogether do not keep the log from starting over.
            self.readers.release();
            self.finish.store(false, Ordering::Release);
        }
        // When a wake-up is waiting already, one more is not needed.
        let _ = self.written.try_send(());
    }
}

struct Copier {
    conn: Connection,
    file: File,
    commits: Receiver<()>,
    finish: Arc<AtomicBool>,
    readers: Arc<Readers>,
    /// The length at which to copy next.
    copy_at: i64,
}

impl Copier {
    fn run(mut self) {
        while self.commits.recv().is_ok() {
            match self.copy_if_long() {
                Ok(Copied::Durably) => {}
                Ok(Copied::Unsynced(error)) => {
                    tracing::error!(
                        %error,
                        "the database file could not be synced: its log is kept and grows until the service is restarted"
                    );
                    self.keep_the_log();
                    return;
                }
                Err(error) => tracing::warn!(%error, "the log could not be copied"),
            }
            std::thread::park_timeout(LOOK_EVERY);
        }
    }

    /// Holds its connection until the process ends: the last one that closes would copy the rest
    /// of the log and remove it.
    fn keep_the_log(self) {
        std::mem::forget(self);
    }

    fn copy_if_long(&mut self) -> StoreResult<Copied> {
        let mut log = checkpoint(&self.conn, "NOOP")?;
        if log.pages < self.copy_at.min(MOST_PAGES) || log.left() == 0 || self.finish.load(Ordering::Acquire)
        {
            // A log that was started over is short again.
            self.copy_at = if log.pages < COPY_PAGES { COPY_PAGES } else { self.copy_at };
            return Ok(Copied::Durably);
        }
        for _ in 0..REPETITIONS {
            self.readers.release();
            checkpoint(&self.conn, "PASSIVE")?;
            if let Err(error) = self.file.sync_data() {
                return Ok(Copied::Unsynced(error));
            }
            log = checkpoint(&self.conn, "NOOP")?;
            if log.left() <= FINISH_PAGES {
                break;
            }
        }
        if log.left() <= FINISH_PAGES || log.pages >= MOST_PAGES {
            self.finish.store(true, Ordering::Release);
        } else {
            // A walk over the rows still reads the log, or the disk is slow: leave it time.
            self.copy_at = log.pages + COPY_PAGES / 4;
        }
        Ok(Copied::Durably)
    }
}

/// What became of the pages that were copied, if there were any.
enum Copied {
    Durably,
    /// Some may not be on the disk, now or after another sync.
    Unsynced(std::io::Error),
}

struct Log {
    pages: i64,
    copied: i64,
}

impl Log {
    fn left(&self) -> i64 {
        self.pages - self.copied
    }
}

fn checkpoint(conn: &Connection, how: &str) -> StoreResult<Log> {
    let sql = format!("PRAGMA wal_checkpoint({how})");
    let log = conn
        .prepare_cached(&sql)?
        .query_row([], |row| Ok(Log { pages: row.get(1)?, copied: row.get(2)? }))?;
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes, copies with a sync that fails or not, closes every connection; says whether the log
    /// is still there.
    fn log_is_there_after_a_copy(synced_by: &Path, dir: &Path) -> bool {
        let path = dir.join("test.sqlite");
        connection::prepare(&path).unwrap();
        let writer = connection::open(&path, Purpose::Write).unwrap();
        let reader = connection::open(&path, Purpose::Read).unwrap();
        writer.execute_batch("UPDATE meta SET position = position + 1").unwrap();
        // A view, so that the copying does not reach the end and SQLite itself syncs nothing.
        reader.execute_batch("BEGIN; SELECT * FROM meta").unwrap();
        writer.execute_batch("UPDATE meta SET position = position + 1").unwrap();
        let (written, commits) = sync_channel(1);
        let copier = Copier {
            conn: connection::open(&path, Purpose::Checkpoint).unwrap(),
            file: File::open(synced_by).unwrap(),
            commits,
            finish: Arc::new(AtomicBool::new(false)),
            readers: Arc::new(Readers::new(&path)),
            copy_at: 1,
        };
        written.send(()).unwrap();
        drop(written);
        copier.run();
        let log = checkpoint(&writer, "NOOP").unwrap();
        assert!(log.copied > 0 && log.left() > 0, "a part was copied");
        drop((reader, writer));
        dir.join("test.sqlite-wal").exists()
    }

    #[test]
    fn the_log_is_kept_when_the_database_could_not_be_synced() {
        let dir = tempfile::tempdir().unwrap();
        // A file that cannot be synced.
        assert!(log_is_there_after_a_copy(Path::new("/dev/null"), dir.path()));
        // Another process that starts copies all of it; one in this process finds it whole.
        let conn = connection::open(&dir.path().join("test.sqlite"), Purpose::Write).unwrap();
        let position: i64 = conn.query_row("SELECT position FROM meta", [], |row| row.get(0)).unwrap();
        assert_eq!(position, 2);
    }

    #[test]
    fn the_log_goes_with_the_last_connection_when_all_was_synced() {
        let dir = tempfile::tempdir().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!log_is_there_after_a_copy(file.path(), dir.path()));
    }
}
