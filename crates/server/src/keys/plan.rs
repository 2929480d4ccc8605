//! The life of a key with no hands: one pure function says what is to be done, and every node
//! that asks it at about the same time gets about the same answer.
//!
//! A key is published when it is made, makes tokens from `active_at` until its successor does,
//! and is kept until nothing made with it can be alive.

use std::collections::BTreeSet;
use std::time::Duration;

use super::JWKS_MAX_AGE;
use crate::store::{KeyPurpose, KeyRecord};
use crate::time::Timestamp;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// When keys follow one another. The two longest lifetimes are limits over all clients that ever
/// were: lowering one while tokens of the old length are alive can outlive their key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySchedule {
    /// How long a key makes tokens.
    pub rotate_every: Duration,
    /// How long a signing key is published before it signs; no less than [`KeySchedule::MIN_AHEAD`].
    pub publish_ahead: Duration,
    /// How long a key that is not published is known before it makes tokens: time for every node
    /// to learn of it.
    pub propagate: Duration,
    /// The longest life of an access token.
    pub longest_access: Duration,
    /// The longest life of a session.
    pub longest_session: Duration,
    /// How much longer a key is kept than by reckoning it must be: covers nodes that learned late
    /// of a successor, and leeway in checks.
    pub margin: Duration,
}

impl Default for KeySchedule {
    fn default() -> Self {
        Self {
            rotate_every: 90 * DAY,
            publish_ahead: HOUR,
            propagate: Duration::from_secs(60),
            longest_access: DAY,
            longest_session: 400 * DAY,
            margin: HOUR,
        }
    }
}

/// A schedule under which tokens could lose their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// Resource servers would meet keys that their copy of the key set lacks.
    #[error("keys must be published at least {} seconds before they sign", KeySchedule::MIN_AHEAD.as_secs())]
    PublishAhead,
    /// Rings would fill up.
    #[error(
        "keys must be used for at least {} seconds, or a ring of {} numbers is too small for keys that are kept that long",
        KeySchedule::MIN_ROTATE_EVERY.as_secs(), MAX_NUMBER
    )]
    RotateEvery,
}

/// The largest number on a ring; 0 is never used.
pub const MAX_NUMBER: u8 = u8::MAX;

impl KeySchedule {
    /// Shortest `publish_ahead`: as long as a copy of the key set may be kept.
    pub const MIN_AHEAD: Duration = JWKS_MAX_AGE;
    /// Shortest `rotate_every`.
    pub const MIN_ROTATE_EVERY: Duration = DAY;
    /// Most keys that a schedule may keep alive on one ring: leaves room for those an operator makes.
    const MAX_PLANNED: u128 = 128;

    /// Checks that no token can lose its key.
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub fn check(&self) -> Result<(), InvalidSchedule> {
        if self.publish_ahead < Self::MIN_AHEAD {
            return Err(InvalidSchedule::PublishAhead);
        }
        let kept = self.longest_session.max(self.longest_access) + self.margin;
        let alive = kept.as_millis() / self.rotate_every.as_millis().max(1);
        if self.rotate_every < Self::MIN_ROTATE_EVERY || alive > Self::MAX_PLANNED {
            return Err(InvalidSchedule::RotateEvery);
        }
        Ok(())
    }

    /// How long a new key waits before it makes tokens.
    pub(super) fn ahead(&self, purpose: KeyPurpose) -> Duration {
        match purpose {
            KeyPurpose::Signing(_) => self.publish_ahead,
            KeyPurpose::Refresh | KeyPurpose::Opaque | KeyPurpose::Internal => self.propagate,
        }
    }

    /// How long what a key made can live.
    fn longest(&self, purpose: KeyPurpose) -> Duration {
        match purpose {
            KeyPurpose::Signing(_) | KeyPurpose::Opaque => self.longest_access,
            KeyPurpose::Refresh | KeyPurpose::Internal => self.longest_session,
        }
    }
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make a key. That another node made the same number first is as good.
    Make {
        /// For what.
        purpose: KeyPurpose,
        /// Its number on its ring.
        number: u8,
        /// From when on it makes tokens.
        active_at: Timestamp,
    },
    /// Note when a key stops being needed.
    Retire {
        /// Which.
        id: String,
        /// When.
        expires_at: Timestamp,
    },
    /// Remove what is not needed any more.
    RemoveExpired,
}

/// A ring with no free number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all {} key numbers of {} are in use: wait until old keys have expired", MAX_NUMBER, .0.as_str())]
pub struct RingFull(pub KeyPurpose);

/// What is to be done now, given all keys that there are.
///
/// # Errors
/// When a key is due and its ring is full.
pub fn plan(records: &[KeyRecord], schedule: &KeySchedule, now: Timestamp) -> Result<Vec<Step>, RingFull> {
    let mut steps = Vec::new();
    for purpose in KeyPurpose::ALL {
        let ring = in_order(records, purpose);
        if needs_successor(&ring, schedule, now) {
            // The first key of a ring has nothing to wait for: no token of the kind exists.
            let ahead = if ring.is_empty() { Duration::ZERO } else { schedule.ahead(purpose) };
            let number = next_number(records, purpose)?;
            steps.push(Step::Make { purpose, number, active_at: now.plus(ahead) });
        }
        // Each key that has stopped making tokens is kept as long as the last of them can live.
        for pair in ring.windows(2) {
            let [old, successor] = pair else { continue };
            if old.expires_at.is_none() && successor.active_at <= now {
                let kept = schedule.longest(purpose) + schedule.margin;
                let expires_at = successor.active_at.plus(kept);
                steps.push(Step::Retire { id: old.id.clone(), expires_at });
            }
        }
    }
    if records.iter().any(|r| r.expires_at.is_some_and(|at| at < now)) {
        steps.push(Step::RemoveExpired);
    }
    Ok(steps)
}

/// The keys of a ring in the order in which they make tokens.
pub(super) fn in_order(records: &[KeyRecord], purpose: KeyPurpose) -> Vec<&KeyRecord> {
    let mut ring: Vec<_> = records.iter().filter(|r| r.purpose == purpose).collect();
    ring.sort_by(|a, b| (a.active_at, a.created_at, &a.id).cmp(&(b.active_at, b.created_at, &b.id)));
    ring
}

/// Contexts are compared over the whole life of a session, so the one internal key stays.
pub(super) fn rotates(purpose: KeyPurpose) -> bool {
    purpose != KeyPurpose::Internal
}

fn needs_successor(ring: &[&KeyRecord], schedule: &KeySchedule, now: Timestamp) -> bool {
    match ring.last() {
        None => true,
        Some(newest) => rotates(newest.purpose) && newest.active_at.plus(schedule.rotate_every) <= now,
    }
}

/// The number after that of the key made last, round the ring past those in use.
pub(super) fn next_number(records: &[KeyRecord], purpose: KeyPurpose) -> Result<u8, RingFull> {
    let ring = || records.iter().filter(|r| r.purpose == purpose);
    let used: BTreeSet<u8> = ring().map(|r| r.number).collect();
    let last = ring().max_by_key(|r| (r.created_at, r.active_at)).map_or(0, |r| r.number);
    let up = (last..MAX_NUMBER).map(|n| n + 1);
    let round = 1..=last;
    up.chain(round).find(|n| !used.contains(n)).ok_or(RingFull(purpose))
}
