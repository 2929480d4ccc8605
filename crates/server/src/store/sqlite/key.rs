//! Keys.

use rusqlite::{Connection, params};

use super::convert::{Columns, collect};
use super::revocation::touch;
use crate::store::{Added, KeyPurpose, KeyRecord, StoreResult};
use crate::time::Timestamp;

/// All keys, each ring in order.
pub(super) fn list(conn: &Connection) -> StoreResult<Vec<KeyRecord>> {
    let mut statement = conn.prepare_cached(
        "SELECT id, purpose, number, created_at, active_at, expires_at, sealed FROM key
          ORDER BY purpose, number",
    )?;
    collect(statement.query([])?, |mut row: Columns<'_, '_>| {
        Ok(KeyRecord {
            id: row.take()?,
            purpose: row.parsed(KeyPurpose::from_name)?,
            number: row.take()?,
            created_at: row.time()?,
            active_at: row.time()?,
            expires_at: row.time_if_set()?,
            sealed: row.take()?,
        })
    })
}

/// Adds a key.
pub(super) fn add(conn: &Connection, key: &KeyRecord) -> StoreResult<Added> {
    let added = conn
        .prepare_cached(
            "INSERT INTO key (id, purpose, number, created_at, active_at, expires_at, sealed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            key.id,
            key.purpose.as_str(),
            key.number,
            key.created_at.0,
            key.active_at.0,
            key.expires_at.map(|t| t.0),
            key.sealed
        ])?;
    if added == 0 {
        return Ok(Added::Exists);
    }
    touch(conn)?;
    Ok(Added::Yes)
}

/// Sets when a key stops being needed.
pub(super) fn retire(conn: &Connection, id: &str, expires_at: Timestamp) -> StoreResult<()> {
    conn.prepare_cached("UPDATE key SET expires_at = ?2 WHERE id = ?1")?
        .execute(params![id, expires_at.0])?;
    touch(conn)
}

/// Removes keys that expired before `now`.
pub(super) fn remove_expired(conn: &Connection, now: Timestamp) -> StoreResult<u64> {
    let removed = conn.prepare_cached("DELETE FROM key WHERE expires_at < ?1")?.execute(params![now.0])?;
    if removed > 0 {
        touch(conn)?;
    }
    Ok(removed as u64)
}
