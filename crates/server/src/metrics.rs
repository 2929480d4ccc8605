//! Counters and gauges for Prometheus. Every label's values are a closed set, and no label names a
//! client or a user: a metric's size never depends on who calls.

mod activity;
mod http;
mod labels;
mod process;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::Registry,
};

use crate::store::Target;
use countersign_wire::Algorithm;
use std::sync::atomic::AtomicU64;

pub use activity::{Activity, Doing, Rate, STEP};
pub use http::{HttpMetrics, RouteMetrics};
pub use labels::{
    GrantLabel, Label, NoticeOutcome, RefreshOutcome, SignInOutcome, StoreFailure, TokenOutcome,
};

use labels::{Active, TargetLabel};

/// Everything that is counted. Counters are looked up when this is made, so that counting is one
/// atomic addition.
#[derive(Debug)]
pub struct Metrics {
    /// Requests, by route.
    pub http: HttpMetrics,
    registry: Registry,
    refreshes: Counters<RefreshOutcome>,
    token_requests: Vec<Counters<TokenOutcome>>,
    revocations: Counters<TargetLabel>,
    sign_ins: Counters<SignInOutcome>,
    logout_notices: Counters<NoticeOutcome>,
    introspections: Counters<Active>,
    store_errors: Counters<StoreFailure>,
    revocation_log_position: Gauge,
    store_up: Gauge,
    feed_subscribers: Gauge,
    signing_key_age: Family<AlgorithmLabel, Gauge<f64, AtomicU64>>,
}

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Metrics {
    /// Metrics that all stand at zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let refreshes =
            Counters::register(&mut registry, "countersign_refresh", "Refresh requests by outcome.");
        let token_requests = register_token_requests(&mut registry);
        let revocations =
            Counters::register(&mut registry, "countersign_revocations", "Revocations by what they ended.");
        let sign_ins =
            Counters::register(&mut registry, "countersign_sign_ins", "Sign-ins of people by outcome.");
        let logout_notices = Counters::register(
            &mut registry,
            "countersign_logout_notices",
            "Attempts to tell a client that a session ended, by outcome.",
        );
        let introspections =
            Counters::register(&mut registry, "countersign_introspections", "Introspections by answer.");
        let store_errors =
            Counters::register(&mut registry, "countersign_store_errors", "Store calls without an answer.");
        let revocation_log_position = Gauge::default();
        registry.register(
            "countersign_revocation_log_position",
            "The newest revocation's number that this node knows.",
            revocation_log_position.clone(),
        );
        let feed_subscribers = Gauge::default();
        registry.register(
            "countersign_feed_subscribers",
            "APIs that are connected to the revocation feed of this node.",
            feed_subscribers.clone(),
        );
        let store_up = Gauge::default();
        registry.register(
            "countersign_store_up",
            "1 when the store answered the last time it was asked.",
            store_up.clone(),
        );
        let signing_key_age = Family::default();
        registry.register(
            "countersign_signing_key_age_seconds",
            "The age of the key that signs now.",
            signing_key_age.clone(),
        );
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))].to_vec());
        registry.register("countersign_build", "The program's version.", build);
        let http = HttpMetrics::register(&mut registry);
        registry.register_collector(Box::new(process::ProcessCollector));
        Self {
            http,
            registry,
            refreshes,
            token_requests,
            revocations,
            sign_ins,
            logout_notices,
            introspections,
            store_errors,
            revocation_log_position,
            store_up,
            feed_subscribers,
            signing_key_age,
        }
    }

    /// Counts a refresh request.
    pub fn refresh(&self, outcome: RefreshOutcome) {
        self.refreshes.inc(outcome);
    }

    /// Counts a request to the token endpoint.
    pub fn token_request(&self, grant: GrantLabel, outcome: TokenOutcome) {
        if let Some(counters) = self.token_requests.get(grant.index()) {
            counters.inc(outcome);
        }
    }

    /// Counts a revocation.
    pub fn revocation(&self, target: &Target) {
        self.revocations.inc(TargetLabel::of(target));
    }

    /// Counts a sign-in.
    pub fn sign_in(&self, outcome: SignInOutcome) {
        self.sign_ins.inc(outcome);
    }

    /// Counts an attempt to tell a client of a logout.
    pub fn logout_notice(&self, outcome: NoticeOutcome) {
        self.logout_notices.inc(outcome);
    }

    /// Counts an introspection.
    pub fn introspection(&self, active: bool) {
        self.introspections.inc(if active { Active::Yes } else { Active::No });
    }

    /// Counts a request that the store gave no answer to.
    pub fn store_failure(&self, failure: StoreFailure) {
        self.store_errors.inc(failure);
    }

    /// Says how far this node has read the revocation log.
    pub fn set_revocation_log_position(&self, number: u64) {
        self.revocation_log_position.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// Counts an API that connects to the feed, or is gone: 1 or -1.
    pub fn feed_subscribers(&self, by: i64) {
        self.feed_subscribers.inc_by(by);
    }

    /// Says whether the store answers.
    pub fn set_store_up(&self, up: bool) {
        self.store_up.set(up.into());
    }

    /// Says how old the key is that signs now.
    pub fn set_signing_key_age(&self, algorithm: Algorithm, age: std::time::Duration) {
        self.signing_key_age
            .get_or_create(&AlgorithmLabel { alg: algorithm.as_str() })
            .set(age.as_secs_f64());
    }

    /// All of it, in the OpenMetrics text format ([`CONTENT_TYPE`]).
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AlgorithmLabel {
    alg: &'static str,
}

type Labels = Vec<(&'static str, &'static str)>;

/// One counter for each value of a label, made at once: a scrape shows zeros, not gaps.
#[derive(Debug)]
struct Counters<L> {
    counters: Vec<Counter>,
    label: std::marker::PhantomData<L>,
}

impl<L: Label> Counters<L> {
    fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        let family = Family::<Labels, Counter>::default();
        registry.register(name, help, family.clone());
        Self::of(&family, &[])
    }

    fn of(family: &Family<Labels, Counter>, more: &[(&'static str, &'static str)]) -> Self {
        let counters = L::ALL
            .iter()
            .map(|value| {
                let mut labels = more.to_vec();
                labels.push((L::NAME, value.as_str()));
                family.get_or_create_owned(&labels)
            })
            .collect();
        Self { counters, label: std::marker::PhantomData }
    }

    fn get(&self, value: L) -> u64 {
        self.counters.get(value.index()).map_or(0, Counter::get)
    }

    fn sum(&self) -> u64 {
        self.counters.iter().map(Counter::get).sum()
    }

    fn inc(&self, value: L) {
        if let Some(counter) = self.counters.get(value.index()) {
            counter.inc();
        }
    }
}

fn register_token_requests(registry: &mut Registry) -> Vec<Counters<TokenOutcome>> {
    let family = Family::<Labels, Counter>::default();
    registry.register(
        "countersign_token_requests",
        "Requests to the token endpoint by grant and outcome.",
        family.clone(),
    );
    GrantLabel::ALL.iter().map(|grant| Counters::of(&family, &[(GrantLabel::NAME, grant.as_str())])).collect()
}

#[cfg(test)]
mod tests;
