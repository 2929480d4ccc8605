//! What axum's handlers take from a request that was let in.

use ::http::request::Parts;
use ::http::{Response, StatusCode};
use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::IntoResponse;

use super::layer::respond;
use crate::{Challenge, Refusal, Verified};

/// A handler asks for the token's claims on a route that no [`crate::GuardLayer`] stands before: a
/// mistake of the API's, answered with 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no guard stands before this route")]
pub struct NoGuard;

impl<S: Sync> FromRequestParts<S> for Verified {
    type Rejection = NoGuard;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, NoGuard> {
        parts.extensions.get::<Self>().cloned().ok_or(NoGuard)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Verified {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

impl IntoResponse for NoGuard {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    }
}

/// So that a handler can ask for more than its route does, and answer with `?`:
/// `requirement.check(&verified, now).map_err(Refusal::from)?`.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        respond(&self, &Challenge::default())
    }
}
