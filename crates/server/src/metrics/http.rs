//! Requests by route, method and status, and their durations by route.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use http::{Method, StatusCode};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

/// Requests, by route.
#[derive(Debug)]
pub struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabel, Histogram>,
    routes: RwLock<HashMap<Box<str>, Arc<RouteMetrics>>>,
}

/// The route label of a request that matched none.
const NO_ROUTE: &str = "(none)";
/// Bounds of the duration buckets, in seconds: a refresh takes milliseconds, a time limit is seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0];
/// The statuses that are told apart; further ones count as their class.
const STATUSES: [u16; 22] = [
    200, 201, 202, 204, 301, 302, 303, 304, 400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 429, 500,
    503,
];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
const SLOTS: usize = STATUSES.len() + CLASSES.len();

impl HttpMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests = Family::default();
        registry.register(
            "countersign_http_requests",
            "Requests by route, method and status.",
            requests.clone(),
        );
        let durations = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        registry.register(
            "countersign_http_request_duration_seconds",
            "Time from a request's headers to its answer's.",
            durations.clone(),
        );
        Self { requests, durations, routes: RwLock::default() }
    }

    /// The metrics of a route, which is the pattern that the router matched, never the path.
    pub fn route(&self, route: Option<&str>) -> Arc<RouteMetrics> {
        let route = route.unwrap_or(NO_ROUTE);
        if let Some(found) = self.routes.read().unwrap_or_else(PoisonError::into_inner).get(route) {
            return Arc::clone(found);
        }
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let entry = routes.entry(route.into()).or_insert_with(|| {
            let route: Arc<str> = route.into();
            Arc::new(RouteMetrics {
                duration: self.durations.get_or_create_owned(&RouteLabel { route: route.to_string() }),
                counters: std::array::from_fn(|_| std::array::from_fn(|_| OnceLock::new())),
                requests: self.requests.clone(),
                route,
            })
        });
        Arc::clone(entry)
    }
}

/// The metrics of one route.
#[derive(Debug)]
pub struct RouteMetrics {
    duration: Histogram,
    counters: [[OnceLock<Counter>; SLOTS]; METHODS.len()],
    requests: Family<RequestLabels, Counter>,
    route: Arc<str>,
}

impl RouteMetrics {
    /// The route's pattern.
    pub fn name(&self) -> &str {
        &self.route
    }

    /// Counts a request.
    pub fn observe(&self, method: &Method, status: StatusCode, duration: Duration) {
        self.duration.observe(duration.as_secs_f64());
        let (method, method_text) = method_slot(method);
        let (status, status_text) = status_slot(status);
        if let Some(counter) = self.counters.get(method).and_then(|counters| counters.get(status)) {
            counter
                .get_or_init(|| {
                    self.requests.get_or_create_owned(&RequestLabels {
                        route: self.route.to_string(),
                        method: method_text,
                        status: status_text(),
                    })
                })
                .inc();
        }
    }
}

fn method_slot(method: &Method) -> (usize, &'static str) {
    let other = METHODS.len() - 1;
    let slot = METHODS.iter().position(|known| *known == method.as_str()).unwrap_or(other);
    (slot, METHODS.get(slot).copied().unwrap_or("other"))
}

fn status_slot(status: StatusCode) -> (usize, impl FnOnce() -> String) {
    let code = status.as_u16();
    let class = usize::from(code / 100).saturating_sub(1).min(CLASSES.len() - 1);
    let known = STATUSES.iter().position(|known| *known == code);
    let text = move || match known {
        Some(_) => code.to_string(),
        None => CLASSES.get(class).copied().unwrap_or("5xx").to_owned(),
    };
    (known.unwrap_or(STATUSES.len() + class), text)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: String,
}
