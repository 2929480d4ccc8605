//! Every public route on one screen.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{Route, any, get, post};
use countersign_wire::AdminToken;
use futures_util::future::Either;
use http::{HeaderName, Method, header};
use tower::layer::layer_fn;
use tower::{Layer as _, Service as _, service_fn};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{
    Public, account, admin, assets, authorize, browser, consent, console, decode, demo, device, feed, health,
    introspect, leaked, lifetimes, logout, metadata, par, revoke, sign_in, status_list, token, userinfo,
    verify,
};
use crate::app::App;
use crate::config::Limits;

/// The public listener's routes.
pub fn public(public: Arc<Public>, demo: Option<Arc<demo::Demo>>) -> Router {
    let routes = Router::new()
        .route("/oauth/introspect", post(introspect::introspection))
        .route("/revocations", get(feed::revocations))
        .route("/verify", any(verify::verify))
        .route("/leaked-tokens", post(leaked::report))
        .route("/docs/lifetimes", get(lifetimes::page))
        .route("/decode", get(decode::show))
        .route("/oauth/authorize", get(authorize::authorize).post(authorize::authorize))
        .route("/oauth/authorize/continue", get(authorize::resume))
        .route("/oauth/par", post(par::push))
        .route("/oauth/device_authorization", post(device::begin))
        .route("/oauth/logout", get(logout::logout).post(logout::logout))
        .route("/signin", get(sign_in::show).post(sign_in::submit))
        .route("/signin/confirm", get(sign_in::show_confirm).post(sign_in::submit))
        .route("/signin/factor", get(sign_in::show_factor).post(sign_in::submit_factor))
        .route("/signin/factor/passkey", get(sign_in::show_factor).post(sign_in::submit_factor_passkey))
        .route("/signin/passkey", get(sign_in::show).post(sign_in::submit_passkey))
        .route("/signin/confirm/passkey", get(sign_in::show_confirm).post(sign_in::submit_passkey))
        .route("/consent", get(consent::show).post(consent::submit))
        .route("/device", get(device::show).post(device::submit))
        .route("/device/qr", get(device::picture))
        .merge(account_pages())
        .merge(console_pages())
        .route("/assets/brand.css", get(assets::brand))
        .route("/assets/{name}", get(assets::asset))
        .merge(for_registered_origins(&public))
        .merge(for_every_origin())
        .fallback(browser::nothing_here)
        .with_state(public.clone())
        .merge(health::routes(public.app.clone()));
    match demo {
        Some(demo) => routes.merge(demo::routes(public, demo)),
        None => routes,
    }
}

/// A person's own pages.
fn account_pages() -> Router<Arc<Public>> {
    Router::new()
        .route("/account", get(account::show))
        .route("/account/sign-ins/accept", post(account::accept_sign_in))
        .route("/account/sign-ins/refuse", post(account::refuse_sign_in))
        .route("/account/browsers/end", post(account::end_browser))
        .route("/account/sessions/end", post(account::end_session))
        .route("/account/end-others", post(account::end_others))
        .route("/account/permissions/withdraw", post(account::withdraw))
        .route("/account/password", post(account::change_password))
        .route("/account/totp/add", post(account::add_totp))
        .route("/account/totp", get(account::show_totp).post(account::submit_totp))
        .route("/account/totp/remove", post(account::remove_totp))
        .route("/account/passkeys/add", post(account::add_passkey))
        .route("/account/passkeys/remove", post(account::remove_passkey))
        .route("/account/recovery-codes", post(account::new_recovery_codes))
        .method_not_allowed_fallback(account::back)
}

/// The operator's pages.
fn console_pages() -> Router<Arc<Public>> {
    Router::new()
        .route("/console", get(console::show))
        .route("/console/users", get(console::show_users))
        .route("/console/users/{ref}", get(console::show_user))
        .route("/console/users/{ref}/disable", post(console::disable_user))
        .route("/console/users/{ref}/enable", post(console::enable_user))
        .route("/console/users/{ref}/sign-out", post(console::sign_user_out))
        .route("/console/clients", get(console::show_clients))
        .route("/console/clients/{id}", get(console::show_client))
        .route("/console/clients/{id}/disable", post(console::disable_client))
        .route("/console/clients/{id}/enable", post(console::enable_client))
        .route("/console/sessions", get(console::show_sessions))
        .route("/console/sessions/{id}", get(console::show_session))
        .route("/console/events", get(console::show_events))
        .route("/console/now", get(console::show_now))
        .route("/console/keys", get(console::show_keys))
        .route("/console/keys/rotate", post(console::rotate_keys))
        .route("/console/revoke", get(console::show_revoke).post(console::revoke))
}

/// What browser applications call: from the origins of the registered redirect URIs and those
/// that the operator lists (RFC 9700 section 4.17), never with cookies.
fn for_registered_origins(public: &Arc<Public>) -> Router<Arc<Public>> {
    let app = public.app.clone();
    let allowed = AllowOrigin::predicate(move |origin, _| {
        origin.to_str().is_ok_and(|origin| app.is_registered_origin(origin))
    });
    let cors = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
        ])
        .expose_headers([header::RETRY_AFTER, header::WWW_AUTHENTICATE])
        .max_age(std::time::Duration::from_secs(600));
    let routes = Router::new()
        .route("/oauth/token", post(token::token))
        .route("/oauth/revoke", post(revoke::revoke))
        .route("/oauth/userinfo", get(userinfo::userinfo).post(userinfo::userinfo));
    with_cors(routes, cors)
}

/// Only what has an `Origin` passes the layer: most of what asks here is no browser. Answers of these
/// endpoints are never kept by caches, so they need not `vary`.
fn with_cors(routes: Router<Arc<Public>>, cors: CorsLayer) -> Router<Arc<Public>> {
    let cors = Arc::new(cors);
    routes.layer(layer_fn(move |mut route: Route| {
        let cors = Arc::clone(&cors);
        service_fn(move |request: Request| {
            if request.headers().contains_key(header::ORIGIN) {
                Either::Left(cors.layer(route.clone()).call(request))
            } else {
                // A route is always ready, and the router has cloned this one for this request.
                Either::Right(route.call(request))
            }
        })
    }))
}

/// Public documents.
fn for_every_origin() -> Router<Arc<Public>> {
    let cors = CorsLayer::new().allow_origin(tower_http::cors::Any).allow_methods([Method::GET]);
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata::metadata))
        .route("/.well-known/openid-configuration", get(metadata::metadata))
        .route("/.well-known/jwks.json", get(metadata::jwks))
        .route("/docs/lifetimes.json", get(lifetimes::document))
        .route("/status-lists/{list}", get(status_list::status_list))
        .layer(cors)
}

/// The management listener's routes; without a token only for the Unix socket, whose permissions
/// are the authentication.
pub fn management(app: Arc<App>, limits: Limits, token: Option<AdminToken>) -> Router {
    let metrics = Router::new().route("/metrics", get(metrics)).with_state(app.clone());
    admin::protect(metrics, token.clone())
        .merge(admin::router(app.clone(), limits, token))
        .merge(health::routes(app))
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    ([(header::CONTENT_TYPE, crate::metrics::CONTENT_TYPE)], app.metrics.encode()).into_response()
}
