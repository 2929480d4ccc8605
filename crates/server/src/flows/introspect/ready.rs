//! Answers that were given before. A gateway asks about the same token with every request, and the
//! answer is the same until the token expires or something is ended: the store says whether anything
//! was, see [`Store::endings`](crate::store::Store::endings). There is no time in it but the token's own.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use countersign_wire::ClientId;

/// Most bytes that are kept.
const MOST_BYTES: usize = 16 << 20;
/// What an answer takes beside its text, roughly.
const OVERHEAD: usize = 160;

/// Answers about live access tokens, after so many endings.
#[derive(Default)]
pub struct ReadyAnswers(Mutex<Known>);

#[derive(Default)]
struct Known {
    endings: u64,
    bytes: usize,
    answers: HashMap<Key, Answer>,
}

struct Answer {
    /// Seconds since 1970.
    exp: u64,
    json: Bytes,
}

/// What was asked by whom. The hash of a token, so that a token is not in memory longer than needed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// Of a token, and of the caller's record that was authenticated.
    pub fn new(token: &str, caller: &ClientId, revision: u64) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&revision.to_be_bytes());
        context.update(caller.as_str().as_bytes());
        // No client id has one.
        context.update(&[0]);
        context.update(token.as_bytes());
        Self(context.finish().as_ref().try_into().unwrap_or_default())
    }
}

impl ReadyAnswers {
    /// The answer, if it is known; `endings` was read after the question was asked.
    pub fn find(&self, endings: u64, key: &Key, now_seconds: u64) -> Option<Bytes> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = known.answers.get(key).filter(|answer| answer.exp > now_seconds)?;
        (known.endings == endings).then(|| answer.json.clone())
    }

    /// Keeps an answer; `endings` was read before the store was asked for it.
    pub fn add(&self, endings: u64, key: Key, exp: u64, json: Bytes) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if endings < known.endings {
            return;
        }
        let bytes = json.len() + OVERHEAD;
        if endings > known.endings || known.bytes + bytes > MOST_BYTES {
            known.answers.clear();
            known.bytes = 0;
        }
        known.endings = endings;
        if let Some(before) = known.answers.insert(key, Answer { exp, json }) {
            known.bytes = known.bytes.saturating_sub(before.json.len() + OVERHEAD);
        }
        known.bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(token: &str) -> Key {
        Key::new(token, &"api".parse().unwrap(), 1)
    }

    #[test]
    fn an_answer_is_for_one_token_one_caller_and_one_revision() {
        let other = Key::new("t", &"other".parse().unwrap(), 1);
        let later = Key::new("t", &"api".parse().unwrap(), 2);
        assert!(key("t") != key("u") && key("t") != other && key("t") != later);
    }

    #[test]
    fn an_ending_and_the_expiry_make_it_forget() {
        let known = ReadyAnswers::default();
        known.add(3, key("a"), 100, Bytes::from_static(b"{}"));
        assert_eq!(known.find(3, &key("a"), 99).as_deref(), Some(&b"{}"[..]));
        assert_eq!(known.find(3, &key("a"), 100), None);
        assert_eq!(known.find(3, &key("b"), 99), None);
        assert_eq!(known.find(4, &key("a"), 99), None);
        // Asked before the ending, told after it.
        known.add(4, key("b"), 100, Bytes::new());
        known.add(3, key("a"), 100, Bytes::new());
        assert!(known.find(4, &key("a"), 99).is_none() && known.find(4, &key("b"), 99).is_some());
    }

    #[test]
    fn it_keeps_so_many_bytes_and_no_more() {
        let known = ReadyAnswers::default();
        let json = Bytes::from(vec![b'x'; 1 << 20]);
        for n in 0..40 {
            known.add(0, key(&n.to_string()), 1, json.clone());
            known.add(0, key(&n.to_string()), 1, json.clone());
            let inner = known.0.lock().unwrap();
            assert_eq!(inner.bytes, inner.answers.len() * (json.len() + OVERHEAD));
            assert!(inner.bytes <= MOST_BYTES);
        }
        assert!(known.find(0, &key("39"), 0).is_some());
    }
}
