//! Logout notices: written by what ends sessions, read by what tells the clients.
//!
//! Written when sessions end one by one, and when a user's stamp moves on. Not when a client, a
//! tenant or everything is cut off: that moves one number, whatever the number of sessions behind
//! it, and must not become a walk over all of them.

use countersign_wire::{ClientId, SessionId, UserId};
use rusqlite::{Connection, params};

use super::convert::{Columns, collect, json};
use super::standing::live_sessions_of_user;
use crate::store::{LogoutNotice, StoreResult};
use crate::time::Timestamp;

/// Whether the client `c` wants to be told. As text, and not as JSON: it is exact, because a quote
/// within a value of the settings has a backslash before it, and it cannot fail, which must not
/// happen where a session is ended.
macro_rules! is_told {
    () => {
        r#" instr(c.settings, '"backchannel_logout_uri":"') > 0 "#
    };
}

/// Of one session that has ended.
pub(super) fn add(
    conn: &Connection,
    session: SessionId,
    user: UserId,
    client: &ClientId,
    now: Timestamp,
) -> StoreResult<()> {
    conn.prepare_cached(concat!(
        "INSERT INTO logout_notice (session_id, user_id, client_id, attempts, ended_at, due_at)
         SELECT ?1, ?2, c.id, 0, ?4, ?4 FROM client c WHERE c.id = ?3 AND",
        is_told!(),
        "ON CONFLICT DO NOTHING"
    ))?
    .execute(params![session.0.as_bytes(), user.0.as_bytes(), client.as_str(), now.0])?;
    Ok(())
}

/// Of all live sessions of a user; called before what ends them.
pub(super) fn add_of_user(conn: &Connection, user: UserId, now: Timestamp) -> StoreResult<()> {
    conn.prepare_cached(concat!(
        "INSERT INTO logout_notice (session_id, user_id, client_id, attempts, ended_at, due_at)
         SELECT s.id, s.user_id, s.client_id, 0, ?2, ?2",
        live_sessions_of_user!(),
        " AND",
        is_told!(),
        "ON CONFLICT DO NOTHING"
    ))?
    .execute(params![user.0.as_bytes(), now.0])?;
    Ok(())
}

/// Those that are due, the longest due first, but for some clients', and puts them off.
pub(super) fn due(
    conn: &Connection,
    limit: u32,
    but_for: &[ClientId],
    now: Timestamp,
    again_at: Timestamp,
) -> StoreResult<Vec<LogoutNotice>> {
    let mut statement = conn.prepare_cached(
        "SELECT session_id, user_id, client_id, attempts, ended_at FROM logout_notice
          WHERE due_at <= ?1 AND client_id NOT IN (SELECT value FROM json_each(?3))
          ORDER BY due_at, session_id LIMIT ?2",
    )?;
    let but_for: Vec<&str> = but_for.iter().map(ClientId::as_str).collect();
    let notices = collect(statement.query(params![now.0, limit, json(&but_for)?])?, notice)?;
    let mut put_off = conn.prepare_cached("UPDATE logout_notice SET due_at = ?2 WHERE session_id = ?1")?;
    for notice in &notices {
        put_off.execute(params![notice.session.0.as_bytes(), again_at.0])?;
    }
    Ok(notices)
}

/// Puts one off, and counts it.
pub(super) fn postpone(conn: &Connection, session: SessionId, again_at: Timestamp) -> StoreResult<()> {
    conn.prepare_cached(
        "UPDATE logout_notice SET attempts = attempts + 1, due_at = ?2 WHERE session_id = ?1",
    )?
    .execute(params![session.0.as_bytes(), again_at.0])?;
    Ok(())
}

/// Forgets one.
pub(super) fn finish(conn: &Connection, session: SessionId) -> StoreResult<()> {
    conn.prepare_cached("DELETE FROM logout_notice WHERE session_id = ?1")?
        .execute(params![session.0.as_bytes()])?;
    Ok(())
}

fn notice(mut row: Columns<'_, '_>) -> StoreResult<LogoutNotice> {
    Ok(LogoutNotice {
        session: row.session()?,
        user: row.user()?,
        client: row.client()?,
        attempts: row.take()?,
        ended_at: row.time()?,
    })
}
