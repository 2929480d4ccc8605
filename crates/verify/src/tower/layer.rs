//! The layer that lets requests in.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::request::Parts;
use ::http::{HeaderValue, Request, Response, StatusCode, header};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Challenge, Guard, Refusal, Requirement, Verified, bearer_token, clock};

/// Lets a request in when its token is good and good enough, and answers it otherwise: RFC 6750
/// section 3. What is behind finds the token's claims as [`Verified`] in the request's extensions.
#[derive(Debug, Clone)]
pub struct GuardLayer {
    guard: Guard,
    wanted: Arc<Wanted>,
}

#[derive(Debug)]
struct Wanted {
    requirement: Requirement,
    challenge: Challenge,
}

impl Guard {
    /// A layer for routes that all want the same.
    pub fn layer(&self, requirement: Requirement) -> GuardLayer {
        self.layer_with(requirement, Challenge::default())
    }

    /// The same, with a realm or the API's metadata in its challenges.
    pub fn layer_with(&self, requirement: Requirement, challenge: Challenge) -> GuardLayer {
        GuardLayer { guard: self.clone(), wanted: Arc::new(Wanted { requirement, challenge }) }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> GuardService<S> {
        GuardService { inner, layer: self.clone() }
    }
}

/// A service behind a [`GuardLayer`].
#[derive(Debug, Clone)]
pub struct GuardService<S> {
    inner: S,
    layer: GuardLayer,
}

impl<S, B, R> Service<Request<B>> for GuardService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String> + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that is ready goes along with the request; a clone of it takes its place.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let GuardLayer { guard, wanted } = self.layer.clone();
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            match admit(&guard, &wanted, &head).await {
                Ok(verified) => {
                    head.extensions.insert(verified);
                    inner.call(Request::from_parts(head, body)).await
                }
                Err(refusal) => Ok(respond(&refusal, &wanted.challenge)),
            }
        })
    }
}

async fn admit(guard: &Guard, wanted: &Wanted, head: &Parts) -> Result<Verified, Refusal> {
    let values = head.headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let token = bearer_token(values, head.uri.query())?;
    guard.check(token, &wanted.requirement, clock::now_seconds()).await
}

/// The answer to a request that is not let in.
pub(super) fn respond<R: From<String>>(refusal: &Refusal, challenge: &Challenge) -> Response<R> {
    let body = refusal.error().and_then(|error| serde_json::to_string(&error).ok()).unwrap_or_default();
    let has_body = !body.is_empty();
    let mut response = Response::new(R::from(body));
    *response.status_mut() = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let headers = response.headers_mut();
    if has_body {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // What is in a challenge may stand in a header.
    let told = challenge.www_authenticate(refusal).and_then(|text| HeaderValue::from_str(&text).ok());
    if let Some(told) = told {
        headers.insert(header::WWW_AUTHENTICATE, told);
    }
    if let Some(seconds) = refusal.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
