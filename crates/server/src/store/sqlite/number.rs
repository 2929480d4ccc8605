//! The number of a session's row, which follows from its id, so that a refresh goes straight to the
//! row by a short key and needs no index.

use countersign_wire::SessionId;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

/// Of the id's milliseconds, all until the year 2109: rows that start one after the other lie side
/// by side.
const TIME_BITS: u32 = 42;
/// Of its random bits.
const RANDOM_BITS: u32 = 21;

/// The number that a session's row has unless it was taken when the session started: two ids of one
/// millisecond give the same once in two million. So a row that is found by it may be another
/// session's, and one that is not found may be there under another number.
pub(super) fn of(id: SessionId) -> i64 {
    let id = id.0.as_u128();
    let low = |value: u128, bits: u32| value & ((1 << bits) - 1);
    // RFC 9562 section 5.7: the first 48 bits are the time, the last 62 are random.
    let number = low(id >> 80, TIME_BITS) << RANDOM_BITS | low(id, RANDOM_BITS);
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number for the row of the session whose id is the parameter `?1`, in an `INSERT`: null, for
/// which SQLite takes a free one, where the one that follows from the id is taken.
macro_rules! free_number {
    () => {
        "(SELECT n FROM (SELECT session_number(?1) AS n) WHERE NOT EXISTS (SELECT 1 FROM session WHERE number = n))"
    };
}

pub(super) use free_number;

/// Lets a connection's statements use [`of`], as `session_number(id)`.
pub(super) fn register(conn: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    conn.create_scalar_function("session_number", 1, flags, |context| {
        context.get(0).map(|id| of(SessionId(uuid::Uuid::from_bytes(id))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(id: &str) -> i64 {
        of(SessionId(id.parse().unwrap()))
    }

    #[test]
    fn it_is_the_time_and_then_some_of_the_random_bits() {
        let id = "0190a0a0-0001-7fff-bfff-ffffffe00003";
        assert_eq!(number(id), (0x0190_a0a0_0001 << 21) | 3);
        assert_eq!(number("0190a0a0-0001-7000-8000-000000000003"), number(id));
        assert!(number("0190a0a0-0002-7000-8000-000000000000") > number(id));
        assert_eq!(number("ffffffff-ffff-7fff-bfff-ffffffffffff"), i64::MAX);
        assert_eq!(number("00000000-0000-0000-0000-000000000000"), 0);
    }

    #[test]
    fn statements_have_it_too() {
        let conn = Connection::open_in_memory().unwrap();
        register(&conn).unwrap();
        let number = |sql| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
        assert_eq!(
            number("SELECT session_number(x'00000000000100000000000000000002')").unwrap(),
            (1 << 21) | 2
        );
        assert!(number("SELECT session_number(x'01')").is_err());
    }
}
