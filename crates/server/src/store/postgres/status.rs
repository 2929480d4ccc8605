//! Status lists: giving a session its index, and reading a list.

use super::PostgresStore;
use super::error::{Failure, unavailable};
use super::lease::Lease;
use super::rows::{self, gates_open, number, standing_tables, wide};
use crate::store::{StatusBits, StatusIndex};
use crate::time::Timestamp;

/// The unique index that two sessions with one number would break.
pub(super) const UNIQUE: &str = "session_status";

/// The positions drawn, `$1`, that nobody has in the list that is being filled.
const FREE: &str = "
    SELECT (coalesce(m.status_list, 0) << 17) + p.drawn AS status_index
    FROM meta m CROSS JOIN unnest($1::bigint[]) AS p (drawn)
    WHERE NOT EXISTS (
        SELECT 1 FROM session s WHERE s.status_index = (coalesce(m.status_list, 0) << 17) + p.drawn
    ) LIMIT 1";

const _: () = assert!(StatusIndex::POSITION_BITS == 17, "the statement shifts by as many");

const CURRENT: &str = "SELECT coalesce(status_list, 0) AS status_list FROM meta";

/// Whose tokens liveness refuses, of those that have an index from `$1` to below `$2`.
const OVER: &str = concat!(
    "SELECT s.status_index - $1 AS position FROM ",
    standing_tables!(),
    " WHERE s.status_index >= $1 AND s.status_index < $2 AND h.expires_at > $3
        AND NOT (h.ended_at IS NULL AND ",
    gates_open!(),
    ")"
);

/// A free one of the positions drawn, in the list that is being filled or else in the next. Two
/// that choose at once may choose the same: then the unique index refuses the second, which is run
/// again. Outside of the transaction, since a new list is a change of the row that revocations
/// lock last.
pub(super) async fn choose(lease: &mut Lease, drawn: &[u32]) -> Result<Option<i64>, Failure> {
    const NEXT: &str = "UPDATE meta SET status_list = coalesce(status_list, 0) + 1
                        WHERE coalesce(status_list, 0) = $1";
    if drawn.is_empty() {
        return Ok(None);
    }
    let drawn: Vec<i64> = drawn.iter().map(|position| i64::from(*position)).collect();
    for _ in 0..MAX_LISTS {
        if let Some(row) = lease.query_opt(FREE, &[&drawn]).await? {
            return Ok(Some(rows::get(&row, "status_index")?));
        }
        // Whoever else finds it full names the same list, so that only one begins the next.
        let full: i64 = rows::get(&lease.query_one(CURRENT, &[]).await?, "status_list")?;
        lease.execute(NEXT, &[&full]).await?;
    }
    Err(unavailable("status lists fill faster than they can be begun"))
}

/// How often a session may find that the list which it began is full already.
const MAX_LISTS: usize = 4;

impl PostgresStore {
    pub(super) async fn has_status_list_once(&self, list: u64) -> Result<bool, Failure> {
        const USED: &str = "SELECT EXISTS (
            SELECT 1 FROM session WHERE status_index >= $1 AND status_index < $2) AS used";
        let (first, end) = bounds(list);
        rows::get(&Lease::take(&self.pool).await?.query_one(USED, &[&first, &end]).await?, "used")
    }

    pub(super) async fn status_list_once(&self, list: u64, now: Timestamp) -> Result<StatusBits, Failure> {
        let mut lease = Lease::take(&self.pool).await?;
        let current = number(&lease.query_one(CURRENT, &[]).await?, "status_list")?;
        if StatusIndex::is_past(list, current) {
            return Ok(StatusBits::all());
        }
        let (first, end) = bounds(list);
        let mut bits = StatusBits::none();
        for row in lease.query(OVER, &[&first, &end, &now.0]).await? {
            bits.set(number(&row, "position")?);
        }
        Ok(bits)
    }
}

/// The first index of a list, and the first beyond it.
fn bounds(list: u64) -> (i64, i64) {
    let first = StatusIndex::new(list, 0).0;
    (wide(first), wide(first + u64::from(StatusIndex::LIST_LEN)))
}
