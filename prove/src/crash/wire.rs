//! The way to PostgreSQL fails under load (E11, E12): cut, and with it whatever commit is under
//! way; answers withheld, so that a commit's outcome is unknown; stalled, with connections that
//! look alive; and PostgreSQL restarted behind it.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::cluster::Cluster;
use super::cut;
use super::honest::Honest;
use super::kill::settle;
use super::load::Load;
use super::place::Place;
use super::proxy::{Proxy, Wire};
use super::report::{Row, say};
use crate::Outcome;

const SESSIONS: usize = 120;
/// How long each state of the wire lasts, in milliseconds.
const LASTS: std::ops::Range<u64> = 50..1_500;
const STATES: [Wire; 3] = [Wire::Cut, Wire::Unanswered, Wire::Stalled];
/// One cycle in so many restarts PostgreSQL as well.
const RESTARTS: u32 = 4;

/// One request cut at each of its pieces, and so many faults under load.
pub(super) fn run(cycles: u32, seed: u64) -> Outcome<Vec<Row>> {
    Ok(vec![cut::run()?, under_load(cycles, seed)?])
}

/// A cluster, a proxy before it, and a place for a service that knows it by the proxy alone. They end in
/// this order.
pub(super) struct Way {
    pub(super) place: Place,
    pub(super) proxy: Proxy,
    cluster: Cluster,
    /// What the proxy runs on.
    _runtime: Runtime,
}

impl Way {
    pub(super) fn start() -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let cluster = Cluster::start();
        runtime.block_on(cluster.database());
        let proxy = runtime.block_on(Proxy::to(cluster.address()));
        let url = format!("postgres://postgres@127.0.0.1:{}/test_0", proxy.port());
        Ok(Self { place: Place::new(Some(url))?, proxy, cluster, _runtime: runtime })
    }
}

fn under_load(cycles: u32, seed: u64) -> Outcome<Row> {
    let Way { place, proxy, cluster, .. } = &Way::start()?;
    let mut random = fastrand::Rng::with_seed(seed);
    let load = Load::start(Honest::of(place.fill(SESSIONS)?), seed);
    let server = place.serve()?;
    load.aim(server.address);
    for (cycle, state) in (1..=cycles).zip(STATES.iter().cycle()) {
        std::thread::sleep(Duration::from_millis(random.u64(LASTS)));
        proxy.set(*state);
        std::thread::sleep(Duration::from_millis(random.u64(LASTS)));
        if cycle.is_multiple_of(RESTARTS) {
            cluster.crash();
            cluster.start_again();
        }
        proxy.set(Wire::Open);
        if cycle.is_multiple_of(10) {
            say(&format!("wire: {cycle} of {cycles}"));
        }
    }
    server.kill()?;
    let tally = settle(place, load)?;
    Ok(Row {
        experiment: "the way to the database cut, silent, stalled under load; restarts".to_owned(),
        engine: "PostgreSQL".to_owned(),
        cycles: cycles.into(),
        tally,
        checked: "S2-S4, L1, L2, L4".to_owned(),
        seen: String::new(),
    })
}
