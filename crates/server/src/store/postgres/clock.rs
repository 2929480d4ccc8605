//! The database's clock: one for all nodes, so that no two of them disagree about an expiry or a
//! window. It is not asked per request: each node measures how far its own steady clock is from
//! the database's, now and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use super::error::{Failure, broken};
use super::lease::{Lease, Pool};
use super::rows;
use crate::time::{Clock, Timestamp};

/// How often the distance is measured again: a quartz that is off by 100 ppm drifts 3 ms.
const MEASURE_EVERY: Duration = Duration::from_secs(30);
/// Readings of which the quickest counts: the shorter the way, the smaller the doubt.
const READINGS: u32 = 3;

/// See the module.
#[derive(Debug)]
pub(super) struct DatabaseClock {
    started: Instant,
    /// The database's time when `started` was, in milliseconds since 1970.
    origin: AtomicI64,
}

impl DatabaseClock {
    /// Measures for the first time.
    pub(super) async fn measured(pool: &Pool) -> Result<Self, Failure> {
        let started = Instant::now();
        let reading = Reading::take(pool, started).await?;
        Ok(Self { started, origin: AtomicI64::new(reading.origin) })
    }

    /// Measures again. A difference within the doubt of the reading is none, so that the clock
    /// does not jitter; a larger one is believed, forwards and backwards, because it is the
    /// database's time that counts (each row sees to it that its own times only grow).
    async fn measure(&self, pool: &Pool) -> Result<(), Failure> {
        let reading = Reading::take(pool, self.started).await?;
        self.believe(reading);
        Ok(())
    }

    fn believe(&self, reading: Reading) {
        let difference = reading.origin.saturating_sub(self.origin.load(Ordering::SeqCst));
        if difference.abs() > reading.doubt {
            tracing::debug!(difference_ms = difference, "the database's clock has moved");
            self.origin.store(reading.origin, Ordering::SeqCst);
        }
    }
}

/// Measures now and again; never ends by itself. While the database is away the node's own steady
/// clock carries on.
pub(super) async fn keep_measuring(clock: Arc<DatabaseClock>, pool: Pool) {
    loop {
        tokio::time::sleep(MEASURE_EVERY).await;
        if let Err(failure) = clock.measure(&pool).await {
            tracing::debug!(?failure, "the database's clock was not measured");
        }
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.origin.load(Ordering::SeqCst)).plus(self.started.elapsed())
    }
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
struct Reading {
    origin: i64,
    /// Half the round trip and the rounding, in milliseconds.
    doubt: i64,
}

impl Reading {
    async fn take(pool: &Pool, started: Instant) -> Result<Self, Failure> {
        const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now";
        let mut lease = Lease::take(pool).await?;
        let mut best: Option<Self> = None;
        for _ in 0..READINGS {
            let asked = started.elapsed();
            let now: i64 = rows::get(&lease.query_one(NOW, &[]).await?, "now")?;
            let reading = Self::of(now, asked, started.elapsed());
            if best.is_none_or(|best| reading.doubt < best.doubt) {
                best = Some(reading);
            }
        }
        best.ok_or_else(|| broken("no reading of the clock"))
    }

    /// The database read `now` at some moment between `asked` and `answered`.
    fn of(now: i64, asked: Duration, answered: Duration) -> Self {
        let half = answered.saturating_sub(asked) / 2;
        Self { origin: Timestamp(now).minus(asked + half).0, doubt: rows::millis(half) + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_half_way_between_question_and_answer() {
        let reading = Reading::of(1_000_000, Duration::from_millis(100), Duration::from_millis(110));
        assert_eq!((reading.origin, reading.doubt), (1_000_000 - 105, 6));
    }

    #[test]
    fn jitter_is_ignored_and_a_step_is_believed() {
        let clock = DatabaseClock { started: Instant::now(), origin: AtomicI64::new(50_000) };
        clock.believe(Reading { origin: 50_004, doubt: 5 });
        assert_eq!(clock.origin.load(Ordering::SeqCst), 50_000);
        clock.believe(Reading { origin: 40_000, doubt: 5 });
        assert_eq!(clock.origin.load(Ordering::SeqCst), 40_000);
    }
}
