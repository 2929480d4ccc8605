//! Slowing down who guesses passwords, so that nobody can lock somebody else out.
//!
//! Failures count for the account *from one network*: a guesser waits longer and longer, the person
//! at home does not. Failures of one network over all accounts count too, against guessing one
//! password at many accounts. And an account under attack from many networks slows down those from
//! which nobody has ever signed in to it, and no others.
//!
//! The counters live in this process. With several nodes a guesser has that many times the
//! attempts, which the numbers allow for; nothing else depends on them.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::time::Timestamp;

/// Failures of an account from a network before waiting begins.
const FREE_FAILURES: u32 = 5;
/// The first wait; each failure more doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// How long a failure counts.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Failures of a network over all accounts within the window.
const NETWORK_FAILURES: u32 = 100;
/// Failures of an account from networks unknown to it within the window.
const ACCOUNT_FAILURES: u32 = 50;
/// Most counters of each kind kept; beyond it those that are of no use any more go, then the oldest.
const MOST_COUNTERS: usize = 50_000;
/// Most pairs of account and network that are known to be good.
const MOST_KNOWN: usize = 200_000;

/// How long to wait before the next attempt is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter(pub Duration);

/// The counters.
#[derive(Default)]
pub struct Throttle(Mutex<Counters>);

#[derive(Default)]
struct Counters {
    pairs: HashMap<(String, String), Failures>,
    networks: HashMap<String, Failures>,
    accounts: HashMap<String, Failures>,
    known: HashSet<(String, String)>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Throttle {
    /// Whether an attempt may be looked at.
    ///
    /// # Errors
    /// How long to wait.
    pub fn check(&self, account: &str, network: &str, now: Timestamp) -> Result<(), RetryAfter> {
        let counters = self.lock();
        let pair = (account.to_owned(), network.to_owned());
        let mut wait = counters.pairs.get(&pair).map_or(Duration::ZERO, |f| f.wait(FREE_FAILURES, now));
        if let Some(failures) = counters.networks.get(network) {
            wait = wait.max(failures.wait(NETWORK_FAILURES, now));
        }
        if !counters.known.contains(&pair)
            && let Some(failures) = counters.accounts.get(account)
        {
            wait = wait.max(failures.wait(ACCOUNT_FAILURES, now));
        }
        if wait.is_zero() { Ok(()) } else { Err(RetryAfter(wait)) }
    }

    /// Counts a failure.
    pub fn failed(&self, account: &str, network: &str, now: Timestamp) {
        let mut counters = self.lock();
        let pair = (account.to_owned(), network.to_owned());
        let is_known = counters.known.contains(&pair);
        count(&mut counters.pairs, pair, now);
        count(&mut counters.networks, network.to_owned(), now);
        if !is_known {
            count(&mut counters.accounts, account.to_owned(), now);
        }
    }

    /// Remembers that the account's own person is on this network.
    pub fn succeeded(&self, account: &str, network: &str, _now: Timestamp) {
        let mut counters = self.lock();
        let pair = (account.to_owned(), network.to_owned());
        counters.pairs.remove(&pair);
        if counters.known.len() >= MOST_KNOWN {
            counters.known.clear();
        }
        counters.known.insert(pair);
    }

    fn lock(&self) -> MutexGuard<'_, Counters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    /// How much longer to wait, when `free` failures are forgiven.
    fn wait(self, free: u32, now: Timestamp) -> Duration {
        if self.count < free || now.since(self.last) >= WINDOW {
            return Duration::ZERO;
        }
        let doublings = (self.count - free).min(10);
        let whole = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
        whole.saturating_sub(now.since(self.last))
    }
}

fn count<K: std::hash::Hash + Eq + Clone>(counters: &mut HashMap<K, Failures>, key: K, now: Timestamp) {
    if counters.len() >= MOST_COUNTERS && !counters.contains_key(&key) {
        counters.retain(|_, failures| now.since(failures.last) < WINDOW);
        if counters.len() >= MOST_COUNTERS {
            // All are recent: the older half goes, so that this is done seldom.
            let mut times: Vec<_> = counters.values().map(|failures| failures.last).collect();
            let middle = times.len() / 2;
            let (_, median, _) = times.select_nth_unstable(middle);
            let median = *median;
            counters.retain(|_, failures| failures.last > median);
        }
    }
    let failures = counters.entry(key).or_insert(Failures { count: 0, last: now });
    if now.since(failures.last) >= WINDOW {
        failures.count = 0;
    }
    failures.count = failures.count.saturating_add(1);
    failures.last = failures.last.max(now);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T: Timestamp = Timestamp(1_800_000_000_000);

    fn after(seconds: u64) -> Timestamp {
        T.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_guesser_waits_longer_and_longer() {
        let throttle = Throttle::default();
        for _ in 0..FREE_FAILURES {
            assert_eq!(throttle.check("ana", "n1", T), Ok(()));
            throttle.failed("ana", "n1", T);
        }
        assert_eq!(throttle.check("ana", "n1", T), Err(RetryAfter(FIRST_WAIT)));
        assert_eq!(throttle.check("ana", "n1", after(10)), Err(RetryAfter(Duration::from_secs(20))));
        assert_eq!(throttle.check("ana", "n1", after(30)), Ok(()));
        throttle.failed("ana", "n1", after(30));
        assert_eq!(throttle.check("ana", "n1", after(30)), Err(RetryAfter(FIRST_WAIT * 2)));
        assert_eq!(throttle.check("ana", "n2", T), Ok(()), "elsewhere");
        assert_eq!(throttle.check("bob", "n1", T), Ok(()), "somebody else");
        assert_eq!(throttle.check("ana", "n1", after(30 + WINDOW.as_secs())), Ok(()), "much later");
    }

    #[test]
    fn a_success_forgives() {
        let throttle = Throttle::default();
        (0..9).for_each(|_| throttle.failed("ana", "n1", T));
        throttle.succeeded("ana", "n1", T);
        assert_eq!(throttle.check("ana", "n1", T), Ok(()));
    }

    #[test]
    fn one_password_at_many_accounts_is_noticed() {
        let throttle = Throttle::default();
        (0..NETWORK_FAILURES).for_each(|i| throttle.failed(&format!("user{i}"), "n1", T));
        assert!(throttle.check("fresh", "n1", T).is_err());
        assert_eq!(throttle.check("fresh", "n2", T), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        for i in 0..MOST_COUNTERS + 10 {
            throttle.failed(&format!("user{i}"), "n1", after(i as u64 / 1000));
        }
        let counters = throttle.lock();
        assert!(counters.pairs.len() <= MOST_COUNTERS && counters.accounts.len() <= MOST_COUNTERS);
        assert!(counters.pairs.len() > 1000);
    }

    proptest! {
        #[test]
        fn nobody_is_locked_out_of_where_they_signed_in(attempts in proptest::collection::vec((0_u8..200, 0_u64..600), 0..400)) {
            let throttle = Throttle::default();
            throttle.succeeded("ana", "home", T);
            let mut times: Vec<_> = attempts;
            times.sort_by_key(|(_, at)| *at);
            for (network, at) in times {
                throttle.failed("ana", &format!("n{network}"), after(at));
                prop_assert_eq!(throttle.check("ana", "home", after(at)), Ok(()));
            }
        }
    }
}
