//! Who may use the management listener: whoever has the admin token.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use countersign_wire::AdminToken;
use http::header;

use super::error::AdminError;
use crate::http::peer::Peer;

/// Lets requests in that carry the token (RFC 6750 section 2.1). Without a token all are let in
/// but those that came over TCP: a router for the Unix socket that is put on a port by mistake
/// must not be open to everyone.
pub fn protect(router: Router, token: Option<AdminToken>) -> Router {
    router.layer(middleware::from_fn_with_state(Arc::new(token), check))
}

async fn check(State(token): State<Arc<Option<AdminToken>>>, request: Request, next: Next) -> Response {
    let let_in = match token.as_ref() {
        Some(token) => bearer(&request).is_some_and(|presented| is_equal(token, presented)),
        None => !matches!(request.extensions().get::<Peer>(), Some(Peer::Tcp(_))),
    };
    if let_in {
        return next.run(request).await;
    }
    let sent = request.headers().contains_key(header::AUTHORIZATION);
    tracing::info!(sent, "an admin request without the admin token was refused");
    AdminError::unauthorized(sent).into_response()
}

/// The token of the one `Authorization` header, if it is a bearer's.
fn bearer(request: &Request) -> Option<&[u8]> {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// Compares digests: they have one length, so that not even the token's length is told by time.
fn is_equal(token: &AdminToken, presented: &[u8]) -> bool {
    let [wanted, presented] = [token.expose().as_bytes(), presented].map(|text| digest(&SHA256, text));
    !token.expose().is_empty() && verify_slices_are_equal(wanted.as_ref(), presented.as_ref()).is_ok()
}
