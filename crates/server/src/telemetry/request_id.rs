//! The id that joins a request's answer to its log lines.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use http::HeaderValue;

use crate::config::MAX_REQUEST_ID_LEN;

/// A request's id: 1 to 64 characters of `A-Z a-z 0-9 . _ -`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

tokio::task_local! {
    static CURRENT: RequestId;
}

impl RequestId {
    /// Hex digits of an id of our own.
    const LEN: usize = 24;

    /// The id that came with the request if it is well formed, else a new one. An id is written
    /// into logs and an answer header, so no other characters get through.
    pub fn accept(incoming: Option<&HeaderValue>) -> Self {
        let well_formed = |value: &&HeaderValue| {
            let bytes = value.as_bytes();
            let safe = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            !bytes.is_empty() && bytes.len() <= MAX_REQUEST_ID_LEN && bytes.iter().all(safe)
        };
        incoming.filter(well_formed).map_or_else(Self::unique, |value| Self(value.clone()))
    }

    /// A keyed hash of a counter: unlike any other, and telling nobody how many requests there are.
    /// Not from the source of secrets, which costs more than all else about an id.
    fn unique() -> Self {
        static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let hashes = KEYS.each_ref().map(|key| key.hash_one(count));
        let mut text = String::with_capacity(Self::LEN);
        for byte in hashes.iter().flat_map(|hash| hash.to_be_bytes()).take(Self::LEN / 2) {
            for half in [byte >> 4, byte & 15] {
                text.push(char::from_digit(half.into(), 16).unwrap_or('0'));
            }
        }
        // Hex digits are always a header value.
        Self(HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("0")))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// As the value of `x-request-id`.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Runs the future with this id on all log lines that it writes. A task that it spawns writes
    /// none, unless it is scoped too.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    /// The id of the request that is being answered here.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_ids_are_taken_over() {
        let kept = |id: &[u8]| {
            let value = HeaderValue::from_bytes(id).unwrap();
            RequestId::accept(Some(&value)).as_str().as_bytes() == id
        };
        assert!(kept(b"0190a0a0-0000-7000-8000-000000000001"));
        assert!(kept(b"a.b_c-D9"));
        assert!(kept(&[b'x'; 64]));
        for bad in [&b""[..], &[b'x'; 65], b"a b", b"a\tb", b"\x1b[31m", b"a\"b", b"\xff", b"id;x", b"<b>"] {
            if let Ok(value) = HeaderValue::from_bytes(bad) {
                let id = RequestId::accept(Some(&value));
                assert_eq!(id.as_str().len(), 24, "{bad:?}");
                assert!(id.as_str().bytes().all(|b| b.is_ascii_hexdigit()));
            }
        }
        assert_ne!(RequestId::accept(None), RequestId::accept(None));
    }
}
