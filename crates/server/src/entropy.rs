//! Randomness: the operating system's, by way of the cryptography library, and nowhere else.

use std::cell::RefCell;

use crate::time::Timestamp;

/// Random bytes for keys, nonces and ids.
///
/// # Panics
/// When the operating system cannot give randomness: nothing safe can be done then.
#[expect(clippy::disallowed_methods, reason = "the one place that draws randomness")]
#[expect(clippy::expect_used, reason = "without randomness no request may be answered at all")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    aws_lc_rs::rand::fill(&mut out).expect("the operating system gives randomness");
    out
}

/// Random bytes for ids that are no secret: a `jti` that everyone may see. Each thread draws many at
/// once, because a drawing costs the same whatever it gives. What lies in memory until it is used is
/// not for keys, nonces or secrets.
///
/// # Panics
/// As [`bytes`].
pub fn bytes_for_id<const N: usize>() -> [u8; N] {
    const { assert!(N <= Drawn::LEN) };
    DRAWN.with_borrow_mut(Drawn::take)
}

thread_local! {
    static DRAWN: RefCell<Drawn> = const { RefCell::new(Drawn { bytes: [0; Drawn::LEN], used: Drawn::LEN }) };
}

/// What a thread has drawn and not used yet.
struct Drawn {
    bytes: [u8; Self::LEN],
    used: usize,
}

impl Drawn {
    const LEN: usize = 512;

    fn take<const N: usize>(&mut self) -> [u8; N] {
        if Self::LEN - self.used < N {
            *self = Self { bytes: bytes(), used: 0 };
        }
        let next = self.bytes.get(self.used..).and_then(|rest| rest.first_chunk());
        self.used += N;
        // There are always enough after drawing.
        next.copied().unwrap_or_else(bytes)
    }
}

/// A UUIDv7 of the given time (RFC 9562 section 5.7).
pub fn uuid_v7(now: Timestamp) -> uuid::Uuid {
    let millis = u64::try_from(now.0).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_never_the_same() {
        let draw = || (0..1000).map(|_| bytes_for_id::<16>()).collect::<Vec<_>>();
        let mut all: HashSet<[u8; 16]> = draw().into_iter().collect();
        all.extend(std::thread::spawn(draw).join().unwrap());
        assert_eq!(all.len(), 2000);
        assert!(!all.contains(&[0; 16]));
        // Lengths that do not divide what is drawn.
        let odd: HashSet<[u8; 100]> = (0..1000).map(|_| bytes_for_id()).collect();
        assert_eq!(odd.len(), 1000);
    }
}
