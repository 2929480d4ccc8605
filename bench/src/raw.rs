//! What the machine can do without us: signatures and durable writes. Measured in the same run,
//! because absolute figures hold for one machine in one hour only.

use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use rusqlite::{Connection, params};

use crate::Outcome;

/// What is signed: of the length of a JWT's signing input.
pub(crate) const MESSAGE: [u8; 600] = [b'x'; 600];
/// Bytes of an appended record.
const RECORD: [u8; 256] = [b'x'; 256];
/// Records to a sync, and updates to a commit, when many wait.
pub(crate) const BATCH: u32 = 64;

/// How often a second the work is done, on one thread.
pub(crate) fn per_second(window: Duration, mut work: impl FnMut() -> Outcome<u32>) -> Outcome<f64> {
    let mut done = 0_u64;
    let start = Instant::now();
    loop {
        done += u64::from(work()?);
        let elapsed = start.elapsed();
        if elapsed >= window {
            return Ok(done as f64 / elapsed.as_secs_f64());
        }
    }
}

/// Signatures made and checked a second on one core.
pub(crate) struct Signatures {
    /// The algorithm as JWTs name it.
    pub(crate) algorithm: &'static str,
    /// Made.
    pub(crate) sign: f64,
    /// Checked.
    pub(crate) verify: f64,
}

/// Measures each algorithm.
pub(crate) fn signatures(window: Duration) -> Outcome<Vec<Signatures>> {
    let random = SystemRandom::new();
    let es256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let eddsa = Ed25519KeyPair::generate()?;
    let rs256 = RsaKeyPair::generate(KeySize::Rsa2048)?;
    Ok(vec![
        measure("ES256", window, &ECDSA_P256_SHA256_FIXED, es256.public_key().as_ref(), || {
            Ok(es256.sign(&random, &MESSAGE)?.as_ref().to_vec())
        })?,
        measure("EdDSA", window, &ED25519, eddsa.public_key().as_ref(), || {
            Ok(eddsa.sign(&MESSAGE).as_ref().to_vec())
        })?,
        measure("RS256", window, &RSA_PKCS1_2048_8192_SHA256, rs256.public_key().as_ref(), || {
            let mut signature = vec![0; rs256.public_modulus_len()];
            rs256.sign(&RSA_PKCS1_SHA256, &random, &MESSAGE, &mut signature)?;
            Ok(signature)
        })?,
    ])
}

fn measure(
    algorithm: &'static str,
    window: Duration,
    verification: &'static dyn signature::VerificationAlgorithm,
    public_key: &[u8],
    sign: impl Fn() -> Outcome<Vec<u8>>,
) -> Outcome<Signatures> {
    let made = sign()?;
    let key = UnparsedPublicKey::new(verification, public_key).parse()?;
    Ok(Signatures {
        algorithm,
        sign: per_second(window, || {
            black_box(sign()?);
            Ok(1)
        })?,
        verify: per_second(window, || {
            key.verify_sig(black_box(&MESSAGE), &made)?;
            Ok(1)
        })?,
    })
}

/// Records appended and synced a second, `batch` to a sync.
pub(crate) fn synced_appends(directory: &Path, batch: u32, window: Duration) -> Outcome<f64> {
    let path = directory.join("appends");
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    let records = RECORD.repeat(usize::try_from(batch)?);
    let rate = per_second(window, || {
        file.write_all(&records)?;
        file.sync_data()?;
        Ok(batch)
    });
    std::fs::remove_file(&path)?;
    rate
}

/// Durable conditional updates of random rows a second, [`BATCH`] to a commit: what a refresh is
/// to SQLite, with nothing around it.
pub(crate) fn sqlite_updates(directory: &Path, rows: u32, window: Duration) -> Outcome<f64> {
    let path = directory.join("raw.db");
    let db = Connection::open(&path)?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;
         PRAGMA wal_autocheckpoint = 64000;
         CREATE TABLE session (id INTEGER PRIMARY KEY, hash BLOB NOT NULL, generation INTEGER NOT NULL,
                               rotated INTEGER NOT NULL, idle INTEGER NOT NULL, expires INTEGER NOT NULL) STRICT;
         BEGIN",
    )?;
    {
        let mut insert = db.prepare("INSERT INTO session VALUES (?1, randomblob(32), 1, 0, 0, 9)")?;
        for id in 0..rows {
            insert.execute([id])?;
        }
    }
    db.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?;
    let mut random = fastrand::Rng::with_seed(1);
    let mut update = db.prepare(
        "UPDATE session SET generation = generation + 1, rotated = ?2, idle = ?3
         WHERE id = ?1 AND generation >= 1 AND expires > 1 RETURNING generation",
    )?;
    let rate = per_second(window, || {
        db.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..BATCH {
            update.query_row(params![random.u32(0..rows), 2, 3], |row| row.get::<_, i64>(0))?;
        }
        db.execute_batch("COMMIT")?;
        Ok(BATCH)
    });
    drop(update);
    drop(db);
    for file in ["raw.db", "raw.db-wal", "raw.db-shm"] {
        match std::fs::remove_file(directory.join(file)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    rate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_rate() {
        let directory = tempfile::tempdir().unwrap();
        let window = Duration::from_millis(1);
        for signatures in signatures(window).unwrap() {
            assert!(signatures.sign > 0.0 && signatures.verify > 0.0, "{}", signatures.algorithm);
        }
        assert!(synced_appends(directory.path(), 2, window).unwrap() > 0.0);
        assert!(sqlite_updates(directory.path(), 100, window).unwrap() > 0.0);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
