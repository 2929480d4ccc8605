//! `/keys`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Admin;
use super::error::{AdminError, Errors};
use super::extract::{Body, Query};
use super::page::List;
use super::receipt::NoQuery;
use crate::flows::keys::{self, KeyRecord, KeyState};

/// A key, without its secret part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(super) struct KeyView {
    /// For signing keys the `kid`.
    id: String,
    /// `sign-ES256`, `sign-EdDSA`, `sign-RS256`, `refresh`, `opaque` or `internal`.
    purpose: &'static str,
    /// Its number among the keys of its purpose.
    number: u8,
    /// `next`: published, not used yet; `active`: makes tokens; `retiring`: only verifies.
    state: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
    /// From when on it makes tokens.
    #[schema(format = DateTime)]
    active_at: String,
    /// When nothing made with it can be alive any more; null while it is in use.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

impl KeyView {
    fn new((key, state): &(KeyRecord, KeyState)) -> Self {
        Self {
            id: key.id.clone(),
            purpose: key.purpose.as_str(),
            number: key.number,
            state: state.as_str(),
            created_at: key.created_at.to_string(),
            active_at: key.active_at.to_string(),
            expires_at: key.expires_at.map(|at| at.to_string()),
        }
    }
}

/// Which keys to replace.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// Of this purpose; all that are ever replaced when it is absent.
    #[serde(default)]
    purpose: Option<String>,
    /// True to use new signing keys at once: APIs that have not fetched them yet refuse new tokens
    /// until they do. Other keys wait a moment in any case, until every node knows them.
    #[serde(default)]
    immediately: Option<bool>,
}

/// Lists all keys.
#[utoipa::path(get, path = "/keys", tag = "keys", operation_id = "listKeys",
    responses((status = 200, description = "Keys.", body = List<KeyView>), Errors))]
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Query(NoQuery {}): Query<NoQuery>,
) -> Result<Json<List<KeyView>>, AdminError> {
    let keys = keys::list(&admin.app, admin.app.clock.now()).await?;
    Ok(Json(List::whole(keys.iter().map(KeyView::new).collect())))
}

/// Makes successors; the old keys stay good for what they made.
#[utoipa::path(post, path = "/keys/rotate", tag = "keys", operation_id = "rotateKeys", request_body = Rotation,
    responses((status = 200, description = "The new keys.", body = List<KeyView>), Errors))]
pub(super) async fn rotate(
    State(admin): State<Arc<Admin>>,
    Query(NoQuery {}): Query<NoQuery>,
    Body(Rotation { purpose, immediately }): Body<Rotation>,
) -> Result<Json<List<KeyView>>, AdminError> {
    let app = &admin.app;
    let made =
        keys::rotate(app, purpose.as_deref(), immediately.unwrap_or_default(), app.clock.now()).await?;
    Ok(Json(List::whole(made.iter().map(KeyView::new).collect())))
}
