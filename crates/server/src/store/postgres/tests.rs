//! The contract, on PostgreSQL.

use std::sync::Arc;

use super::PostgresStore;
use crate::store::Store;
use crate::store::contract::contract_tests;

#[path = "../../../tests/support/cluster.rs"]
mod cluster;

async fn fresh() -> (Arc<dyn Store>, ()) {
    let url = cluster::shared().database().await;
    (PostgresStore::open(&url).await.unwrap(), ())
}

contract_tests!(fresh);
