//! The demo API of `--dev`: `GET /api/profile`, checked as an API should check (RFC 6750).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::Public;
use super::error::OAuthError;
use super::protected::{bearer_token, refuse};
use crate::flows::bearer;

mod page;
mod tour;

pub use self::tour::WebClient;

/// What the demo API needs to know of itself.
pub struct Demo {
    /// The audience that it accepts.
    pub audience: String,
    /// The scope that the profile wants.
    pub scope: &'static str,
    /// The demo application.
    pub web: WebClient,
    /// The demo user's name and password.
    pub user: (&'static str, &'static str),
    tours: tour::Tours,
}

impl Demo {
    /// A demo in which nobody has done anything yet.
    pub fn new(
        audience: String,
        scope: &'static str,
        web: WebClient,
        user: (&'static str, &'static str),
    ) -> Self {
        Self { audience, scope, web, user, tours: tour::Tours::default() }
    }
}

/// The demo API's routes.
pub fn routes(public: Arc<Public>, demo: Arc<Demo>) -> Router {
    Router::new()
        .route("/api/profile", get(profile))
        .route("/demo", get(page::show))
        .route("/demo/start", post(page::start))
        .route("/demo/callback", get(page::callback))
        .route("/demo/{what}", post(page::act))
        .with_state((public, demo))
}

async fn profile(State((public, demo)): State<(Arc<Public>, Arc<Demo>)>, request: Request) -> Response {
    let now = public.app.clock.now();
    let token = match bearer_token(request.headers(), request.uri().query()) {
        Ok(token) => token,
        Err(refusal) => return refuse("countersign-demo", demo.scope, &refusal),
    };
    let checked = bearer::check(&public.app, token, &demo.audience, demo.scope, now).await;
    match checked {
        Ok(Ok(claims)) => Json(json!({
            "hello": claims.sub,
            "session": claims.sid,
            "client": claims.client_id,
            "scope": claims.scope,
            "roles": claims.roles,
            "token_expires_in": claims.exp.saturating_sub(now.seconds()),
        }))
        .into_response(),
        Ok(Err(refusal)) => refuse("countersign-demo", demo.scope, &refusal),
        Err(error) => OAuthError::new(&error, false).into_response(),
    }
}
