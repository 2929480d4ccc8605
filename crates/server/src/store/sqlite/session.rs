//! What is done to a session: start, rotate, replay, note.

use countersign_wire::SessionId;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::convert::{Columns, collect, int, json, millis};
use super::event::{self, Concerns};
use super::number::free_number;
use super::revocation::Change;
use super::standing::{self, live_sessions_of_user};
use super::{browser, status, ticket};
use crate::store::{
    EventKind, NewSession, Reason, Recent, Replay, RotateSession, Standing, StartRefusal, Started,
    StatusIndex, StoreError, StoreResult, Target,
};
use crate::time::Timestamp;

/// What a refresh writes. The row was read in the same transaction, under the lock of the one that
/// writes, so nothing can have moved since: what is tested here again is what must never break.
const ROTATE: &str = "UPDATE session SET generation = ?3, key_number = ?4, retry_hash = ?5, rotated_at = ?6,
            idle_expires_at = ?7, recent = ?8
      WHERE number = ?1 AND +id = ?9 AND generation = ?2 AND ended_at IS NULL";

const REPLAYED: &str = "UPDATE session SET replays = ?3, lockstep_generation = ?4, lockstep_streak = ?5
      WHERE number = ?1 AND +id = ?6 AND generation = ?2 AND ended_at IS NULL";

/// The statements of refreshes, for as long as a transaction takes: most of its calls are refreshes,
/// and looking a statement up in the connection's cache hashes its whole text.
#[derive(Default)]
pub(super) struct Rotations<'c> {
    find: Option<CachedStatement<'c>>,
    write: Option<CachedStatement<'c>>,
}

impl<'c> Rotations<'c> {
    /// The conditional update of a refresh.
    pub(super) fn rotate(
        &mut self,
        conn: &'c Connection,
        rotate: &RotateSession,
    ) -> StoreResult<Option<Standing>> {
        let find = held(&mut self.find, || standing::prepare(conn))?;
        let Some(row) = standing::find_by(conn, find, rotate.id)? else { return Ok(None) };
        let Some(after) = row.standing.rotated(rotate) else { return Ok(None) };
        let session = &after.session;
        let write = held(&mut self.write, || conn.prepare_cached(ROTATE))?;
        let changed = write.execute(params![
            row.number,
            rotate.generation,
            session.generation,
            session.key_number,
            session.retry_hash,
            session.rotated_at.0,
            session.idle_expires_at.0,
            Recent::encode_all(&session.recent),
            session.id.0.as_bytes()
        ])?;
        Ok((changed == 1).then_some(after))
    }
}

fn held<'h, 'c>(
    place: &'h mut Option<CachedStatement<'c>>,
    prepare: impl FnOnce() -> rusqlite::Result<CachedStatement<'c>>,
) -> StoreResult<&'h mut CachedStatement<'c>> {
    Ok(match place {
        Some(statement) => statement,
        None => place.insert(prepare()?),
    })
}

/// The record of a permitted replay.
pub(super) fn replay(conn: &Connection, replay: &Replay) -> StoreResult<Option<Standing>> {
    let mut find = standing::prepare(conn)?;
    let Some(row) = standing::find_by(conn, &mut find, replay.id)? else { return Ok(None) };
    let Some(after) = row.standing.replayed(replay) else { return Ok(None) };
    let session = &after.session;
    let changed = conn.prepare_cached(REPLAYED)?.execute(params![
        row.number,
        replay.generation,
        session.replays,
        session.lockstep.generation,
        session.lockstep.streak,
        session.id.0.as_bytes()
    ])?;
    if changed == 0 {
        return Ok(None);
    }
    let concerns = Concerns::session(session.id, session.user, &session.client);
    event::add(conn, replay.now, EventKind::Replay, concerns, &replay.detail)?;
    Ok(Some(after))
}

/// Starts a session and keeps the limit of its user's sessions.
pub(super) fn start(conn: &Connection, new: &NewSession) -> StoreResult<Started> {
    let user_stamp = match gates_of_start(conn, new)? {
        Ok(stamp) => stamp,
        Err(refusal) => return Ok(Started::Refused(refusal)),
    };
    if let Some(sign_in) = &new.sign_in
        && !ticket::spend(conn, &sign_in.ticket, new.id, new.now)?
    {
        return Err(StoreError::Broken("a ticket that was good is not there".to_owned()));
    }
    let displaced = displace(conn, new)?;
    let index = status::choose(conn, &new.status_positions)?;
    insert(conn, new, user_stamp, index)?;
    let concerns = Concerns::session(new.id, new.user, &new.client);
    event::add(conn, new.now, EventKind::Start, concerns, "the session began")?;
    let standing = standing::find(conn, new.id)?
        .ok_or_else(|| StoreError::Broken("a session that was added is not there".to_owned()))?;
    Ok(Started::Session { standing: Box::new(standing), displaced })
}

/// The user's stamp, if the user and the client may have a session. Read in the transaction that
/// holds the write lock, so it is as good as a condition of the insert.
fn gates_of_start(conn: &Connection, new: &NewSession) -> StoreResult<Result<i64, StartRefusal>> {
    let user: Option<(bool, i64, Option<String>)> = conn
        .prepare_cached("SELECT enabled, stamp, tenant FROM user WHERE id = ?1")?
        .query_row(params![new.user.0.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((true, stamp, tenant)) = user else { return Ok(Err(StartRefusal::User)) };
    let client: Option<Option<String>> = conn
        .prepare_cached("SELECT tenant FROM client WHERE id = ?1 AND enabled AND revision = ?2")?
        .query_row(params![new.client.as_str(), int(new.client_revision)], |row| row.get(0))
        .optional()?;
    let Some(serves) = client else { return Ok(Err(StartRefusal::Client)) };
    if serves.is_some() && serves != tenant {
        return Ok(Err(StartRefusal::Tenant));
    }
    if let Some(sign_in) = &new.sign_in {
        if !ticket::is_good(conn, &sign_in.ticket, new.now)? {
            return Ok(Err(StartRefusal::Ticket));
        }
        if !browser::admits(conn, sign_in.browser, new.user, new.now)? {
            return Ok(Err(StartRefusal::Browser));
        }
    }
    Ok(Ok(stamp))
}

/// Ends the oldest live sessions of the user, so that with the new one there are no more than the
/// limit.
fn displace(conn: &Connection, new: &NewSession) -> StoreResult<Vec<SessionId>> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT s.id",
        live_sessions_of_user!(),
        " ORDER BY s.id DESC LIMIT -1 OFFSET ?3"
    ))?;
    let others = new.limit.saturating_sub(1);
    let rows = statement.query(params![new.user.0.as_bytes(), new.now.0, others])?;
    let mut oldest: Vec<SessionId> = collect(rows, |mut row: Columns<'_, '_>| row.session())?;
    oldest.reverse();
    let change = Change { conn, now: new.now, keep_until: new.keep_until };
    for id in &oldest {
        change.revoke(&Target::Session(*id), Reason::SessionLimit)?;
    }
    Ok(oldest)
}

fn insert(
    conn: &Connection,
    new: &NewSession,
    user_stamp: i64,
    index: Option<StatusIndex>,
) -> StoreResult<()> {
    let id = new.id.0.as_bytes();
    let expires_at = new.now.plus(new.absolute_lifetime);
    let idle_expires_at = new.now.plus(new.idle_lifetime).min(expires_at);
    conn.prepare_cached(concat!(
        "INSERT INTO session (number, user_number, id, user_id, client_id, nonce_hash, user_stamp, born, generation,
                key_number, rotated_at, idle_lifetime, idle_expires_at, expires_at, recent, replays,
                lockstep_generation, lockstep_streak, scope, audience, device, network, agent,
                remember, created_at, auth_time, acr, amr, browser, status_index)
         VALUES (",
        free_number!(),
        ", (SELECT number FROM user WHERE id = ?2), ?1, ?2, ?3, ?4, ?5, (SELECT position FROM meta WHERE id = 1), 1,
                ?6, ?7, ?8, ?9, ?10, ?11, 0, 0, 0, ?12, ?13, ?14, ?15, ?16, ?17, ?7, ?18, ?19, ?20, ?21,
                ?22)"
    ))?
    .execute(params![
        id,
        new.user.0.as_bytes(),
        new.client.as_str(),
        new.nonce_hash,
        user_stamp,
        new.key_number,
        new.now.0,
        millis(new.idle_lifetime),
        idle_expires_at.0,
        expires_at.0,
        Recent::encode_all(&[Recent { at: new.now, context: new.context }]),
        new.scope.to_string(),
        json(&new.audience)?,
        new.device,
        new.network,
        new.agent,
        new.remember,
        new.auth_time.0,
        new.acr,
        json(&new.amr)?,
        new.ends_with().map(|id| *id.0.as_bytes()),
        index.map(|index| int(index.0))
    ])?;
    Ok(())
}

/// Remembers where a session was last seen.
pub(super) fn note_network(
    conn: &Connection,
    id: SessionId,
    network: &str,
    agent: &str,
    now: Timestamp,
) -> StoreResult<()> {
    let changed = conn
        .prepare_cached("UPDATE session SET network = ?2, agent = ?3 WHERE id = ?1")?
        .execute(params![id.0.as_bytes(), network, agent])?;
    if changed == 0 {
        return Ok(());
    }
    let Some(Standing { session, .. }) = standing::find(conn, id)? else { return Ok(()) };
    let concerns = Concerns::session(session.id, session.user, &session.client);
    let detail = format!("seen from another place: {network}, {agent}");
    event::add(conn, now, EventKind::Network, concerns, &detail)
}
