//! The two conditional updates: `rotate` and `replay`.

use std::sync::Arc;

use super::fixtures::*;
use crate::store::{Context, EventFilter, EventKind, Lockstep, Reason, Recent, Store, Target};

pub(crate) async fn a_rotation_moves_what_it_must(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let mut rotate = rotation_of(&start.session, world.client.revision, at(5_000));
    rotate.retry_hash = Some([8; 16]);
    rotate.context = Context { network: 1, agent: u32::MAX };
    let after = world.store.rotate(&rotate).await.unwrap().unwrap();

    let mut expected = start.clone();
    expected.session.generation = 2;
    expected.session.key_number = 2;
    expected.session.retry_hash = Some([8; 16]);
    expected.session.rotated_at = at(5_000);
    expected.session.idle_expires_at = at(5_000).plus(IDLE);
    expected.session.recent.insert(0, Recent { at: at(5_000), context: rotate.context });
    assert_eq!(after, expected);

    // Without a key the hash goes away again.
    let again = world.rotate(&after, at(6_000)).await.unwrap();
    assert_eq!(again.session.retry_hash, None);
}

pub(crate) async fn a_rotation_returns_what_is_stored(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let after = world.rotate(&start, at(1_000)).await.unwrap();
    assert_eq!(world.standing(&start).await, after);
    assert_eq!(after.user.username, world.user.username);
    assert_eq!(after.user.roles, world.user.roles);
}

pub(crate) async fn reuse_policy_keeps_the_generation(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let mut rotate = rotation_of(&start.session, world.client.revision, at(5_000));
    rotate.advance = false;
    rotate.retry_hash = Some([8; 16]);
    let after = world.store.rotate(&rotate).await.unwrap().unwrap();
    let mut expected = start.clone();
    expected.session.idle_expires_at = at(5_000).plus(IDLE);
    expected.session.recent.insert(0, Recent { at: at(5_000), context: HERE });
    assert_eq!(after, expected);
}

pub(crate) async fn another_generation_changes_nothing(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let current = world.rotate(&start, at(1)).await.unwrap();
    for generation in [0, 1, 3, u32::MAX] {
        let mut rotate = rotation_of(&start.session, world.client.revision, at(2));
        rotate.generation = generation;
        assert_eq!(world.store.rotate(&rotate).await.unwrap(), None);
    }
    assert_eq!(world.standing(&start).await, current);
}

pub(crate) async fn another_client_changes_nothing(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = add_client(&world.store, client_named("other")).await;
    let start = world.start(T0).await;
    let mut rotate = rotation_of(&start.session, other.revision, at(1));
    rotate.client = other.id;
    assert_eq!(world.store.rotate(&rotate).await.unwrap(), None);
    assert_eq!(world.standing(&start).await, start);
}

pub(crate) async fn another_nonce_changes_nothing(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let mut rotate = rotation_of(&start.session, world.client.revision, at(1));
    rotate.nonce_hash[31] ^= 1;
    assert_eq!(world.store.rotate(&rotate).await.unwrap(), None);
    assert_eq!(world.standing(&start).await, start);
}

pub(crate) async fn a_stale_client_revision_changes_nothing(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    assert!(world.store.replace_client(&world.client, world.client.revision).await.unwrap());
    assert_eq!(world.rotate(&start, at(1)).await, None);
    let fresh = rotation_of(&start.session, world.client.revision + 1, at(1));
    assert!(world.store.rotate(&fresh).await.unwrap().is_some());
}

pub(crate) async fn an_unknown_session_changes_nothing(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let mut rotate = rotation_of(&start.session, world.client.revision, at(1));
    rotate.id = new_session(world.user.id, &world.client, T0).id;
    assert_eq!(world.store.rotate(&rotate).await.unwrap(), None);
}

pub(crate) async fn expiry_is_exact_to_the_millisecond(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let idle = IDLE.as_millis() as i64;
    let start = world.start(T0).await;
    assert_eq!(world.rotate(&start, at(idle)).await, None);
    let mut current = world.rotate(&start, at(idle - 1)).await.unwrap();

    // As near to the absolute expiry as idle expiry lets it come.
    let absolute = ABSOLUTE.as_millis() as i64;
    let mut now = idle - 1;
    while now + idle - 1 < absolute {
        now += idle - 1;
        current = world.rotate(&current, at(now)).await.unwrap();
    }
    assert_eq!(world.rotate(&current, at(absolute)).await, None);
    assert!(world.rotate(&current, at(absolute - 1)).await.is_some());
}

pub(crate) async fn idle_moves_and_absolute_never(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut new = new_session(world.user.id, &world.client, T0);
    new.absolute_lifetime = IDLE.mul_f64(1.5);
    let start = world.start_as(&new).await;
    assert_eq!(start.session.idle_expires_at, T0.plus(IDLE));
    assert_eq!(start.session.expires_at, T0.plus(new.absolute_lifetime));
    let after = world.rotate(&start, T0.plus(IDLE.mul_f64(0.75))).await.unwrap();
    assert_eq!(after.session.expires_at, start.session.expires_at);
    assert_eq!(after.session.idle_expires_at, start.session.expires_at);

    // A session that may idle for longer than it lives.
    let mut short = new_session(world.user.id, &world.client, T0);
    short.absolute_lifetime = IDLE / 2;
    let start = world.start_as(&short).await;
    assert_eq!(start.session.idle_expires_at, start.session.expires_at);
}

/// A clock that was set back does not shorten a session.
pub(crate) async fn idle_never_moves_backwards(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(at(60_000)).await;
    let after = world.rotate(&start, T0).await.unwrap();
    assert_eq!(after.session.idle_expires_at, start.session.idle_expires_at);
}

/// S11: `rotated_at` never moves backwards.
pub(crate) async fn time_only_ages(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(at(60_000)).await;
    let after = world.rotate(&start, T0).await.unwrap();
    assert_eq!(after.session.rotated_at, at(60_000));
    assert_eq!(after.session.generation, 2);
}

pub(crate) async fn recent_keeps_the_last_four(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut current = world.start(T0).await;
    assert_eq!(current.session.recent, vec![Recent { at: T0, context: HERE }]);
    for n in 1..=6_u32 {
        let now = at(i64::from(n) * 1000);
        let mut rotate = rotation_of(&current.session, world.client.revision, now);
        rotate.context = Context { network: n, agent: 0 };
        current = world.store.rotate(&rotate).await.unwrap().unwrap();
    }
    let networks: Vec<_> = current.session.recent.iter().map(|r| r.context.network).collect();
    assert_eq!(networks, [6, 5, 4, 3]);
    assert_eq!(current.session.recent[0].at, at(6_000));
}

pub(crate) async fn a_replay_is_conditional(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let current = world.rotate(&start, at(1)).await.unwrap();
    let good = replay_of(&current.session, world.client.revision, at(2));

    let mut old_generation = good.clone();
    old_generation.generation = 1;
    let mut nonce = good.clone();
    nonce.nonce_hash[0] ^= 1;
    let mut client = good.clone();
    client.client = add_client(&world.store, client_named("other")).await.id;
    let mut revision = good.clone();
    revision.client_revision += 1;
    let mut late = good.clone();
    late.now = current.session.idle_expires_at;
    for bad in [old_generation, nonce, client, revision, late] {
        assert_eq!(world.store.replay(&bad).await.unwrap(), None);
    }
    assert_eq!(world.standing(&start).await, current);

    world.revoke(&Target::Session(start.session.id), Reason::Operator, at(3)).await;
    assert_eq!(world.store.replay(&good).await.unwrap(), None);
    let filter = EventFilter { kind: Some(EventKind::Replay), ..EventFilter::default() };
    assert_eq!(world.store.events(&filter, &all()).await.unwrap(), vec![]);
}

pub(crate) async fn a_replay_is_counted_and_told(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let current = world.rotate(&start, at(1)).await.unwrap();
    let replay = replay_of(&current.session, world.client.revision, at(2_000));
    let after = world.store.replay(&replay).await.unwrap().unwrap();
    let mut expected = current.clone();
    expected.session.replays = 1;
    assert_eq!(after, expected);
    assert_eq!(world.standing(&start).await, expected);

    let filter = EventFilter { session: Some(start.session.id), ..EventFilter::default() };
    let events = world.store.events(&filter, &all()).await.unwrap();
    let told = events.last().unwrap();
    assert_eq!((told.kind, told.at, told.detail.as_str()), (EventKind::Replay, at(2_000), "a replay"));
    assert_eq!(told.user, Some(world.user.id));
    assert_eq!(told.client, Some(world.client_id()));
}

pub(crate) async fn lockstep_is_stored(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let start = world.start(T0).await;
    let current = world.rotate(&start, at(1)).await.unwrap();
    let mut replay = replay_of(&current.session, world.client.revision, at(2));
    replay.lockstep = Lockstep { generation: 2, streak: 3 };
    let after = world.store.replay(&replay).await.unwrap().unwrap();
    assert_eq!(after.session.lockstep, replay.lockstep);
    // One that was judged before that was stored must be judged again.
    assert_eq!(world.store.replay(&replay).await.unwrap(), None);
    // A rotation leaves it as it is.
    let next = world.rotate(&after, at(3)).await.unwrap();
    assert_eq!(next.session.lockstep, replay.lockstep);
    assert_eq!(next.session.replays, 1);
}

pub(crate) async fn a_refresh_adds_no_row(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut current = world.start(T0).await;
    let events = world.store.events(&EventFilter::default(), &all()).await.unwrap();
    let version = world.store.version().await.unwrap();
    for n in 1..20 {
        current = world.rotate(&current, at(n)).await.unwrap();
    }
    assert_eq!(world.store.events(&EventFilter::default(), &all()).await.unwrap(), events);
    assert_eq!(world.store.version().await.unwrap(), version);
    assert_eq!(world.store.position().await.unwrap(), 0);
}
