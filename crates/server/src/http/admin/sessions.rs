//! `/sessions`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use countersign_wire::TokenAnswer;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::error::{AdminError, Errors};
use super::extract::{Body, NoBody, Path, Query};
use super::page::{List, Wanted};
use super::receipt::{NoQuery, Preview, Receipt};
use crate::flows::explain::{self, SessionStatus};
use crate::flows::manage_sessions::{self, NewSession};
use crate::flows::records::{self, SessionQuery, Standing};
use crate::time::Timestamp;

const LIST: &str = "sessions";

/// A session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionView {
    /// The `sid` claim.
    session_id: String,
    /// `live`, `ended` or `expired`.
    status: &'static str,
    user_id: String,
    username: String,
    client_id: String,
    scope: String,
    audience: Vec<String>,
    device: Option<String>,
    network: Option<String>,
    user_agent: Option<String>,
    /// Whether it lives longer because the user asked to be remembered.
    remember: bool,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    auth_time: String,
    acr: Option<String>,
    amr: Vec<String>,
    /// Moves on with each rotation.
    generation: u32,
    /// When the current refresh token was made.
    #[schema(format = DateTime)]
    rotated_at: String,
    /// When it expires if it is not refreshed.
    #[schema(format = DateTime)]
    idle_expires_at: String,
    /// When it expires in any case.
    #[schema(format = DateTime)]
    expires_at: String,
    /// Permitted replays so far.
    replays: u32,
    /// When it was ended by itself; null when it was not, or ended with its user, client or tenant.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// Why.
    ended_reason: Option<&'static str>,
}

impl SessionView {
    fn new(standing: &Standing, now: Timestamp) -> Self {
        let session = &standing.session;
        Self {
            session_id: session.id.to_string(),
            status: SessionStatus::of(standing, now).as_str(),
            user_id: session.user.to_string(),
            username: standing.user.username.clone(),
            client_id: session.client.to_string(),
            scope: session.scope.to_string(),
            audience: session.audience.clone(),
            device: session.device.clone(),
            network: session.network.clone(),
            user_agent: session.agent.clone(),
            remember: session.remember,
            created_at: session.created_at.to_string(),
            auth_time: session.auth_time.to_string(),
            acr: session.acr.clone(),
            amr: session.amr.clone(),
            generation: session.generation,
            rotated_at: session.rotated_at.to_string(),
            idle_expires_at: session.idle_expires_at.to_string(),
            expires_at: session.expires_at.to_string(),
            replays: session.replays,
            ended_at: session.ended.map(|ended| ended.at.to_string()),
            ended_reason: session.ended.map(|ended| ended.reason.as_str()),
        }
    }
}

/// Which sessions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Most items, 1 to 500; 50 when it is absent.
    limit: Option<u32>,
    /// A `next_cursor`.
    cursor: Option<String>,
    /// Of this user, by id or name.
    user: Option<String>,
    /// Of this client.
    client: Option<String>,
    /// Live or ended ones.
    live: Option<bool>,
}

/// A session's first pair of tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StartedSession {
    session_id: String,
    #[serde(flatten)]
    #[schema(inline)]
    tokens: TokenAnswerSchema,
}

/// A token answer (RFC 6749 section 5.1).
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(as = TokenAnswer, value_type = TokenAnswerMembers)]
struct TokenAnswerSchema(TokenAnswer);

/// A token answer (RFC 6749 section 5.1).
#[derive(ToSchema)]
#[schema(as = TokenAnswer)]
#[expect(dead_code, reason = "only the description is used")]
struct TokenAnswerMembers {
    access_token: String,
    /// `Bearer`.
    token_type: String,
    /// Seconds until the access token expires.
    expires_in: u64,
    scope: String,
    refresh_token: Option<String>,
    /// Seconds until the refresh token expires if it is not used.
    refresh_token_expires_in: Option<u64>,
    /// Seconds until the session ends however often it is refreshed.
    authorization_expires_in: Option<u64>,
}

/// Why a session ended, or that it is alive.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Explanation {
    session: SessionView,
    /// `live`, `ended` or `expired`.
    status: &'static str,
    /// One sentence.
    verdict: String,
    timeline: Vec<Moment>,
}

/// An entry of a timeline.
#[derive(Debug, Serialize, ToSchema)]
struct Moment {
    #[schema(format = DateTime)]
    at: String,
    /// `start`, `refresh`, `replay`, `network`, `reuse`, `refused`, `admin` or `end`.
    kind: &'static str,
    detail: String,
}

/// Starts a session for a user whom the caller has authenticated.
#[utoipa::path(post, path = "/sessions", tag = "sessions", operation_id = "startSession", request_body = NewSession,
    responses((status = 201, description = "The session's first pair of tokens.", body = StartedSession), Errors))]
pub(super) async fn start(
    State(admin): State<Arc<Admin>>,
    Query(NoQuery {}): Query<NoQuery>,
    Body(request): Body<NewSession>,
) -> Result<(StatusCode, Json<StartedSession>), AdminError> {
    let app = &admin.app;
    let (id, tokens) = manage_sessions::start(app, request, app.clock.now()).await?;
    Ok((
        StatusCode::CREATED,
        Json(StartedSession { session_id: id.to_string(), tokens: TokenAnswerSchema(tokens) }),
    ))
}

/// Lists sessions, newest first.
#[utoipa::path(get, path = "/sessions", tag = "sessions", operation_id = "listSessions", params(Filter),
    responses((status = 200, description = "Sessions.", body = List<SessionView>), Errors))]
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Query(filter): Query<Filter>,
) -> Result<Json<List<SessionView>>, AdminError> {
    let (app, now) = (&admin.app, admin.app.clock.now());
    let wanted = Wanted::read(app, LIST, filter.limit, filter.cursor.as_deref())?;
    let query =
        SessionQuery { user: filter.user.as_deref(), client: filter.client.as_deref(), live: filter.live };
    let sessions = records::sessions(app, &query, &wanted.page()?, now).await?;
    Ok(Json(wanted.answer(sessions, |s| s.session.id.to_string(), |s| SessionView::new(s, now))))
}

/// Shows a session.
#[utoipa::path(get, path = "/sessions/{sid}", tag = "sessions", operation_id = "showSession",
    params(("sid" = String, Path, description = "The session's id.")),
    responses((status = 200, description = "The session.", body = SessionView), Errors))]
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    Path(sid): Path,
    Query(NoQuery {}): Query<NoQuery>,
) -> Result<Json<SessionView>, AdminError> {
    let standing = records::session(&admin.app, &sid).await?;
    Ok(Json(SessionView::new(&standing, admin.app.clock.now())))
}

/// Tells why a session ended, or that it is alive. Fingerprints only, no tokens.
#[utoipa::path(get, path = "/sessions/{sid}/explain", tag = "sessions", operation_id = "explainSession",
    params(("sid" = String, Path, description = "The session's id.")),
    responses((status = 200, description = "What happened.", body = Explanation), Errors))]
pub(super) async fn explain(
    State(admin): State<Arc<Admin>>,
    Path(sid): Path,
    Query(NoQuery {}): Query<NoQuery>,
) -> Result<Json<Explanation>, AdminError> {
    let now = admin.app.clock.now();
    let told = explain::run(&admin.app, &sid, now).await?;
    let moment = |m: explain::Moment| Moment { at: m.at.to_string(), kind: m.kind, detail: m.detail };
    Ok(Json(Explanation {
        session: SessionView::new(&told.standing, now),
        status: told.status.as_str(),
        verdict: told.verdict,
        timeline: told.timeline.into_iter().map(moment).collect(),
    }))
}

/// Ends a session.
#[utoipa::path(post, path = "/sessions/{sid}/revoke", tag = "sessions", operation_id = "revokeSession",
    params(("sid" = String, Path, description = "The session's id."), Preview),
    responses((status = 200, description = "What that ended, or would end.", body = Receipt), Errors))]
pub(super) async fn revoke(
    State(admin): State<Arc<Admin>>,
    Path(sid): Path,
    Query(Preview { preview }): Query<Preview>,
    _: NoBody,
) -> Result<Json<Receipt>, AdminError> {
    let app = &admin.app;
    let (target, ending) = records::revoke(app, "session", Some(&sid), preview, app.clock.now()).await?;
    Ok(Json(Receipt::new(&target, &ending, preview)))
}
