//! An API that checks Countersign's access tokens, as small as it can be and complete: scopes, tenants,
//! a route that wants a fresh sign-in with two factors, JWTs and opaque tokens, and a revocation that
//! is noticed within a second.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use countersign_verify::{
    Challenge, Credentials, Guard, InvalidVerifier, Requirement, ResourceMetadata, Verified, WhenBehind, wire,
};
use serde_json::json;

/// What the operator says.
pub struct Settings {
    /// The issuer, exactly as its metadata has it.
    pub issuer: String,
    /// This API's name: the audience of its tokens.
    pub audience: String,
    /// This API as a client of the issuer, which reads the feed and introspects.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
}

/// Why the API was not made.
#[derive(Debug)]
pub enum InvalidSettings {
    /// Of the issuer or the audience.
    Verifier(InvalidVerifier),
    /// Of what a route wants.
    Scope(wire::InvalidScope),
}

/// Starts to follow the issuer.
///
/// # Errors
/// When the issuer or the audience is empty.
pub fn guard(settings: Settings) -> Result<Guard, InvalidSettings> {
    let me = Credentials::new(settings.client_id, settings.client_secret);
    Guard::builder(settings.issuer, settings.audience)
        .feed(me.clone())
        // Opaque tokens: a revocation may go unseen for as long as it may with the feed.
        .introspection(me, Duration::from_secs(1))
        .start()
        .map_err(InvalidSettings::Verifier)
}

/// The routes, each with what it wants.
///
/// # Errors
/// When what a route wants is no scope.
pub fn app(guard: &Guard, mut about: ResourceMetadata) -> Result<Router, InvalidSettings> {
    let scope = |scope: &str| Requirement::scope(scope).map_err(InvalidSettings::Scope);
    let read = scope("profile:read")?;
    let write = scope("profile:write")?
        // Money moves here: whoever stands before it proved it lately, with two factors.
        .acr("aal2")
        .max_age(Duration::from_secs(300))
        // And when it cannot be told whether the token was revoked, the issuer is asked.
        .when_behind(WhenBehind::Introspect);

    about.scopes_supported = vec!["profile:read".to_owned(), "profile:write".to_owned()];
    let challenge = Challenge::default().realm("profile").resource_metadata(about.url());
    let reading = guard.layer_with(read, challenge.clone());
    let writing = guard.layer_with(write, challenge);
    Ok(Router::new()
        .route("/api/profile", get(profile))
        .route("/api/tenants/{tenant}/notes", get(notes))
        .route_layer(reading)
        .merge(Router::new().route("/api/payout", post(payout)).route_layer(writing))
        // Without a token: where clients find the issuer (RFC 9728), and how this API is.
        .route(&about.path(), get(move || std::future::ready(Json(about.clone()))))
        .route("/healthz", get(health).with_state(guard.clone())))
}

async fn profile(user: Verified) -> Response {
    Json(json!({ "hello": user.sub, "client": user.client_id, "scope": user.scope, "roles": user.roles }))
        .into_response()
}

/// Whose notes they are is said by the token, and never by the request alone.
async fn notes(user: Verified, Path(tenant): Path<String>) -> Response {
    if user.tenant.as_deref() != Some(tenant.as_str()) {
        // As for a tenant that does not exist: who asks learns nothing.
        return axum::http::StatusCode::NOT_FOUND.into_response();
    }
    Json(json!({ "tenant": tenant, "notes": ["a note"] })).into_response()
}

async fn payout(user: Verified) -> Response {
    Json(json!({ "paid": user.sub })).into_response()
}

/// For your own monitoring: the errors name addresses of your network, so keep this path inside it.
async fn health(State(guard): State<Guard>) -> Response {
    let status = guard.status();
    let seconds = |age: Duration| age.as_secs_f64();
    Json(json!({
        "keys_age": status.keys_age.map(seconds),
        "feed_lag": status.feed.as_ref().and_then(|feed| feed.lag).map(seconds),
        "feed_cursor": status.feed.as_ref().map(|feed| feed.cursor),
        "revocations": status.feed.as_ref().map(|feed| feed.entries),
        "keys_error": status.keys_error.map(|error| error.to_string()),
        "feed_error": status.feed.and_then(|feed| feed.error).map(|error| error.to_string()),
    }))
    .into_response()
}
