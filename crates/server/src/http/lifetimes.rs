//! The lifetimes document: for people at `/docs/lifetimes`, for programs at `/docs/lifetimes.json`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::header;

use super::Public;
use super::error::OAuthError;
use crate::flows::lifetimes;

/// How long the document may be kept, in seconds.
const MAX_AGE: &str = "public, max-age=60";
/// The page has one inline style sheet and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /docs/lifetimes.json`.
pub(super) async fn document(State(public): State<Arc<Public>>) -> Response {
    match lifetimes::document(&public.app).await {
        Ok(document) => ([(header::CACHE_CONTROL, MAX_AGE)], Json(document)).into_response(),
        Err(error) => OAuthError::new(&error, false).into_response(),
    }
}

/// `GET /docs/lifetimes`.
pub(super) async fn page(State(public): State<Arc<Public>>) -> Response {
    let document = match lifetimes::document(&public.app).await {
        Ok(document) => document,
        Err(error) => return OAuthError::new(&error, false).into_response(),
    };
    match crate::pages::lifetimes(&document) {
        Ok(html) => {
            let headers = [(header::CACHE_CONTROL, MAX_AGE), (header::CONTENT_SECURITY_POLICY, PAGE_POLICY)];
            (headers, Html(html)).into_response()
        }
        Err(_) => OAuthError::new(&crate::flows::FlowError::Internal("the page was not rendered"), false)
            .into_response(),
    }
}
