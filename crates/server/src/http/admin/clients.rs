//! `/clients`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use countersign_wire::ClientSecret;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::error::{AdminError, Errors};
use super::extract::{Body, NoBody, Path, Query};
use super::page::{List, Wanted};
use super::receipt::{NoQuery, Preview, Receipt};
use crate::flows::Target;
use crate::flows::manage_clients::{
    self, Client, ClientFields, ClientFilter, ClientKind, LifetimeSettings, NewClient, Rotation, SecretHash,
    TokenFormat,
};
use crate::flows::policy::{Lifetimes, Policy};

const LIST: &str = "clients";

/// A client.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Client)]
pub(super) struct ClientView {
    client_id: String,
    kind: ClientKind,
    /// True when it keeps no secret.
    public: bool,
    enabled: bool,
    /// Moves on with each change.
    revision: u64,
    tenant: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    redirect_uris: Vec<String>,
    scope: String,
    audience: Vec<String>,
    token_format: TokenFormat,
    /// Null takes the server's.
    signing_alg: Option<&'static str>,
    rotation: Rotation,
    overlap_seconds: u64,
    /// Lifetimes that differ from the kind's, in seconds.
    lifetimes: LifetimeSettings,
    effective_lifetimes: EffectiveLifetimes,
    allow_long_access_tokens: bool,
    introspects: Vec<String>,
    extra_claims: Vec<String>,
    /// Its name as people know it; null is its id.
    name: Option<String>,
    /// Nobody is asked for consent.
    first_party: bool,
    /// Accepts authorization requests without PKCE that have a `nonce`.
    allow_missing_pkce: bool,
    /// With `allow_missing_pkce`: the `nonce` may be missing too.
    allow_missing_nonce: bool,
    /// Accepts authorization requests only when they were pushed.
    require_pushed_requests: bool,
    /// Null takes the server's.
    id_token_alg: Option<&'static str>,
    post_logout_redirect_uris: Vec<String>,
    backchannel_logout_uri: Option<String>,
    secrets: Vec<SecretView>,
}

/// The lifetimes in force, in seconds.
#[derive(Debug, Serialize, ToSchema)]
struct EffectiveLifetimes {
    access: u64,
    /// None for a service client.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    absolute: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remember_idle: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remember_absolute: Option<u64>,
}

/// What is shown of a secret.
#[derive(Debug, Serialize, ToSchema)]
struct SecretView {
    /// The first eight digits of its SHA-256.
    fingerprint: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// When it stops working; null while it is the current one.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

impl ClientView {
    fn new(client: &Client, policy: &Policy) -> Self {
        let settings = &client.settings;
        Self {
            client_id: client.id.to_string(),
            kind: settings.kind,
            public: settings.public,
            enabled: client.enabled,
            revision: client.revision,
            tenant: client.tenant.clone(),
            created_at: client.created_at.to_string(),
            redirect_uris: settings.redirect_uris.clone(),
            scope: settings.scope.to_string(),
            audience: settings.audience.clone(),
            token_format: settings.token_format,
            signing_alg: settings.signing_alg.map(|algorithm| algorithm.as_str()),
            rotation: settings.rotation,
            overlap_seconds: settings.overlap().as_secs(),
            lifetimes: settings.lifetimes,
            effective_lifetimes: EffectiveLifetimes::new(settings.kind, &policy.lifetimes_of(client)),
            allow_long_access_tokens: settings.allow_long_access_tokens,
            introspects: settings.introspects.clone(),
            extra_claims: settings.extra_claims.clone(),
            name: settings.sign_in.name.clone(),
            first_party: settings.sign_in.first_party,
            allow_missing_pkce: settings.sign_in.allow_missing_pkce,
            allow_missing_nonce: settings.sign_in.allow_missing_nonce,
            require_pushed_requests: settings.sign_in.require_pushed_requests,
            id_token_alg: settings.sign_in.id_token_alg.map(|algorithm| algorithm.as_str()),
            post_logout_redirect_uris: settings.sign_in.post_logout_redirect_uris.clone(),
            backchannel_logout_uri: settings.sign_in.backchannel_logout_uri.clone(),
            secrets: settings.secrets.iter().map(SecretView::new).collect(),
        }
    }
}

impl EffectiveLifetimes {
    fn new(kind: ClientKind, lifetimes: &Lifetimes) -> Self {
        let session =
            |duration: std::time::Duration| (kind != ClientKind::Service).then_some(duration.as_secs());
        Self {
            access: lifetimes.access.as_secs(),
            idle: session(lifetimes.idle),
            absolute: session(lifetimes.absolute),
            remember_idle: session(lifetimes.remember_idle),
            remember_absolute: session(lifetimes.remember_absolute),
        }
    }
}

impl SecretView {
    fn new(secret: &SecretHash) -> Self {
        Self {
            fingerprint: secret.sha256.chars().take(8).collect(),
            created_at: secret.created_at.to_string(),
            expires_at: secret.expires_at.map(|at| at.to_string()),
        }
    }
}

/// Which clients to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Most items, 1 to 500; 50 when it is absent.
    limit: Option<u32>,
    /// A `next_cursor`.
    cursor: Option<String>,
    /// Of this tenant.
    tenant: Option<String>,
    /// Enabled or disabled ones.
    enabled: Option<bool>,
}

/// A client that was added.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AddedClient {
    client_id: String,
    /// Shown this once; absent for public clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    client_secret: Option<ClientSecret>,
    /// What is permitted and could be better.
    warnings: Vec<String>,
    client: ClientView,
}

/// A client after a change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangedClient {
    client_id: String,
    /// What is permitted and could be better.
    warnings: Vec<String>,
    client: ClientView,
}

/// A client, and what a change ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClientAnswer {
    client: ClientView,
    receipt: Option<Receipt>,
}

/// A new client secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NewSecret {
    client_id: String,
    /// Shown this once.
    #[schema(value_type = String)]
    client_secret: ClientSecret,
    /// Until when the secret before works as well; null when it does not.
    #[schema(format = DateTime)]
    old_secret_works_until: Option<String>,
}

/// Adds a client.
#[utoipa::path(post, path = "/clients", tag = "clients", operation_id = "addClient", request_body = NewClient,
    responses((status = 201, description = "The client was added.", body = AddedClient), Errors))]
pub(super) async fn add(
    State(admin): State<Arc<Admin>>,
    Query(NoQuery {}): Query<NoQuery>,
    Body(request): Body<NewClient>,
) -> Result<(StatusCode, Json<AddedClient>), AdminError> {
    let app = &admin.app;
    let added = manage_clients::add(app, request, app.clock.now()).await?;
    let answer = AddedClient {
        client_id: added.client.id.to_string(),
        client_secret: added.secret,
        warnings: added.warnings,
        client: ClientView::new(&added.client, &app.policy),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Lists clients by id.
#[utoipa::path(get, path = "/clients", tag = "clients", operation_id = "listClients", params(Filter),
    responses((status = 200, description = "Clients.", body = List<ClientView>), Errors))]
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Query(filter): Query<Filter>,
) -> Result<Json<List<ClientView>>, AdminError> {
    let app = &admin.app;
    let Filter { limit, cursor, tenant, enabled } = filter;
    let wanted = Wanted::read(app, LIST, limit, cursor.as_deref())?;
    let clients = manage_clients::list(app, &ClientFilter { tenant, enabled }, &wanted.page()?).await?;
    let view = |client: &Client| ClientView::new(client, &app.policy);
    Ok(Json(wanted.answer(clients, |client| client.id.to_string(), view)))
}

/// Shows a client.
#[utoipa::path(get, path = "/clients/{id}", tag = "clients", operation_id = "showClient",
    params(("id" = String, Path, description = "The client's id.")),
    responses((status = 200, description = "The client.", body = ClientView), Errors))]
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    Path(id): Path,
    Query(NoQuery {}): Query<NoQuery>,
) -> Result<Json<ClientView>, AdminError> {
    let client = manage_clients::lookup(&admin.app, &id).await?;
    Ok(Json(ClientView::new(&client, &admin.app.policy)))
}

/// Changes a client: what is absent stays, `null` goes back to the default.
#[utoipa::path(patch, path = "/clients/{id}", tag = "clients", operation_id = "changeClient", request_body = ClientFields,
    params(("id" = String, Path, description = "The client's id.")),
    responses((status = 200, description = "The client after the change.", body = ChangedClient), Errors))]
pub(super) async fn change(
    State(admin): State<Arc<Admin>>,
    Path(id): Path,
    Query(NoQuery {}): Query<NoQuery>,
    Body(fields): Body<ClientFields>,
) -> Result<Json<ChangedClient>, AdminError> {
    let (client, warnings) = manage_clients::change(&admin.app, &id, &fields, admin.app.clock.now()).await?;
    let client_id = client.id.to_string();
    Ok(Json(ChangedClient { client_id, warnings, client: ClientView::new(&client, &admin.app.policy) }))
}

/// Removes a client and ends all that it has.
#[utoipa::path(delete, path = "/clients/{id}", tag = "clients", operation_id = "removeClient",
    params(("id" = String, Path, description = "The client's id."), Preview),
    responses((status = 200, description = "What that ended, or would end.", body = Receipt), Errors))]
pub(super) async fn remove(
    State(admin): State<Arc<Admin>>,
    Path(id): Path,
    Query(Preview { preview }): Query<Preview>,
    _: NoBody,
) -> Result<Json<Receipt>, AdminError> {
    let app = &admin.app;
    let (target, ending) = manage_clients::remove(app, &id, preview, app.clock.now()).await?;
    Ok(Json(Receipt::new(&target, &ending, preview)))
}

/// Disables a client and ends all that it has, for good.
#[utoipa::path(post, path = "/clients/{id}/disable", tag = "clients", operation_id = "disableClient",
    params(("id" = String, Path, description = "The client's id."), Preview),
    responses((status = 200, description = "The client, and what that ended or would end.", body = ClientAnswer), Errors))]
pub(super) async fn disable(
    State(admin): State<Arc<Admin>>,
    Path(id): Path,
    Query(Preview { preview }): Query<Preview>,
    _: NoBody,
) -> Result<Json<ClientAnswer>, AdminError> {
    let app = &admin.app;
    let (client, ending) = manage_clients::set_enabled(app, &id, false, preview, app.clock.now()).await?;
    let receipt = Receipt::new(&Target::Client(client.id.clone()), &ending, preview);
    Ok(Json(ClientAnswer { client: ClientView::new(&client, &app.policy), receipt: Some(receipt) }))
}

/// Enables a client. What was ended stays ended.
#[utoipa::path(post, path = "/clients/{id}/enable", tag = "clients", operation_id = "enableClient",
    params(("id" = String, Path, description = "The client's id.")),
    responses((status = 200, description = "The client.", body = ClientAnswer), Errors))]
pub(super) async fn enable(
    State(admin): State<Arc<Admin>>,
    Path(id): Path,
    Query(NoQuery {}): Query<NoQuery>,
    _: NoBody,
) -> Result<Json<ClientAnswer>, AdminError> {
    let app = &admin.app;
    let (client, _) = manage_clients::set_enabled(app, &id, true, false, app.clock.now()).await?;
    Ok(Json(ClientAnswer { client: ClientView::new(&client, &app.policy), receipt: None }))
}

/// Makes a new secret; the one before works on for a while.
#[utoipa::path(post, path = "/clients/{id}/rotate-secret", tag = "clients", operation_id = "rotateClientSecret",
    params(("id" = String, Path, description = "The client's id.")),
    responses((status = 200, description = "The new secret.", body = NewSecret), Errors))]
pub(super) async fn rotate_secret(
    State(admin): State<Arc<Admin>>,
    Path(id): Path,
    Query(NoQuery {}): Query<NoQuery>,
    _: NoBody,
) -> Result<Json<NewSecret>, AdminError> {
    let app = &admin.app;
    let new = manage_clients::rotate_secret(app, &id, app.clock.now()).await?;
    let old_secret_works_until = new.old_secret_works_until.map(|at| at.to_string());
    Ok(Json(NewSecret { client_id: id, client_secret: new.secret, old_secret_works_until }))
}
