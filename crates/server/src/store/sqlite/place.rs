//! Where people have signed in from.

use countersign_wire::{BrowserSessionId, UserId};
use rusqlite::{Connection, params};

use super::convert::{Columns, collect};
use crate::store::{NewBrowserSession, Place, StoreResult};

/// Notes the place of a browser session that has just been started.
pub(super) fn note(conn: &Connection, new: &NewBrowserSession) -> StoreResult<()> {
    let user = new.user.0.as_bytes();
    conn.prepare_cached(
        "INSERT INTO place (id, user_id, network, device, agent, since, seen_at, browser, is_new)
         VALUES (?2, ?3, coalesce(?4, ''), ?5, coalesce(?6, ''), ?1, ?1, ?2, ?7)
         ON CONFLICT (user_id, network, device) DO UPDATE
            SET agent = excluded.agent, browser = excluded.browser, seen_at = max(seen_at, excluded.seen_at)",
    )?
    .execute(params![
        new.now.0,
        new.id.0.as_bytes(),
        user,
        new.network,
        new.place.device,
        new.agent,
        new.place.asks
    ])?;
    conn.prepare_cached(
        "DELETE FROM place WHERE id IN
            (SELECT id FROM place WHERE user_id = ?1 ORDER BY seen_at DESC, id DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute(params![user, Place::MOST])?;
    Ok(())
}

/// A user's, the newest first.
pub(super) fn list(conn: &Connection, user: UserId) -> StoreResult<Vec<Place>> {
    let mut statement = conn.prepare_cached(
        "SELECT id, user_id, network, device, agent, since, seen_at, browser, is_new FROM place
          WHERE user_id = ?1 ORDER BY since DESC, id DESC",
    )?;
    collect(statement.query(params![user.0.as_bytes()])?, place)
}

/// Whether that user, if there is one, has one in that network.
pub(super) fn is_in(conn: &Connection, canonical: &str, network: &str) -> StoreResult<bool> {
    let found = conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM user u JOIN place p ON p.user_id = u.id
                             WHERE u.canonical = ?1 AND p.network = ?2)",
        )?
        .query_row(params![canonical, network], |row| row.get(0))?;
    Ok(found)
}

/// It is not new any more.
pub(super) fn settle(conn: &Connection, user: UserId, id: BrowserSessionId) -> StoreResult<bool> {
    let changed = conn
        .prepare_cached("UPDATE place SET is_new = 0 WHERE id = ?1 AND user_id = ?2 AND is_new")?
        .execute(params![id.0.as_bytes(), user.0.as_bytes()])?;
    Ok(changed != 0)
}

/// Forgets one.
pub(super) fn forget(conn: &Connection, user: UserId, id: BrowserSessionId) -> StoreResult<bool> {
    let removed = conn
        .prepare_cached("DELETE FROM place WHERE id = ?1 AND user_id = ?2")?
        .execute(params![id.0.as_bytes(), user.0.as_bytes()])?;
    Ok(removed != 0)
}

fn place(mut row: Columns<'_, '_>) -> StoreResult<Place> {
    Ok(Place {
        id: row.browser()?,
        user: row.user()?,
        network: row.take()?,
        device: row.take()?,
        agent: row.take()?,
        since: row.time()?,
        seen_at: row.time()?,
        browser: row.browser()?,
        is_new: row.take()?,
    })
}
