//! Tickets: added, read, replaced, taken, and spent by the session that is started with them.

use countersign_wire::SessionId;
use rusqlite::{Connection, params};

use super::convert::{Columns, first, int};
use crate::store::{Added, StoreResult, Ticket, TicketKind};
use crate::time::Timestamp;

macro_rules! columns {
    () => {
        " hash, kind, expires_at, kept_until, revision, body, session_id "
    };
}

/// Of the ticket `?1`, at the time `?2`: it is good for something still.
macro_rules! while_good {
    () => {
        " WHERE hash = ?1 AND expires_at > ?2 AND session_id IS NULL "
    };
}

/// Adds a ticket.
pub(super) fn add(conn: &Connection, ticket: &Ticket) -> StoreResult<Added> {
    let added = conn
        .prepare_cached(concat!(
            "INSERT INTO ticket (",
            columns!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING"
        ))?
        .execute(params![
            ticket.hash,
            ticket.kind.as_str(),
            ticket.expires_at.0,
            ticket.kept_until.0,
            int(ticket.revision),
            ticket.body,
            ticket.session.map(|id| *id.0.as_bytes())
        ])?;
    Ok(if added == 0 { Added::Exists } else { Added::Yes })
}

/// By its hash.
pub(super) fn find(conn: &Connection, hash: &[u8; 32]) -> StoreResult<Option<Ticket>> {
    let sql = concat!("SELECT", columns!(), "FROM ticket WHERE hash = ?1");
    first(conn.prepare_cached(sql)?.query(params![hash])?, ticket)
}

/// Replaces the body, if the revision is still the ticket's.
pub(super) fn replace(conn: &Connection, ticket: &Ticket, now: Timestamp) -> StoreResult<bool> {
    let changed = conn
        .prepare_cached(concat!(
            "UPDATE ticket SET body = ?3, revision = revision + 1",
            while_good!(),
            "AND revision = ?4"
        ))?
        .execute(params![ticket.hash, now.0, ticket.body, int(ticket.revision)])?;
    Ok(changed != 0)
}

/// Takes it away.
pub(super) fn take(conn: &Connection, hash: &[u8; 32], now: Timestamp) -> StoreResult<Option<Ticket>> {
    let sql = concat!("DELETE FROM ticket", while_good!(), "RETURNING", columns!());
    first(conn.prepare_cached(sql)?.query(params![hash, now.0])?, ticket)
}

/// Whether a session may be started with it.
pub(super) fn is_good(conn: &Connection, hash: &[u8; 32], now: Timestamp) -> StoreResult<bool> {
    let sql = concat!("SELECT EXISTS (SELECT 1 FROM ticket", while_good!(), ")");
    Ok(conn.prepare_cached(sql)?.query_row(params![hash, now.0], |row| row.get(0))?)
}

/// Spends it on a session.
pub(super) fn spend(
    conn: &Connection,
    hash: &[u8; 32],
    session: SessionId,
    now: Timestamp,
) -> StoreResult<bool> {
    let sql = concat!("UPDATE ticket SET session_id = ?3", while_good!());
    Ok(conn.prepare_cached(sql)?.execute(params![hash, now.0, session.0.as_bytes()])? != 0)
}

fn ticket(mut row: Columns<'_, '_>) -> StoreResult<Ticket> {
    Ok(Ticket {
        hash: row.take()?,
        kind: row.parsed(TicketKind::from_name)?,
        expires_at: row.time()?,
        kept_until: row.time()?,
        revision: row.number()?,
        body: row.take()?,
        session: row.session_if_set()?,
    })
}
