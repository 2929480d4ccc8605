//! `/events`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::error::{AdminError, Errors};
use super::extract::Query;
use super::page::{List, Wanted};
use crate::flows::records::{self, Event, EventQuery};

/// Two lists, for they run in opposite directions.
const OF_A_SESSION: &str = "events of a session";
const OF_ALL: &str = "events";

/// A notable event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(super) struct EventView {
    number: u64,
    #[schema(format = DateTime)]
    at: String,
    /// `start`, `replay`, `network`, `reuse`, `end`, `refused` or `admin`.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// A sentence.
    detail: String,
}

impl EventView {
    fn new(event: &Event) -> Self {
        Self {
            number: event.number,
            at: event.at.to_string(),
            kind: event.kind.as_str(),
            session_id: event.session.map(|id| id.to_string()),
            user_id: event.user.map(|id| id.to_string()),
            client_id: event.client.as_ref().map(ToString::to_string),
            detail: event.detail.clone(),
        }
    }
}

/// Which events to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Most items, 1 to 500; 50 when it is absent.
    limit: Option<u32>,
    /// A `next_cursor`.
    cursor: Option<String>,
    /// Of this session.
    session: Option<String>,
    /// Of this user, by id or name.
    user: Option<String>,
    /// Of this client.
    client: Option<String>,
    /// Of this kind.
    kind: Option<String>,
}

/// Lists events: oldest first when a session is named, else newest first.
#[utoipa::path(get, path = "/events", tag = "events", operation_id = "listEvents", params(Filter),
    responses((status = 200, description = "Events.", body = List<EventView>), Errors))]
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Query(filter): Query<Filter>,
) -> Result<Json<List<EventView>>, AdminError> {
    let app = &admin.app;
    let name = if filter.session.is_some() { OF_A_SESSION } else { OF_ALL };
    let wanted = Wanted::read(app, name, filter.limit, filter.cursor.as_deref())?;
    let query = EventQuery {
        session: filter.session.as_deref(),
        user: filter.user.as_deref(),
        client: filter.client.as_deref(),
        kind: filter.kind.as_deref(),
    };
    let events = records::events(app, &query, &wanted.page()?).await?;
    Ok(Json(wanted.answer(events, |event| event.number.to_string(), EventView::new)))
}
