//! The admin API: `/admin/v1` on the management listener, on the Unix socket and in-process. One
//! file per resource; what is decided is decided in the flows.

mod auth;
mod backup;
mod clients;
mod error;
mod events;
mod extract;
mod keys;
mod openapi;
mod page;
mod receipt;
mod resources;
mod revocations;
mod sessions;
mod status;
mod users;

pub use auth::protect;
pub use openapi::openapi;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use countersign_wire::AdminToken;
use http::{Method, Uri};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::config::Limits;
use error::AdminError;

/// Where the admin API stands.
pub const PREFIX: &str = "/admin/v1";

/// What the handlers know.
pub struct Admin {
    app: Arc<App>,
    limits: Limits,
}

/// The admin API's routes. With a token, each request must carry it; without, the way in is the
/// authentication: a Unix socket's permissions, or the process itself.
pub fn router(app: Arc<App>, limits: Limits, token: Option<AdminToken>) -> Router {
    let (routes, _) = OpenApiRouter::default().nest(PREFIX, resources()).split_for_parts();
    let routes = routes.method_not_allowed_fallback(wrong_method);
    protect(routes.with_state(Arc::new(Admin { app, limits })), token)
}

/// Every route of the admin API, with its description.
fn resources() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::default()
        .routes(routes!(clients::list, clients::add))
        .routes(routes!(clients::show, clients::change, clients::remove))
        .routes(routes!(clients::disable))
        .routes(routes!(clients::enable))
        .routes(routes!(clients::rotate_secret))
        .routes(routes!(users::list, users::add))
        .routes(routes!(users::show, users::change, users::remove))
        .routes(routes!(users::disable))
        .routes(routes!(users::enable))
        .routes(routes!(users::sign_out))
        .routes(routes!(users::password))
        .routes(routes!(users::roles))
        .routes(routes!(users::reset_factors))
        .routes(routes!(sessions::list, sessions::start))
        .routes(routes!(sessions::show))
        .routes(routes!(sessions::explain))
        .routes(routes!(sessions::revoke))
        .routes(routes!(revocations::list, revocations::revoke))
        .routes(routes!(revocations::revoke_token))
        .routes(routes!(resources::list))
        .routes(routes!(resources::show, resources::put, resources::remove))
        .routes(routes!(keys::list))
        .routes(routes!(keys::rotate))
        .routes(routes!(events::list))
        .routes(routes!(status::show))
        .routes(routes!(backup::stream))
        .routes(routes!(openapi::document))
        .fallback(no_such_route)
}

async fn no_such_route(method: Method, uri: Uri) -> Response {
    AdminError::not_found(format!("the admin API has no {method} {}", uri.path())).into_response()
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    AdminError::method_not_allowed(format!("{} has no {method}", uri.path())).into_response()
}
