//! Status lists: who has which index, and what a list says.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;

use super::effect::Rng;
use super::fixtures::*;
use super::revocation::{live, query};
use crate::store::{
    NewSession, Reason, Standing, Started, StatusBits, StatusIndex, Store, StoreError, Target, UserChange,
};
use crate::time::Timestamp;

/// A session that drew these positions.
async fn start(world: &World, drawn: &[u32], now: Timestamp) -> Standing {
    world.start_as(&drew(world, drawn, now)).await
}

fn drew(world: &World, drawn: &[u32], now: Timestamp) -> NewSession {
    NewSession { status_positions: drawn.to_vec(), ..new_session(world.user.id, &world.client, now) }
}

fn index(standing: &Standing) -> StatusIndex {
    standing.session.status_index.unwrap()
}

/// The bits that are set in a list.
async fn over(store: &Arc<dyn Store>, list: u64, now: Timestamp) -> Vec<u32> {
    let bits = store.status_list(list, now).await.unwrap();
    (0..StatusIndex::LIST_LEN).filter(|position| bits.is_set(*position)).collect()
}

pub(crate) async fn an_index_is_given_when_it_is_asked_for(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    assert_eq!(world.start(T0).await.session.status_index, None);
    assert!(!world.store.has_status_list(0).await.unwrap());
    assert_eq!(over(&world.store, 0, T0).await, Vec::<u32>::new());

    let with = start(&world, &[5], T0).await;
    assert_eq!(index(&with), StatusIndex::new(0, 5));
    assert!(world.store.has_status_list(0).await.unwrap());
    for list in [1, StatusIndex::LAST_LIST] {
        assert!(!world.store.has_status_list(list).await.unwrap());
    }
    // It stays through everything that happens to the session.
    let mut now = with.clone();
    for n in 1..4 {
        now = world.rotate(&now, at(n)).await.unwrap();
        assert_eq!(now.session.status_index, with.session.status_index);
    }
    let replay = replay_of(&now.session, world.client.revision, at(5));
    let replayed = world.store.replay(&replay).await.unwrap().unwrap();
    assert_eq!(index(&replayed), index(&with));
    world.revoke(&Target::Session(now.session.id), Reason::Operator, at(6)).await;
    assert_eq!(index(&world.standing(&now).await), index(&with));
}

pub(crate) async fn a_full_list_is_followed_by_the_next(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut given = Vec::new();
    for drawn in [&[5][..], &[5, 6], &[6, 5], &[6, 5], &[131_071], &[131_071]] {
        given.push(index(&start(&world, drawn, T0).await));
    }
    let expected = [(0, 5), (0, 6), (1, 6), (1, 5), (1, 131_071), (2, 131_071)];
    assert_eq!(given, expected.map(|(list, position)| StatusIndex::new(list, position)));
    let in_none = world.start(T0).await.session.id;
    world.revoke(&Target::Session(in_none), Reason::Operator, T0).await;
    for list in 0..3 {
        assert_eq!(over(&world.store, list, T0).await, Vec::<u32>::new());
    }
    // Each end is told in its own list.
    world.revoke(&Target::Everything, Reason::Operator, T0).await;
    assert_eq!(over(&world.store, 0, T0).await, [5, 6]);
    assert_eq!(over(&world.store, 1, T0).await, [5, 6, 131_071]);
    assert_eq!(over(&world.store, 2, T0).await, [131_071]);
}

/// A session that was refused took nothing.
pub(crate) async fn a_refused_session_takes_no_index(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut new = drew(&world, &[9], T0);
    new.client_revision += 1;
    assert!(world.refused(&new).await.is_some());
    assert!(!world.store.has_status_list(0).await.unwrap());
    assert_eq!(index(&start(&world, &[9], T0).await), StatusIndex::new(0, 9));
}

pub(crate) async fn a_list_says_what_has_ended(store: Arc<dyn Store>) {
    let world = World::new(store.clone()).await;
    let mut bob = world.clone();
    let mut user = user_named("bob");
    user.tenant = Some("acme".to_owned());
    bob.user = add_user(&store, user).await;
    bob.client = add_client(&store, client_named("other")).await;
    let one = start(&world, &[1], T0).await;
    start(&world, &[2], T0).await;
    start(&bob, &[3], T0).await;
    assert_eq!(over(&store, 0, T0).await, Vec::<u32>::new());
    world.revoke(&Target::Session(one.session.id), Reason::Operator, T0).await;
    assert_eq!(over(&store, 0, T0).await, [1]);
    // One access token is not its session.
    world.revoke(&Target::Token("a-jti".to_owned()), Reason::Operator, T0).await;
    assert_eq!(over(&store, 0, T0).await, [1]);
    world.revoke(&Target::Tenant("acme".to_owned()), Reason::Operator, T0).await;
    assert_eq!(over(&store, 0, T0).await, [1, 3]);

    start(&bob, &[4], T0).await;
    store.set_client_enabled(&bob.client.id, false, T0, keep(T0)).await.unwrap();
    assert_eq!(over(&store, 0, T0).await, [1, 3, 4]);
    store.set_client_enabled(&bob.client.id, true, T0, keep(T0)).await.unwrap();
    assert_eq!(over(&store, 0, T0).await, [1, 3, 4]);

    start(&world, &[5], T0).await;
    store.change_user(world.user.id, &UserChange::SignOut, T0, keep(T0)).await.unwrap();
    start(&world, &[6], T0).await;
    assert_eq!(over(&store, 0, T0).await, [1, 2, 3, 4, 5]);
    store.change_user(world.user.id, &UserChange::Disable, T0, keep(T0)).await.unwrap();
    assert_eq!(over(&store, 0, T0).await, [1, 2, 3, 4, 5, 6]);
    store.change_user(world.user.id, &UserChange::Enable, T0, keep(T0)).await.unwrap();
    assert_eq!(over(&store, 0, T0).await, [1, 2, 3, 4, 5, 6]);

    start(&world, &[7], T0).await;
    store.remove_user(world.user.id, T0, keep(T0)).await.unwrap();
    assert_eq!(over(&store, 0, T0).await, [1, 2, 3, 4, 5, 6, 7]);
    bob.client = store.client(&bob.client.id).await.unwrap().unwrap();
    start(&bob, &[8], T0).await;
    store.remove_client(&bob.client.id, T0, keep(T0)).await.unwrap();
    assert_eq!(over(&store, 0, T0).await, [1, 2, 3, 4, 5, 6, 7, 8]);
}

/// At its session's expiry a bit falls back, before the index can be somebody else's.
pub(crate) async fn an_index_is_free_again_when_its_session_is_purged(store: Arc<dyn Store>) {
    let world = World::new(store.clone()).await;
    let first = start(&world, &[5], T0).await;
    world.revoke(&Target::Session(first.session.id), Reason::Operator, T0).await;
    let expiry = first.session.expires_at;
    assert_eq!(over(&store, 0, Timestamp(expiry.0 - 1)).await, [5]);
    assert_eq!(over(&store, 0, expiry).await, Vec::<u32>::new());
    assert!(store.has_status_list(0).await.unwrap());
    store.purge(expiry, T0, 100).await.unwrap();
    assert!(!store.has_status_list(0).await.unwrap());
    assert_eq!(index(&start(&world, &[5], expiry).await), StatusIndex::new(0, 5));
    assert_eq!(over(&store, 0, expiry).await, Vec::<u32>::new());
}

/// Whom a lost later state of this store has put where is not known: all of it is over.
pub(crate) async fn an_epoch_leaves_its_lists_behind(store: Arc<dyn Store>) {
    let world = World::new(store.clone()).await;
    start(&world, &[5], T0).await;
    for epoch in 1..3 {
        store.begin_epoch(at(epoch), keep(T0)).await.unwrap();
        assert_eq!(store.status_list(0, at(epoch)).await.unwrap(), StatusBits::all());
        let first = (epoch as u64) << StatusIndex::EPOCH_BITS;
        assert_eq!(store.status_list(first - 1, at(epoch)).await.unwrap(), StatusBits::all());
        assert_eq!(index(&start(&world, &[5], at(epoch)).await), StatusIndex::new(first, 5));
        assert_eq!(over(&store, first, at(epoch)).await, Vec::<u32>::new());
    }
}

/// Two sessions with one index would be one to every reader. All draw the same, which nothing does
/// but a test: who loses too often is told to come again.
pub(crate) async fn an_index_is_given_once(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let started = join_all((0..CROWD / 4).map(|n| {
        let (store, new) = (world.store.clone(), drew(&world, &[1, 2, 3, 4, 5], at(n as i64)));
        tokio::spawn(async move {
            loop {
                match store.start_session(&new).await {
                    Ok(Started::Session { standing, .. }) => return index(&standing),
                    Ok(Started::Refused(why)) => panic!("refused: {why:?}"),
                    Err(StoreError::Unavailable(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    }))
    .await;
    let given: BTreeSet<StatusIndex> = started.into_iter().map(Result::unwrap).collect();
    assert_eq!(given.len(), CROWD / 4);
    assert!(given.iter().all(|index| index.list() < 16 && (1..=5).contains(&index.position())), "{given:?}");
}

const SEED: u64 = 0x5eed_1157;

/// Random sessions of random people at random clients, and random things that happen to them.
pub(crate) async fn a_list_says_what_liveness_says(store: Arc<dyn Store>) {
    let mut rng = Rng(SEED);
    let mut worlds = Vec::new();
    for n in 0..6 {
        let mut user = user_named(&format!("user{n}"));
        user.tenant = (n % 2 == 0).then(|| format!("tenant{}", n % 4));
        let user = add_user(&store, user).await;
        let client = add_client(&store, client_named(&format!("client{}", n))).await;
        worlds.push(World { store: store.clone(), user, client });
    }
    let (mut sessions, mut of_each) = (Vec::new(), [0, 0]);
    for step in 0..160 {
        let now = at(step);
        let world = &worlds[rng.below(6) as usize];
        let client = store.client(&worlds[rng.below(6) as usize].client.id).await.unwrap().unwrap();
        let user = async |change| {
            store.change_user(world.user.id, &change, now, keep(now)).await.unwrap();
        };
        match rng.below(16) {
            0 => user(UserChange::Disable).await,
            1 => user(UserChange::SignOut).await,
            2 | 3 => user(UserChange::Enable).await,
            4 => {
                store.set_client_enabled(&client.id, false, now, keep(now)).await.unwrap();
            }
            5 | 6 => {
                store.set_client_enabled(&client.id, true, now, keep(now)).await.unwrap();
            }
            7 => drop(world.revoke(&Target::Client(client.id), Reason::Operator, now).await),
            8 if rng.one_in(2) => {
                world.revoke(&Target::Tenant("tenant2".to_owned()), Reason::Operator, now).await;
            }
            9 if rng.one_in(4) => {
                world.revoke(&Target::Everything, Reason::Operator, now).await;
            }
            10 if !sessions.is_empty() => {
                let one: &Standing = &sessions[rng.below(sessions.len() as u32) as usize];
                world.revoke(&Target::Session(one.session.id), Reason::Operator, now).await;
            }
            _ => {
                let drawn = (0..4).map(|_| rng.below(24)).collect();
                let new = NewSession { status_positions: drawn, ..new_session(world.user.id, &client, now) };
                if let Started::Session { standing, .. } = store.start_session(&new).await.unwrap() {
                    sessions.push(*standing);
                }
            }
        }
        if step % 8 == 0 {
            for session in &sessions {
                let index = index(session);
                let said = store.status_list(index.list(), now).await.unwrap().is_set(index.position());
                let is_live = live(&store, &query(session)).await;
                assert_eq!(said, !is_live, "seed {SEED:#x}, step {step}, {index:?}");
                of_each[usize::from(said)] += 1;
            }
        }
    }
    // Both were said often enough to mean something, in more than one list.
    assert!(of_each[0] > 50 && of_each[1] > 50, "{of_each:?}");
    assert!(sessions.iter().any(|session| index(session).list() > 0));
}
