//! The demo API of `--dev`: `GET /api/profile`, checked as an API should check (RFC 6750).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use countersign_wire::ErrorBody;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use super::Public;
use super::error::OAuthError;
use crate::flows::bearer::{self, BearerRefusal};

/// What the demo API needs to know of itself.
pub struct Demo {
    /// The audience that it accepts.
    pub audience: String,
    /// The scope that the profile wants.
    pub scope: &'static str,
}

/// The demo API's routes.
pub fn routes(public: Arc<Public>, demo: Arc<Demo>) -> Router {
    Router::new().route("/api/profile", get(profile)).with_state((public, demo))
}

async fn profile(State((public, demo)): State<(Arc<Public>, Arc<Demo>)>, request: Request) -> Response {
    let now = public.app.clock.now();
    let token = match bearer_token(request.headers(), request.uri().query()) {
        Ok(token) => token,
        Err(refusal) => return refuse(&demo, &refusal),
    };
    let checked = bearer::check(&public.app, token, &demo.audience, demo.scope, now).await;
    match checked {
        Ok(Ok(claims)) => Json(json!({
            "hello": claims.sub,
            "session": claims.sid,
            "client": claims.client_id,
            "scope": claims.scope,
            "roles": claims.roles,
            "token_expires_in": claims.exp.saturating_sub(now.seconds()),
        }))
        .into_response(),
        Ok(Err(refusal)) => refuse(&demo, &refusal),
        Err(error) => OAuthError::new(&error, false).into_response(),
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 section 2.1). A token in the query is refused,
/// not looked at (RFC 9700 section 4.3.2).
fn bearer_token<'a>(headers: &'a HeaderMap, query: Option<&str>) -> Result<&'a str, BearerRefusal> {
    if query.is_some_and(|query| query.split('&').any(|part| part.starts_with("access_token="))) {
        return Err(BearerRefusal::InQuery);
    }
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Err(BearerRefusal::Missing) };
    if values.next().is_some() {
        return Err(BearerRefusal::Malformed);
    }
    let text = value.to_str().map_err(|_| BearerRefusal::Malformed)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim_start()),
        _ => Err(BearerRefusal::Malformed),
    }
}

fn refuse(demo: &Demo, refusal: &BearerRefusal) -> Response {
    let (status, answer) = bearer::answer(refusal);
    let mut challenge = "Bearer realm=\"countersign-demo\"".to_owned();
    if let Some(ErrorBody { error, error_description }) = &answer {
        challenge
            .push_str(&format!(", error=\"{}\", error_description=\"{error_description}\"", error.as_str()));
        if status == 403 {
            challenge.push_str(&format!(", scope=\"{}\"", demo.scope));
        }
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
    let mut response = match answer {
        Some(body) => (status, Json(body)).into_response(),
        // RFC 6750 section 3.1: no error code when no token was sent.
        None => (status, Json(json!({"hint": "send Authorization: Bearer <access token>"}))).into_response(),
    };
    if let Ok(value) = HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}
