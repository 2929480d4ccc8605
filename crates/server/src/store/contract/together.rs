//! Two at once: what the conditional writes are for.

use std::sync::Arc;

use futures_util::future::join_all;

use super::account::factor;
use super::fixtures::*;
use super::sign_in::{own_change, renewal_of};
use crate::store::{
    Added, FactorKind, FactorUse, NewSession, Reason, SessionFilter, Standing, StartRefusal, Started, Store,
    Target, TicketKind, UserChange,
};

/// S3: of many presentations of one generation, one succeeds.
pub(crate) async fn one_generation_is_consumed_once(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let results = rotate_at_once(&world, &start).await;
    let won: Vec<_> = results.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    assert_eq!(won[0].session.generation, 2);
    assert_eq!(world.standing(&start).await.session.generation, 2);
}

/// S1, S2: steps taken by whoever wins are a single chain.
pub(crate) async fn a_chain_under_contention_loses_no_step(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut current = world.start(T0).await;
    for step in 2..12 {
        let won: Vec<_> = rotate_at_once(&world, &current).await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1);
        current = won.into_iter().next().unwrap();
        assert_eq!(current.session.generation, step);
    }
}

async fn rotate_at_once(world: &World, start: &Standing) -> Vec<Option<Standing>> {
    let tasks = (0..CROWD).map(|_| {
        let (world, start) = (world.clone(), start.clone());
        tokio::spawn(async move { world.rotate(&start, at(1)).await })
    });
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

/// S8. What `change` answered is never followed by a rotation that succeeds.
async fn no_rotation_after<F>(world: World, change: F)
where
    F: AsyncFnOnce(&World, &Standing),
{
    let start = world.start(T0).await;
    let answered = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let rotating = {
        let (world, start, answered) = (world.clone(), start.clone(), answered.clone());
        tokio::spawn(async move {
            let mut current = start;
            loop {
                let too_late = answered.load(std::sync::atomic::Ordering::SeqCst);
                match world.rotate(&current, at(1)).await {
                    Some(next) => {
                        assert!(!too_late, "a rotation was asked for after the answer, and succeeded");
                        current = next;
                    }
                    None => return current,
                }
            }
        })
    };
    tokio::task::yield_now().await;
    change(&world, &start).await;
    answered.store(true, std::sync::atomic::Ordering::SeqCst);
    let last = rotating.await.unwrap();
    let stored = world.standing(&start).await;
    assert!(!stored.is_live(at(1)));
    assert_eq!(stored.session.generation, last.session.generation);
    assert_eq!(world.rotate(&last, at(2)).await, None);
}

pub(crate) async fn no_rotation_after_an_answered_revocation(store: Arc<dyn Store>) {
    no_rotation_after(World::new(store).await, async |world, start| {
        world.revoke(&Target::Session(start.session.id), Reason::Operator, at(1)).await;
    })
    .await;
}

pub(crate) async fn no_rotation_after_an_answered_disable(store: Arc<dyn Store>) {
    no_rotation_after(World::new(store).await, async |world, _| {
        world
            .store
            .change_user(world.user.id, &UserChange::Disable, at(1), keep(at(1)))
            .await
            .unwrap()
            .unwrap();
    })
    .await;
}

pub(crate) async fn no_rotation_after_an_answered_stamp(store: Arc<dyn Store>) {
    no_rotation_after(World::new(store).await, async |world, _| {
        world
            .store
            .change_user(world.user.id, &UserChange::Password("x".to_owned()), at(1), keep(at(1)))
            .await
            .unwrap()
            .unwrap();
    })
    .await;
}

pub(crate) async fn no_rotation_after_an_answered_client_disable(store: Arc<dyn Store>) {
    no_rotation_after(World::new(store).await, async |world, _| {
        world.store.set_client_enabled(&world.client.id, false, at(1), keep(at(1))).await.unwrap().unwrap();
    })
    .await;
}

/// A reader that follows the log while it is written never sees a number before a lower one.
pub(crate) async fn log_numbers_are_gapless_and_ordered(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut sessions = Vec::new();
    for _ in 0..CROWD {
        sessions.push(world.start(T0).await.session.id);
    }
    let mut revoking: Vec<_> = sessions
        .into_iter()
        .map(|id| {
            let world = world.clone();
            tokio::spawn(
                async move { world.revoke(&Target::Session(id), Reason::Operator, at(1)).await.number },
            )
        })
        .collect();
    let mut seen: Vec<u64> = Vec::new();
    while seen.len() < CROWD {
        let after = seen.last().copied().unwrap_or(0);
        let entries = world.store.revocations(after, 1000, at(1)).await.unwrap();
        seen.extend(entries.iter().map(|e| e.number));
        assert!(seen.iter().copied().eq(1..=seen.len() as u64), "a gap, or an order: {seen:?}");
        tokio::task::yield_now().await;
    }
    let mut numbers: Vec<u64> =
        join_all(revoking.drain(..)).await.into_iter().map(|n| n.unwrap().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, seen);
    assert_eq!(world.store.position().await.unwrap(), CROWD as u64);
}

pub(crate) async fn one_revocation_of_a_session_counts(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let id = world.start(T0).await.session.id;
    let receipts = join_all((0..CROWD).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { world.revoke(&Target::Session(id), Reason::Reuse, at(1)).await })
    }))
    .await;
    let receipts: Vec<_> = receipts.into_iter().map(Result::unwrap).collect();
    assert_eq!(receipts.iter().filter(|r| r.number.is_some()).count(), 1);
    assert_eq!(receipts.iter().map(|r| r.sessions_ended).sum::<u64>(), 1);
    assert_eq!(world.store.position().await.unwrap(), 1);
}

pub(crate) async fn the_session_limit_holds_together(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut displaced = 0;
    for started in join_all((0..CROWD).map(|_| {
        let world = world.clone();
        tokio::spawn(async move {
            let mut new = new_session(world.user.id, &world.client, T0);
            new.limit = 5;
            world.store.start_session(&new).await.unwrap()
        })
    }))
    .await
    {
        match started.unwrap() {
            Started::Session { displaced: ended, .. } => displaced += ended.len(),
            Started::Refused(why) => panic!("refused: {why:?}"),
        }
    }
    let sessions = world.store.sessions(&Default::default(), &all(), at(1)).await.unwrap();
    assert_eq!(sessions.len(), CROWD);
    assert_eq!(sessions.iter().filter(|s| s.is_live(at(1))).count(), 5);
    assert_eq!(displaced, CROWD - 5);
    assert_eq!(world.store.position().await.unwrap(), displaced as u64);
}

pub(crate) async fn one_add_of_a_name_succeeds(store: Arc<dyn Store>) {
    let added = join_all((0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.add_user(&user_named("ada")).await.unwrap() })
    }))
    .await;
    assert_eq!(added.into_iter().filter(|a| *a.as_ref().unwrap() == Added::Yes).count(), 1);
}

pub(crate) async fn one_replacement_of_a_revision_succeeds(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let replaced = join_all((0..8).map(|n| {
        let world = world.clone();
        tokio::spawn(async move {
            let mut client = world.client.clone();
            client.settings.overlap_ms = n;
            world.store.replace_client(&client, client.revision).await.unwrap()
        })
    }))
    .await;
    assert_eq!(replaced.into_iter().filter(|r| *r.as_ref().unwrap()).count(), 1);
    let stored = world.store.client(&world.client.id).await.unwrap().unwrap();
    assert_eq!(stored.revision, world.client.revision + 1);
}

pub(crate) async fn one_replay_of_many_is_counted_each(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let current = world.rotate(&start, at(1)).await.unwrap();
    let replays = join_all((0..CROWD).map(|_| {
        let (world, current) = (world.clone(), current.clone());
        tokio::spawn(async move {
            let replay = replay_of(&current.session, world.client.revision, at(2));
            world.store.replay(&replay).await.unwrap()
        })
    }))
    .await;
    assert!(replays.into_iter().all(|r| r.unwrap().is_some()));
    assert_eq!(world.standing(&start).await.session.replays, CROWD as u32);
}

/// A session that starts while its user is disabled is refused, or ended with the others.
pub(crate) async fn starts_and_a_disable_leave_nothing_live(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let starting: Vec<_> = (0..CROWD)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move {
                let new = new_session(world.user.id, &world.client, T0);
                world.store.start_session(&new).await.unwrap()
            })
        })
        .collect();
    let disabled = world.store.change_user(world.user.id, &UserChange::Disable, T0, keep(T0)).await.unwrap();
    let begun = join_all(starting).await;
    let begun = begun.into_iter().filter(|s| matches!(s, Ok(Started::Session { .. }))).count() as u64;
    assert_eq!(disabled.unwrap().sessions_ended, begun);
    for enable in [false, true] {
        if enable {
            world.store.change_user(world.user.id, &UserChange::Enable, T0, keep(T0)).await.unwrap();
        }
        let sessions = world.store.sessions(&Default::default(), &all(), T0).await.unwrap();
        assert!(sessions.iter().all(|s| !s.is_live(T0)));
    }
}

/// A code is redeemed once, whoever redeems it how often.
pub(crate) async fn one_ticket_starts_one_session(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut bob = world.clone();
    bob.user = add_user(&world.store, user_named("bob")).await;
    let hers = world.redemption(&world.browse(T0).await, T0).await;
    // The same ticket in another's hands: no lock of a user keeps the two apart.
    let mut his = bob.redemption(&bob.browse(T0).await, T0).await;
    his.sign_in.as_mut().unwrap().ticket = hers.sign_in.unwrap().ticket;
    let started = join_all((0..CROWD).map(|n| {
        let new = if n % 2 == 0 { hers.clone() } else { his.clone() };
        let id = new_session(new.user, &world.client, T0).id;
        let (store, new) = (world.store.clone(), NewSession { id, ..new });
        tokio::spawn(async move { store.start_session(&new).await.unwrap() })
    }))
    .await;
    let (mut sessions, mut refused) = (Vec::new(), 0);
    for started in started {
        match started.unwrap() {
            Started::Session { standing, .. } => sessions.push(standing.session.id),
            Started::Refused(StartRefusal::Ticket) => refused += 1,
            Started::Refused(why) => panic!("refused: {why:?}"),
        }
    }
    assert_eq!((sessions.len(), refused), (1, CROWD - 1));
    let ticket = world.store.ticket(&hers.sign_in.unwrap().ticket).await.unwrap().unwrap();
    assert_eq!(ticket.session, Some(sessions[0]));
    let stored = world.store.sessions(&SessionFilter::default(), &all(), T0).await.unwrap();
    assert_eq!(stored.len(), 1);
}

pub(crate) async fn one_take_of_a_ticket_succeeds(store: Arc<dyn Store>) {
    let ticket = new_ticket(TicketKind::PushedRequest, T0);
    store.add_ticket(&ticket).await.unwrap();
    let taken = join_all((0..CROWD).map(|_| {
        let (store, hash) = (store.clone(), ticket.hash);
        tokio::spawn(async move { store.take_ticket(&hash, T0).await.unwrap() })
    }))
    .await;
    let taken: Vec<_> = taken.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(taken, [ticket]);
}

pub(crate) async fn one_renewal_of_a_secret_succeeds(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let browser = world.browse(T0).await;
    let renewed = join_all((0..8_u8).map(|n| {
        let (world, renewal) = (world.clone(), renewal_of(&browser, [n; 32], at(1)));
        tokio::spawn(async move { world.store.renew_browser_session(&renewal).await.unwrap() })
    }))
    .await;
    let renewed: Vec<_> = renewed.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(renewed.len(), 1);
    assert_eq!(world.browser_now(&renewed[0]).await, renewed[0]);
}

/// Of the changes that a person and who has stolen the cookie, or a password, make at one moment in several browsers, one
/// comes first, and the browser in which it was made is the only one that is left.
pub(crate) async fn one_change_of_ones_own_leaves_one_browser(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for round in 0..8_u64 {
        let mut browsers = Vec::new();
        for _ in 0..4 {
            browsers.push(world.browse(T0).await);
        }
        let changing = browsers.iter().cycle().take(CROWD).enumerate().map(|(n, browser)| {
            let change = match n % 3 {
                0 => UserChange::SignOut,
                1 => UserChange::Password(n.to_string()),
                _ => UserChange::AddFactors(vec![factor(&world, FactorKind::Passkey, T0)]),
            };
            let (store, own) = (world.store.clone(), own_change(browser, change, at(1)));
            tokio::spawn(async move { (store.change_own_user(&own).await.unwrap(), own) })
        });
        let done = join_all(changing).await;
        let done: Vec<_> = done.into_iter().map(Result::unwrap).filter(|(done, _)| done.is_some()).collect();
        assert_eq!(done.len(), 1);
        let live = world.store.browser_sessions(world.user.id, at(1)).await.unwrap();
        assert_eq!(live.iter().map(|live| live.session.id).collect::<Vec<_>>(), [done[0].1.next]);
        assert_eq!(world.user_now().await.stamp, round + 2);
    }
}

/// Of what an operator ends while the person changes something, nothing lives on.
pub(crate) async fn an_end_and_a_change_of_ones_own_leave_nothing_live(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for round in 0..12 {
        let browser = world.browse(T0).await;
        let own = own_change(&browser, UserChange::SignOut, at(1));
        let store = world.store.clone();
        let changing = tokio::spawn(async move { store.change_own_user(&own).await.unwrap() });
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        match round % 3 {
            0 => {
                let password = UserChange::Password("x".to_owned());
                world.store.change_user(world.user.id, &password, at(1), keep(at(1))).await.unwrap();
            }
            1 => {
                world.revoke(&Target::Everything, Reason::Operator, at(1)).await;
            }
            _ => {
                world.revoke(&Target::User(world.user.id), Reason::Operator, at(1)).await;
            }
        }
        changing.await.unwrap();
        assert_eq!(world.store.browser_sessions(world.user.id, at(1)).await.unwrap(), [], "{round}");
    }
}

pub(crate) async fn one_use_of_a_factor_succeeds(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let code = factor(&world, FactorKind::Recovery, T0);
    let add = UserChange::AddFactors(vec![code.clone()]);
    world.store.change_user(world.user.id, &add, T0, keep(T0)).await.unwrap();
    let used = join_all((0..CROWD).map(|_| {
        let (world, id) = (world.clone(), code.id);
        let used = FactorUse { id, seen: 0, counter: 1, body: None, now: T0 };
        tokio::spawn(async move { world.store.use_factor(&used).await.unwrap() })
    }))
    .await;
    assert_eq!(used.into_iter().filter(|used| *used.as_ref().unwrap()).count(), 1);
}

/// A session that starts while its browser session is signed out is refused, or ended with it.
pub(crate) async fn starts_and_a_sign_out_leave_nothing_live(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let browser = world.browse(T0).await;
    let mut starting = Vec::new();
    for _ in 0..CROWD {
        let (world, new) = (world.clone(), world.redemption(&browser, T0).await);
        starting.push(tokio::spawn(async move { world.store.start_session(&new).await.unwrap() }));
    }
    let (id, reason) = (browser.session.id, Reason::BrowserSignOut);
    let ended = world.store.end_browser_session(id, reason, T0, keep(T0)).await.unwrap().unwrap();
    let mut begun = 0;
    for started in join_all(starting).await {
        match started.unwrap() {
            Started::Session { .. } => begun += 1,
            Started::Refused(why) => assert_eq!(why, StartRefusal::Browser),
        }
    }
    assert_eq!(ended.sessions_ended, begun);
    let sessions = world.store.sessions(&SessionFilter::default(), &all(), T0).await.unwrap();
    assert!(sessions.iter().all(|s| !s.is_live(T0)));
}

/// Of the nodes that ask, each notice goes to one.
pub(crate) async fn a_notice_goes_to_one(store: Arc<dyn Store>) {
    let mut world = World::new(store).await;
    let mut client = client_named("told");
    client.settings.sign_in.backchannel_logout_uri = Some("https://app.example/out".to_owned());
    world.client = add_client(&world.store, client).await;
    for _ in 0..20 {
        world.start(T0).await;
    }
    world.revoke(&Target::User(world.user.id), Reason::SignOut, T0).await;
    let due = join_all((0..16).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { world.store.due_logout_notices(5, &[], T0, at(1)).await.unwrap() })
    }))
    .await;
    let mut sessions: Vec<_> =
        due.into_iter().flat_map(Result::unwrap).map(|notice| notice.session).collect();
    let rest = world.store.due_logout_notices(100, &[], T0, at(1)).await.unwrap();
    sessions.extend(rest.into_iter().map(|notice| notice.session));
    assert_eq!(sessions.len(), 20);
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!(sessions.len(), 20);
}

/// One of those who add it adds it; who replaces and removes it meanwhile breaks nothing.
pub(crate) async fn replacements_of_a_resource_leave_one(store: Arc<dyn Store>) {
    let before = store.version().await.unwrap();
    let added = join_all((0..CROWD).map(|n| {
        let store = store.clone();
        let resource = resource_named("https://api.example", &n.to_string());
        tokio::spawn(async move { store.replace_resource(&resource).await.unwrap() })
    }))
    .await;
    assert_eq!(added.into_iter().filter(|added| *added.as_ref().unwrap() == Added::Yes).count(), 1);
    assert_eq!(store.version().await.unwrap(), before + CROWD as u64);
    let all_there = store.resources(&all()).await.unwrap();
    assert_eq!(all_there.len(), 1);

    let mut changing = Vec::new();
    for n in 0..CROWD {
        let (store, resource) = (store.clone(), all_there[0].clone());
        changing.push(tokio::spawn(async move {
            match n % 2 {
                0 => store.replace_resource(&resource).await.map(|added| added == Added::Yes),
                _ => store.remove_resource(&resource.audience).await,
            }
        }));
    }
    // Additions and removals take turns, whatever the order was.
    let mut outcomes = [0, 0];
    for (n, change) in join_all(changing).await.into_iter().enumerate() {
        outcomes[n % 2] += usize::from(change.unwrap().unwrap());
    }
    let left = store.resources(&all()).await.unwrap().len();
    assert_eq!(1 + outcomes[0] - outcomes[1], left);
}
