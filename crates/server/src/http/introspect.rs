//! `POST /oauth/introspect` (RFC 7662).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};

use super::Public;
use super::answer;
use super::error::OAuthError;
use super::request::{self, Accepts};
use crate::flows::{Refusal, introspect};

/// Answers an introspection request.
pub(super) async fn introspection(State(public): State<Arc<Public>>, request: Request) -> Response {
    let now = public.app.clock.now();
    let request = match request::read(request, Accepts::Form, &public).await {
        Ok(request) => request,
        Err(unreadable) => return unreadable.into_response(),
    };
    let result = match request.parameters.get("token") {
        None => Err(Refusal::invalid_request("token is missing").into()),
        Some(token) => introspect::run(&public.app, &request.credentials, token, now).await,
    };
    match result {
        Ok(answer) => {
            public.app.metrics.introspection(answer.active);
            answer::written(answer.json)
        }
        Err(error) => OAuthError::new(&error, request.basic()).into_response(),
    }
}
