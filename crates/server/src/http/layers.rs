//! What every request passes, in one layer, outermost first: its id, the time limit, the catching of
//! panics, and then security headers, metrics and the access log line.
//!
//! One layer and not six, because each layer of a router is a box and a clone at every request.

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request},
    response::Response,
    routing::Route,
};
use countersign_wire::{ErrorBody, ErrorCode};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tokio::time::Instant;
use tower::{Service as _, layer::layer_fn, service_fn};
use tracing::{Instrument as _, Span};

use super::error::RETRY_AFTER_SECONDS;
use crate::{
    metrics::{Metrics, RouteMetrics, StoreFailure},
    telemetry::RequestId,
};

/// What the layer needs to know.
#[derive(Debug)]
pub struct Observer {
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// `limits.request_timeout`.
    pub request_timeout: Duration,
    /// Whether to make a span for each request: only worth the time when spans are exported.
    pub spans: bool,
    /// Whether browsers are to come back over TLS only: where the issuer is an https URL.
    pub tls_only: bool,
}

/// Puts the layer around all routes of a router, also around what answers when none matches.
/// Handlers find the [`RequestId`] among the request's extensions.
pub fn observe(router: Router, observer: Arc<Observer>) -> Router {
    router.layer(layer_fn(move |mut inner: Route| {
        let observer = Arc::clone(&observer);
        service_fn(move |mut request: Request| {
            let observer = Arc::clone(&observer);
            let id = RequestId::accept(request.headers().get(&X_REQUEST_ID));
            let route = observer.metrics.http.route(request.extensions().get().map(MatchedPath::as_str));
            let method = request.method().clone();
            request.extensions_mut().insert(id.clone());
            let span = observer.span(&method, &route, &id);
            // A route is always ready, and the router has cloned this one for this request.
            let answer = inner.call(request);
            let header = id.header();
            id.scope(
                async move {
                    let start = Instant::now();
                    let answer = AssertUnwindSafe(answer).catch_unwind();
                    let mut response = match tokio::time::timeout(observer.request_timeout, answer).await {
                        Ok(Ok(Ok(response))) => response,
                        Ok(Ok(Err(never))) => match never {},
                        // The hook has logged the panic, with the request's id.
                        Ok(Err(_)) => failed(&route),
                        Err(_) => timed_out(),
                    };
                    finish(response.headers_mut(), header, observer.tls_only);
                    let (status, duration) = (response.status(), start.elapsed());
                    route.observe(&method, status, duration);
                    if let Some(failure) = response.extensions().get::<StoreFailure>() {
                        observer.metrics.store_failure(*failure);
                    }
                    log(&method, &route, status, duration);
                    Ok::<_, Infallible>(response)
                }
                .instrument(span),
            )
        })
    }))
}

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Observer {
    fn span(&self, method: &Method, route: &RouteMetrics, id: &RequestId) -> Span {
        if !self.spans {
            return Span::none();
        }
        // The names of OpenTelemetry's semantic conventions for HTTP servers.
        tracing::info_span!(
            "request",
            otel.name = format!("{} {}", method_text(method), route.name()),
            otel.kind = "server",
            otel.status_code = tracing::field::Empty,
            http.request.method = method_text(method),
            http.route = route.name(),
            http.response.status_code = tracing::field::Empty,
            request_id = id.as_str(),
        )
    }
}

/// The route's pattern, never the path or the query: both can hold what no log may have.
fn log(method: &Method, route: &RouteMetrics, status: StatusCode, duration: Duration) {
    let span = Span::current();
    if !span.is_none() {
        span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
    }
    // What went well is counted by the metrics; a line for each would cost a tenth of a refresh.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                method = method_text(method),
                route = route.name(),
                status = status.as_u16(),
                duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
                "request"
            )
        };
    }
    match status.as_u16() {
        ..400 => line!(debug),
        400..500 => line!(info),
        _ => line!(warn),
    }
}

/// A method can be any word that a client likes to send.
fn method_text(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE
        | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}

/// The headers of every answer; a handler's own values stay.
fn finish(headers: &mut HeaderMap, id: HeaderValue, tls_only: bool) {
    // Room for these, and for what the HTTP library adds, is made once.
    headers.reserve(8);
    headers.insert(&X_REQUEST_ID, id);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let mut default = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    // RFC 6749 section 5.1 for tokens; the rest is nobody else's either.
    default(header::CACHE_CONTROL, "no-store");
    default(header::REFERRER_POLICY, "no-referrer");
    default(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    if tls_only {
        // RFC 6797 section 6.1, for a year. Not for the domains below: those are not ours.
        default(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}

fn failed(route: &RouteMetrics) -> Response {
    tracing::error!(route = route.name(), "a handler panicked");
    answer(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::ServerError, "the server failed")
}

/// Whether the request took effect is not known, so it is no refusal.
fn timed_out() -> Response {
    let code = ErrorCode::TemporarilyUnavailable;
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, code, "the server was too slow; try again");
    let seconds = HeaderValue::from_static(RETRY_AFTER_SECONDS);
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}

fn answer(status: StatusCode, error: ErrorCode, text: &str) -> Response {
    let body = ErrorBody { error, error_description: text.to_owned() };
    // Two strings always become JSON.
    let mut response = Response::new(Body::from(serde_json::to_vec(&body).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
