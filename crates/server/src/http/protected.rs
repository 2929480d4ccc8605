//! What an API of our own does with bearer tokens (RFC 6750): finds the token, refuses one that is
//! not good.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use countersign_wire::ErrorBody;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use crate::flows::bearer::{self, BearerRefusal};

/// The token of `Authorization: Bearer` (RFC 6750 section 2.1). A token in the query is refused,
/// not looked at (RFC 9700 section 4.3.2).
pub(super) fn bearer_token<'a>(
    headers: &'a HeaderMap,
    query: Option<&str>,
) -> Result<&'a str, BearerRefusal> {
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
