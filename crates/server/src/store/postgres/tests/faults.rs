//! The database stops, crashes, stalls or loses its answer: the store says that it is not
//! available, in time, never that a thing is so which may not be, and recovers by itself.

use std::time::Duration;

use tokio::time::Instant;

use super::cluster::{self, Cluster};
use super::database;
use super::proxy::{Proxy, Wire};
use crate::store::contract::fixtures::*;
use crate::store::postgres::PostgresStore;
use crate::store::{Reason, Standing, StoreError, StoreResult, Target};

/// Short, so that these tests are; long enough for a busy machine to answer in.
const DEADLINE: Duration = Duration::from_secs(2);
/// On top of a deadline, for a machine that is busy with other tests.
const SLACK: Duration = Duration::from_secs(5);

/// One of each kind of call: the batched, the single statement, the transaction.
async fn all_unavailable(world: &World, standing: &Standing) {
    let rotate = rotation_of(&standing.session, world.client.revision, at(1));
    let target = Target::Session(standing.session.id);
    let begun = Instant::now();
    let (rotated, read, revoked, pinged) = tokio::join!(
        world.store.rotate(&rotate),
        world.store.standing(standing.session.id),
        world.store.revoke(&target, Reason::Operator, T0, keep(T0)),
        world.store.ping(),
    );
    assert!(begun.elapsed() < DEADLINE + SLACK, "{:?}", begun.elapsed());
    fn unavailable<T: std::fmt::Debug>(outcome: StoreResult<T>) {
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    }
    unavailable(rotated);
    unavailable(read);
    unavailable(revoked);
    unavailable(pinged);
}

/// The first call on each connection may still find out that it died.
async fn until_it_answers(world: &World) {
    let begun = Instant::now();
    while let Err(error) = world.store.ping().await {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        assert!(begun.elapsed() < 4 * DEADLINE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_database_is_unavailable_and_needs_no_restart_of_the_store() {
    let cluster = Cluster::start();
    let world =
        World::new(PostgresStore::open_with(&cluster.database().await, DEADLINE).await.unwrap()).await;
    let mut standing = world.start(T0).await;
    for stop in [Cluster::stop, Cluster::crash] {
        stop(&cluster);
        all_unavailable(&world, &standing).await;
        cluster.start_again();
        until_it_answers(&world).await;
        // S4: what was answered is there.
        assert_eq!(world.standing(&standing).await, standing);
        standing = world.rotate(&standing, at(1)).await.unwrap();
    }
    assert_eq!(standing.session.generation, 3);
    world.store.close().await;
}

async fn behind_a_proxy() -> (Proxy, World) {
    let url = database().await;
    let proxy = Proxy::to(cluster::shared().address()).await;
    let database = url.split(['/', '?']).nth(3).unwrap();
    let url = format!("postgres://postgres@127.0.0.1:{}/{database}", proxy.port());
    (proxy, World::new(PostgresStore::open_with(&url, DEADLINE).await.unwrap()).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_wire_is_unavailable_in_time() {
    let (proxy, world) = behind_a_proxy().await;
    let standing = world.start(T0).await;
    proxy.set(Wire::Stalled);
    all_unavailable(&world, &standing).await;
    // Cut, so that what was stalled is not carried after all.
    proxy.set(Wire::Cut);
    all_unavailable(&world, &standing).await;
    proxy.set(Wire::Open);
    until_it_answers(&world).await;
    assert_eq!(world.standing(&standing).await, standing);
}

/// L4 and L1: the commit happened, its answer did not arrive. Nobody is told no, and who asks
/// again finds the generation that the lost answer had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_unknown_and_harmless() {
    let (proxy, world) = behind_a_proxy().await;
    let standing = world.start(T0).await;
    // All connections that are going to be used are there, and know their statements.
    let standing = world.rotate(&standing, at(1)).await.unwrap();
    proxy.set(Wire::Unanswered);
    let rotate = rotation_of(&standing.session, world.client.revision, at(2));
    let outcome = world.store.rotate(&rotate).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    proxy.set(Wire::Cut);
    proxy.set(Wire::Open);
    until_it_answers(&world).await;

    assert_eq!(world.rotate(&standing, at(3)).await, None);
    let found = world.standing(&standing).await;
    assert_eq!(found.session.generation, standing.session.generation + 1);
    assert!(found.is_live(at(3)));
    assert_eq!(found.session.rotated_at, at(2));
}

/// A transaction that somebody left open must not take a store with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_not_let_go_is_unavailable_in_time() {
    let url = database().await;
    let world = World::new(PostgresStore::open_with(&url, DEADLINE).await.unwrap()).await;
    let standing = world.start(T0).await;
    let (hand, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    hand.batch_execute("BEGIN; LOCK TABLE session_head, meta IN ACCESS EXCLUSIVE MODE").await.unwrap();
    all_unavailable(&world, &standing).await;
    hand.batch_execute("ROLLBACK").await.unwrap();
    until_it_answers(&world).await;
    assert_eq!(world.standing(&standing).await.session.ended, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_there_is_unavailable_when_opening() {
    let outcome = PostgresStore::open("postgres://postgres@127.0.0.1:1/nothing").await;
    assert!(matches!(outcome.err(), Some(StoreError::Unavailable(_))));
}

/// Shutdown finishes what waits, and takes no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_loses_nothing() {
    let url = database().await;
    let world = World::new(PostgresStore::open_with(&url, DEADLINE).await.unwrap()).await;
    let started = futures_util::future::join_all((0..50).map(|_| world.start(T0))).await;
    let refreshes = futures_util::future::join_all(started.iter().map(|one| world.rotate(one, at(1))));
    let (outcomes, ()) = tokio::join!(refreshes, world.store.close());
    assert!(outcomes.iter().all(Option::is_some));
    let rotate = rotation_of(&started[0].session, world.client.revision, at(2));
    assert!(matches!(world.store.rotate(&rotate).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(world.store.ping().await, Err(StoreError::Unavailable(_))));
}
