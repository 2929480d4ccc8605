//! The check with a memory: tokens that were verified lately, and what is revoked.

use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use countersign_wire::AccessClaims;

use crate::cache::{TokenCache, hash};
use crate::revoked::Subjects;
use crate::{Rejection, RevokedSet, Verifier};

/// The claims of a token that was verified.
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
    known: TokenCache<Verified>,
    revoked: Arc<RevokedSet>,
}

impl Checker {
    /// Most tokens that are remembered unless another number is given: about a kilobyte each.
    pub const REMEMBERED: usize = 16 * 1024;

    /// A checker of a verifier's tokens, for which nothing is revoked yet.
    pub fn new(verifier: Verifier) -> Self {
        Self {
            verifier: RwLock::new(Arc::new(verifier)),
            known: TokenCache::new(Self::REMEMBERED),
            revoked: Arc::default(),
        }
    }

    /// Remembers so many tokens at most; with less than 32 it remembers none.
    #[must_use]
    pub fn remembering(mut self, most: usize) -> Self {
        self.known = TokenCache::new(most);
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

    /// How many tokens are remembered.
    pub fn remembered(&self) -> usize {
        self.known.len()
    }

    /// Checks a token as it came with `Authorization: Bearer`, at a time in seconds since 1970.
    ///
    /// # Errors
    /// The one [`Rejection`] that says why the token is not good.
    pub fn check(&self, token: &str, now_seconds: u64) -> Result<Verified, Rejection> {
        let hash = hash(token);
        let verifier = self.verifier();
        if let Some(known) = self.known.get(&hash) {
            verifier.check_times(&known, now_seconds)?;
            self.check_revoked(&known)?;
            return Ok(known);
        }
        let verified = Verified::new(verifier.verify(token, now_seconds)?);
        self.check_revoked(&verified)?;
        let current = self.verifier.read().unwrap_or_else(PoisonError::into_inner);
        // What keys that were replaced meanwhile have verified is not remembered.
        if Arc::ptr_eq(&verifier, &current) {
            self.known.insert(hash, verified.clone());
        }
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

    /// Checks with other keys from here on: nothing that those before have verified is remembered.
    pub fn replace(&self, verifier: Verifier) {
        let mut current = self.verifier.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(verifier);
        self.known.clear();
    }

    pub(crate) fn verifier(&self) -> Arc<Verifier> {
        self.verifier.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
