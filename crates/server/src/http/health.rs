//! `/healthz`: the process answers. `/readyz`: it can do its work.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{StatusCode, header};
use serde_json::json;

use super::error::RETRY_AFTER_SECONDS;
use crate::app::App;

/// How long readiness waits for the store.
const PATIENCE: Duration = Duration::from_secs(2);

/// The health routes, on both listeners and without authentication.
pub(super) fn routes(app: Arc<App>) -> Router {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).with_state(app)
}

async fn healthz() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

async fn readyz(State(app): State<Arc<App>>) -> Response {
    let up = matches!(tokio::time::timeout(PATIENCE, app.is_store_up()).await, Ok(true));
    app.metrics.set_store_up(up);
    if up {
        Json(json!({"status": "ready"})).into_response()
    } else {
        let body = Json(json!({"status": "not ready", "reason": "the store does not answer"}));
        (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, RETRY_AFTER_SECONDS)], body).into_response()
    }
}
