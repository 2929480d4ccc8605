//! Lengths of time on the command line.

/// Reads `90s`, `10m`, `12h`, `7d` or plain seconds, as the configuration writes them.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    crate::config::parse_duration(text)
        .map(|duration| duration.as_secs())
        .ok_or_else(|| "write a duration as 90s, 10m, 12h or 7d".to_owned())
}
