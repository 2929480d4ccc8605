//! `/resources`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use countersign_wire::EncryptionJwk;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::error::{AdminError, Errors};
use super::extract::{Body, NoBody, Path, Query};
use super::page::{List, Wanted};
use super::receipt::NoQuery;
use crate::flows::manage_resources::{self, Added, Resource};

const LIST: &str = "resources";

/// An API, known by the audience of its access tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Resource)]
pub(super) struct ResourceView {
    audience: String,
    /// The public key to which its access tokens are encrypted, as a JWK.
    #[schema(value_type = Object)]
    encryption_key: EncryptionJwk,
    #[schema(format = DateTime)]
    created_at: String,
    /// When its key was given last.
    #[schema(format = DateTime)]
    changed_at: String,
}

impl ResourceView {
    fn new(resource: &Resource) -> Self {
        Self {
            audience: resource.audience.clone(),
            encryption_key: resource.encryption_key.clone(),
            created_at: resource.created_at.to_string(),
            changed_at: resource.changed_at.to_string(),
        }
    }
}

/// What is known of an API.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewResource {
    /// The public key to which its access tokens are encrypted: a JWK (RFC 7517) with kty EC and crv
    /// P-256. Without a kid it gets its SHA-256 thumbprint. Never the private key.
    #[schema(value_type = Object)]
    encryption_key: Value,
}

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// Most items, 1 to 500; 50 when it is absent.
    limit: Option<u32>,
    /// A `next_cursor`.
    cursor: Option<String>,
}

/// Lists resources by audience.
#[utoipa::path(get, path = "/resources", tag = "resources", operation_id = "listResources", params(Part),
    responses((status = 200, description = "Resources.", body = List<ResourceView>), Errors))]
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Query(Part { limit, cursor }): Query<Part>,
) -> Result<Json<List<ResourceView>>, AdminError> {
    let app = &admin.app;
    let wanted = Wanted::read(app, LIST, limit, cursor.as_deref())?;
    let resources = manage_resources::list(app, &wanted.page()?).await?;
    Ok(Json(wanted.answer(resources, |resource| resource.audience.clone(), ResourceView::new)))
}

/// Shows a resource.
#[utoipa::path(get, path = "/resources/{audience}", tag = "resources", operation_id = "showResource",
    params(("audience" = String, Path, description = "The audience, percent-encoded as one segment.")),
    responses((status = 200, description = "The resource.", body = ResourceView), Errors))]
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    Path(audience): Path,
    Query(NoQuery {}): Query<NoQuery>,
) -> Result<Json<ResourceView>, AdminError> {
    Ok(Json(ResourceView::new(&manage_resources::lookup(&admin.app, &audience).await?)))
}

/// Adds a resource, or replaces its key. Tokens that are out stay encrypted to the key before: the
/// API keeps its private half until the last of them has expired.
#[utoipa::path(put, path = "/resources/{audience}", tag = "resources", operation_id = "putResource",
    request_body = NewResource,
    params(("audience" = String, Path, description = "The audience, percent-encoded as one segment.")),
    responses((status = 200, description = "The resource with its new key.", body = ResourceView),
        (status = 201, description = "The resource was added.", body = ResourceView), Errors))]
pub(super) async fn put(
    State(admin): State<Arc<Admin>>,
    Path(audience): Path,
    Query(NoQuery {}): Query<NoQuery>,
    Body(NewResource { encryption_key }): Body<NewResource>,
) -> Result<(StatusCode, Json<ResourceView>), AdminError> {
    let app = &admin.app;
    let (resource, added) = manage_resources::put(app, &audience, &encryption_key, app.clock.now()).await?;
    let status = match added {
        Added::Yes => StatusCode::CREATED,
        Added::Exists => StatusCode::OK,
    };
    Ok((status, Json(ResourceView::new(&resource))))
}

/// Removes a resource: no more encrypted tokens are made for it.
#[utoipa::path(delete, path = "/resources/{audience}", tag = "resources", operation_id = "removeResource",
    params(("audience" = String, Path, description = "The audience, percent-encoded as one segment.")),
    responses((status = 200, description = "The resource as it was.", body = ResourceView), Errors))]
pub(super) async fn remove(
    State(admin): State<Arc<Admin>>,
    Path(audience): Path,
    Query(NoQuery {}): Query<NoQuery>,
    _: NoBody,
) -> Result<Json<ResourceView>, AdminError> {
    let app = &admin.app;
    Ok(Json(ResourceView::new(&manage_resources::remove(app, &audience, app.clock.now()).await?)))
}
