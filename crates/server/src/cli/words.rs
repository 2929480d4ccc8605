//! Times and lengths of time as people say them. Always UTC: whoever compares with a log or a
//! colleague elsewhere must not have to know this machine's zone.

use std::time::Duration;

use crate::time::Timestamp;

/// Tells times as seen from one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    now: Timestamp,
}

impl Words {
    /// As seen from `now`.
    pub(crate) fn at(now: Timestamp) -> Self {
        Self { now }
    }

    /// The moment itself.
    pub(crate) fn now(self) -> Timestamp {
        self.now
    }

    /// `2026-11-23 06:39:10 UTC (3 min ago)`.
    pub(crate) fn time(self, at: Timestamp) -> String {
        format!("{} ({})", clock_time(at), self.relative(at))
    }

    /// `3 min ago`, `in 2 h`, `now`.
    pub(crate) fn relative(self, at: Timestamp) -> String {
        let past = at <= self.now;
        let length = if past { self.now.since(at) } else { at.since(self.now) };
        match (length.as_secs(), past) {
            (0, _) => "now".to_owned(),
            (_, true) => format!("{} ago", span(length)),
            (_, false) => format!("in {}", span(length)),
        }
    }

    /// A time of the admin API; what is no time is shown as it came.
    pub(crate) fn api_time(self, text: &str) -> String {
        parse(text).map_or_else(|| text.to_owned(), |at| self.time(at))
    }

    /// As [`Self::api_time`], without the clock time: for tables.
    pub(crate) fn api_relative(self, text: &str) -> String {
        parse(text).map_or_else(|| text.to_owned(), |at| self.relative(at))
    }
}

/// Reads RFC 3339.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|time| Timestamp(time.as_millisecond()))
}

/// `2026-11-23 06:39:10 UTC`.
pub(crate) fn clock_time(at: Timestamp) -> String {
    let text = at.to_string();
    match text.strip_suffix('Z') {
        Some(rest) => format!("{} UTC", rest.replacen('T', " ", 1)),
        None => text,
    }
}

/// A length of time in its largest unit, rounded down: `45 s`, `3 min`, `2 h`, `5 days`.
pub(crate) fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let days = seconds / DAY;
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => match (seconds % HOUR) / MINUTE {
            0 => format!("{} h", seconds / HOUR),
            minutes => format!("{} h {minutes} min", seconds / HOUR),
        },
        _ if days == 1 => "1 day".to_owned(),
        _ if days < DAYS_OF_A_YEAR => format!("{days} days"),
        _ if days < 2 * DAYS_OF_A_YEAR => "1 year".to_owned(),
        _ => format!("{} years", days / DAYS_OF_A_YEAR),
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const DAYS_OF_A_YEAR: u64 = 365;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_the_unit_people_would_use() {
        let said = |seconds| span(Duration::from_secs(seconds));
        assert_eq!(said(0), "0 s");
        assert_eq!(said(59), "59 s");
        assert_eq!(said(60), "1 min");
        assert_eq!(said(3_599), "59 min");
        assert_eq!(said(3_600), "1 h");
        assert_eq!(said(5_400), "1 h 30 min");
        assert_eq!(said(86_400), "1 day");
        assert_eq!(said(14 * 86_400), "14 days");
        assert_eq!(said(400 * 86_400), "1 year");
        assert_eq!(said(u64::MAX), "584942417355 years");
    }

    #[test]
    fn times_are_said_from_now() {
        let words = Words::at(Timestamp(1_000_000_000));
        assert_eq!(words.relative(Timestamp(1_000_000_000)), "now");
        assert_eq!(words.relative(Timestamp(999_820_000)), "3 min ago");
        assert_eq!(words.relative(Timestamp(1_000_180_000)), "in 3 min");
        assert_eq!(words.time(Timestamp(0)), "1970-01-01 00:00:00 UTC (11 days ago)");
        assert_eq!(words.relative(Timestamp(i64::MIN)), "292471208 years ago");
        assert_eq!(words.time(Timestamp(i64::MAX)), "(out of range) (in 292471208 years)");
        assert_eq!(words.api_time("1970-01-12T13:43:40Z"), "1970-01-12 13:43:40 UTC (3 min ago)");
        assert_eq!(words.api_time("soon"), "soon");
    }
}
