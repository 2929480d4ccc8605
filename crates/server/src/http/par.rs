//! `POST /oauth/par`: pushed authorization requests (RFC 9126).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use countersign_wire::RequestUri;
use http::StatusCode;
use serde::Serialize;

use super::Public;
use super::error::OAuthError;
use super::request::{self, Accepts};
use crate::flows::pushed;

/// Section 2.2.
#[derive(Serialize)]
struct Pushed {
    request_uri: RequestUri,
    expires_in: u64,
}

/// Takes a request in.
pub(super) async fn push(State(public): State<Arc<Public>>, request: Request) -> Response {
    let now = public.app.clock.now();
    let request = match request::read(request, Accepts::Form, &public).await {
        Ok(request) => request,
        Err(unreadable) => return unreadable.into_response(),
    };
    let network = request.origin(&public).network;
    match pushed::push(&public.app, &request.credentials, &request.parameters, &network, now).await {
        Ok(request_uri) => {
            let body = Pushed { request_uri, expires_in: pushed::LIFETIME.as_secs() };
            (StatusCode::CREATED, Json(body)).into_response()
        }
        Err(error) => OAuthError::new(&error, request.basic()).into_response(),
    }
}
