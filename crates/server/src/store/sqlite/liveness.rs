//! Whether an access token is still good: one statement, whatever the token.

use countersign_wire::ClientId;
use rusqlite::{Connection, OptionalExtension, params};

use super::convert::int;
use crate::store::{Liveness, LivenessQuery, StoreResult};

/// Whether the caller is current, and whether the token's id was not revoked.
macro_rules! caller_and_token {
    () => {
        "SELECT (?1 IS NULL OR EXISTS (SELECT 1 FROM client WHERE id = ?1 AND enabled AND revision = ?2)),
            NOT EXISTS (SELECT 1 FROM revocation WHERE kind = 'token' AND subject = ?3)"
    };
}

/// A client's own token: the cuts are compared with the token's number.
const OF_CLIENT: &str = concat!(
    caller_and_token!(),
    " AND EXISTS (SELECT 1 FROM client c
        LEFT JOIN tenant t ON t.id = c.tenant
        LEFT JOIN meta m ON m.id = 1
       WHERE c.id = ?4 AND c.enabled AND max(c.cut, coalesce(t.cut, 0), m.cut) <= ?5)"
);

/// A user's token: they are compared with the session's number too, as every token of a session
/// that was cut off is.
const OF_SESSION: &str = concat!(
    caller_and_token!(),
    " AND EXISTS (SELECT 1 FROM session_head h
        CROSS JOIN user u ON u.id = h.user_id
        CROSS JOIN client c ON c.id = ?4
        LEFT JOIN tenant t ON t.id = u.tenant
        LEFT JOIN meta m ON m.id = 1
       WHERE h.id = ?6 AND h.ended_at IS NULL AND h.user_stamp = ?7
         AND u.enabled AND u.stamp = h.user_stamp AND c.enabled
         AND max(c.cut, coalesce(t.cut, 0), m.cut) <= min(h.born, ?5))"
);

/// Answers the query.
pub(super) fn liveness(conn: &Connection, query: &LivenessQuery) -> StoreResult<Liveness> {
    let caller = query.caller.as_ref().map(|(id, _)| id.as_str());
    let revision = query.caller.as_ref().map(|(_, revision)| int(*revision));
    let client = query.client.as_str();
    let position = int(query.position);
    let read = |row: &rusqlite::Row<'_>| Ok(Liveness { caller_current: row.get(0)?, live: row.get(1)? });
    let liveness = match &query.session {
        None => conn
            .prepare_cached(OF_CLIENT)?
            .query_row(params![caller, revision, query.jti, client, position], read)?,
        Some((id, stamp)) => conn.prepare_cached(OF_SESSION)?.query_row(
            params![caller, revision, query.jti, client, position, id.0.as_bytes(), int(*stamp)],
            read,
        )?,
    };
    Ok(liveness)
}

/// The log's number, if the client is enabled and still of that revision.
pub(super) fn client_position(conn: &Connection, id: &ClientId, revision: u64) -> StoreResult<Option<u64>> {
    let position: Option<i64> = conn
        .prepare_cached(
            "SELECT m.position FROM client c, meta m
              WHERE c.id = ?1 AND c.enabled AND c.revision = ?2 AND m.id = 1",
        )?
        .query_row(params![id.as_str(), int(revision)], |row| row.get(0))
        .optional()?;
    Ok(position.and_then(|p| u64::try_from(p).ok()))
}
