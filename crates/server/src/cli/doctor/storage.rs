//! The store and its keys: asked of the running server, or looked at here.

use serde_json::Value;

use super::Findings;
use crate::cli::Context;
use crate::cli::failure::Failure;
use crate::cli::list;
use crate::cli::route::Route;
use crate::cli::show::member;
use crate::cli::transport::Admin;
use crate::cli::words::{self, Words};
use crate::config::{Database, Settings};
use crate::keys::{KeyEncryptionKey, KeySet};
use crate::server::{self, KEK_FILE};
use crate::store::{KeyPurpose, KeyRecord};
use crate::time::Timestamp;

const STORE: &str = "store";
const KEYS: &str = "keys";

/// By the running server's own words.
pub(super) async fn by_server(context: &Context, admin: &Admin, findings: &mut Findings) {
    let words = context.output.words;
    match admin.get(&Route::to(&["status"])).await {
        Ok(status) => findings.ok(STORE, format!("{}, schema up to date", member(&status, "engine"))),
        Err(failure) => return findings.fail(STORE, said(failure), "look into the server's log"),
    }
    match admin.get(&Route::to(&["keys"])).await {
        Ok(answer) => {
            let keys: Vec<Seen> =
                list::items(&answer).unwrap_or_default().iter().filter_map(Seen::of_json).collect();
            judge(&keys, words, findings);
        }
        Err(failure) => findings.fail(KEYS, said(failure), "look into the server's log"),
    }
}

/// By opening the store, which must be there.
pub(super) async fn here(context: &Context, settings: &Settings, findings: &mut Findings) {
    let place = settings.database.describe();
    if let Database::Sqlite(path) = &settings.database
        && !path.exists()
    {
        findings.warn(STORE, format!("{place} is not there"), "the first start makes it");
        return;
    }
    let opened = match server::open_store(settings).await {
        Ok(opened) => opened,
        Err(error) => {
            findings.fail(STORE, error.to_string(), "make the store reachable, or correct `database`");
            return;
        }
    };
    match opened.store.ping().await {
        Ok(()) => findings.ok(STORE, format!("{} at {place}, schema up to date", opened.store.engine())),
        Err(error) => findings.fail(STORE, error.to_string(), "make the store reachable"),
    }
    let words = context.output.words;
    let skew = opened.clock.now().since(words.now()).max(words.now().since(opened.clock.now())).as_secs();
    if skew > super::network::MAX_SKEW {
        let found = format!("the store's clock differs from this machine's by {skew} s");
        findings.fail("clock", found, "set both clocks by NTP");
    }
    match opened.store.keys().await {
        Ok(records) if records.is_empty() => findings.warn(KEYS, "none yet", "the first start makes them"),
        Ok(records) => {
            open(settings, &records, findings);
            let keys: Vec<Seen> = records.iter().map(Seen::of_record).collect();
            judge(&keys, words, findings);
        }
        Err(error) => findings.fail(KEYS, error.to_string(), "make the store reachable"),
    }
    opened.store.close().await;
}

/// Whether the key-encryption key opens the keys.
fn open(settings: &Settings, records: &[KeyRecord], findings: &mut Findings) {
    let kek = match &settings.key_encryption_key {
        Some(key) => Some(KeyEncryptionKey::from_bytes(key.expose())),
        None => KeyEncryptionKey::load(&settings.data_dir.join(KEK_FILE)).ok(),
    };
    // A missing one has been reported already.
    if let Some(kek) = kek
        && let Err(error) = KeySet::open(records, &kek)
    {
        findings.fail(KEYS, error.to_string(), "configure the key-encryption key of this store");
    }
}

/// A key, wherever it was learned of.
struct Seen {
    purpose: String,
    active_at: Timestamp,
    expires_at: Option<Timestamp>,
}

impl Seen {
    fn of_record(record: &KeyRecord) -> Self {
        Self {
            purpose: record.purpose.as_str().to_owned(),
            active_at: record.active_at,
            expires_at: record.expires_at,
        }
    }

    fn of_json(item: &Value) -> Option<Self> {
        Some(Self {
            purpose: member(item, "purpose"),
            active_at: words::parse(&member(item, "active_at"))?,
            expires_at: words::parse(&member(item, "expires_at")),
        })
    }
}

/// Whether every purpose has a key that makes tokens now.
fn judge(keys: &[Seen], words: Words, findings: &mut Findings) {
    let now = words.now();
    let missing: Vec<&str> = KeyPurpose::ALL
        .into_iter()
        .map(KeyPurpose::as_str)
        .filter(|purpose| {
            let active =
                |key: &&Seen| key.active_at <= now && key.expires_at.is_none_or(|expires| expires > now);
            !keys.iter().filter(|key| key.purpose == *purpose).any(|key| active(&key))
        })
        .collect();
    if !missing.is_empty() {
        let found = format!("no active key for {}", missing.join(", "));
        findings.fail(KEYS, found, "start the server, or run `countersign key rotate --immediately`");
        return;
    }
    let next = keys.iter().filter(|key| key.active_at > now).map(|key| key.active_at).min();
    let newest = keys.iter().filter(|key| key.active_at <= now).map(|key| key.active_at).max();
    let told = match (next, newest) {
        (Some(next), _) => format!("the next one becomes active {}", words.relative(next)),
        (None, Some(newest)) => format!("the newest became active {}", words.relative(newest)),
        (None, None) => String::new(),
    };
    findings.ok(KEYS, format!("{}, one active for every purpose; {told}", keys.len()));
}

fn said(failure: Failure) -> String {
    match failure {
        Failure::Refused(said) | Failure::Usage(said) => said,
        Failure::ClosedPipe | Failure::Said => "it does not answer".to_owned(),
    }
}
