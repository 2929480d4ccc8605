//! Races provoked: what two and more clients and nodes do to one session at the same time.
//!
//! The numbers of rounds are for an ordinary run of the tests; `COUNTERSIGN_RACE_ROUNDS` sets
//! another for all of them, and `COUNTERSIGN_RACE_SEED` the seed of what is random. `docs/proof.md` has
//! the commands.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "with --nocapture a run says what it has seen")]

#[expect(dead_code, reason = "shared with the tests of the program")]
#[path = "../support/ask.rs"]
mod ask;
#[expect(dead_code, reason = "shared with the tests of the program")]
#[path = "../cli/program.rs"]
mod program;
#[expect(dead_code, reason = "shared with the tests of the public endpoints")]
#[path = "../support/mod.rs"]
mod support;

mod clocks;
mod endings;
mod history;
mod judged;
mod model;
mod processes;
mod together;

use std::sync::Arc;

use support::{Engine, TestServer};

/// How many rounds to run: the test's own number, or what the environment asks for.
#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
fn rounds(ordinary: usize) -> usize {
    match std::env::var("COUNTERSIGN_RACE_ROUNDS") {
        Ok(text) => text.parse().unwrap(),
        Err(_) => ordinary,
    }
}

/// What the environment asks random choices to be made from.
#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
fn seed() -> Option<u64> {
    std::env::var("COUNTERSIGN_RACE_SEED").ok().map(|text| text.parse().unwrap())
}

/// What a test has done, for the table of `just prove`, which reads this line.
fn proof(count: usize, unit: &str, seed: Option<u64>) {
    let seed = seed.map_or("none".to_owned(), |seed| seed.to_string());
    println!("proof: {count} {unit}, seed {seed}");
}

/// The nodes of an engine: SQLite has one, PostgreSQL gets two on one database.
async fn nodes(engine: Engine) -> Vec<Arc<TestServer>> {
    let first = TestServer::start(engine).await;
    let mut nodes = Vec::new();
    if engine == Engine::Postgres {
        nodes.push(Arc::new(first.node_beside().await));
    }
    nodes.insert(0, Arc::new(first));
    nodes
}
