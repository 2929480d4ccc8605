//! The contract on PostgreSQL, what two nodes on one database see of each other, and what becomes
//! of calls when the database is away.

#[expect(dead_code, reason = "shared with the tests of the whole server, which also dump databases")]
#[path = "../../../tests/support/cluster.rs"]
mod cluster;
mod faults;
mod nodes;
#[path = "../../../tests/support/proxy.rs"]
#[expect(dead_code, reason = "the proofs of crashes count what the wire carries")]
mod proxy;
mod schedules;
pub(super) mod steps;

use std::sync::Arc;

use super::PostgresStore;
use crate::store::Store;
use crate::store::contract::contract_tests;

/// A database with the schema and nothing in it.
async fn database() -> String {
    let migrate = async |url: String| PostgresStore::open(&url).await.unwrap().close().await;
    cluster::shared().prepared_database(migrate).await
}

async fn fresh() -> (Arc<dyn Store>, ()) {
    (PostgresStore::open(&database().await).await.unwrap(), ())
}

contract_tests!(fresh);
