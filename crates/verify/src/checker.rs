//! The check with a memory: tokens that were verified lately, and what is revoked.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use countersign_wire::AccessClaims;

use crate::revoked::Subjects;
use crate::{Rejection, RevokedSet, Verifier};

/// SHA-256 of a token: the token itself is not kept.
type TokenHash = [u8; 32];

/// Parts of the cache, each with a lock of its own.
const SHARDS: usize = 16;

/// A token that was verified.
#[derive(Debug, Clone)]
pub struct Verified(Arc<Known>);

#[derive(Debug)]
struct Known {
    claims: AccessClaims,
    subjects: Subjects,
}

impl Verified {
    pub(crate) fn new(claims: AccessClaims) -> Self {
        let subjects = Subjects::of(&claims);
        Self(Arc::new(Known { claims, subjects }))
    }
}

impl Deref for Verified {
    type Target = AccessClaims;

    fn deref(&self) -> &AccessClaims {
        &self.0.claims
    }
}

/// Checks tokens by keys that can be replaced, against what is revoked, and remembers those whose
/// signature it has checked. No network and no waiting.
///
/// A remembered token is asked about each time: whether it has expired by now, and whether it is
/// revoked by now. Other keys forget all.
#[derive(Debug)]
pub struct Checker {
    verifier: RwLock<Arc<Verifier>>,
    known: Vec<Mutex<Generations>>,
    /// Most tokens of a half of a part.
    half: usize,
    revoked: Arc<RevokedSet>,
}

/// Tokens in two halves. When the younger is full it becomes the older, and the older is dropped:
/// whoever was asked about meanwhile is in the younger again.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<TokenHash, Verified>,
    old: HashMap<TokenHash, Verified>,
}

impl Checker {
    /// Most tokens that are remembered unless another number is given: about a kilobyte each.
    pub const REMEMBERED: usize = 16 * 1024;

    /// A checker of a verifier's tokens, for which nothing is revoked yet.
    pub fn new(verifier: Verifier) -> Self {
        Self {
            verifier: RwLock::new(Arc::new(verifier)),
            known: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            half: Self::REMEMBERED / SHARDS / 2,
            revoked: Arc::default(),
        }
    }

    /// Remembers so many tokens at most; with less than 32 it remembers none.
    #[must_use]
    pub fn remembering(mut self, most: usize) -> Self {
        self.half = most / SHARDS / 2;
        self
    }

    /// Asks a set that others write into, or ask, as well.
    #[must_use]
    pub fn with_revoked(mut self, revoked: Arc<RevokedSet>) -> Self {
        self.revoked = revoked;
        self
    }

    /// What is revoked: whoever reads the feed writes into it.
    pub fn revoked(&self) -> &Arc<RevokedSet> {
        &self.revoked
    }

    /// Checks a token as it came with `Authorization: Bearer`, at a time in seconds since 1970.
    ///
    /// # Errors
    /// The one [`Rejection`] that says why the token is not good.
    pub fn check(&self, token: &str, now_seconds: u64) -> Result<Verified, Rejection> {
        let hash = hash(token);
        if let Some(known) = self.recall(&hash) {
            self.verifier().check_times(&known, now_seconds)?;
            self.check_revoked(&known)?;
            return Ok(known);
        }
        let verifier = self.verifier();
        let verified = Verified::new(verifier.verify(token, now_seconds)?);
        self.check_revoked(&verified)?;
        self.remember(&verifier, hash, &verified);
        Ok(verified)
    }

    /// Whether a token was revoked since it was verified.
    ///
    /// # Errors
    /// [`Rejection::Revoked`].
    pub fn check_revoked(&self, verified: &Verified) -> Result<(), Rejection> {
        let Known { claims, subjects } = &*verified.0;
        if self.revoked.ends_by(subjects, claims) { Err(Rejection::Revoked) } else { Ok(()) }
    }

    /// How many tokens are remembered.
    pub fn remembered(&self) -> usize {
        self.known.iter().map(|part| lock(part)).map(|part| part.young.len() + part.old.len()).sum()
    }

    /// Checks with other keys from here on: nothing that those before have verified is remembered.
    pub fn replace(&self, verifier: Verifier) {
        let mut current = self.verifier.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(verifier);
        for part in &self.known {
            *lock(part) = Generations::default();
        }
    }

    pub(crate) fn verifier(&self) -> Arc<Verifier> {
        self.verifier.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn recall(&self, hash: &TokenHash) -> Option<Verified> {
        if self.half == 0 {
            return None;
        }
        let mut part = lock(self.part(hash));
        if let Some(known) = part.young.get(hash) {
            return Some(known.clone());
        }
        let known = part.old.remove(hash)?;
        part.insert(self.half, *hash, known.clone());
        Some(known)
    }

    /// Remembers a token, unless its keys have been replaced since.
    fn remember(&self, by: &Arc<Verifier>, hash: TokenHash, verified: &Verified) {
        if self.half == 0 {
            return;
        }
        let current = self.verifier.read().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(by, &current) {
            lock(self.part(&hash)).insert(self.half, hash, verified.clone());
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the remainder is less than the number of parts, which is fixed"
    )]
    fn part(&self, hash: &TokenHash) -> &Mutex<Generations> {
        &self.known[usize::from(hash[0]) % SHARDS]
    }
}

impl Generations {
    fn insert(&mut self, half: usize, hash: TokenHash, verified: Verified) {
        if self.young.len() >= half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, verified);
    }
}

/// The hash under which a token is remembered.
pub(crate) fn hash(token: &str) -> TokenHash {
    digest(&SHA256, token.as_bytes()).as_ref().first_chunk().copied().unwrap_or_default()
}

/// Nothing that holds these locks panics halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
