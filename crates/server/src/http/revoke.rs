//! `POST /oauth/revoke` (RFC 7009).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::Public;
use super::error::OAuthError;
use super::request::{self, Accepts};
use crate::flows::{FlowError, Refusal, revocation};

/// Answers a revocation request: 200 for a token that was or already had ended, and for one that
/// is none (RFC 7009 section 2.2).
pub(super) async fn revoke(State(public): State<Arc<Public>>, request: Request) -> Response {
    let now = public.app.clock.now();
    let request = match request::read(request, Accepts::Form, &public).await {
        Ok(request) => request,
        Err(unreadable) => return unreadable.into_response(),
    };
    let result: Result<(), FlowError> = match request.parameters.get("token") {
        None => Err(Refusal::invalid_request("token is missing").into()),
        Some(token) => revocation::by_client(&public.app, &request.credentials, token, now).await,
    };
    match result {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => OAuthError::new(&error, request.basic()).into_response(),
    }
}
