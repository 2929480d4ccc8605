//! Password hashing: Argon2id (RFC 9106) on a bounded pool, so that a burst of sign-ins takes
//! neither the memory nor the processor from everything else.

use std::sync::Arc;

use argon2::password_hash::PasswordHasher;
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
}

impl Passwords {
    /// A pool that makes at most `threads` hashes at once while at most `queue` more wait.
    pub fn new(threads: usize, queue: usize) -> Self {
        Self {
            hashing: Arc::new(Semaphore::new(threads)),
            waiting: Arc::new(Semaphore::new(threads + queue)),
        }
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
        let waiting = self.waiting.clone().try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let hashing = self.hashing.clone().acquire_owned().await.map_err(|_| PasswordError::Busy)?;
        // The permits go along: a caller that goes away does not free a place that is still in use.
        let work = move || {
            let _permits = (waiting, hashing);
            hash_now(&password)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| PasswordError::Failed)?
    }
}

fn hash_now(password: &Password) -> Result<String, PasswordError> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(|_| PasswordError::Failed)?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let salt = crate::entropy::bytes::<16>();
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
