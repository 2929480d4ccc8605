//! Events.

use countersign_wire::{ClientId, SessionId, UserId};
use rusqlite::{Connection, params};

use super::convert::{Columns, int};
use super::query::Query;
use crate::store::{Event, EventFilter, EventKind, Page, StoreResult};
use crate::time::Timestamp;

/// Whom an event concerns.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Concerns<'a> {
    pub(super) session: Option<SessionId>,
    pub(super) user: Option<UserId>,
    pub(super) client: Option<&'a ClientId>,
}

impl<'a> Concerns<'a> {
    pub(super) fn session(id: SessionId, user: UserId, client: &'a ClientId) -> Self {
        Self { session: Some(id), user: Some(user), client: Some(client) }
    }

    pub(super) fn user(id: UserId) -> Self {
        Self { user: Some(id), ..Self::default() }
    }

    pub(super) fn client(id: &'a ClientId) -> Self {
        Self { client: Some(id), ..Self::default() }
    }
}

/// Adds an event.
pub(super) fn add(
    conn: &Connection,
    at: Timestamp,
    kind: EventKind,
    concerns: Concerns<'_>,
    detail: &str,
) -> StoreResult<()> {
    conn.prepare_cached(
        "INSERT INTO event (at, kind, session_id, user_id, client_id, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        at.0,
        kind.as_str(),
        concerns.session.map(|id| *id.0.as_bytes()),
        concerns.user.map(|id| *id.0.as_bytes()),
        concerns.client.map(ClientId::as_str),
        detail
    ])?;
    Ok(())
}

/// Lists events: a session's in order, others newest first.
pub(super) fn list(conn: &Connection, filter: &EventFilter, page: &Page<u64>) -> StoreResult<Vec<Event>> {
    let mut query =
        Query::new("SELECT number, at, kind, session_id, user_id, client_id, detail FROM event WHERE 1");
    query.and_if("session_id = ?", filter.session.map(|id| id.0.as_bytes().to_vec()));
    query.and_if("user_id = ?", filter.user.map(|id| id.0.as_bytes().to_vec()));
    query.and_if("client_id = ?", filter.client.as_ref().map(ToString::to_string));
    query.and_if("kind = ?", filter.kind.map(|kind| kind.as_str().to_owned()));
    if filter.session.is_some() {
        query.and_if("number > ?", page.after.map(int));
        query.end("ORDER BY number", page.limit);
    } else {
        query.and_if("number < ?", page.after.map(int));
        query.end("ORDER BY number DESC", page.limit);
    }
    query.collect(conn, event)
}

fn event(mut row: Columns<'_, '_>) -> StoreResult<Event> {
    let uuid = |bytes: Option<[u8; 16]>| bytes.map(uuid::Uuid::from_bytes);
    Ok(Event {
        number: row.number()?,
        at: row.time()?,
        kind: row.parsed(EventKind::from_name)?,
        session: uuid(row.take()?).map(SessionId),
        user: uuid(row.take()?).map(UserId),
        client: row.client_if_set()?,
        detail: row.take()?,
    })
}
