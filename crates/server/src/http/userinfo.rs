//! `GET` and `POST /oauth/userinfo` (OpenID Connect Core section 5.3).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{Method, header};

use super::Public;
use super::error::OAuthError;
use super::protected::{bearer_token, refuse};
use super::{body, form};
use crate::flows::bearer::BearerRefusal;
use crate::flows::id_tokens::OPENID;
use crate::flows::userinfo;

/// Tells what the token allows.
pub(super) async fn userinfo(State(public): State<Arc<Public>>, request: Request) -> Response {
    let now = public.app.clock.now();
    let refused = |refusal: &BearerRefusal| refuse("countersign", OPENID, refusal);
    let from_header = bearer_token(request.headers(), request.uri().query()).map(str::to_owned);
    let is_form = request.method() == Method::POST
        && request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let in_body = if is_form {
        let Ok(bytes) = body::read(request.into_body(), &public.limits).await else {
            return refused(&BearerRefusal::Malformed);
        };
        let Ok(fields) = form::parse_form(&bytes) else { return refused(&BearerRefusal::Malformed) };
        fields.get("access_token").map(str::to_owned)
    } else {
        None
    };
    // RFC 6750 section 2: one way only; section 2.2 for the form.
    let token = match (from_header, in_body) {
        (Ok(_), Some(_)) => return refused(&BearerRefusal::Malformed),
        (Ok(token), None) | (Err(BearerRefusal::Missing), Some(token)) => token,
        (Err(refusal), _) => return refused(&refusal),
    };
    match userinfo::run(&public.app, &token, now).await {
        Ok(Ok(claims)) => Json(claims).into_response(),
        Ok(Err(refusal)) => refused(&refusal),
        Err(error) => OAuthError::new(&error, false).into_response(),
    }
}
