//! Two nodes on one database, and single steps of transactions that overlap.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_postgres::{Client, NoTls};

use super::{cluster, database};
use crate::store::contract::fixtures::*;
use crate::store::postgres::lease::Lease;
use crate::store::postgres::{PostgresStore, migrate};
use crate::store::{
    LivenessQuery, NewSession, Profile, Reason, SessionFilter, Started, Store, StoreResult, Target,
    UserChange,
};

/// Long enough that a test which waits for it has failed.
const LONG: Duration = Duration::from_secs(60);

async fn two_nodes() -> (World, World) {
    let url = database().await;
    let first = World::new(PostgresStore::open(&url).await.unwrap()).await;
    let second = World { store: PostgresStore::open(&url).await.unwrap(), ..first.clone() };
    (first, second)
}

/// A connection for a script of single steps.
async fn by_hand(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_all_come_up() {
    let url = cluster::shared().database().await;
    let opened: Vec<StoreResult<Arc<PostgresStore>>> =
        join_all((0..4).map(|_| PostgresStore::open(&url))).await;
    for store in &opened {
        store.as_ref().unwrap().ping().await.unwrap();
    }
    let client = by_hand(&url).await;
    let row = client.query_one("SELECT count(*) FROM schema_migration", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_there_before_a_migration_is_there_after_it() {
    let url = cluster::shared().database().await;
    let client = by_hand(&url).await;
    let first = migrate::MIGRATIONS[0];
    client.batch_execute(first.sql).await.unwrap();
    client
        .batch_execute(&format!(
            "CREATE TABLE schema_migration (number bigint PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
                                            applied_at timestamptz NOT NULL);
             INSERT INTO schema_migration VALUES (1, '{}', '{}', now());
             INSERT INTO users VALUES ('00000000-0000-0000-0000-000000000001', 'Ada', 'ada', NULL, NULL, true, 1,
                                       NULL, '[]', 5);
             INSERT INTO session VALUES ('00000000-0000-0000-0000-000000000002', 'read', '[]', NULL, NULL, NULL,
                                         false, 5, 5, NULL, '[]');
             INSERT INTO session_head VALUES ('00000000-0000-0000-0000-000000000002',
                 '00000000-0000-0000-0000-000000000001', 'web', decode(repeat('00', 32), 'hex'), 1, 0, 7, 9, 3, 1,
                 NULL, 6, 8, decode(repeat('00', 48), 'hex'), 0, 0, 0, NULL, NULL)",
            first.name,
            first.checksum()
        ))
        .await
        .unwrap();
    let store = PostgresStore::open(&url).await.unwrap();
    let ada = store.find_user_by_name("ada").await.unwrap().unwrap();
    assert_eq!((ada.username.as_str(), ada.profile), ("Ada", Profile::default()));
    let id = countersign_wire::SessionId(uuid::Uuid::from_u128(2));
    let session = store.standing(id).await.unwrap().unwrap().session;
    assert_eq!((session.generation, session.expires_at.0, session.browser), (3, 9, None));
}

/// S3 over nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_refreshes_on_two_nodes_one_succeeds() {
    let (first, second) = two_nodes().await;
    let mut standing = first.start(T0).await;
    for round in 1..10 {
        let outcomes = join_all((0..64).map(|i| {
            let node = if i % 2 == 0 { &first } else { &second };
            node.rotate(&standing, at(round))
        }))
        .await;
        let mut moved = outcomes.into_iter().flatten();
        standing = moved.next().unwrap();
        assert!(moved.next().is_none());
        assert_eq!(i64::from(standing.session.generation), round + 1);
    }
}

/// Refreshes of many sessions share statements; each gets its own answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refresh_of_a_crowd_gets_its_own_answer() {
    let (first, second) = two_nodes().await;
    let started = join_all((0..100).map(|_| first.start(T0))).await;
    let outcomes = join_all(started.iter().flat_map(|standing| {
        // Each session twice, on different nodes, and in opposite order.
        [first.rotate(standing, at(1)), second.rotate(standing, at(1))]
    }))
    .await;
    for (standing, pair) in started.iter().zip(outcomes.chunks_exact(2)) {
        let moved: Vec<_> = pair.iter().flatten().collect();
        assert_eq!(moved.len(), 1);
        assert_eq!((moved[0].session.id, moved[0].session.generation), (standing.session.id, 2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_ends_the_other_refuses_at_once() {
    let (first, second) = two_nodes().await;
    let query = |standing: &crate::store::Standing| LivenessQuery {
        caller: None,
        session: Some((standing.session.id, standing.gates.user_stamp)),
        client: standing.session.client.clone(),
        position: standing.position,
        jti: "jti".to_owned(),
    };
    for round in 0..10 {
        let standing = first.start(at(round)).await;
        assert!(second.store.liveness(&query(&standing)).await.unwrap().live);
        let target = match round % 4 {
            0 => Target::Session(standing.session.id),
            1 => Target::User(first.user.id),
            2 => Target::Client(first.client_id()),
            _ => Target::Everything,
        };
        first.revoke(&target, Reason::Operator, at(round)).await;
        assert!(!second.store.liveness(&query(&standing)).await.unwrap().live, "{target:?}");
        assert_eq!(second.rotate(&standing, at(round)).await, None, "{target:?}");
    }
}

/// Whoever has read up to a number has missed nothing below it, whichever commit was late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_the_log_never_meets_a_gap() {
    const EACH: u64 = 40;
    let (first, second) = two_nodes().await;
    let write = async |world: &World, name: &str| {
        let one_by_one = (0..EACH).map(|n| {
            let target = Target::Token(format!("{name}-{n}"));
            async move { world.revoke(&target, Reason::Operator, T0).await.number.unwrap() }
        });
        join_all(one_by_one).await
    };
    let read = async {
        let mut seen = Vec::new();
        while seen.len() < 2 * EACH as usize {
            let after = seen.last().copied().unwrap_or(0);
            let entries = second.store.revocations(after, 7, T0).await.unwrap();
            seen.extend(entries.iter().map(|entry| entry.number));
        }
        seen
    };
    let (mut ours, theirs, seen) = tokio::join!(write(&first, "a"), write(&second, "b"), read);
    assert_eq!(seen, (1..=2 * EACH).collect::<Vec<_>>());
    ours.extend(theirs);
    assert_eq!(ours.into_iter().collect::<BTreeSet<_>>(), seen.into_iter().collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_sessions_holds_over_two_nodes() {
    let (first, second) = two_nodes().await;
    let outcomes = join_all((0..12).map(|n| {
        let node = if n % 2 == 0 { &first } else { &second };
        let new = NewSession { limit: 3, ..new_session(node.user.id, &node.client, at(n)) };
        async move { node.store.start_session(&new).await.unwrap() }
    }))
    .await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Started::Session { .. })));
    let live = SessionFilter { live: Some(true), ..SessionFilter::default() };
    assert_eq!(first.store.sessions(&live, &all(), at(20)).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_on_one_node_wakes_the_other() {
    let (first, second) = two_nodes().await;
    // What came before may have left a ring of its own.
    while tokio::time::timeout(Duration::from_millis(200), second.store.changed(LONG)).await.is_ok() {}
    let woken = tokio::spawn({
        let store = Arc::clone(&second.store);
        async move { store.changed(LONG).await }
    });
    let version = second.store.version().await.unwrap();
    first.revoke(&Target::Everything, Reason::Operator, T0).await;
    tokio::time::timeout(LONG / 2, woken).await.unwrap().unwrap();
    assert!(second.store.version().await.unwrap() > version);
}

/// S8, step by step: a refresh that overlaps a change neither waits for it nor outlives it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_overlaps_a_disable_is_dead_on_arrival() {
    let url = database().await;
    let world = World::new(PostgresStore::open(&url).await.unwrap()).await;
    let started = world.start(T0).await;
    let hand = by_hand(&url).await;
    hand.batch_execute("BEGIN; UPDATE users SET enabled = false, stamp = stamp + 1").await.unwrap();
    let overlapping = world.rotate(&started, at(1)).await.unwrap();
    hand.batch_execute("COMMIT").await.unwrap();
    assert_eq!(overlapping.gates.user_stamp, started.gates.user_stamp);
    assert!(!world.is_live(&overlapping, at(2)).await);
    assert_eq!(world.rotate(&overlapping, at(2)).await, None);
    world.store.change_user(world.user.id, &UserChange::Enable, at(3), keep(at(3))).await.unwrap();
    assert_eq!(world.rotate(&overlapping, at(4)).await, None);
}

/// The end of the session itself is tested on the newest row, even by a refresh that began before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_waits_for_a_revocation_is_refused() {
    let url = database().await;
    let world = World::new(PostgresStore::open(&url).await.unwrap()).await;
    let started = world.start(T0).await;
    let hand = by_hand(&url).await;
    hand.batch_execute("BEGIN; UPDATE session_head SET ended_at = 1, ended_reason = 'operator'")
        .await
        .unwrap();
    let refresh = tokio::spawn({
        let world = world.clone();
        async move { world.rotate(&started, at(1)).await }
    });
    let watcher = by_hand(&url).await;
    loop {
        const WAITS: &str = "SELECT count(*) FROM pg_stat_activity
                             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        if watcher.query_one(WAITS, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            break;
        }
    }
    hand.batch_execute("COMMIT").await.unwrap();
    assert_eq!(refresh.await.unwrap(), None);
}

/// An answer is sent after durability, whatever the database's own default is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_are_synchronous_whatever_the_default() {
    let url = database().await;
    let hand = by_hand(&url).await;
    let name: String = hand.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
    for (default, kept) in [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")] {
        hand.batch_execute(&format!("ALTER DATABASE {name} SET synchronous_commit = {default}"))
            .await
            .unwrap();
        let store = PostgresStore::open(&url).await.unwrap();
        for pool in [&store.pool, &store.rotator_pool] {
            let mut client = Lease::take(pool).await.unwrap();
            let row = client.query_one("SHOW synchronous_commit", &[]).await.unwrap();
            assert_eq!(row.get::<_, String>(0), kept, "with {default}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_share_the_clock_of_the_database() {
    let url = database().await;
    let first = PostgresStore::open(&url).await.unwrap();
    let second = PostgresStore::open(&url).await.unwrap();
    let apart = first.clock().now().0 - second.clock().now().0;
    assert!(apart.abs() < 1_000, "{apart} ms apart");
    const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let now: i64 = by_hand(&url).await.query_one(NOW, &[]).await.unwrap().get(0);
    assert!((first.clock().now().0 - now).abs() < 1_000);
}
