//! `/console/sessions`.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;

use super::Desk;
use super::part::{Part, found};
use crate::flows::explain::{self, SessionStatus};
use crate::flows::records::{self, SessionQuery, Standing};
use crate::flows::{FlowResult, Page, Reason};
use crate::http::Public;
use crate::http::account::device_in_words;
use crate::http::timeline::points;
use crate::pages::{self, Filter, FilterKind, SessionList, SessionPage, SessionRow};

/// Most sessions on the page of a user or client; the list has them all.
const SHOWN: u32 = 50;

/// `GET /console/sessions`.
pub(in crate::http) async fn show_sessions(State(public): State<Arc<Public>>, request: Request) -> Response {
    match Desk::enter(public, request).await {
        Ok(desk) => desk.answer(list(&desk).await),
        Err(page) => page,
    }
}

/// `GET /console/sessions/{id}`.
pub(in crate::http) async fn show_session(
    State(public): State<Arc<Public>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    match Desk::enter(public, request).await {
        Ok(desk) => desk.answer(one(&desk, &id).await),
        Err(page) => page,
    }
}

/// The newest sessions of a user or client.
pub(super) async fn of(desk: &Desk, query: &SessionQuery<'_>) -> FlowResult<Vec<SessionRow>> {
    let page = Page { after: None, limit: SHOWN };
    let sessions = records::sessions(&desk.public.app, query, &page, desk.visit.now).await?;
    Ok(sessions.iter().map(|standing| row(desk, standing)).collect())
}

async fn list(desk: &Desk) -> FlowResult<Result<String, askama::Error>> {
    let part = Part::read(desk, "sessions");
    let query = SessionQuery {
        user: desk.visit.parameter("user"),
        client: desk.visit.parameter("client"),
        live: desk.state("live", "ended"),
    };
    let sessions = records::sessions(&desk.public.app, &query, &part.page(), desk.visit.now).await;
    let mut sessions = found(sessions)?;
    let next = part.next(&mut sessions, |standing| standing.session.id.to_string());
    let view = SessionList {
        urls: desk.urls(),
        filter: Filter {
            action: desk.at("sessions"),
            fields: vec![
                desk.field(FilterKind::User, "user", &[]),
                desk.field(FilterKind::Client, "client", &[]),
                desk.field(FilterKind::State, "state", &["live", "ended"]),
            ],
        },
        rows: sessions.iter().map(|standing| row(desk, standing)).collect(),
        next,
    };
    Ok(pages::session_list(&desk.chrome(), &view))
}

async fn one(desk: &Desk, id: &str) -> FlowResult<Result<String, askama::Error>> {
    let told = explain::run(&desk.public.app, id, desk.visit.now).await?;
    let session = &told.standing.session;
    let is_live = told.status == SessionStatus::Live;
    let view = SessionPage {
        urls: desk.urls(),
        csrf: desk.visit.csrf(),
        session: row(desk, &told.standing),
        scopes: session.scope.iter().map(str::to_owned).collect(),
        network: session.network.clone(),
        replays: session.replays.into(),
        idle_expires: session.idle_expires_at,
        expires: session.expires_at,
        why: (!is_live).then(|| told.verdict.clone()),
        actions: is_live
            .then(|| desk.revoke_button("session", &session.id.to_string()))
            .into_iter()
            .collect(),
        timeline: points(told),
    };
    Ok(pages::session_page(&desk.chrome(), &view))
}

fn row(desk: &Desk, standing: &Standing) -> SessionRow {
    let session = &standing.session;
    let status = SessionStatus::of(standing, desk.visit.now);
    let why = session.ended.map_or(status.as_str(), |ended| ended.reason.as_str());
    let agent = || session.agent.as_deref().map(|agent| device_in_words(Some(agent)));
    SessionRow {
        url: desk.at(&format!("sessions/{}", session.id)),
        id: session.id.to_string(),
        user: desk.user(session.user, Some(&standing.user.username)),
        client: desk.client(&session.client),
        device: session.device.clone().or_else(agent),
        generation: session.generation,
        created: session.created_at,
        last_seen: session.rotated_at,
        ended: (status != SessionStatus::Live).then(|| why.to_owned()),
        alarming: session.ended.is_some_and(|ended| {
            matches!(ended.reason, Reason::Reuse | Reason::Lockstep | Reason::CodeReplay | Reason::Leaked)
        }),
    }
}
