//! Keys for tests, made once per process: an RSA key takes its time.

use std::sync::{Arc, OnceLock};

use super::material::generate;
use super::{KeyEncryptionKey, KeySet};
use crate::store::{KeyPurpose, KeyRecord};
use crate::time::Timestamp;

/// A key-encryption key, always the same.
pub(crate) fn kek() -> KeyEncryptionKey {
    KeyEncryptionKey::from_text(&"5c".repeat(32)).unwrap()
}

/// The first key of each purpose, active from 1970 on.
pub(crate) fn records() -> &'static [KeyRecord] {
    static RECORDS: OnceLock<Vec<KeyRecord>> = OnceLock::new();
    RECORDS.get_or_init(|| {
        let first = |purpose| generate(&kek(), purpose, 1, Timestamp(0), Timestamp(0)).unwrap();
        KeyPurpose::ALL.map(first).to_vec()
    })
}

/// Those keys, opened.
pub(crate) fn key_set() -> Arc<KeySet> {
    static SET: OnceLock<Arc<KeySet>> = OnceLock::new();
    Arc::clone(SET.get_or_init(|| Arc::new(KeySet::open(records(), &kek()).unwrap())))
}
