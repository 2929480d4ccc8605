//! Slowing down who guesses, so that nobody can lock somebody else out.
//!
//! Failures count in three ways. For *an account from one network*: a guesser there waits longer
//! and longer, and the person at home does not notice. For *a network* over all accounts: against
//! one password tried at many accounts. For *an account* over all networks from which nobody has
//! signed in to it before: against a guesser who has many networks. Networks that are known to
//! the account are not slowed down by that, so no stranger can keep a person out of where they
//! have been before. Which those are is remembered in the store: a start forgets none, and every node
//! knows the same.
//!
//! An attempt counts from when it is admitted, not from when it has failed: a thousand at once
//! are no more than one after the other.
//!
//! The counters live in this process. With several nodes a guesser has that many times the
//! attempts, and after a start begins anew, which the numbers allow for. Nothing else depends on
//! them: what is used once (a code, a ticket) is used once by the store.

mod table;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::table::{Entry, Table};
use crate::time::Timestamp;

/// Failures of an account from one network before waiting begins.
const FREE_FAILURES: u32 = 5;
/// The first wait; each further failure doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// A failure of an account from one network is forgiven this often.
const FORGIVEN_EVERY: Duration = Duration::from_secs(15 * 60);
/// How long an attempt is held to be under way when nobody says what came of it.
const UNDER_WAY: Duration = Duration::from_secs(10);
/// What to wait while as many attempts are under way as can be looked at.
const SHORT_WAIT: Duration = Duration::from_secs(1);
/// Failures of a network over all accounts: a hundred in ten minutes.
const NETWORK: Rate = Rate { burst: 100, every: Duration::from_secs(6) };
/// Failures of an account over all networks unknown to it: some, and then one in five minutes. A
/// year of that finds a six-digit code, of which three are good at any time, with a chance of 1/4.
const ACCOUNT: Rate = Rate { burst: 30, every: Duration::from_secs(5 * 60) };
/// Most entries of each kind. An entry is less than 200 bytes, so that all are less than 40 MiB.
const MOST_ENTRIES: usize = 50_000;

/// How long to wait before the next attempt is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter(pub Duration);

/// Slows down sign-ins.
pub struct Throttle {
    hasher: RandomState,
    counters: Mutex<Counters>,
}

struct Counters {
    pairs: Table<Pair>,
    networks: Table<Debt>,
    accounts: Table<Debt>,
}

/// An attempt to sign in.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// To which account, by its canonical name and whether there is one or not.
    pub account: &'a str,
    /// From which network.
    pub network: &'a str,
    /// Whether somebody has signed in to the account from there before.
    pub at_home: bool,
}

impl Default for Throttle {
    fn default() -> Self {
        Self::with_room_for(MOST_ENTRIES)
    }
}

impl Throttle {
    fn with_room_for(most: usize) -> Self {
        let counters =
            Counters { pairs: Table::new(most), networks: Table::new(most), accounts: Table::new(most) };
        Self { hasher: RandomState::new(), counters: Mutex::new(counters) }
    }

    /// Admits an attempt. To be followed by [`Self::failed`] or [`Self::succeeded`]; if it is followed
    /// by neither, the attempt is forgotten after a few seconds.
    ///
    /// # Errors
    /// How long to wait: then the attempt is not looked at, and does not count.
    pub fn check(&self, attempt: &Attempt<'_>, now: Timestamp) -> Result<(), RetryAfter> {
        let keys = self.keys(attempt.account, attempt.network);
        let mut counters = self.lock();
        let mut wait = counters.pairs.get(keys.pair).map_or(Duration::ZERO, |pair| pair.wait(now));
        if let Some(debt) = counters.networks.get(keys.network) {
            wait = wait.max(debt.wait(NETWORK, now));
        }
        if !attempt.at_home
            && let Some(debt) = counters.accounts.get(keys.account)
        {
            wait = wait.max(debt.wait(ACCOUNT, now));
        }
        if !wait.is_zero() {
            return Err(RetryAfter(wait));
        }
        counters.pairs.entry(keys.pair, now).begin(now);
        Ok(())
    }

    /// Counts a failure of an attempt that was admitted.
    pub fn failed(&self, attempt: &Attempt<'_>, now: Timestamp) {
        let keys = self.keys(attempt.account, attempt.network);
        let mut counters = self.lock();
        counters.pairs.entry(keys.pair, now).fail(now);
        counters.networks.entry(keys.network, now).add(NETWORK, now);
        if !attempt.at_home {
            counters.accounts.entry(keys.account, now).add(ACCOUNT, now);
        }
    }

    /// Forgives the failures of an account from a network.
    pub fn succeeded(&self, account: &str, network: &str) {
        let keys = self.keys(account, network);
        self.lock().pairs.remove(keys.pair);
    }

    /// Names of any length as numbers: what is kept has one size. The hash is keyed anew in each
    /// process, so that nobody can name accounts that share a counter.
    fn keys(&self, account: &str, network: &str) -> Keys {
        Keys {
            pair: self.hasher.hash_one((account, network)),
            account: self.hasher.hash_one(account),
            network: self.hasher.hash_one(network),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Keys {
    pair: u64,
    account: u64,
    network: u64,
}

/// Slows down who does what has no account: guessing at a device's user code (RFC 8628 section 5.1),
/// beginning sign-ins without end. Nobody is asked to wait for what somebody with another key did.
pub struct Limiter {
    rate: Rate,
    hasher: RandomState,
    debts: Mutex<Table<Debt>>,
}

impl Limiter {
    /// For the codes that people type to connect a device, by network. A code is one of 2^34: a
    /// thousand networks, each with 1500 attempts a day at a hundred open codes, find one in half a
    /// year.
    pub fn of_user_codes() -> Self {
        Self::new(10, Duration::from_secs(60))
    }

    /// For what strangers have us remember, by network: sign-ins that begin, requests of public clients
    /// and devices. What is remembered of one is about a kilobyte, for an hour at most: 75 MB for a
    /// network that never rests, and more than an office signs in at nine o'clock.
    pub fn of_strangers() -> Self {
        Self::new(2000, Duration::from_millis(50))
    }

    /// So many at once, and one more each so often.
    pub fn new(burst: u32, every: Duration) -> Self {
        let debts = Mutex::new(Table::new(MOST_ENTRIES));
        Self { rate: Rate { burst, every }, hasher: RandomState::new(), debts }
    }

    /// Counts an attempt of which there may be only so many, before anything comes of it: a thousand at
    /// once are no more than one after the other. The key has a network in it: with a client alone as
    /// the key, any stranger could keep its owner out.
    ///
    /// # Errors
    /// How long to wait: then it does not count.
    pub fn admit(&self, key: &str, now: Timestamp) -> Result<(), RetryAfter> {
        let mut debts = self.lock();
        let debt = debts.entry(self.hasher.hash_one(key), now);
        let wait = debt.wait(self.rate, now);
        if !wait.is_zero() {
            return Err(RetryAfter(wait));
        }
        debt.add(self.rate, now);
        Ok(())
    }

    /// Takes an attempt back that was admitted and was no guess.
    pub fn forgive(&self, key: &str, now: Timestamp) {
        let mut debts = self.lock();
        debts.entry(self.hasher.hash_one(key), now).take_back(self.rate);
    }

    fn lock(&self) -> MutexGuard<'_, Table<Debt>> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many failures may come at once, and how often one is forgiven.
#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u32,
    every: Duration,
}

/// A leaky bucket: when the last of its failures will be forgiven (GCRA, as ATM Forum TM 4.0 has it).
#[derive(Debug, Clone, Copy, Default)]
struct Debt {
    forgiven_at: Timestamp,
}

impl Debt {
    fn wait(&self, rate: Rate, now: Timestamp) -> Duration {
        let room = rate.every.saturating_mul(rate.burst.saturating_sub(1));
        self.forgiven_at.since(now).saturating_sub(room)
    }

    /// Never waited for longer than the longest wait: else who has many networks would fill the
    /// bucket for days.
    fn add(&mut self, rate: Rate, now: Timestamp) {
        let most = rate.every.saturating_mul(rate.burst.saturating_sub(1)).saturating_add(LONGEST_WAIT);
        self.forgiven_at = self.forgiven_at.max(now).plus(rate.every).min(now.plus(most));
    }

    fn take_back(&mut self, rate: Rate) {
        self.forgiven_at = self.forgiven_at.minus(rate.every);
    }
}

impl Entry for Debt {
    fn is_spent(&self, now: Timestamp) -> bool {
        self.forgiven_at <= now
    }
}

/// The attempts at an account from one network.
#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    failures: u32,
    failed_at: Timestamp,
    under_way: u32,
    begun_at: Timestamp,
}

impl Pair {
    fn wait(&self, now: Timestamp) -> Duration {
        let failures = self.failures_at(now);
        let under_way = self.under_way_at(now);
        if failures.saturating_add(under_way) < FREE_FAILURES {
            return Duration::ZERO;
        }
        // After the free ones, one at a time.
        let for_others = if under_way == 0 { Duration::ZERO } else { SHORT_WAIT };
        let Some(over) = failures.checked_sub(FREE_FAILURES) else { return for_others };
        let whole = FIRST_WAIT.saturating_mul(1 << over.min(16)).min(LONGEST_WAIT);
        whole.saturating_sub(now.since(self.failed_at)).max(for_others)
    }

    fn begin(&mut self, now: Timestamp) {
        self.under_way = self.under_way_at(now).saturating_add(1);
        self.begun_at = now;
    }

    fn fail(&mut self, now: Timestamp) {
        // More than this are of no consequence, and would be forgiven one by one.
        self.failures = self.failures_at(now).saturating_add(1).min(FREE_FAILURES + 8);
        self.under_way = self.under_way_at(now).saturating_sub(1);
        self.failed_at = self.failed_at.max(now);
    }

    fn failures_at(&self, now: Timestamp) -> u32 {
        let forgiven = now.since(self.failed_at).as_millis() / FORGIVEN_EVERY.as_millis();
        self.failures.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }

    fn under_way_at(&self, now: Timestamp) -> u32 {
        if now.since(self.begun_at) < UNDER_WAY { self.under_way } else { 0 }
    }
}

impl Entry for Pair {
    fn is_spent(&self, now: Timestamp) -> bool {
        self.failures_at(now) == 0 && self.under_way_at(now) == 0
    }
}

#[cfg(test)]
mod tests;
