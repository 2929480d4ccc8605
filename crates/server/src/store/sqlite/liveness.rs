//! Whether an access token is still good: one statement, whatever the token, or none when it was
//! good before and nothing has been ended since.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use countersign_wire::ClientId;
use rusqlite::{Connection, OptionalExtension, params};

use super::convert::int;
use super::standing::its_user;
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
    " AND EXISTS (SELECT 1 FROM session s
        CROSS JOIN user u ON",
    its_user!(),
    "
        CROSS JOIN client c ON c.id = ?4
        LEFT JOIN tenant t ON t.id = u.tenant
        LEFT JOIN meta m ON m.id = 1
       WHERE s.id = ?6 AND s.ended_at IS NULL AND s.user_stamp = ?7
         AND u.enabled AND u.stamp = s.user_stamp AND c.enabled
         AND max(c.cut, coalesce(t.cut, 0), m.cut) <= min(s.born, ?5))"
);

/// Most tokens that are remembered as good: some 20 MiB.
const REMEMBERED: usize = 65_536;

/// Tokens that were good after so many endings, and are until the next. Gateways ask about the same
/// token with every request.
#[derive(Default)]
pub(super) struct KnownGood(Mutex<(u64, HashSet<LivenessQuery>)>);

impl KnownGood {
    /// Whether the answer is known; `endings` was read after the question was asked.
    pub(super) fn has(&self, endings: u64, query: &LivenessQuery) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.0 == endings && known.1.contains(query)
    }

    /// Remembers that the answer was "good"; `endings` was read before the store was.
    pub(super) fn add(&self, endings: u64, query: &LivenessQuery) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if endings < known.0 {
            return;
        }
        if endings > known.0 || known.1.len() >= REMEMBERED {
            known.1.clear();
        }
        known.0 = endings;
        known.1.insert(query.clone());
    }
}

/// Most clients whose position is remembered.
const CLIENTS: usize = 1024;

/// What [`client_position`] found after so many endings, and would find until the next: each number
/// of the log, and each change of a client, is one.
#[derive(Default)]
pub(super) struct Positions(Mutex<(u64, HashMap<ClientId, Position>)>);

struct Position {
    revision: u64,
    position: u64,
}

impl Positions {
    /// What is known; `endings` was read after the question was asked.
    pub(super) fn find(&self, endings: u64, client: &ClientId, revision: u64) -> Option<u64> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.1.get(client).filter(|found| known.0 == endings && found.revision == revision)?;
        Some(found.position)
    }

    /// Remembers it; `endings` was read before the store was.
    pub(super) fn add(&self, endings: u64, client: &ClientId, revision: u64, position: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if endings < known.0 {
            return;
        }
        if endings > known.0 || known.1.len() >= CLIENTS {
            known.1.clear();
        }
        known.0 = endings;
        known.1.insert(client.clone(), Position { revision, position });
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn token(jti: &str) -> LivenessQuery {
        let client = "app".parse().unwrap();
        LivenessQuery { caller: None, session: None, client, position: 0, jti: jti.to_owned() }
    }

    #[test]
    fn an_ending_makes_it_forget() {
        let known = KnownGood::default();
        known.add(3, &token("a"));
        assert!(known.has(3, &token("a")));
        assert!(!known.has(3, &token("b")));
        assert!(!known.has(4, &token("a")));
        // Read before the ending, told after it.
        known.add(4, &token("b"));
        known.add(3, &token("a"));
        assert!(!known.has(4, &token("a")) && known.has(4, &token("b")));
    }

    #[test]
    fn a_position_is_good_until_an_ending_and_for_its_revision() {
        let known = Positions::default();
        let client: ClientId = "app".parse().unwrap();
        known.add(3, &client, 1, 7);
        assert_eq!(known.find(3, &client, 1), Some(7));
        assert_eq!(known.find(3, &client, 2), None);
        assert_eq!(known.find(3, &"other".parse().unwrap(), 1), None);
        assert_eq!(known.find(4, &client, 1), None);
        known.add(4, &client, 2, 8);
        known.add(3, &client, 1, 7);
        assert_eq!(known.find(4, &client, 2), Some(8));
    }

    #[test]
    fn it_remembers_so_many_and_no_more() {
        let known = KnownGood::default();
        for n in 0..=REMEMBERED {
            known.add(0, &token(&n.to_string()));
        }
        assert!(known.0.lock().unwrap().1.len() <= REMEMBERED);
        assert!(known.has(0, &token(&REMEMBERED.to_string())));
    }
}
