//! Connections for what reads a few rows: used on the thread that asks, because a hand-over to
//! another thread costs several times the reading itself.
//!
//! Beginning and ending a transaction costs six system calls, more than the reading too. So a
//! connection keeps its transaction, and with it its view of the store, until the writer has ended
//! another: this process alone writes, so until then the view is what the store holds. No answer is
//! older than its question, because the writer counts a commit before it answers for it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::connection::{self, Purpose};
use crate::store::{StoreError, StoreResult};

/// The connections.
pub(super) struct Readers {
    path: PathBuf,
    /// Transactions that the writer has ended.
    commits: AtomicU64,
    /// Those of them that may have ended something; counted after `commits`, so that a view of
    /// whoever reads this number first has what it counts.
    endings: AtomicU64,
    /// Those not in use; as many are opened as threads read at once. `None`: the store is closed.
    idle: Mutex<Option<Vec<Reader>>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            commits: AtomicU64::new(0),
            endings: AtomicU64::new(0),
            idle: Mutex::new(Some(Vec::new())),
        }
    }

    /// Runs `work` on the store as it is now, or later.
    pub(super) fn run<T>(&self, work: impl FnOnce(&Connection) -> StoreResult<T>) -> StoreResult<T> {
        let idle = match &mut *self.idle() {
            Some(idle) => idle.pop(),
            None => return Err(StoreError::Unavailable("it is closed".to_owned())),
        };
        let mut reader = match idle {
            Some(reader) => reader,
            None => Reader { conn: connection::open(&self.path, Purpose::Read)?, view: None },
        };
        reader.look_anew(self.commits.load(Ordering::Acquire))?;
        // A connection on which something failed is closed, and another opened when needed.
        let result = work(&reader.conn)?;
        if let Some(idle) = &mut *self.idle() {
            idle.push(reader);
        }
        Ok(result)
    }

    /// Called by the writer when it has ended a transaction, before it answers for it; says whether
    /// a token that was good may be good no more.
    pub(super) fn committed(&self, ending: bool) {
        self.commits.fetch_add(1, Ordering::Release);
        if ending {
            self.endings.fetch_add(1, Ordering::Release);
        }
    }

    /// How many transactions have ended something, or may have.
    pub(super) fn endings(&self) -> u64 {
        self.endings.load(Ordering::Acquire)
    }

    /// Gives up the views that are not in use. A log of which there is a view cannot be started
    /// over.
    pub(super) fn release(&self) {
        if let Some(idle) = &mut *self.idle() {
            idle.retain_mut(|reader| reader.end().is_ok());
        }
    }

    /// Closes the connections; those in use are closed after their call.
    pub(super) fn close(&self) {
        *self.idle() = None;
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Reader>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection, and how many commits were counted before its transaction began, if it has one.
struct Reader {
    conn: Connection,
    view: Option<u64>,
}

impl Reader {
    fn look_anew(&mut self, commits: u64) -> StoreResult<()> {
        if self.view != Some(commits) {
            self.end()?;
            // Its view begins with the first statement, so after the counting.
            self.conn.prepare_cached("BEGIN DEFERRED")?.execute([])?;
            self.view = Some(commits);
        }
        Ok(())
    }

    fn end(&mut self) -> StoreResult<()> {
        if self.view.take().is_some() {
            self.conn.prepare_cached("COMMIT")?.execute([])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        readers: Readers,
        writer: Connection,
        _dir: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("test.sqlite");
            connection::prepare(&path).unwrap();
            let writer = connection::open(&path, Purpose::Write).unwrap();
            Self { readers: Readers::new(&path), writer, _dir: dir }
        }

        fn write(&self) {
            self.writer.execute_batch("UPDATE meta SET position = position + 1").unwrap();
        }

        fn read(&self) -> i64 {
            self.readers
                .run(|conn| Ok(conn.query_row("SELECT position FROM meta", [], |row| row.get(0))?))
                .unwrap()
        }

        /// Whether the log begins anew with the next commit.
        fn log_starts_over(&self) -> bool {
            let length = || {
                self.writer.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get::<_, i64>(1)).unwrap()
            };
            let copy = || self.writer.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
            copy();
            let before = length();
            self.write();
            length() < before
        }
    }

    #[test]
    fn what_the_writer_has_counted_is_seen() {
        let bench = Bench::new();
        assert_eq!(bench.read(), 0);
        bench.write();
        bench.readers.committed(false);
        assert_eq!(bench.read(), 1);
        assert_eq!(bench.read(), 1);
        bench.write();
        bench.readers.committed(false);
        assert_eq!(bench.read(), 2);
    }

    #[test]
    fn a_view_is_kept_until_then_and_holds_the_log_until_it_is_released() {
        let bench = Bench::new();
        bench.write();
        assert_eq!(bench.read(), 1);
        bench.write();
        assert_eq!(bench.read(), 1, "nothing was counted, so the view is kept");
        assert!(!bench.log_starts_over());
        bench.readers.release();
        assert!(bench.log_starts_over());
    }

    #[test]
    fn a_connection_on_which_something_failed_is_not_used_again() {
        let bench = Bench::new();
        let failed = bench.readers.run(|conn| Ok(conn.execute_batch("COMMIT; SELECT * FROM nowhere")?));
        assert!(failed.is_err());
        assert_eq!(bench.read(), 0);
    }

    #[test]
    fn a_closed_store_says_so() {
        let bench = Bench::new();
        assert_eq!(bench.read(), 0);
        bench.readers.close();
        assert!(matches!(bench.readers.run(|_| Ok(())), Err(StoreError::Unavailable(_))));
    }
}
