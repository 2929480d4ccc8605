//! The revocation feed: kept up with by one task, asked by everybody.

mod follow;
mod frames;
mod reader;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::RevokedSet;
use crate::remote::RemoteError;

pub(crate) use self::follow::follow;
pub use self::reader::{FeedReader, FeedStep, FeedViolation};

/// How far this API is behind the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedStatus {
    /// All entries up to this number are known.
    pub cursor: u64,
    /// So long ago everything was known that was revoked; `None` before it ever was.
    pub lag: Option<Duration>,
    /// Entries that are kept.
    pub entries: usize,
    /// Why the last connection ended, until one is up to date again.
    pub error: Option<RemoteError>,
}

/// What the task tells everybody.
pub(crate) struct Feed {
    revoked: Arc<RevokedSet>,
    begun: Instant,
    /// Milliseconds from the beginning until everything was known that was revoked, plus one; 0
    /// before it ever was.
    known: AtomicU64,
    cursor: AtomicU64,
    error: Mutex<Option<RemoteError>>,
}

impl Feed {
    pub(crate) fn new(revoked: Arc<RevokedSet>) -> Self {
        let (known, cursor) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { revoked, begun: Instant::now(), known, cursor, error: Mutex::default() }
    }

    /// So long ago everything was known that was revoked; `None` before it ever was.
    pub(crate) fn lag(&self) -> Option<Duration> {
        let known = self.known.load(Ordering::Acquire).checked_sub(1)?;
        Some(self.begun.elapsed().saturating_sub(Duration::from_millis(known)))
    }

    pub(crate) fn status(&self) -> FeedStatus {
        FeedStatus {
            cursor: self.cursor.load(Ordering::Relaxed),
            lag: self.lag(),
            entries: self.revoked.len(),
            error: self.error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Everything was known so long ago. It never becomes longer ago than it was.
    fn up_to_date(&self, age: Duration) {
        let known = self.begun.elapsed().saturating_sub(age);
        let known = u64::try_from(known.as_millis()).unwrap_or(u64::MAX - 1) + 1;
        self.known.fetch_max(known, Ordering::AcqRel);
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Nothing is known any more: the log began anew.
    fn forget(&self) {
        self.known.store(0, Ordering::Release);
    }

    fn at(&self, cursor: u64) {
        self.cursor.store(cursor, Ordering::Relaxed);
    }

    fn failed(&self, error: RemoteError) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}
