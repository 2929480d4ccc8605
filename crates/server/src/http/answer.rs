//! Answers in JSON of the endpoints that are asked most.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// Room that nearly all answers fit into: a buffer that starts small is copied four times on its way.
const USUAL: usize = 1536;

/// An answer that is written out now; 500 if it cannot be.
pub(super) fn json(answer: &impl Serialize) -> Response {
    let mut text = Vec::with_capacity(USUAL);
    match serde_json::to_writer(&mut text, answer) {
        Ok(()) => written(Bytes::from(text)),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// An answer that was written out before.
pub(super) fn written(json: Bytes) -> Response {
    let mut response = Response::new(Body::from(json));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
