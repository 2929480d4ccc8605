//! Clients.

use countersign_wire::ClientId;
use rusqlite::{Connection, params};

use super::convert::{Columns, first, int, json};
use super::event::{self, Concerns};
use super::query::Query;
use super::revocation::{Change, Done, touch};
use crate::store::{Added, Client, ClientFilter, EventKind, Page, Reason, StoreResult};

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, enabled, revision, cut, tenant, created_at, settings FROM client ", $rest)
    };
}

/// Adds a client. Its cut is the current position, so that no session of an earlier client of
/// that id comes back. While the log remembers that one, the revision is the store's version,
/// which is above any revision that the earlier one had: each of its changes moved both on.
pub(super) fn add(conn: &Connection, client: &Client) -> StoreResult<Added> {
    let added = conn
        .prepare_cached(
            "INSERT INTO client (id, enabled, revision, cut, tenant, created_at, settings)
             SELECT ?1, ?2,
                    CASE WHEN EXISTS (SELECT 1 FROM revocation
                                       WHERE kind = 'client' AND subject = ?1 AND reason = ?7)
                         THEN max(?3, m.version + 1) ELSE ?3 END,
                    m.position, ?4, ?5, ?6
               FROM meta m WHERE m.id = 1
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            client.id.as_str(),
            client.enabled,
            int(client.revision),
            client.tenant,
            client.created_at.0,
            json(&client.settings)?,
            Reason::ClientRemoved.as_str()
        ])?;
    if added == 0 {
        return Ok(Added::Exists);
    }
    touch(conn)?;
    Ok(Added::Yes)
}

/// By id.
pub(super) fn find(conn: &Connection, id: &ClientId) -> StoreResult<Option<Client>> {
    first(conn.prepare_cached(select!("WHERE id = ?1"))?.query(params![id.as_str()])?, client)
}

/// Clients by id.
pub(super) fn list(
    conn: &Connection,
    filter: &ClientFilter,
    page: &Page<ClientId>,
) -> StoreResult<Vec<Client>> {
    let mut query = Query::new(select!("WHERE 1"));
    query.and_if("tenant = ?", filter.tenant.clone());
    query.and_if("enabled = ?", filter.enabled);
    query.and_if("id > ?", page.after.as_ref().map(ToString::to_string));
    query.end("ORDER BY id", page.limit);
    query.collect(conn, client)
}

/// Replaces the settings, if the revision is still `revision`.
pub(super) fn replace(conn: &Connection, client: &Client, revision: u64) -> StoreResult<bool> {
    let changed = conn
        .prepare_cached(
            "UPDATE client SET settings = ?3, tenant = ?4, revision = revision + 1
              WHERE id = ?1 AND revision = ?2",
        )?
        .execute(params![client.id.as_str(), int(revision), json(&client.settings)?, client.tenant])?;
    if changed == 0 {
        return Ok(false);
    }
    touch(conn)?;
    Ok(true)
}

/// Enables or disables a client.
pub(super) fn set_enabled(change: Change<'_>, id: &ClientId, enabled: bool) -> StoreResult<Option<Done>> {
    let Change { conn, now, .. } = change;
    let Some(before) = find(conn, id)? else { return Ok(None) };
    if before.enabled == enabled {
        return Ok(Some(Done::NOTHING));
    }
    let detail = if enabled { "the client was enabled" } else { "the client was disabled" };
    event::add(conn, now, EventKind::Admin, Concerns::client(id), detail)?;
    let done = if enabled { Done::NOTHING } else { change.end_client(id, Reason::ClientDisabled)? };
    conn.prepare_cached("UPDATE client SET enabled = ?2, revision = revision + 1 WHERE id = ?1")?
        .execute(params![id.as_str(), enabled])?;
    touch(conn)?;
    Ok(Some(done))
}

/// Removes a client. Its sessions stay to be told of, and are ended: their client is gone.
pub(super) fn remove(change: Change<'_>, id: &ClientId) -> StoreResult<Option<Done>> {
    let Change { conn, now, .. } = change;
    if find(conn, id)?.is_none() {
        return Ok(None);
    }
    event::add(conn, now, EventKind::Admin, Concerns::client(id), "the client was removed")?;
    let done = change.end_client(id, Reason::ClientRemoved)?;
    conn.prepare_cached("DELETE FROM client WHERE id = ?1")?.execute(params![id.as_str()])?;
    Ok(Some(done))
}

fn client(mut row: Columns<'_, '_>) -> StoreResult<Client> {
    Ok(Client {
        id: row.client()?,
        enabled: row.take()?,
        revision: row.number()?,
        cut: row.number()?,
        tenant: row.take()?,
        created_at: row.time()?,
        settings: row.json()?,
    })
}
