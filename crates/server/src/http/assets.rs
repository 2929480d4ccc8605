//! `GET /assets/…`: what pages load. The path has the content's hash, so it never changes.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};

use super::Public;
use crate::pages;

/// Sends an asset.
pub(super) async fn asset(request: Request) -> Response {
    match pages::assets::find(request.uri().path()) {
        Some(asset) => (
            [
                (header::CONTENT_TYPE, asset.content_type),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ],
            asset.body,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Sends the stylesheet of the operator's colour.
pub(super) async fn brand(State(public): State<Arc<Public>>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, pages::brand_css(&public.brand)).into_response()
}
