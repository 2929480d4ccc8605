//! The contract on PostgreSQL, what two nodes on one database see of each other, and what becomes
//! of calls when the database is away.

#[path = "../../../tests/support/cluster.rs"]
#[expect(dead_code, reason = "dumping is for the canary of the other tests")]
mod cluster;
mod faults;
mod nodes;
#[path = "../../../tests/support/proxy.rs"]
mod proxy;

use std::sync::Arc;

use super::PostgresStore;
use crate::store::Store;
use crate::store::contract::contract_tests;

async fn fresh() -> (Arc<dyn Store>, ()) {
    let url = cluster::shared().database().await;
    (PostgresStore::open(&url).await.unwrap(), ())
}

contract_tests!(fresh);
