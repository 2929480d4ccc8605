//! How much of everything: the short form, and the long one by the time that there is.

use std::time::Duration;

/// From this on, the long form has everything at its full size.
const FULL: Duration = Duration::from_secs(3600);
/// Sizes at [`FULL`].
const FULL_REFRESHES: u64 = 1_000_000;
const FULL_ENDINGS: u64 = 10_000;
const FULL_CYCLES: u64 = 400;
/// Honest refreshes of one simulated session, so that a run takes some minutes at one a second.
const REFRESHES_OF_ONE: u64 = 500;

/// What a round of experiments does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Rounds of each race; `None` leaves the tests' own.
    pub(super) races: Option<u64>,
    /// Rounds of refresh against the endings, beyond those.
    pub(super) endings: Option<u64>,
    pub(super) honest: u64,
    pub(super) refreshes: u64,
    pub(super) restarts: u64,
    pub(super) thieves: u64,
    /// Refreshes a second of one session.
    pub(super) rate: u64,
    pub(super) cycles: u64,
    /// Seconds of libFuzzer for each target; `None` leaves it out.
    pub(super) fuzz: Option<u64>,
    /// Whether the attack list is tried and speed is measured, which is the same each time.
    pub(super) once: bool,
}

impl Size {
    /// A few minutes in all.
    pub(super) fn short() -> Self {
        Self {
            races: None,
            endings: None,
            honest: 120,
            refreshes: 2000,
            restarts: 2,
            thieves: 2,
            rate: 2,
            cycles: 8,
            fuzz: None,
            once: true,
        }
    }

    /// The first round of the long form: the large experiments, once.
    pub(super) fn first(time: Duration, fuzz: u64) -> Self {
        let share = |full: u64, least: u64| {
            let part = u128::from(full) * time.as_millis() / FULL.as_millis();
            u64::try_from(part).unwrap_or(full).clamp(least, full)
        };
        let again = Self::again();
        let refreshes = share(FULL_REFRESHES, again.refreshes);
        Self {
            endings: Some(share(FULL_ENDINGS, 100)),
            honest: (refreshes / REFRESHES_OF_ONE).max(again.honest),
            refreshes,
            restarts: share(20, 2),
            thieves: share(100, 5),
            cycles: share(FULL_CYCLES, again.cycles),
            fuzz: Some(fuzz),
            once: true,
            ..again
        }
    }

    /// Each round after it.
    pub(super) fn again() -> Self {
        Self {
            races: Some(1000),
            honest: 400,
            refreshes: 20_000,
            thieves: 5,
            rate: 1,
            cycles: 100,
            once: false,
            ..Self::short()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_has_everything_at_its_full_size_and_more_has_no_more() {
        let hour = Size::first(FULL, 60);
        assert_eq!((hour.refreshes, hour.honest, hour.endings), (1_000_000, 2000, Some(10_000)));
        assert_eq!((hour.cycles, hour.restarts, hour.thieves), (400, 20, 100));
        assert_eq!(Size::first(24 * FULL, 60), hour);
    }

    #[test]
    fn less_time_has_less_of_it_but_no_less_than_the_rounds_after() {
        let half = Size::first(FULL / 2, 60);
        assert_eq!((half.refreshes, half.honest, half.endings), (500_000, 1000, Some(5000)));
        let (least, again) = (Size::first(Duration::from_secs(1), 60), Size::again());
        assert_eq!((least.refreshes, least.honest), (again.refreshes, again.honest));
        assert_eq!((least.cycles, least.endings), (again.cycles, Some(100)));
    }
}
