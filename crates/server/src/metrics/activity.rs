//! What goes on at this node: the counters that an operator watches, as rates of the last minutes.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Metrics, RefreshOutcome, SignInOutcome, StoreFailure, TokenOutcome, labels::Active};

/// Time between two samples.
pub const STEP: Duration = Duration::from_secs(5);
/// Steps that are remembered: five minutes.
const STEPS: usize = 60;
/// Steps of a minute.
const MINUTE: usize = 12;
/// Steps that "now" is: what happens seldom would be 0 or too much by one alone.
const NOW: usize = 2;

/// Something that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// People who signed in.
    SignedIn,
    /// Sign-ins with something wrong.
    SignInRefused,
    /// Tokens issued, by whichever grant.
    Issued,
    /// Refresh tokens with a new successor.
    Rotated,
    /// Refresh tokens that were answered with the same successor again.
    Replayed,
    /// Copied refresh tokens that were caught.
    Reuse,
    /// Refresh tokens that were refused for another reason.
    RefreshRefused,
    /// Revocations.
    Revoked,
    /// Introspections of good tokens.
    Active,
    /// Introspections of others.
    Inactive,
    /// Store calls without an answer.
    StoreFailed,
}

impl Doing {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 11] = [
        Self::SignedIn,
        Self::SignInRefused,
        Self::Issued,
        Self::Rotated,
        Self::Replayed,
        Self::Reuse,
        Self::RefreshRefused,
        Self::Revoked,
        Self::Active,
        Self::Inactive,
        Self::StoreFailed,
    ];

    /// Whether it should not happen at all.
    pub fn is_alarming(self) -> bool {
        matches!(self, Self::Reuse | Self::StoreFailed)
    }

    fn count(self, metrics: &Metrics) -> u64 {
        match self {
            Self::SignedIn => metrics.sign_ins.get(SignInOutcome::SignedIn),
            Self::SignInRefused => metrics.sign_ins.get(SignInOutcome::Refused),
            Self::Issued => metrics.token_requests.iter().map(|grant| grant.get(TokenOutcome::Issued)).sum(),
            Self::Rotated => metrics.refreshes.get(RefreshOutcome::Rotated),
            Self::Replayed => metrics.refreshes.get(RefreshOutcome::Replayed),
            Self::Reuse => metrics.refreshes.get(RefreshOutcome::Reuse),
            Self::RefreshRefused => [RefreshOutcome::Expired, RefreshOutcome::Refused]
                .map(|outcome| metrics.refreshes.get(outcome))
                .iter()
                .sum(),
            Self::Revoked => metrics.revocations.sum(),
            Self::Active => metrics.introspections.get(Active::Yes),
            Self::Inactive => metrics.introspections.get(Active::No),
            Self::StoreFailed => [StoreFailure::Unavailable, StoreFailure::Broken]
                .map(|failure| metrics.store_errors.get(failure))
                .iter()
                .sum(),
        }
    }
}

/// How often something happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// What.
    pub doing: Doing,
    /// How often a second, lately.
    pub per_second: f64,
    /// How often in the last minute.
    pub minute: u64,
    /// How often since the node was started.
    pub total: u64,
    /// How often in each step of [`STEP`], the oldest first.
    pub steps: Vec<u64>,
}

/// What the counters stood at lately.
#[derive(Debug, Default)]
pub struct Activity {
    /// The newest last.
    samples: Mutex<VecDeque<[u64; Doing::ALL.len()]>>,
}

impl Activity {
    /// Takes the next sample; to be done every [`STEP`].
    pub fn sample(&self, metrics: &Metrics) {
        let sample = Doing::ALL.map(|doing| doing.count(metrics));
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() > STEPS {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// The rates until the last sample.
    pub fn rates(&self, metrics: &Metrics) -> Vec<Rate> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = |(place, doing): (usize, Doing)| {
            let counts: Vec<u64> = samples.iter().filter_map(|sample| sample.get(place).copied()).collect();
            let steps: Vec<u64> =
                counts.iter().zip(counts.iter().skip(1)).map(|(from, to)| to.saturating_sub(*from)).collect();
            let last = |most: usize| steps.iter().rev().take(most);
            let seconds = STEP.as_secs_f64() * u32::try_from(last(NOW).count()).map_or(1.0, f64::from);
            let lately = u32::try_from(last(NOW).sum::<u64>()).map_or(f64::from(u32::MAX), f64::from);
            Rate {
                doing,
                per_second: if seconds > 0.0 { lately / seconds } else { 0.0 },
                minute: last(MINUTE).sum(),
                total: doing.count(metrics),
                steps,
            }
        };
        Doing::ALL.into_iter().enumerate().map(rate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotations(activity: &Activity, metrics: &Metrics) -> Rate {
        activity.rates(metrics).into_iter().find(|rate| rate.doing == Doing::Rotated).unwrap()
    }

    #[test]
    fn rates_are_of_the_last_samples() {
        let (activity, metrics) = (Activity::default(), Metrics::new());
        assert_eq!(rotations(&activity, &metrics).per_second, 0.0);
        activity.sample(&metrics);
        for step in 0..100_u64 {
            (0..step).for_each(|_| metrics.refresh(RefreshOutcome::Rotated));
            activity.sample(&metrics);
        }
        let rate = rotations(&activity, &metrics);
        assert_eq!(rate.steps, (40..100).collect::<Vec<u64>>());
        assert_eq!(rate.per_second, (98.0 + 99.0) / 10.0);
        assert_eq!(rate.minute, (88..100).sum::<u64>());
        assert_eq!(rate.total, (0..100).sum::<u64>());
    }

    #[test]
    fn every_counter_is_counted_once() {
        let (activity, metrics) = (Activity::default(), Metrics::new());
        metrics.sign_in(SignInOutcome::SignedIn);
        metrics.refresh(RefreshOutcome::Reuse);
        metrics.refresh(RefreshOutcome::Expired);
        metrics.refresh(RefreshOutcome::Refused);
        metrics.revocation(&crate::store::Target::Everything);
        metrics.introspection(false);
        metrics.store_failure(StoreFailure::Broken);
        let totals: Vec<u64> = activity.rates(&metrics).iter().map(|rate| rate.total).collect();
        assert_eq!(totals, [1, 0, 0, 0, 0, 1, 2, 1, 0, 1, 1]);
    }
}
