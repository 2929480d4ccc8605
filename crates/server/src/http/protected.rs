//! What an API of our own does with bearer tokens (RFC 6750): finds the token, refuses one that is
//! not good.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use countersign_verify::Refusal;
use countersign_wire::ErrorBody;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use crate::flows::bearer::{self, BearerRefusal};

/// The token of `Authorization: Bearer`, found as we tell APIs to find it.
pub(super) fn bearer_token<'a>(
    headers: &'a HeaderMap,
    query: Option<&str>,
) -> Result<&'a str, BearerRefusal> {
    let values = headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    countersign_verify::bearer_token(values, query).map_err(|refusal| match refusal {
        Refusal::InQuery => BearerRefusal::InQuery,
        Refusal::Missing => BearerRefusal::Missing,
        _ => BearerRefusal::Malformed,
    })
}

/// The answer to a token that is not good here. `scope` is what was wanted (RFC 6750 section 3).
pub(super) fn refuse(realm: &str, scope: &str, refusal: &BearerRefusal) -> Response {
    let hint = if scope.is_empty() { String::new() } else { format!(", scope=\"{scope}\"") };
    refuse_with(realm, refusal, |refusal| if *refusal == BearerRefusal::Scope { hint } else { String::new() })
}

/// The same with more to say of what was wanted, as parameters of the challenge.
pub(super) fn refuse_with(
    realm: &str,
    refusal: &BearerRefusal,
    hint: impl FnOnce(&BearerRefusal) -> String,
) -> Response {
    let (status, answer) = bearer::answer(refusal);
    let mut challenge = format!("Bearer realm=\"{realm}\"");
    if let Some(ErrorBody { error, error_description }) = &answer {
        challenge
            .push_str(&format!(", error=\"{}\", error_description=\"{error_description}\"", error.as_str()));
        challenge.push_str(&hint(refusal));
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
