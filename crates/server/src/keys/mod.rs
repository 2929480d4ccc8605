//! The server's keys: loaded, followed by new ones without hands, published, and put to work.
//!
//! [`Keys`] is shared and changes; [`KeySet`] is what it held at one moment.

mod access;
mod kek;
mod material;
mod plan;
mod recipient;
mod refresh;
mod secrets;
mod set;
#[cfg(test)]
pub(crate) mod testing;

pub use access::{IssueError, MAX_ACCESS_TOKEN, OpaqueTokenError};
pub use kek::{KekError, KeyEncryptionKey};
pub use plan::{KeySchedule, MAX_NUMBER, RingFull, Step, plan};
pub use recipient::{RecipientKey, RecipientKeyError, public_jwk};
pub use refresh::{PresentedRefresh, RefreshNonce, RefreshTokenError, retry_hash};
pub use set::{KeySet, NotOurs};

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::store::{Added, KeyPurpose, KeyRecord, Store, StoreError};
use crate::time::Timestamp;

/// Longest cursor that is looked at, in characters.
pub const MAX_CURSOR: usize = 1024;
/// Least time between two looks at the store for keys that a token named and we did not know.
pub const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(1);
/// How often a step that another node took first is tried anew.
const MAX_ROUNDS: usize = 16;

/// The cryptography library failed: without memory, say. It does not say why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cryptography library failed")]
pub struct CryptoFailed;

impl From<aws_lc_rs::error::Unspecified> for CryptoFailed {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

impl From<aws_lc_rs::error::KeyRejected> for CryptoFailed {
    fn from(_: aws_lc_rs::error::KeyRejected) -> Self {
        Self
    }
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored keys were sealed with another key-encryption key.
    #[error(
        "the key-encryption key does not open the stored key {0}: start with the one that was there when this database was first used (the file `kek` of that data directory, or the value that was configured), the same on every node"
    )]
    WrongKek(String),
    /// A key opens and makes no sense.
    #[error("the stored key {0} is damaged: restore the database from a backup")]
    Damaged(String),
    /// A purpose has no key.
    #[error("there is no stored key for {}", .0.as_str())]
    Missing(KeyPurpose),
    /// The operator asked for what is not done.
    #[error("keys for {} are not rotated: what they make must stay comparable", .0.as_str())]
    NotRotated(KeyPurpose),
    /// No number is free.
    #[error(transparent)]
    RingFull(#[from] RingFull),
    /// Other nodes made keys at the same time, again and again.
    #[error("other nodes are making keys at the same time: try again")]
    Busy,
    /// The cryptography library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailed),
}

/// The keys of the running server.
pub struct Keys {
    store: Arc<dyn Store>,
    kek: Arc<KeyEncryptionKey>,
    schedule: KeySchedule,
    current: RwLock<Arc<KeySet>>,
    looked: Mutex<Timestamp>,
}

impl Keys {
    /// Loads all keys, and makes those that are missing: on the first start, all.
    ///
    /// # Errors
    /// When the store fails or the stored keys do not open.
    pub async fn open(
        store: Arc<dyn Store>,
        kek: KeyEncryptionKey,
        schedule: KeySchedule,
        now: Timestamp,
    ) -> Result<Arc<Self>, KeysError> {
        let kek = Arc::new(kek);
        let set = live_through(store.as_ref(), &kek, &schedule, now, None).await?;
        Ok(Arc::new(Self { store, kek, schedule, current: RwLock::new(set), looked: Mutex::new(now) }))
    }

    /// The keys as they are now.
    pub fn snapshot(&self) -> Arc<KeySet> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The schedule that keys follow.
    pub fn schedule(&self) -> &KeySchedule {
        &self.schedule
    }

    /// Looks for keys that other nodes made or removed.
    ///
    /// # Errors
    /// When the store fails or a key does not open; the keys stay as they were.
    pub async fn reload(&self) -> Result<(), KeysError> {
        let records = self.store.keys().await?;
        if records != self.snapshot().records() {
            self.replace(Arc::new(KeySet::open(&records, &self.kek)?));
        }
        Ok(())
    }

    /// Reloads because a token names an unknown key, at most once in [`LOOK_AGAIN_EVERY`]: the
    /// number is the sender's text until the token is opened. False says that it was too soon.
    ///
    /// # Errors
    /// As [`Self::reload`].
    pub async fn look_again(&self, now: Timestamp) -> Result<bool, KeysError> {
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked <= now && now.since(looked) < LOOK_AGAIN_EVERY {
            return Ok(false);
        }
        self.reload().await?;
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = now;
        Ok(true)
    }

    /// Does what is due: new keys, the end of old ones. To be called every minute or so.
    ///
    /// # Errors
    /// As [`Self::reload`]; also when a ring is full.
    pub async fn maintain(&self, now: Timestamp) -> Result<(), KeysError> {
        let known = self.snapshot();
        let set = live_through(self.store.as_ref(), &self.kek, &self.schedule, now, Some(known)).await?;
        self.replace(set);
        Ok(())
    }

    /// Makes successors because the operator says so: for one purpose, or for all that rotate.
    /// They wait as scheduled ones do; signing keys can be active at once. The old ones stay good
    /// for what they made.
    ///
    /// # Errors
    /// As [`Self::maintain`]; also for keys that are never replaced.
    pub async fn rotate(
        &self,
        purpose: Option<KeyPurpose>,
        immediately: bool,
        now: Timestamp,
    ) -> Result<Vec<KeyRecord>, KeysError> {
        let purposes: Vec<KeyPurpose> = match purpose {
            Some(purpose) if !plan::rotates(purpose) => return Err(KeysError::NotRotated(purpose)),
            Some(purpose) => vec![purpose],
            None => KeyPurpose::ALL.into_iter().filter(|p| plan::rotates(*p)).collect(),
        };
        let mut made = Vec::new();
        for purpose in purposes {
            // Only signing keys can be told apart by everyone at once, by their id in the key set; a
            // ring's key is used when every node knows it, so that none takes a token for foreign.
            let ahead = match purpose {
                KeyPurpose::Signing(_) if immediately => Duration::ZERO,
                _ => self.schedule.ahead(purpose),
            };
            made.push(self.make_next(purpose, now, now.plus(ahead)).await?);
        }
        self.maintain(now).await?;
        Ok(made)
    }

    async fn make_next(
        &self,
        purpose: KeyPurpose,
        now: Timestamp,
        active_at: Timestamp,
    ) -> Result<KeyRecord, KeysError> {
        for _ in 0..MAX_ROUNDS {
            let number = plan::next_number(&self.store.keys().await?, purpose)?;
            let record = generate(&self.kek, purpose, number, now, active_at).await?;
            if self.store.add_key(&record).await? == Added::Yes {
                return Ok(record);
            }
        }
        Err(KeysError::Busy)
    }

    fn replace(&self, set: Arc<KeySet>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = set;
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Keys").field(&self.snapshot()).finish()
    }
}

/// Takes the steps of the plan until none is left, and opens the keys that there are then.
async fn live_through(
    store: &dyn Store,
    kek: &Arc<KeyEncryptionKey>,
    schedule: &KeySchedule,
    now: Timestamp,
    known: Option<Arc<KeySet>>,
) -> Result<Arc<KeySet>, KeysError> {
    let is_known = |record: &KeyRecord| known.as_ref().is_some_and(|set| set.records().contains(record));
    for _ in 0..MAX_ROUNDS {
        let records = store.keys().await?;
        // Before anything is made: with a wrong key-encryption key nothing may be added.
        for record in records.iter().filter(|record| !is_known(record)) {
            material::open(kek, record)?;
        }
        let steps = plan(&records, schedule, now)?;
        if steps.is_empty() {
            return match known {
                Some(set) if set.records() == records => Ok(set),
                _ => KeySet::open(&records, kek).map(Arc::new),
            };
        }
        for step in steps {
            take(store, kek, step, now).await?;
        }
    }
    Err(KeysError::Busy)
}

async fn take(
    store: &dyn Store,
    kek: &Arc<KeyEncryptionKey>,
    step: Step,
    now: Timestamp,
) -> Result<(), KeysError> {
    match step {
        Step::Make { purpose, number, active_at } => {
            let record = generate(kek, purpose, number, now, active_at).await?;
            if store.add_key(&record).await? == Added::Yes {
                tracing::info!(purpose = purpose.as_str(), key = record.id, %active_at, "made a key");
            }
        }
        Step::Retire { id, expires_at } => {
            store.retire_key(&id, expires_at).await?;
            tracing::info!(key = id, %expires_at, "a key has been succeeded");
        }
        Step::RemoveExpired => {
            let count = store.remove_expired_keys(now).await?;
            tracing::info!(count, "removed expired keys");
        }
    }
    Ok(())
}

/// Makes a key away from the threads that answer requests: RSA takes its time.
async fn generate(
    kek: &Arc<KeyEncryptionKey>,
    purpose: KeyPurpose,
    number: u8,
    now: Timestamp,
    active_at: Timestamp,
) -> Result<KeyRecord, KeysError> {
    let kek = Arc::clone(kek);
    let made = tokio::task::spawn_blocking(move || material::generate(&kek, purpose, number, now, active_at));
    made.await.unwrap_or(Err(CryptoFailed)).map_err(KeysError::from)
}

/// The first eight hexadecimal digits of a token's SHA-256: enough to find it again in a log, and
/// nothing to use.
pub fn fingerprint(token: &str) -> String {
    let [a, b, c, d, ..] = refresh::sha256(&[token.as_bytes()]);
    format!("{a:02x}{b:02x}{c:02x}{d:02x}")
}
