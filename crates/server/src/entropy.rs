//! Randomness: the operating system's, by way of the cryptography library, and nowhere else.

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

/// A UUIDv7 of the given time (RFC 9562 section 5.7).
pub fn uuid_v7(now: Timestamp) -> uuid::Uuid {
    let millis = u64::try_from(now.0).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes()).into_uuid()
}
