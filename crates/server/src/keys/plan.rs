//! The life of a key with no hands: one pure function says what is to be done, and every node
//! that asks it at about the same time gets about the same answer.
//!
//! A key is published when it is made, makes tokens from `active_at` until its successor does,
//! and is kept until nothing made with it can be alive.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::store::{KeyPurpose, KeyRecord};
use crate::time::Timestamp;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// When keys follow one another. The two longest lifetimes are limits over all clients that ever
/// were: lowering one while tokens of the old length are alive can outlive their key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySchedule {
    /// How long a key makes tokens. Refresh keys make them longer if a ring would fill up otherwise.
    pub rotate_every: Duration,
    /// How long a signing key is published before it signs: no less than a copy of the key set may
    /// be kept, which the configuration sees to. Never less than `propagate`.
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

/// The largest number on a ring; 0 is never used.
pub const MAX_NUMBER: u8 = u8::MAX;

impl KeySchedule {
    /// Most keys that are alive on one ring by the schedule: leaves room for those an operator makes.
    const MAX_PLANNED: u32 = 64;

    /// How long a new key waits before it makes tokens.
    pub(super) fn ahead(&self, purpose: KeyPurpose) -> Duration {
        match purpose {
            KeyPurpose::Signing(_) => self.publish_ahead.max(self.propagate),
            KeyPurpose::Refresh | KeyPurpose::Opaque | KeyPurpose::Internal => self.propagate,
        }
    }

    /// How long a key makes tokens: not so short that those kept for what they made fill the ring.
    fn rotate_every(&self, purpose: KeyPurpose) -> Duration {
        self.rotate_every.max(self.kept(purpose) / Self::MAX_PLANNED)
    }

    /// How long a key is kept after it stopped making tokens.
    fn kept(&self, purpose: KeyPurpose) -> Duration {
        self.longest(purpose).saturating_add(self.margin)
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
                let expires_at = successor.active_at.plus(schedule.kept(purpose));
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
    ring.sort_by_key(|record| (record.active_at, record.created_at, record.number));
    ring
}

/// Contexts are compared over the whole life of a session, and users' secrets are sealed for as long
/// as they have them, so the one internal key stays.
pub(super) fn rotates(purpose: KeyPurpose) -> bool {
    purpose != KeyPurpose::Internal
}

fn needs_successor(ring: &[&KeyRecord], schedule: &KeySchedule, now: Timestamp) -> bool {
    match ring.last() {
        None => true,
        Some(newest) => {
            let due = newest.active_at.plus(schedule.rotate_every(newest.purpose));
            rotates(newest.purpose) && due <= now
        }
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

#[cfg(test)]
mod tests {
    use countersign_wire::Algorithm;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    const SIGNING: KeyPurpose = KeyPurpose::Signing(Algorithm::ES256);

    fn record(purpose: KeyPurpose, number: u8, created_at: Timestamp, active_at: Timestamp) -> KeyRecord {
        let id = format!("{}-{number}-{}", purpose.as_str(), created_at.0);
        KeyRecord { id, purpose, number, created_at, active_at, expires_at: None, sealed: Vec::new() }
    }

    fn at(duration: Duration) -> Timestamp {
        Timestamp(0).plus(duration)
    }

    /// A store, and a node that looks at it as often as nodes do.
    struct World {
        schedule: KeySchedule,
        now: Timestamp,
        records: Vec<KeyRecord>,
        seen: (Timestamp, Vec<KeyRecord>),
        /// Tokens: the key, when, and until when they live.
        issued: Vec<(String, Timestamp, Timestamp)>,
        /// Keys that nobody had to wait for.
        hasty: BTreeSet<String>,
    }

    impl World {
        const LOOKS_EVERY: Duration = Duration::from_secs(60);

        fn new() -> Self {
            // Just enough for a node to look again: more would hide mistakes.
            let margin = Self::LOOKS_EVERY;
            let schedule = KeySchedule { margin, ..KeySchedule::default() };
            let mut world = Self {
                schedule,
                now: at(DAY),
                records: Vec::new(),
                seen: (at(DAY), Vec::new()),
                issued: Vec::new(),
                hasty: BTreeSet::new(),
            };
            world.maintain();
            world.hasty = world.records.iter().map(|r| r.id.clone()).collect();
            world.look();
            world
        }

        fn make(&mut self, purpose: KeyPurpose, number: u8, active_at: Timestamp) -> String {
            let record = record(purpose, number, self.now, active_at);
            assert!(!self.records.iter().any(|r| (r.purpose, r.number) == (purpose, number)));
            self.records.push(record.clone());
            record.id
        }

        fn maintain(&mut self) {
            for _ in 0..10 {
                let steps = plan(&self.records, &self.schedule, self.now).unwrap();
                if steps.is_empty() {
                    return;
                }
                for step in steps {
                    match step {
                        Step::Make { purpose, number, active_at } => {
                            self.make(purpose, number, active_at);
                        }
                        Step::Retire { id, expires_at } => {
                            let old = self.records.iter_mut().find(|r| r.id == id).unwrap();
                            assert_eq!(old.expires_at, None);
                            old.expires_at = Some(expires_at);
                            for (key, _, until) in &self.issued {
                                assert!(*key != id || *until <= expires_at, "{id} is retired too soon");
                            }
                        }
                        Step::RemoveExpired => self.remove_expired(),
                    }
                }
            }
            panic!("the plan never ends");
        }

        fn remove_expired(&mut self) {
            let now = self.now;
            let (gone, kept) = std::mem::take(&mut self.records)
                .into_iter()
                .partition(|r| r.expires_at.is_some_and(|t| t < now));
            self.records = kept;
            for key in Vec::from_iter::<Vec<KeyRecord>>(gone) {
                for (id, _, until) in &self.issued {
                    assert!(*id != key.id || *until <= now, "a token outlived its key {id}");
                }
            }
        }

        fn look(&mut self) {
            self.seen = (self.now, self.records.clone());
        }

        fn rotate(&mut self, purpose: KeyPurpose, ahead: Duration) {
            let Ok(number) = next_number(&self.records, purpose) else { return };
            let id = self.make(purpose, number, self.now.plus(ahead));
            if ahead < self.schedule.ahead(purpose) {
                self.hasty.insert(id);
            }
        }

        fn issue(&mut self, purpose: KeyPurpose) {
            if self.now.since(self.seen.0) > Self::LOOKS_EVERY {
                self.look();
            }
            let ring = in_order(&self.seen.1, purpose);
            let key = ring.iter().rev().find(|r| r.active_at <= self.now).unwrap();
            if !self.hasty.contains(&key.id) {
                assert!(self.now.since(key.created_at) >= self.schedule.ahead(purpose));
            }
            let until = self.now.plus(self.schedule.longest(purpose));
            let stored =
                self.records.iter().find(|r| r.id == key.id).expect("a key that makes tokens is kept");
            assert!(stored.expires_at.is_none_or(|at| until <= at), "{} was retired too soon", key.id);
            self.issued.push((key.id.clone(), self.now, until));
        }

        fn pass(&mut self, time: Duration) {
            self.now = self.now.plus(time);
        }
    }

    #[derive(Debug, Clone)]
    enum Deed {
        Maintain,
        Issue(KeyPurpose),
        Rotate(KeyPurpose),
        RotateNow(KeyPurpose),
    }

    fn deeds() -> impl Strategy<Value = Vec<(Duration, Deed)>> {
        let time = prop_oneof![
            0..90_u64,
            0..7200_u64,
            (0..60_u64).prop_map(|days| days * 24 * 3600),
            Just(90 * 24 * 3600),
        ];
        let purpose = || select(KeyPurpose::ALL.into_iter().filter(|p| rotates(*p)).collect::<Vec<_>>());
        let deed = prop_oneof![
            4 => Just(Deed::Maintain),
            8 => purpose().prop_map(Deed::Issue),
            1 => purpose().prop_map(Deed::Rotate),
            1 => purpose().prop_map(Deed::RotateNow),
        ];
        prop::collection::vec((time.prop_map(Duration::from_secs), deed), 1..120)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        #[test]
        fn no_token_ever_outlives_its_key(deeds in deeds()) {
            let mut world = World::new();
            for (time, deed) in deeds {
                world.pass(time);
                match deed {
                    Deed::Maintain => world.maintain(),
                    Deed::Issue(purpose) => world.issue(purpose),
                    Deed::Rotate(purpose) => world.rotate(purpose, world.schedule.ahead(purpose)),
                    Deed::RotateNow(purpose) => world.rotate(purpose, Duration::ZERO),
                }
            }
            // To the end of everything that was issued, and keys still come and go.
            for _ in 0..120 {
                world.pass(10 * DAY);
                world.maintain();
                world.look();
            }
            let oldest = world.now.minus(2 * (world.schedule.rotate_every + 10 * DAY) + world.schedule.longest_session);
            for record in &world.records {
                prop_assert!(!rotates(record.purpose) || record.created_at > oldest, "{} was never removed", record.id);
            }
            // Users' secrets are sealed with it, for as long as they have them.
            let internal: Vec<_> = world.records.iter().filter(|r| r.purpose == KeyPurpose::Internal).collect();
            prop_assert!(internal.len() == 1 && internal[0].number == 1 && internal[0].expires_at.is_none());
        }
    }

    #[test]
    fn the_first_keys_are_active_at_once() {
        let schedule = KeySchedule::default();
        let now = at(DAY);
        let make = |purpose| Step::Make { purpose, number: 1, active_at: now };
        assert_eq!(plan(&[], &schedule, now).unwrap(), KeyPurpose::ALL.map(make));
    }

    #[test]
    fn a_signing_key_lives_by_the_schedule() {
        let schedule = KeySchedule::default();
        let mut records: Vec<_> = KeyPurpose::ALL.map(|p| record(p, 1, at(DAY), at(DAY))).to_vec();
        records.retain(|r| matches!(r.purpose, KeyPurpose::Internal | KeyPurpose::Signing(Algorithm::ES256)));
        let mine = |records: &[KeyRecord], now| {
            let mut steps = plan(records, &schedule, now).unwrap();
            steps.retain(|s| !matches!(s, Step::Make { purpose, .. } if *purpose != SIGNING));
            steps
        };
        let due = at(91 * DAY);
        assert_eq!(mine(&records, due.minus(Duration::from_millis(1))), []);
        let active_at = due.plus(HOUR);
        assert_eq!(mine(&records, due), [Step::Make { purpose: SIGNING, number: 2, active_at }]);
        records.push(record(SIGNING, 2, due, active_at));
        assert_eq!(mine(&records, active_at.minus(Duration::from_millis(1))), []);
        let old = in_order(&records, SIGNING)[0].id.clone();
        let expires_at = active_at.plus(DAY + HOUR);
        assert_eq!(mine(&records, active_at), [Step::Retire { id: old.clone(), expires_at }]);
        records.iter_mut().find(|r| r.id == old).unwrap().expires_at = Some(expires_at);
        assert_eq!(mine(&records, expires_at), []);
        assert_eq!(mine(&records, expires_at.plus(Duration::from_millis(1))), [Step::RemoveExpired]);
    }

    #[test]
    fn numbers_go_round_the_ring_past_those_in_use() {
        let ring = |numbers: &[u8]| {
            let made = |(age, number): (usize, &u8)| {
                record(KeyPurpose::Refresh, *number, Timestamp(age as i64), Timestamp(age as i64))
            };
            numbers.iter().enumerate().map(made).collect::<Vec<_>>()
        };
        let next = |numbers: &[u8]| next_number(&ring(numbers), KeyPurpose::Refresh);
        assert_eq!(next(&[]), Ok(1));
        assert_eq!(next(&[1, 2]), Ok(3));
        assert_eq!(next(&[9, 2]), Ok(3));
        assert_eq!(next(&[254, 255]), Ok(1));
        assert_eq!(next(&[1, 2, 255]), Ok(3));
        assert_eq!(next(&[3, 1, 2]), Ok(4));
        let full: Vec<u8> = (1..=255).collect();
        assert_eq!(next(&full), Err(RingFull(KeyPurpose::Refresh)));
        assert_eq!(next(&full[..254]), Ok(255));
        assert_eq!(next(&full[1..]), Ok(1));
    }

    #[test]
    fn no_schedule_fills_a_ring() {
        for rotate_every in [Duration::ZERO, HOUR] {
            let schedule = KeySchedule { rotate_every, ..KeySchedule::default() };
            let mut world = World { schedule, ..World::new() };
            for _ in 0..2000 {
                world.pass(12 * HOUR);
                world.maintain();
                for purpose in KeyPurpose::ALL {
                    assert!(in_order(&world.records, purpose).len() < 80);
                }
            }
        }
    }
}
