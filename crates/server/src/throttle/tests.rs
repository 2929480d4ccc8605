use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const T: Timestamp = Timestamp(1_800_000_000_000);

fn after(seconds: u64) -> Timestamp {
    T.plus(Duration::from_secs(seconds))
}

fn seconds(seconds: u64) -> Result<(), RetryAfter> {
    Err(RetryAfter(Duration::from_secs(seconds)))
}

fn attempt<'a>(account: &'a str, network: &'a str) -> Attempt<'a> {
    Attempt { account, network, at_home: network.starts_with("home") }
}

fn check(throttle: &Throttle, account: &str, network: &str, now: Timestamp) -> Result<(), RetryAfter> {
    throttle.check(&attempt(account, network), now)
}

/// An attempt that fails, if it is admitted.
fn fail(throttle: &Throttle, account: &str, network: &str, now: Timestamp) -> Result<(), RetryAfter> {
    check(throttle, account, network, now).inspect(|()| failed(throttle, account, network, now))
}

fn failed(throttle: &Throttle, account: &str, network: &str, now: Timestamp) {
    throttle.failed(&attempt(account, network), now);
}

#[test]
fn a_guesser_waits_longer_and_longer() {
    let throttle = Throttle::default();
    for _ in 0..FREE_FAILURES {
        assert_eq!(fail(&throttle, "ana", "n1", T), Ok(()));
    }
    assert_eq!(check(&throttle, "ana", "n1", T), seconds(30));
    assert_eq!(check(&throttle, "ana", "n1", after(10)), seconds(20));
    assert_eq!(check(&throttle, "ana", "n2", T), Ok(()), "elsewhere");
    assert_eq!(check(&throttle, "bob", "n1", T), Ok(()), "somebody else");
    let mut now = T;
    for wait in [30, 60, 120, 240, 480, 900, 900, 900] {
        assert_eq!(check(&throttle, "ana", "n1", now), seconds(wait));
        now = now.plus(Duration::from_secs(wait));
        assert_eq!(fail(&throttle, "ana", "n1", now), Ok(()));
    }
    assert_eq!(check(&throttle, "ana", "n1", now.plus(LONGEST_WAIT * 20)), Ok(()), "much later");
    for _ in 0..FREE_FAILURES - 1 {
        assert_eq!(fail(&throttle, "ana", "n1", now.plus(LONGEST_WAIT * 20)), Ok(()), "all is forgiven");
    }
}

#[test]
fn a_success_forgives() {
    let throttle = Throttle::default();
    (0..FREE_FAILURES).for_each(|_| fail(&throttle, "ana", "n1", T).unwrap());
    assert_eq!(check(&throttle, "ana", "n1", after(30)), Ok(()));
    throttle.succeeded("ana", "n1");
    assert_eq!(check(&throttle, "ana", "n1", after(30)), Ok(()));
}

#[test]
fn attempts_at_once_are_no_more_than_one_after_the_other() {
    let throttle = Throttle::default();
    let admitted = (0..1000).filter(|_| check(&throttle, "ana", "n1", T).is_ok()).count();
    assert_eq!(admitted, FREE_FAILURES as usize);
    (0..admitted).for_each(|_| failed(&throttle, "ana", "n1", after(1)));
    assert_eq!(check(&throttle, "ana", "n1", after(1)), seconds(30));
    let admitted = (0..1000).filter(|_| check(&throttle, "ana", "n1", after(31)).is_ok()).count();
    assert_eq!(admitted, 1, "after a wait");
}

#[test]
fn an_attempt_of_which_nothing_is_heard_is_forgotten() {
    let throttle = Throttle::default();
    for i in 0..20 {
        let now = after(i * UNDER_WAY.as_secs());
        (0..FREE_FAILURES).for_each(|_| check(&throttle, "ana", "n1", now).unwrap());
        assert_eq!(check(&throttle, "ana", "n1", now), Err(RetryAfter(SHORT_WAIT)));
    }
}

#[test]
fn one_password_at_many_accounts_is_noticed() {
    let throttle = Throttle::default();
    for i in 0..NETWORK.burst {
        assert_eq!(fail(&throttle, &format!("user{i}"), "n1", T), Ok(()));
    }
    assert_eq!(check(&throttle, "fresh", "n1", T), seconds(6));
    assert_eq!(check(&throttle, "fresh", "n2", T), Ok(()));
    assert_eq!(fail(&throttle, "fresh", "n1", after(6)), Ok(()));
    assert_eq!(check(&throttle, "fresh2", "n1", after(6)), seconds(6));
}

#[test]
fn a_guesser_with_many_networks_is_slow() {
    let throttle = Throttle::default();
    let day = 24 * 3600;
    let tries = (0..day).filter(|i| fail(&throttle, "ana", &format!("n{i}"), after(*i)).is_ok()).count();
    assert!((300..330).contains(&tries), "{tries} a day");
    // However many they are at once, whoever is new waits no longer than this.
    (0..1000).for_each(|i| failed(&throttle, "ana", &format!("m{i}"), after(day)));
    assert_eq!(check(&throttle, "ana", "new", after(day)), Err(RetryAfter(LONGEST_WAIT)));
    assert_eq!(check(&throttle, "bob", "new", after(day)), Ok(()));
}

#[test]
fn guessing_elsewhere_is_not_waited_for_at_home_nor_after_it() {
    let throttle = Throttle::default();
    (0..100).for_each(|i| failed(&throttle, "ana", &format!("n{i}"), T));
    assert!(check(&throttle, "ana", "inn", T).is_err());
    assert_eq!(check(&throttle, "ana", "home", T), Ok(()));
    // Home has its own limit, and what fails there makes nobody elsewhere wait.
    for _ in 0..FREE_FAILURES {
        failed(&throttle, "bob", "home", T);
    }
    assert_eq!(check(&throttle, "bob", "home", T), seconds(30));
    for i in 0..ACCOUNT.burst {
        failed(&throttle, "cid", &format!("home{i}"), T);
    }
    assert_eq!(check(&throttle, "cid", "inn", T), Ok(()));
}

#[test]
fn a_limiter_lets_so_many_through() {
    let limiter = Limiter::new(3, Duration::from_secs(20));
    for _ in 0..3 {
        assert_eq!(limiter.admit("n1", T), Ok(()));
    }
    assert_eq!(limiter.admit("n1", T), seconds(20));
    assert_eq!(limiter.admit("n1", after(15)), seconds(5));
    assert_eq!(limiter.admit("n1", after(20)), Ok(()));
    assert_eq!(limiter.admit("n2", T), Ok(()));
}

#[test]
fn what_was_no_guess_is_taken_back() {
    let limiter = Limiter::new(3, Duration::from_secs(20));
    for _ in 0..50 {
        assert_eq!(limiter.admit("n1", T), Ok(()));
        limiter.forgive("n1", T);
    }
    (0..3).for_each(|_| limiter.admit("n1", T).unwrap());
    assert_eq!(limiter.admit("n1", T), seconds(20));
    // More than was counted is not to be had.
    (0..10).for_each(|_| limiter.forgive("n2", T));
    (0..3).for_each(|_| limiter.admit("n2", T).unwrap());
    assert_eq!(limiter.admit("n2", T), seconds(20));
}

#[test]
fn names_do_not_run_together() {
    let throttle = Throttle::default();
    let keys = |account, network| throttle.keys(account, network).pair;
    assert_ne!(keys("ab", "c"), keys("a", "bc"));
}

#[test]
fn when_a_table_is_full_the_oldest_go() {
    let mut table = Table::<Debt>::new(16);
    (0..16).for_each(|key| table.entry(key, T).add(NETWORK, after(1000)));
    table.entry(0, T);
    assert_eq!(table.len(), 16);
    table.entry(16, T);
    assert_eq!(table.len(), 15);
    assert!(table.get(1).is_none() && table.get(2).is_none());
    assert!([0, 3, 15, 16].iter().all(|key| table.get(*key).is_some()));

    let mut debts = Table::<Debt>::new(4);
    (0..4).for_each(|key| debts.entry(key, T).add(NETWORK, if key == 3 { after(1000) } else { T }));
    debts.entry(4, after(100)).add(NETWORK, after(100));
    assert!(debts.get(3).is_some() && debts.len() == 2, "those that are spent go first");
}

proptest! {
    /// Whatever happens elsewhere, and whoever signs in where, the victim is at home.
    #[test]
    fn nobody_is_locked_out_of_where_they_have_been(
        attempts in vec((0_u8..4, 0_u8..40, 0_u64..4000, any::<bool>()), 0..300),
        mistakes in 0..FREE_FAILURES,
    ) {
        let throttle = Throttle::default();
        throttle.succeeded("ana", "home");
        let mut attempts = attempts;
        attempts.sort_by_key(|(_, _, at, _)| *at);
        for (i, (account, network, at, is_right)) in attempts.into_iter().enumerate() {
            let (account, network) = (["ana", "bob", "cid", "dan"][usize::from(account)], format!("n{network}"));
            let now = after(at);
            if check(&throttle, account, &network, now).is_ok() {
                match is_right && account != "ana" {
                    true => throttle.succeeded(account, &network),
                    false => failed(&throttle, account, &network, now),
                }
            }
            failed(&throttle, "ana", &network, now);
            // As often as a person's own network lets them.
            for _ in (0..mistakes).filter(|_| i % 20 == 0) {
                prop_assert_eq!(fail(&throttle, "ana", "home", now), Ok(()));
            }
            prop_assert_eq!(check(&throttle, "ana", "home", now), Ok(()));
            throttle.succeeded("ana", "home");
        }
    }

    #[test]
    fn memory_is_bounded(
        attempts in vec((0_u16..1000, 0_u16..1000, 0_u64..10_000, 0_u8..3), 0..500),
        most in 1_usize..100,
    ) {
        let throttle = Throttle::with_room_for(most);
        for (account, network, at, what) in attempts {
            let (account, network, now) = (format!("a{account}"), format!("n{network}"), after(at));
            match what {
                0 => drop(check(&throttle, &account, &network, now)),
                1 => failed(&throttle, &account, &network, now),
                _ => throttle.succeeded(&account, &network),
            }
            let counters = throttle.lock();
            prop_assert!(counters.pairs.len() <= most && counters.networks.len() <= most);
            prop_assert!(counters.accounts.len() <= most);
        }
    }
}
