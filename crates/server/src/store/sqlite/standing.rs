//! Reading a session with all that it depends on.

use std::sync::LazyLock;

use countersign_wire::SessionId;
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, Statement, params};

use super::convert::{Columns, first};
use super::number;
use super::query::Query;
use crate::store::{
    Gates, Lockstep, Page, Recent, Session, SessionFilter, Standing, StatusIndex, StoreResult, UserFacts,
};
use crate::time::Timestamp;

/// What joins the session `s` with its user `u`: the number, which is the shortest way; and the id,
/// because SQLite can give a removed user's number to another. The plus keeps the planner from
/// going by the index of ids.
macro_rules! its_user {
    () => {
        " u.number = s.user_number AND +u.id = s.user_id "
    };
}

pub(super) use its_user;

/// The columns that [`row`] reads, and where they come from.
const SELECT: &str = concat!(
    "
SELECT s.number, s.id, s.user_id, s.client_id, s.scope, s.audience, s.device, s.network, s.agent, s.remember,
       s.created_at, s.auth_time, s.acr, s.amr, s.browser, s.status_index, s.nonce_hash, s.user_stamp, s.born, s.generation,
       s.key_number, s.retry_hash, s.rotated_at, s.idle_lifetime, s.idle_expires_at, s.expires_at,
       s.recent, s.replays, s.lockstep_generation, s.lockstep_streak, s.ended_at, s.ended_reason,
       c.enabled, c.revision, u.enabled, u.stamp, max(coalesce(c.cut, 0), coalesce(t.cut, 0), m.cut),
       u.username, u.email, u.tenant, u.roles, m.position
  FROM session s
  LEFT JOIN user u ON",
    its_user!(),
    "
  LEFT JOIN client c ON c.id = s.client_id
  LEFT JOIN tenant t ON t.id = u.tenant
  LEFT JOIN meta m ON m.id = 1
 WHERE 1"
);

static BY_NUMBER: LazyLock<String> = LazyLock::new(|| format!("{SELECT} AND s.number = ?1 AND +s.id = ?2"));
static BY_ID: LazyLock<String> = LazyLock::new(|| format!("{SELECT} AND s.id = ?1"));

/// `Standing::is_live`, over the tables of [`SELECT`]; two times are asked for.
const LIVE: &str = "(s.ended_at IS NULL AND s.expires_at > ? AND s.idle_expires_at > ?
    AND c.enabled AND u.enabled AND u.stamp = s.user_stamp
    AND max(c.cut, coalesce(t.cut, 0), m.cut) <= s.born)";

/// A session as stored.
pub(super) struct Row {
    /// The row's number.
    pub(super) number: i64,
    /// The session and its gates.
    pub(super) standing: Standing,
}

/// A session and its gates.
pub(super) fn find(conn: &Connection, id: SessionId) -> StoreResult<Option<Standing>> {
    let mut statement = prepare(conn)?;
    Ok(find_by(conn, &mut statement, id)?.map(|row| row.standing))
}

/// The statement of [`find`], for who asks it again and again.
pub(super) fn prepare(conn: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    conn.prepare_cached(&BY_NUMBER)
}

/// As [`find`], by the statement of [`prepare`].
pub(super) fn find_by(
    conn: &Connection,
    statement: &mut Statement<'_>,
    id: SessionId,
) -> StoreResult<Option<Row>> {
    let key = id.0.as_bytes();
    match first(statement.query(params![number::of(id), key])?, row)? {
        Some(row) => Ok(Some(row)),
        // There is none, or its number was taken when it started.
        None => first(conn.prepare_cached(&BY_ID)?.query(params![key])?, row),
    }
}

/// The live sessions of the user `?1` at the time `?2`: what `Standing::is_live` says.
macro_rules! live_sessions_of_user {
    () => {
        concat!(
            " FROM session s
          JOIN user u ON",
            $crate::store::sqlite::standing::its_user!(),
            "
          JOIN client c ON c.id = s.client_id
          LEFT JOIN tenant t ON t.id = u.tenant
          LEFT JOIN meta m ON m.id = 1
         WHERE s.user_id = ?1 AND s.ended_at IS NULL AND s.expires_at > ?2 AND s.idle_expires_at > ?2
           AND c.enabled AND u.enabled AND u.stamp = s.user_stamp
           AND max(c.cut, coalesce(t.cut, 0), m.cut) <= s.born"
        )
    };
}

pub(super) use live_sessions_of_user;

/// Sessions, newest first.
pub(super) fn list(
    conn: &Connection,
    filter: &SessionFilter,
    page: &Page<SessionId>,
    now: Timestamp,
) -> StoreResult<Vec<Standing>> {
    listing(filter, page, now).collect(conn, |columns| Ok(row(columns)?.standing))
}

fn listing(filter: &SessionFilter, page: &Page<SessionId>, now: Timestamp) -> Query {
    let mut query = Query::new(SELECT);
    query.and_if("s.user_id = ?", filter.user.map(|id| id.0.as_bytes().to_vec()));
    // A user has few sessions, a client can have millions: the plus keeps the planner off its index.
    let of_client = if filter.user.is_some() { "+s.client_id = ?" } else { "s.client_id = ?" };
    query.and_if(of_client, filter.client.as_ref().map(ToString::to_string));
    query.and_if("s.id < ?", page.after.map(|id| id.0.as_bytes().to_vec()));
    if let Some(live) = filter.live {
        // A gate that is not there is a gate that is closed: null is not true.
        let wanted = if live { "IS TRUE" } else { "IS NOT TRUE" };
        query.and(&format!("{LIVE} {wanted}"), [Value::from(now.0), Value::from(now.0)]);
    }
    query.end("ORDER BY s.id DESC", page.limit);
    query
}

fn row(mut row: Columns<'_, '_>) -> StoreResult<Row> {
    let number = row.take()?;
    let session = Session {
        id: row.session()?,
        user: row.user()?,
        client: row.client()?,
        scope: row.parsed(|text| text.parse().ok())?,
        audience: row.json()?,
        device: row.take()?,
        network: row.take()?,
        agent: row.take()?,
        remember: row.take()?,
        created_at: row.time()?,
        auth_time: row.time()?,
        acr: row.take()?,
        amr: row.json()?,
        browser: row.browser_if_set()?,
        status_index: row.number_if_set()?.map(StatusIndex),
        nonce_hash: row.take()?,
        user_stamp: row.number()?,
        born: row.number()?,
        generation: row.take()?,
        key_number: row.take()?,
        retry_hash: row.take()?,
        rotated_at: row.time()?,
        idle_lifetime: row.duration()?,
        idle_expires_at: row.time()?,
        expires_at: row.time()?,
        recent: row.bytes(Recent::decode_all)?,
        replays: row.take()?,
        lockstep: Lockstep { generation: row.take()?, streak: row.take()? },
        ended: row.ended()?,
    };
    let gates = Gates {
        client_enabled: row.take::<Option<bool>>()?.unwrap_or(false),
        client_revision: row.number_or_zero()?,
        user_enabled: row.take::<Option<bool>>()?.unwrap_or(false),
        user_stamp: row.number_or_zero()?,
        cut: row.number()?,
    };
    let user = UserFacts {
        username: row.take::<Option<String>>()?.unwrap_or_default(),
        email: row.take()?,
        tenant: row.take()?,
        roles: row.json_or_default()?,
    };
    Ok(Row { number, standing: Standing { session, gates, user, position: row.number()? } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::connection::{self, Purpose};

    /// A client's sessions can be millions, so no list may sort them, or look at all of them for one
    /// user's.
    #[test]
    fn a_list_goes_by_the_index_that_it_should() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("countersign.sqlite");
        connection::prepare(&path).unwrap();
        let conn = connection::open(&path, Purpose::Walk).unwrap();
        let id = uuid::Uuid::from_u128(7);
        let (user, client) = (Some(countersign_wire::UserId(id)), Some("web".parse().unwrap()));
        let cases = [
            (None, None, "sqlite_autoindex_session_1"),
            (None, client.clone(), "session_by_client"),
            (user, None, "session_by_user"),
            (user, client, "session_by_user"),
        ];
        for (user, client, index) in cases {
            for (after, live) in [(None, None), (Some(SessionId(id)), Some(true))] {
                let filter = SessionFilter { user, client: client.clone(), live };
                let plan = listing(&filter, &Page { after, limit: 3 }, Timestamp(5)).plan(&conn);
                assert!(plan[0].contains(index), "{plan:#?}");
                let is_sorted = plan.iter().any(|step| step.contains("TEMP B-TREE"));
                assert_eq!(is_sorted, user.is_some(), "{plan:#?}");
            }
        }
    }
}
