//! `POST /leaked-tokens`: anyone who found a token can hand it in. A valid one is revoked; the
//! answer is the same either way, so that it tells a finder nothing about what was found.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::Public;
use super::error::OAuthError;
use super::request::{self, Accepts};
use crate::flows::{FlowError, Reason, Refusal, revocation};

/// Takes a report: a form or a JSON object with `token`.
pub(super) async fn report(State(public): State<Arc<Public>>, request: Request) -> Response {
    let now = public.app.clock.now();
    let parameters = match request::read_parameters(request, Accepts::FormOrJson, &public).await {
        Ok(parameters) => parameters,
        Err(unreadable) => return unreadable.into_response(),
    };
    let result: Result<(), FlowError> = match parameters.get("token") {
        None => Err(Refusal::invalid_request("token is missing").into()),
        Some(token) => revocation::by_token(&public.app, token, Reason::Leaked, now).await.map(|found| {
            if let Some((target, _)) = found {
                tracing::warn!(target = target.kind(), subject = %target.subject(), "a leaked token was reported");
            }
        }),
    };
    match result {
        Ok(()) => (StatusCode::OK, Json(json!({"received": true}))).into_response(),
        Err(error) => OAuthError::new(&error, false).into_response(),
    }
}
