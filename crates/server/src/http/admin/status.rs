//! `/status`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use super::error::{AdminError, Errors};
use super::extract::Query;
use super::receipt::NoQuery;
use crate::flows::keys::KeyState;
use crate::flows::records;

/// What the service is and where it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    version: &'static str,
    /// The store's engine, with its version.
    engine: String,
    issuer: String,
    /// The store's clock.
    #[schema(format = DateTime)]
    now: String,
    /// The newest revocation's number.
    revocation_position: u64,
    keys: KeyCounts,
}

/// How many keys there are.
#[derive(Debug, Serialize, ToSchema)]
struct KeyCounts {
    next: usize,
    active: usize,
    retiring: usize,
}

/// Says what the service is and where it stands.
#[utoipa::path(get, path = "/status", tag = "status", operation_id = "status",
    responses((status = 200, description = "The status.", body = Status), Errors))]
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    Query(NoQuery {}): Query<NoQuery>,
) -> Result<Json<Status>, AdminError> {
    let (app, now) = (&admin.app, admin.app.clock.now());
    let status = records::status(app, now).await?;
    let count = |state| status.keys.iter().filter(|s| **s == state).count();
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        engine: status.engine.clone(),
        issuer: app.policy.issuer.clone(),
        now: now.to_string(),
        revocation_position: status.revocation_position,
        keys: KeyCounts {
            next: count(KeyState::Next),
            active: count(KeyState::Active),
            retiring: count(KeyState::Retiring),
        },
    }))
}
