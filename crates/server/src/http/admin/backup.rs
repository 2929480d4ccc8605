//! `/backup`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};

use super::Admin;
use super::error::Errors;
use super::extract::Query;
use super::receipt::NoQuery;

/// Everything that the store holds, as JSON lines; whole only with its last line, the trailer.
#[utoipa::path(get, path = "/backup", tag = "status", operation_id = "backup",
    responses((status = 200, description = "The backup.", content_type = "application/jsonl", body = String), Errors))]
pub(super) async fn stream(State(admin): State<Arc<Admin>>, Query(NoQuery {}): Query<NoQuery>) -> Response {
    let mut response = Body::from_stream(crate::backup::of(&admin.app)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
