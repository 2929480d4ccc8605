//! Every schedule of the steps of two and three operations on one session (S1 to S8, S15). Each
//! operation runs on a node of its own, statement by statement; one that waits for a lock has no
//! turn until the lock is free. Whatever the order, what the operations answered and what is
//! stored is what one after the other would have given, and a refresh that begins after an ending
//! was answered gets nothing.
//!
//! Where there are more than [`MOST_ORDERS`] orders, one is run of each set of orders that differ
//! only in neighbouring steps which touch nothing in common (dynamic partial order reduction,
//! Flanagan and Godefroid 2005, with sleep sets).

mod ops;
mod stage;
mod touch;

use std::collections::BTreeSet;

use ops::Op;
use stage::{Outcome, Stage, Waiting};

const READ_COMMITTED: &str = "BEGIN";
const SERIALIZABLE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";

/// Up to so many orders are all run.
const MOST_ORDERS: u64 = 150;

/// A turn that was given, and what else could have been.
struct Choice {
    waiting: Vec<Waiting>,
    taken: usize,
    /// Whose turn here a run has shown to make a difference.
    wanted: BTreeSet<usize>,
    /// Whose turn here would lead to orders that have been run.
    asleep: BTreeSet<usize>,
}

/// What every schedule came to.
#[derive(Debug)]
struct Explored {
    schedules: usize,
    /// Schedules in which somebody waited for a lock.
    waited: usize,
    /// Schedules in which an operation was answered 503.
    unavailable: usize,
    /// Whether every order was run.
    all: bool,
    outcomes: BTreeSet<Outcome>,
}

/// Walks through the orders, depth first.
struct Walk {
    path: Vec<Choice>,
    depth: usize,
    all: bool,
    /// The same turns have led elsewhere: by what the database chose.
    strayed: bool,
    /// Who had still to come when the run was left.
    left: Vec<Waiting>,
}

impl Walk {
    fn choose(&mut self, waiting: &[Waiting]) -> Option<usize> {
        let waits = |number: usize| waiting.iter().any(|(waits, _)| *waits == number);
        if self.strayed {
            return Some(waiting[0].0);
        }
        self.depth += 1;
        if let Some(choice) = self.path.get(self.depth - 1) {
            self.strayed = !waits(choice.taken);
            return Some(if self.strayed { waiting[0].0 } else { choice.taken });
        }
        let asleep = match self.path.last() {
            Some(last) if !self.all => last.asleep_after(),
            _ => BTreeSet::new(),
        };
        let all: BTreeSet<usize> = waiting.iter().map(|(number, _)| *number).collect();
        let taken = all.difference(&asleep).next().copied();
        let wanted = if self.all { all } else { BTreeSet::new() };
        let waiting = waiting.to_vec();
        match taken {
            Some(taken) => self.path.push(Choice { waiting, taken, wanted, asleep }),
            None => self.left = waiting,
        }
        taken
    }

    /// The next order, if there is one.
    fn turn_back(&mut self) -> bool {
        (self.depth, self.strayed) = (0, false);
        self.want();
        while let Some(mut last) = self.path.pop() {
            last.asleep.insert(last.taken);
            if let Some(next) = last.wanted.difference(&last.asleep).next().copied() {
                last.taken = next;
                self.path.push(last);
                return true;
            }
        }
        false
    }

    /// Where a step has met an earlier one, whose it is could have come there first; who could not
    /// yet may have been held up by anybody.
    fn want(&mut self) {
        let left = std::mem::take(&mut self.left);
        for at in 0..=self.path.len() {
            let (before, rest) = self.path.split_at_mut(at);
            let steps = rest.first().map(|choice| (choice.taken, choice.touch(choice.taken)));
            let steps: Vec<_> = match steps {
                Some(step) => vec![step],
                None => left.iter().map(|(number, touch)| (*number, touch)).collect(),
            };
            for (number, touch) in steps {
                for earlier in before.iter_mut().filter(|earlier| earlier.taken != number) {
                    if !touch.meets(earlier.touch(earlier.taken)) {
                        continue;
                    }
                    if earlier.waits(number) {
                        earlier.wanted.insert(number);
                    } else {
                        earlier.wanted.extend(earlier.waiting.iter().map(|(number, _)| *number));
                    }
                }
            }
        }
    }
}

impl Choice {
    fn waits(&self, number: usize) -> bool {
        self.waiting.iter().any(|(waits, _)| *waits == number)
    }

    fn touch(&self, number: usize) -> &touch::Touch {
        &self.waiting.iter().find(|(waits, _)| *waits == number).unwrap().1
    }

    /// Who sleeps on: whose step could as well have come before the one that was taken.
    fn asleep_after(&self) -> BTreeSet<usize> {
        let taken = self.touch(self.taken);
        self.asleep.iter().copied().filter(|number| !taken.meets(self.touch(*number))).collect()
    }
}

/// Every order of the operations, one after the other.
fn serial_orders(numbers: &[usize]) -> Vec<Vec<usize>> {
    if numbers.is_empty() {
        return vec![Vec::new()];
    }
    let begin_with = |first: usize| {
        let rest: Vec<usize> = numbers.iter().copied().filter(|n| *n != first).collect();
        serial_orders(&rest).into_iter().map(move |rest| [vec![first], rest].concat())
    };
    numbers.iter().copied().flat_map(begin_with).collect()
}

/// How many orders there are of so many turns of each.
fn orders_of(turns: &[u64]) -> u64 {
    let mut placed = 0;
    let mut orders = 1;
    for one in turns.iter().flat_map(|turns| 1..=*turns) {
        placed += 1;
        // Exact: a product of binomials at each step.
        orders = orders * placed / one;
    }
    orders
}

/// Runs every schedule.
///
/// # Errors
///
/// The first schedule whose outcome is none of those of one operation after the other.
async fn explore(begin: &'static str, ops: &[Op], most_orders: u64) -> Result<Explored, String> {
    let stage = Stage::new(ops, begin).await;
    let numbers: Vec<usize> = (0..ops.len()).collect();
    let mut serial = BTreeSet::new();
    let mut turns = vec![0; ops.len()];
    for order in serial_orders(&numbers) {
        let first = |waiting: &[Waiting]| order.iter().copied().find(|n| waiting.iter().any(|w| w.0 == *n));
        let ran = stage.run(first).await?.unwrap();
        assert_eq!(ran.unavailable, None);
        for (number, most) in turns.iter_mut().enumerate() {
            *most = (*most).max(ran.order.iter().filter(|n| **n == number).count() as u64);
        }
        serial.insert(ran.outcome);
    }
    // A purge passes over what is in use, and comes again.
    if let Some(purge) = ops.iter().position(|op| *op == Op::Purge) {
        let others: Vec<usize> = numbers.iter().copied().filter(|number| *number != purge).collect();
        for order in serial_orders(&others) {
            serial.insert(stage.one_by_one(&order).await);
        }
    }
    let all = orders_of(&turns) <= most_orders;
    let mut walk = Walk { path: Vec::new(), depth: 0, all, strayed: false, left: Vec::new() };
    let mut explored = Explored { schedules: 0, waited: 0, unavailable: 0, all, outcomes: BTreeSet::new() };
    loop {
        let ran = stage.run(|waiting| walk.choose(waiting)).await?;
        assert!(begin == SERIALIZABLE || !walk.strayed, "{ops:?}: the same turns led elsewhere");
        if let Some(ran) = ran {
            explored.schedules += 1;
            explored.waited += usize::from(ran.waited);
            if let Some(why) = ran.unavailable {
                if begin != SERIALIZABLE {
                    return Err(format!("by {:?}: 503, {why}", ran.order));
                }
                explored.unavailable += 1;
            } else if serial.contains(&ran.outcome) {
                explored.outcomes.insert(ran.outcome);
            } else {
                return Err(format!("by {:?}: {:?}\nserial: {serial:#?}", ran.order, ran.outcome));
            }
        }
        if !walk.turn_back() {
            return Ok(explored);
        }
    }
}

async fn every_schedule(begin: &'static str, ops: &[Op]) {
    let explored = explore(begin, ops, MOST_ORDERS).await.unwrap_or_else(|why| panic!("{ops:?} {why}"));
    let Explored { schedules, waited, unavailable, all, outcomes } = explored;
    let kind = if all { "all" } else { "different" };
    let level = if begin == SERIALIZABLE { "serializable" } else { "read committed" };
    let outcomes = outcomes.len();
    println!(
        "{ops:?}, {level}: {schedules} schedules ({kind}), {outcomes} outcomes, {waited} with a lock to wait for, \
         {unavailable} 503"
    );
    println!("proof: {schedules} schedules, seed none");
}

macro_rules! schedules_of {
    ($($name:ident: $ops:expr, $($level:ident $begin:expr),+;)*) => {$(
        mod $name {
            use super::{Op::*, *};

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $level() {
                    every_schedule($begin, &$ops).await;
                }
            )+
        }
    )*};
}

macro_rules! pairs {
    ($($name:ident: $ops:expr;)*) => {
        schedules_of! { $($name: $ops, read_committed READ_COMMITTED, serializable SERIALIZABLE;)* }
    };
}

macro_rules! triples {
    ($($name:ident: $ops:expr;)*) => {
        schedules_of! { $($name: $ops, read_committed READ_COMMITTED;)* }
    };
}

pairs! {
    refresh_and_refresh: [Refresh, Refresh];
    refresh_and_replay: [Refresh, Replay];
    refresh_and_revoke: [Refresh, Revoke];
    refresh_and_disable: [Refresh, Disable];
    refresh_and_stamp: [Refresh, Stamp];
    refresh_and_client_disable: [Refresh, ClientDisable];
    refresh_and_purge: [Refresh, Purge];
    replay_and_revoke: [Replay, Revoke];
    replay_and_disable: [Replay, Disable];
    replay_and_purge: [Replay, Purge];
    revoke_and_revoke: [Revoke, Revoke];
    revoke_and_disable: [Revoke, Disable];
    revoke_and_stamp: [Revoke, Stamp];
    revoke_and_purge: [Revoke, Purge];
    disable_and_stamp: [Disable, Stamp];
    disable_and_purge: [Disable, Purge];
    stamp_and_purge: [Stamp, Purge];
    redeem_and_sign_out: [Redeem, SignOut];
    own_change_and_sign_out: [Own, SignOut];
}

triples! {
    two_refreshes_and_a_revoke: [Refresh, Refresh, Revoke];
    two_refreshes_and_a_disable: [Refresh, Refresh, Disable];
    two_refreshes_and_a_stamp: [Refresh, Refresh, Stamp];
    two_refreshes_and_a_purge: [Refresh, Refresh, Purge];
    refresh_revoke_and_disable: [Refresh, Revoke, Disable];
}

/// What an ending writes does not grow with what it ends (L5).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ending_takes_as_many_steps_for_one_session_as_for_many() {
    for op in [Op::Revoke, Op::Disable, Op::Stamp, Op::ClientDisable] {
        let mut steps = BTreeSet::new();
        for more in [0, 40] {
            let mut stage = Stage::new(&[op], READ_COMMITTED).await;
            stage.more_sessions = more;
            let ran = stage.run(|waiting| Some(waiting[0].0)).await.unwrap().unwrap();
            steps.insert(ran.order.len());
            assert_eq!(stage.marked().await, i64::from(op == Op::Revoke), "{op:?}");
        }
        assert_eq!(steps.len(), 1, "{op:?}: {steps:?}");
    }
}

/// What the product would do without its conditions and locks is refused.
mod mutants {
    use super::{Op::*, *};

    #[track_caller]
    fn refused(explored: Result<Explored, String>, why: &str) {
        let refusal = explored.unwrap_err();
        assert!(refusal.contains(why), "{refusal}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_update_without_its_condition_is_refused() {
        for most_orders in [u64::MAX, 0] {
            let twice = explore(READ_COMMITTED, &[BlindRefresh, BlindRefresh], most_orders).await;
            refused(twice, "one token, and rotations");
            let gates = explore(READ_COMMITTED, &[BlindRefresh, Disable], most_orders).await;
            refused(gates, "issued after an answered ending");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_revocation_without_a_lock_is_refused() {
        for most_orders in [u64::MAX, 0] {
            let explored = explore(READ_COMMITTED, &[Refresh, BlindRevoke], most_orders).await;
            refused(explored, "serial: ");
        }
        // Here the database sees to it.
        explore(SERIALIZABLE, &[Refresh, BlindRevoke], 0).await.unwrap();
    }

    /// Leaving orders out loses no outcome.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn fewer_orders_have_the_same_outcomes() {
        for (begin, ops) in [
            (READ_COMMITTED, [Revoke, Revoke]),
            (READ_COMMITTED, [Refresh, Disable]),
            (READ_COMMITTED, [Redeem, SignOut]),
            (SERIALIZABLE, [Refresh, Purge]),
        ] {
            let all = explore(begin, &ops, u64::MAX).await.unwrap();
            let few = explore(begin, &ops, 0).await.unwrap();
            assert_eq!(all.outcomes, few.outcomes, "{ops:?}");
            assert!(few.schedules < all.schedules, "{ops:?}: {} and {}", few.schedules, all.schedules);
        }
    }
}
