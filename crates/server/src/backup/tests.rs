//! Backups on the SQLite engine.

use std::io::Cursor;
use std::sync::Arc;

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::*;
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, TABLES};
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn store(dir: &tempfile::TempDir, name: &str) -> Arc<dyn Store> {
    SqliteStore::open(&dir.path().join(name)).unwrap()
}

fn tenants(numbers: impl Iterator<Item = u32>) -> Vec<Value> {
    numbers.map(|n| json!({ "id": format!("t{n:06}"), "cut": 1 })).collect()
}

async fn whole(store: &Arc<dyn Store>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chunks = Box::pin(stream(store.clone(), NOW));
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    bytes
}

fn tenant_ids(backup: &[u8]) -> Vec<String> {
    let lines = std::str::from_utf8(backup).unwrap().lines();
    lines
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["table"] == "tenant")
        .map(|line| line["row"]["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_table_is_in_a_backup() {
    let mut known: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    let mut order = ORDER.to_vec();
    known.sort_unstable();
    order.sort_unstable();
    assert_eq!(known, order);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_in_comes_out() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (store(&dir, "from"), store(&dir, "to"));
    from.import("tenant", &tenants(0..2_500)).await.unwrap();
    let backup = whole(&from).await;
    assert_eq!(tenant_ids(&backup).len(), 2_500);
    let heard = std::sync::atomic::AtomicU64::new(0);
    let hear = |bytes| {
        heard.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    };
    let restored = restore(to.as_ref(), Cursor::new(&backup), true, NOW, &hear).await.unwrap();
    assert!(!restored.ended);
    assert_eq!(restored.summary.trailer.rows["tenant"], 2_500);
    assert_eq!(heard.into_inner(), 2 * backup.len() as u64);
    assert_eq!(whole(&to).await, backup);
    let again = restore(to.as_ref(), Cursor::new(&backup), true, NOW, &|_| {}).await;
    assert!(matches!(again, Err(BackupError::NotEmpty("tenant"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_change_places_are_neither_lost_nor_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, "store");
    // Clients, because they can be removed again.
    let settings = json!({
        "kind": "spa", "public": true, "secrets": [], "redirect_uris": [], "scope": "", "audience": [],
        "token_format": "jwt", "signing_alg": null, "rotation": "rotate", "overlap_ms": 0, "lifetimes": {},
        "longest_access": 600, "allow_long_access_tokens": false, "introspects": [], "extra_claims": []
    });
    let client = |id: String| {
        json!({
            "id": id, "enabled": true, "revision": 1, "cut": 0, "tenant": null, "created_at": 0,
            "settings": settings.to_string()
        })
    };
    let before: Vec<String> = (0..3_000).map(|n| format!("c{n:06}")).collect();
    let rows: Vec<Value> = before.iter().cloned().map(client).collect();
    store.import("client", &rows).await.unwrap();
    let mut chunks = Box::pin(stream(store.clone(), NOW));
    let mut bytes = chunks.next().await.unwrap().unwrap().to_vec();
    bytes.extend_from_slice(&chunks.next().await.unwrap().unwrap());
    // A page has been read. Forty of its rows go, among them the last; thirty come in front.
    for id in before[960..1_000].iter() {
        store.remove_client(&id.parse().unwrap(), NOW, NOW).await.unwrap();
    }
    store.import("client", &(0..30).map(|n| client(format!("a{n}"))).collect::<Vec<_>>()).await.unwrap();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    let lines = std::str::from_utf8(&bytes).unwrap().lines();
    let ids: Vec<String> = lines
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["table"] == "client")
        .map(|line| line["row"]["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_cut_or_changed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let from = store(&dir, "from");
    from.import("tenant", &tenants(0..3)).await.unwrap();
    let backup = whole(&from).await;
    let to = store(&dir, "to");
    for end in 0..backup.len() {
        let cut = restore(to.as_ref(), Cursor::new(&backup[..end]), false, NOW, &|_| {}).await;
        assert!(cut.is_err(), "cut at {end}");
    }
    for at in 0..backup.len() {
        let mut changed = backup.clone();
        changed[at] ^= 1;
        let changed = restore(to.as_ref(), Cursor::new(&changed), false, NOW, &|_| {}).await;
        assert!(changed.is_err(), "changed at {at}");
    }
    restore(to.as_ref(), Cursor::new(&backup), false, NOW, &|_| {}).await.unwrap();
}
