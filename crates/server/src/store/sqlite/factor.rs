//! Second factors and consents.

use countersign_wire::{ClientId, Scope, SessionId, UserId};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::convert::{Columns, collect, first, int};
use super::revocation::Change;
use crate::store::{Consent, Factor, FactorKind, FactorUse, Reason, Receipt, StoreResult};
use crate::time::Timestamp;

/// Adds factors of a user.
pub(super) fn add(conn: &Connection, user: UserId, factors: &[Factor]) -> StoreResult<usize> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO factor (id, user_id, kind, label, created_at, used_at, counter, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for factor in factors {
        statement.execute(params![
            factor.id.as_bytes(),
            user.0.as_bytes(),
            factor.kind.as_str(),
            factor.label,
            factor.created_at.0,
            factor.used_at.map(|at| at.0),
            int(factor.counter),
            factor.body
        ])?;
    }
    Ok(factors.len())
}

/// Removes factors, if they are that user's.
pub(super) fn remove(conn: &Connection, user: UserId, ids: &[Uuid]) -> StoreResult<usize> {
    let mut statement = conn.prepare_cached("DELETE FROM factor WHERE id = ?1 AND user_id = ?2")?;
    let mut removed = 0;
    for id in ids {
        removed += statement.execute(params![id.as_bytes(), user.0.as_bytes()])?;
    }
    Ok(removed)
}

/// Removes all recovery codes of a user, used ones too.
pub(super) fn remove_recovery_codes(conn: &Connection, user: UserId) -> StoreResult<usize> {
    let mut statement = conn.prepare_cached("DELETE FROM factor WHERE user_id = ?1 AND kind = ?2")?;
    Ok(statement.execute(params![user.0.as_bytes(), FactorKind::Recovery.as_str()])?)
}

/// A user's factors, oldest first.
pub(super) fn list(conn: &Connection, user: UserId) -> StoreResult<Vec<Factor>> {
    let mut statement = conn.prepare_cached(
        "SELECT id, user_id, kind, label, created_at, used_at, counter, body FROM factor
          WHERE user_id = ?1 ORDER BY created_at, id",
    )?;
    collect(statement.query(params![user.0.as_bytes()])?, factor)
}

/// Uses a factor, if nobody has since the caller looked.
pub(super) fn consume(conn: &Connection, used: &FactorUse) -> StoreResult<bool> {
    let changed = conn
        .prepare_cached(
            "UPDATE factor SET counter = ?3, used_at = max(coalesce(used_at, ?4), ?4), body = coalesce(?5, body)
              WHERE id = ?1 AND counter = ?2",
        )?
        .execute(params![used.id.as_bytes(), int(used.seen), int(used.counter), used.now.0, used.body])?;
    Ok(changed != 0)
}

/// What a user consented to for a client.
pub(super) fn consent(conn: &Connection, user: UserId, client: &ClientId) -> StoreResult<Option<Consent>> {
    let mut statement = conn.prepare_cached(
        "SELECT user_id, client_id, scope, granted_at FROM consent WHERE user_id = ?1 AND client_id = ?2",
    )?;
    first(statement.query(params![user.0.as_bytes(), client.as_str()])?, read_consent)
}

/// All that a user consented to.
pub(super) fn consents(conn: &Connection, user: UserId) -> StoreResult<Vec<Consent>> {
    let mut statement = conn.prepare_cached(
        "SELECT user_id, client_id, scope, granted_at FROM consent WHERE user_id = ?1 ORDER BY client_id",
    )?;
    collect(statement.query(params![user.0.as_bytes()])?, read_consent)
}

/// Remembers a consent, while there is such a user.
pub(super) fn grant(
    conn: &Connection,
    user: UserId,
    client: &ClientId,
    scope: &Scope,
    now: Timestamp,
) -> StoreResult<()> {
    conn.prepare_cached(
        "INSERT INTO consent (user_id, client_id, scope, granted_at)
         SELECT id, ?2, ?3, ?4 FROM user WHERE id = ?1
         ON CONFLICT (user_id, client_id) DO UPDATE SET scope = excluded.scope, granted_at = excluded.granted_at",
    )?
    .execute(params![user.0.as_bytes(), client.as_str(), scope.to_string(), now.0])?;
    Ok(())
}

/// Forgets a consent, and ends what the client has of the user.
pub(super) fn withdraw(change: Change<'_>, user: UserId, client: &ClientId) -> StoreResult<Option<Receipt>> {
    let conn = change.conn;
    let removed = conn
        .prepare_cached("DELETE FROM consent WHERE user_id = ?1 AND client_id = ?2")?
        .execute(params![user.0.as_bytes(), client.as_str()])?;
    if removed == 0 {
        return Ok(None);
    }
    // By the user's index: a user has few sessions, a client may have a million.
    let mut statement = conn.prepare_cached(
        "SELECT id FROM session WHERE user_id = ?1 AND +client_id = ?2 AND ended_at IS NULL ORDER BY id",
    )?;
    let rows = statement.query(params![user.0.as_bytes(), client.as_str()])?;
    let sessions: Vec<SessionId> = collect(rows, |mut row| row.session())?;
    change.end_live(&sessions, Reason::ConsentWithdrawn).map(Some)
}

fn factor(mut row: Columns<'_, '_>) -> StoreResult<Factor> {
    Ok(Factor {
        id: Uuid::from_bytes(row.take()?),
        user: row.user()?,
        kind: row.parsed(FactorKind::from_name)?,
        label: row.take()?,
        created_at: row.time()?,
        used_at: row.time_if_set()?,
        counter: row.number()?,
        body: row.take()?,
    })
}

fn read_consent(mut row: Columns<'_, '_>) -> StoreResult<Consent> {
    Ok(Consent {
        user: row.user()?,
        client: row.client()?,
        scope: row.parsed(|text| text.parse().ok())?,
        granted_at: row.time()?,
    })
}
