//! Status lists: giving a session its index, and reading a list.

use rusqlite::{Connection, params};

use super::convert::int;
use super::standing::its_user;
use crate::store::{StatusBits, StatusIndex, StoreError, StoreResult};
use crate::time::Timestamp;

/// A free one of the positions drawn, in the list that is being filled or else in the next. Inside
/// of a transaction of the one writer, so what is free stays so.
pub(super) fn choose(conn: &Connection, drawn: &[u32]) -> StoreResult<Option<StatusIndex>> {
    let Some(first) = drawn.first() else { return Ok(None) };
    let list = current(conn)?;
    let mut taken = conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM session WHERE status_index = ?1)")?;
    for position in drawn {
        let index = StatusIndex::new(list, *position);
        if !taken.query_row(params![int(index.0)], |row| row.get(0))? {
            return Ok(Some(index));
        }
    }
    conn.prepare_cached("UPDATE meta SET status_list = ?1 WHERE id = 1")?.execute(params![int(list + 1)])?;
    Ok(Some(StatusIndex::new(list + 1, *first)))
}

/// Leaves every list behind that the store, or a lost later state of it, can have filled.
pub(super) fn begin_epoch(conn: &Connection) -> StoreResult<()> {
    conn.prepare_cached(
        "UPDATE meta SET status_list = ((coalesce(status_list, 0) >> ?1) + 1) << ?1 WHERE id = 1",
    )?
    .execute(params![StatusIndex::EPOCH_BITS])?;
    Ok(())
}

/// Whether a session has an index in that list.
pub(super) fn is_used(conn: &Connection, list: u64) -> StoreResult<bool> {
    let (first, end) = bounds(list);
    let used = conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM session WHERE status_index >= ?1 AND status_index < ?2)",
        )?
        .query_row(params![first, end], |row| row.get(0))?;
    Ok(used)
}

/// What the list says; the gates are those of an access token, in `liveness.rs`.
pub(super) fn bits(conn: &Connection, list: u64, now: Timestamp) -> StoreResult<StatusBits> {
    if StatusIndex::is_past(list, current(conn)?) {
        return Ok(StatusBits::all());
    }
    let (first, end) = bounds(list);
    let mut bits = StatusBits::none();
    // A gate that is not there is a gate that is closed: null is not true.
    let mut statement = conn.prepare_cached(concat!(
        "SELECT s.status_index - ?1 FROM session s
           LEFT JOIN user u ON",
        its_user!(),
        "
           LEFT JOIN client c ON c.id = s.client_id
           LEFT JOIN tenant t ON t.id = u.tenant
           LEFT JOIN meta m ON m.id = 1
          WHERE s.status_index >= ?1 AND s.status_index < ?2 AND s.expires_at > ?3
            AND (s.ended_at IS NULL AND u.enabled AND u.stamp = s.user_stamp AND c.enabled
                 AND max(c.cut, coalesce(t.cut, 0), m.cut) <= s.born) IS NOT TRUE"
    ))?;
    let mut rows = statement.query(params![first, end, now.0])?;
    while let Some(row) = rows.next()? {
        bits.set(row.get(0)?);
    }
    Ok(bits)
}

/// The list that is being filled.
fn current(conn: &Connection) -> StoreResult<u64> {
    let list: Option<i64> =
        conn.prepare_cached("SELECT status_list FROM meta WHERE id = 1")?.query_row([], |row| row.get(0))?;
    u64::try_from(list.unwrap_or(0))
        .map_err(|_| StoreError::Broken("the stored meta row is not valid".to_owned()))
}

/// The first index of a list, and the first beyond it.
fn bounds(list: u64) -> (i64, i64) {
    let first = StatusIndex::new(list, 0);
    (int(first.0), int(first.0 + u64::from(StatusIndex::LIST_LEN)))
}
