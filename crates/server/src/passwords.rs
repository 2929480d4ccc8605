//! Password hashing: Argon2id (RFC 9106) on a bounded pool, so that a burst of sign-ins takes
//! neither the memory nor the processor from everything else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use countersign_wire::Password;
use tokio::sync::Semaphore;

/// Longest password, in bytes: checked before hashing.
pub const MAX_LEN: usize = 1024;
/// Shortest password, in characters (NIST SP 800-63B section 5.1.1.2).
pub const MIN_CHARS: usize = 8;

/// Memory in KiB, passes and lanes: OWASP's recommendation.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// Why no hash was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordError {
    /// Too short or too long.
    Length,
    /// More hashes are waited for than the limit.
    Busy,
    /// The hasher failed.
    Failed,
}

/// The pool.
pub struct Passwords {
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    computed: Arc<AtomicU64>,
}

impl Passwords {
    /// A pool that makes at most `threads` hashes at once while at most `queue` more wait.
    pub fn new(threads: usize, queue: usize) -> Self {
        Self {
            hashing: Arc::new(Semaphore::new(threads)),
            waiting: Arc::new(Semaphore::new(threads + queue)),
            computed: Arc::default(),
        }
    }

    /// How many times Argon2id was computed: the work of a sign-in, which must not tell whether
    /// somebody exists.
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// The hash of a password in PHC form.
    ///
    /// # Errors
    /// See [`PasswordError`].
    pub async fn hash(&self, password: Password) -> Result<String, PasswordError> {
        let text = password.expose();
        if text.len() > MAX_LEN || text.chars().count() < MIN_CHARS {
            return Err(PasswordError::Length);
        }
        self.work(move |computed| hash_now(&password, computed)).await?
    }

    /// Whether a password is the one of a stored hash. Without a hash, as for a user who does not
    /// exist, it takes as long and is never right.
    ///
    /// # Errors
    /// See [`PasswordError`].
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, PasswordError> {
        if password.expose().len() > MAX_LEN {
            return Err(PasswordError::Length);
        }
        self.work(move |computed| verify_now(&password, hash.as_deref(), computed)).await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AtomicU64) -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let waiting = self.waiting.clone().try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let hashing = self.hashing.clone().acquire_owned().await.map_err(|_| PasswordError::Busy)?;
        // The permits go along: a caller that goes away does not free a place that is still in use.
        let computed = self.computed.clone();
        let work = move || {
            let _permits = (waiting, hashing);
            work(&computed)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| PasswordError::Failed)
    }
}

fn verify_now(password: &Password, hash: Option<&str>, computed: &AtomicU64) -> bool {
    let known = hash.and_then(|hash| PasswordHash::new(hash).ok());
    match known {
        Some(known) => {
            computed.fetch_add(1, Ordering::Relaxed);
            Argon2::default().verify_password(password.expose().as_bytes(), &known).is_ok()
        }
        None => {
            // Only for its time.
            let _ = hash_now(password, computed);
            false
        }
    }
}

fn hash_now(password: &Password, computed: &AtomicU64) -> Result<String, PasswordError> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(|_| PasswordError::Failed)?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let salt = crate::entropy::bytes::<16>();
    computed.fetch_add(1, Ordering::Relaxed);
    let hash: PasswordHash = hasher
        .hash_password_with_salt(password.expose().as_bytes(), &salt)
        .map_err(|_| PasswordError::Failed)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_hashed_with_argon2id() {
        let pool = Passwords::new(1, 1);
        let hash = pool.hash(Password::new("correct horse".to_owned())).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    }

    #[tokio::test]
    async fn a_hash_is_of_one_password() {
        let pool = Passwords::new(1, 1);
        let of = |text: &str| Password::new(text.to_owned());
        let hash = pool.hash(of("correct horse")).await.unwrap();
        assert_eq!(pool.verify(of("correct horse"), Some(hash.clone())).await, Ok(true));
        assert_eq!(pool.verify(of("Correct horse"), Some(hash.clone())).await, Ok(false));
        assert_eq!(pool.verify(of(""), Some(hash)).await, Ok(false));
        assert_eq!(pool.verify(of("correct horse"), None).await, Ok(false));
        assert_eq!(pool.verify(of("correct horse"), Some("damaged".to_owned())).await, Ok(false));
        assert_eq!(pool.verify(of(&"x".repeat(1025)), None).await, Err(PasswordError::Length));
    }

    #[tokio::test]
    async fn lengths_are_checked_before_hashing() {
        let pool = Passwords::new(1, 1);
        for bad in ["short".to_owned(), "x".repeat(1025)] {
            assert_eq!(pool.hash(Password::new(bad)).await, Err(PasswordError::Length));
        }
    }

    #[tokio::test]
    async fn a_full_queue_says_busy() {
        let pool = Passwords::new(1, 0);
        let taken = pool.waiting.clone().try_acquire_owned().unwrap();
        let refused = pool.hash(Password::new("correct horse".to_owned())).await;
        assert_eq!(refused, Err(PasswordError::Busy));
        drop(taken);
    }
}
