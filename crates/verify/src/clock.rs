//! The one look at the clock, for the parts that run by themselves. The check itself is told the
//! time.

/// Seconds since 1970.
pub(crate) fn now_seconds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "this is the door to the clock")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
