//! `/console/events`: newest first. A script of the page asks for it again every few seconds.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_wire::SessionId;

use super::Desk;
use super::part::{Part, found};
use crate::flows::FlowResult;
use crate::flows::records::{self, Event, EventKind, EventQuery};
use crate::http::Public;
use crate::pages::{self, EventList, EventRow, Filter, FilterKind, Named};

/// `GET /console/events`.
pub(in crate::http) async fn show_events(State(public): State<Arc<Public>>, request: Request) -> Response {
    match Desk::enter(public, request).await {
        Ok(desk) => desk.answer(list(&desk).await),
        Err(page) => page,
    }
}

async fn list(desk: &Desk) -> FlowResult<Result<String, askama::Error>> {
    let part = Part::read(desk, "events");
    let query = EventQuery {
        session: None,
        user: desk.visit.parameter("user"),
        client: desk.visit.parameter("client"),
        kind: desk.visit.parameter("kind"),
    };
    let app = &desk.public.app;
    let mut events = found(records::events(app, &query, &part.page()).await)?;
    let next = part.next(&mut events, |event| event.number.to_string());
    let users: BTreeSet<_> = events.iter().filter_map(|event| event.user).collect();
    let names = records::names(app, &users).await?;
    let row = |event: &Event| EventRow {
        at: event.at,
        kind: event.kind.as_str().to_owned(),
        alarming: event.kind == EventKind::Reuse,
        user: event.user.map(|id| desk.user(id, names.get(&id))),
        client: event.client.as_ref().map(|id| desk.client(id)),
        session: event.session.map(|id| session(desk, id)),
        text: event.detail.clone(),
    };
    let view = EventList {
        urls: desk.urls(),
        filter: Filter {
            action: desk.at("events"),
            fields: vec![
                desk.field(FilterKind::User, "user", &[]),
                desk.field(FilterKind::Client, "client", &[]),
                desk.field(FilterKind::Event, "kind", &EventKind::ALL.map(EventKind::as_str)),
            ],
        },
        rows: events.iter().map(row).collect(),
        next,
    };
    Ok(pages::event_list(&desk.chrome(), &view))
}

fn session(desk: &Desk, id: SessionId) -> Named {
    Named { text: id.to_string(), url: Some(desk.at(&format!("sessions/{id}"))) }
}
