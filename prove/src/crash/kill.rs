//! kill -9 under load (E1, E2): whatever was acknowledged before is so afterwards, and no honest
//! session ends.

use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::honest::{Honest, Tally};
use super::load::Load;
use super::place::{Place, signal};
use super::report::{Row, say};
use crate::Outcome;

/// Sessions under load.
const SESSIONS: usize = 120;
/// How long the load goes on between two kills, in milliseconds.
const BETWEEN_KILLS: std::ops::Range<u64> = 50..500;
/// How long PostgreSQL may take to recover from a kill.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two looks whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A line of progress after so many.
const SAY_EVERY: u32 = 25;
const CHECKED: &str = "S1-S4, L1, L2, L4";

/// Both engines.
pub(super) fn run(cycles: u32, seed: u64) -> Outcome<Vec<Row>> {
    Ok(vec![sqlite(cycles, seed)?, postgres(cycles, seed)?])
}

fn sqlite(cycles: u32, seed: u64) -> Outcome<Row> {
    let place = Place::new(None)?;
    let mut random = fastrand::Rng::with_seed(seed);
    let load = Load::start(Honest::of(place.fill(SESSIONS)?), seed);
    for cycle in 1..=cycles {
        let server = place.serve()?;
        load.aim(server.address);
        std::thread::sleep(Duration::from_millis(random.u64(BETWEEN_KILLS)));
        server.kill()?;
        progress("SQLite", cycle, cycles);
    }
    let tally = settle(&place, load)?;
    Ok(row("the server killed under load", "SQLite", cycles, tally))
}

/// What is killed.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Server,
    /// A process of PostgreSQL: by that the whole cluster recovers from its log.
    Backend,
    /// A connection, by PostgreSQL itself.
    Connection,
    Cluster,
}

const VICTIMS: [Victim; 4] = [Victim::Server, Victim::Backend, Victim::Connection, Victim::Cluster];

fn postgres(cycles: u32, seed: u64) -> Outcome<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cluster = Cluster::start();
    let database = runtime.block_on(cluster.database());
    let place = Place::new(Some(database.clone()))?;
    let mut random = fastrand::Rng::with_seed(seed);
    let load = Load::start(Honest::of(place.fill(SESSIONS)?), seed);
    let mut server = place.serve()?;
    for (cycle, victim) in (1..=cycles).zip(VICTIMS.iter().cycle()) {
        load.aim(server.address);
        std::thread::sleep(Duration::from_millis(random.u64(BETWEEN_KILLS)));
        match victim {
            Victim::Server => {
                server.kill()?;
                server = place.serve()?;
            }
            Victim::Backend => {
                // None is there in the moment after a crash.
                if let Ok(Some(pid)) = runtime.block_on(a_backend(&database)) {
                    signal("KILL", pid)?;
                }
            }
            Victim::Connection => {
                // Fails while the cluster recovers from the kill before.
                let _ = runtime.block_on(end_connections(&database));
            }
            Victim::Cluster => {
                cluster.crash();
                cluster.start_again();
            }
        }
        progress("PostgreSQL", cycle, cycles);
    }
    server.kill()?;
    runtime.block_on(recovered(&database))?;
    let tally = settle(&place, load)?;
    Ok(row("server, backend, connections, cluster killed under load", "PostgreSQL", cycles, tally))
}

pub(super) async fn connect(url: &str) -> Outcome<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Waits until the cluster takes connections again: after the kill of a backend it recovers for a
/// moment, in which the service would refuse to start.
async fn recovered(url: &str) -> Outcome<()> {
    let start = Instant::now();
    while let Err(error) = connect(url).await {
        if start.elapsed() > PATIENCE {
            return Err(format!("PostgreSQL did not recover: {error}").into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn a_backend(url: &str) -> Outcome<Option<i32>> {
    let row = connect(url)
        .await?
        .query_opt(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()
             AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1",
            &[],
        )
        .await?;
    Ok(row.map(|row| row.get(0)))
}

async fn end_connections(url: &str) -> Outcome<()> {
    connect(url)
        .await?
        .batch_execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await?;
    Ok(())
}

/// Ends the load, and asks once more for each session on a server that nobody kills.
pub(super) fn settle(place: &Place, load: Load) -> Outcome<Tally> {
    let (mut clients, mut tally) = load.end()?;
    let server = place.serve()?;
    for client in &mut clients {
        client.settle(server.address, &mut tally);
    }
    server.stop()?;
    Ok(tally)
}

fn progress(engine: &str, cycle: u32, cycles: u32) {
    if cycle.is_multiple_of(SAY_EVERY) || cycle == cycles {
        say(&format!("kill, {engine}: {cycle} of {cycles}"));
    }
}

fn row(experiment: &str, engine: &'static str, cycles: u32, tally: Tally) -> Row {
    Row {
        experiment: experiment.to_owned(),
        engine: engine.to_owned(),
        cycles: cycles.into(),
        tally,
        checked: CHECKED.to_owned(),
        seen: String::new(),
    }
}
