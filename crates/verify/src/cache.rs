//! What was found out about tokens, kept under their hashes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};

/// SHA-256 of a token: the token itself is not kept.
pub(crate) type TokenHash = [u8; 32];

/// Parts, each with a lock of its own.
const PARTS: usize = 16;

/// Something about each of the tokens that were asked about lately; of so many at most. What is kept
/// is true of the token for ever, or is asked about again by who takes it out.
#[derive(Debug)]
pub struct TokenCache<V> {
    parts: Vec<Mutex<Generations<V>>>,
    /// Most tokens of a half of a part.
    half: usize,
}

/// Tokens in two halves. When the younger is full it becomes the older, and the older is dropped:
/// whoever was asked about meanwhile is in the younger again.
#[derive(Debug)]
struct Generations<V> {
    young: HashMap<TokenHash, V>,
    old: HashMap<TokenHash, V>,
}

impl<V: Clone> TokenCache<V> {
    /// Keeps so many at most; with less than 32 it keeps none.
    pub fn new(most: usize) -> Self {
        Self { parts: std::iter::repeat_with(Mutex::default).take(PARTS).collect(), half: most / PARTS / 2 }
    }

    /// What is known of a token; otherwise what is found out now, kept if it is good.
    ///
    /// # Errors
    /// Those of `find`.
    pub fn get_or_find<E>(&self, token: &str, find: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        if self.half == 0 {
            return find();
        }
        let hash = hash(token);
        if let Some(known) = self.get(&hash) {
            return Ok(known);
        }
        let found = find()?;
        self.insert(hash, found.clone());
        Ok(found)
    }

    pub(crate) fn get(&self, hash: &TokenHash) -> Option<V> {
        let mut part = lock(self.part(hash));
        if let Some(known) = part.young.get(hash) {
            return Some(known.clone());
        }
        let known = part.old.remove(hash)?;
        part.insert(self.half, *hash, known.clone());
        Some(known)
    }

    pub(crate) fn insert(&self, hash: TokenHash, value: V) {
        if self.half > 0 {
            lock(self.part(&hash)).insert(self.half, hash, value);
        }
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| lock(part)).map(|part| part.young.len() + part.old.len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all.
    pub fn clear(&self) {
        for part in &self.parts {
            *lock(part) = Generations::default();
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the remainder is less than the number of parts, which is fixed"
    )]
    fn part(&self, hash: &TokenHash) -> &Mutex<Generations<V>> {
        &self.parts[usize::from(hash[0]) % PARTS]
    }
}

impl<V> Default for Generations<V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<V> Generations<V> {
    fn insert(&mut self, half: usize, hash: TokenHash, value: V) {
        if self.young.len() >= half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, value);
    }
}

/// The hash under which a token is known.
pub(crate) fn hash(token: &str) -> TokenHash {
    digest(&SHA256, token.as_bytes()).as_ref().first_chunk().copied().unwrap_or_default()
}

/// Nothing that holds these locks panics halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
