//! Resources.

use rusqlite::{Connection, params};

use super::convert::{Columns, first, json};
use super::query::Query;
use super::revocation::touch;
use crate::store::{Added, Page, Resource, StoreResult};

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT audience, encryption_key, created_at, changed_at FROM resource ", $rest)
    };
}

/// Adds a resource, or replaces the one of that audience.
pub(super) fn replace(conn: &Connection, resource: &Resource) -> StoreResult<Added> {
    // The writer is alone, so nothing comes between the two.
    let replaced = conn
        .prepare_cached("UPDATE resource SET encryption_key = ?2, changed_at = ?3 WHERE audience = ?1")?
        .execute(params![resource.audience, json(&resource.encryption_key)?, resource.changed_at.0])?;
    if replaced == 0 {
        conn.prepare_cached(
            "INSERT INTO resource (audience, encryption_key, created_at, changed_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            resource.audience,
            json(&resource.encryption_key)?,
            resource.created_at.0,
            resource.changed_at.0
        ])?;
    }
    touch(conn)?;
    Ok(if replaced == 0 { Added::Yes } else { Added::Exists })
}

/// By audience.
pub(super) fn find(conn: &Connection, audience: &str) -> StoreResult<Option<Resource>> {
    first(conn.prepare_cached(select!("WHERE audience = ?1"))?.query(params![audience])?, resource)
}

/// Resources by audience.
pub(super) fn list(conn: &Connection, page: &Page<String>) -> StoreResult<Vec<Resource>> {
    let mut query = Query::new(select!("WHERE 1"));
    query.and_if("audience > ?", page.after.clone());
    query.end("ORDER BY audience", page.limit);
    query.collect(conn, resource)
}

/// Removes a resource.
pub(super) fn remove(conn: &Connection, audience: &str) -> StoreResult<bool> {
    let removed =
        conn.prepare_cached("DELETE FROM resource WHERE audience = ?1")?.execute(params![audience])?;
    if removed > 0 {
        touch(conn)?;
    }
    Ok(removed > 0)
}

fn resource(mut row: Columns<'_, '_>) -> StoreResult<Resource> {
    Ok(Resource {
        audience: row.take()?,
        encryption_key: row.json()?,
        created_at: row.time()?,
        changed_at: row.time()?,
    })
}
