//! Browser sessions.

use countersign_wire::{BrowserSessionId, SessionId, UserId};
use rusqlite::{Connection, params};

use super::convert::{Columns, collect, first, int, json, millis};
use super::revocation::{Change, Done};
use super::{place, user};
use crate::store::{
    BrowserSession, BrowserStanding, NewBrowserSession, OwnChange, Reason, Receipt, RenewBrowserSession,
    StoreResult,
};
use crate::time::Timestamp;

macro_rules! select {
    ($rest:expr) => {
        concat!(
            "SELECT b.id, b.user_id, b.secret_hash, b.user_stamp, b.born, b.remember, b.created_at,
                    b.auth_time, b.acr, b.amr, b.seen_at, b.idle_lifetime, b.idle_expires_at, b.expires_at,
                    b.network, b.agent, b.ended_at, b.ended_reason, max(coalesce(t.cut, 0), m.cut), ",
            user::columns!(),
            " FROM browser_session b
              JOIN user u ON u.id = b.user_id
              LEFT JOIN tenant t ON t.id = u.tenant
              LEFT JOIN meta m ON m.id = 1 ",
            $rest
        )
    };
}

/// `BrowserStanding::is_live` of the row `browser_session` at the time `?1`.
macro_rules! is_live {
    () => {
        " browser_session.ended_at IS NULL
          AND browser_session.expires_at > ?1 AND browser_session.idle_expires_at > ?1
          AND EXISTS (SELECT 1 FROM user u
               WHERE u.id = browser_session.user_id AND u.enabled AND u.stamp = browser_session.user_stamp
                 AND coalesce((SELECT t.cut FROM tenant t WHERE t.id = u.tenant), 0) <= browser_session.born)
          AND (SELECT m.cut FROM meta m WHERE m.id = 1) <= browser_session.born"
    };
}

/// What use at the time `?1` writes in any case: time only ages, idle expiry never passes the
/// absolute one.
macro_rules! seen {
    () => {
        " seen_at = max(seen_at, ?1),
          idle_expires_at = max(idle_expires_at, min(?1 + idle_lifetime, expires_at))"
    };
}

/// Starts one, while the user is as it was when the person was authenticated, and notes its place.
pub(super) fn start(conn: &Connection, new: &NewBrowserSession) -> StoreResult<Option<BrowserStanding>> {
    let expires_at = new.now.plus(new.absolute_lifetime);
    let idle_expires_at = new.now.plus(new.idle_lifetime).min(expires_at);
    let added = conn
        .prepare_cached(
            "INSERT INTO browser_session (id, secret_hash, user_id, user_stamp, born, remember, created_at,
                    auth_time, acr, amr, seen_at, idle_lifetime, idle_expires_at, expires_at, network, agent)
             SELECT ?2, ?3, u.id, u.stamp, m.position, ?6, ?1, ?1, ?7, ?8, ?1, ?9, ?10, ?11, ?12, ?13
               FROM user u, meta m
              WHERE u.id = ?4 AND u.enabled AND u.stamp = ?5 AND m.id = 1",
        )?
        .execute(params![
            new.now.0,
            new.id.0.as_bytes(),
            new.secret_hash,
            new.user.0.as_bytes(),
            int(new.user_stamp),
            new.remember,
            new.acr,
            json(&new.amr)?,
            millis(new.idle_lifetime),
            idle_expires_at.0,
            expires_at.0,
            new.network,
            new.agent
        ])?;
    if added == 0 {
        return Ok(None);
    }
    place::note(conn, new)?;
    find(conn, &new.secret_hash)
}

/// Records another authentication, while the presented secret is the current one.
pub(super) fn renew(conn: &Connection, renew: &RenewBrowserSession) -> StoreResult<Option<BrowserStanding>> {
    let changed = conn
        .prepare_cached(concat!(
            "UPDATE browser_session SET secret_hash = ?4, acr = ?5, amr = ?6,
                    auth_time = max(auth_time, ?7),",
            seen!(),
            " WHERE id = ?2 AND secret_hash = ?3 AND",
            is_live!()
        ))?
        .execute(params![
            renew.now.0,
            renew.id.0.as_bytes(),
            renew.seen_hash,
            renew.secret_hash,
            renew.acr,
            json(&renew.amr)?,
            renew.auth_time.0
        ])?;
    if changed == 0 { Ok(None) } else { find(conn, &renew.secret_hash) }
}

/// Lets one that is live go on as another, with the stamp that its user is about to have. All of it goes along but the
/// id and the secret, so that nothing that hung on the old one hangs on the new one. False: it is not live, or not that
/// user's.
pub(super) fn go_on(conn: &Connection, own: &OwnChange) -> StoreResult<bool> {
    let added = conn
        .prepare_cached(concat!(
            "INSERT INTO browser_session (id, secret_hash, user_id, user_stamp, born, remember, created_at,
                    auth_time, acr, amr, seen_at, idle_lifetime, idle_expires_at, expires_at, network, agent)
             SELECT ?2, ?3, user_id, user_stamp + 1, born, remember, created_at, auth_time, acr, amr,
                    max(seen_at, ?1), idle_lifetime, max(idle_expires_at, min(?1 + idle_lifetime, expires_at)),
                    expires_at, network, agent
               FROM browser_session WHERE id = ?4 AND secret_hash = ?5 AND user_id = ?6 AND",
            is_live!()
        ))?
        .execute(params![
            own.now.0,
            own.next.0.as_bytes(),
            own.secret_hash,
            own.browser.0.as_bytes(),
            own.seen_hash,
            own.user.0.as_bytes()
        ])?;
    Ok(added != 0)
}

/// By the hash of its secret.
pub(super) fn find(conn: &Connection, secret_hash: &[u8; 32]) -> StoreResult<Option<BrowserStanding>> {
    first(conn.prepare_cached(select!("WHERE b.secret_hash = ?1"))?.query(params![secret_hash])?, standing)
}

/// The live ones of a user, newest first.
pub(super) fn list(conn: &Connection, user: UserId, now: Timestamp) -> StoreResult<Vec<BrowserStanding>> {
    let mut statement = conn.prepare_cached(select!(
        "WHERE b.user_id = ?1 AND b.ended_at IS NULL AND b.expires_at > ?2 AND b.idle_expires_at > ?2
           AND u.enabled AND u.stamp = b.user_stamp AND max(coalesce(t.cut, 0), m.cut) <= b.born
         ORDER BY b.id DESC"
    ))?;
    collect(statement.query(params![user.0.as_bytes(), now.0])?, standing)
}

/// Whether it is live and that user's: the gate of a session that is started from it.
pub(super) fn admits(
    conn: &Connection,
    id: BrowserSessionId,
    user: UserId,
    now: Timestamp,
) -> StoreResult<bool> {
    let admits = conn
        .prepare_cached(concat!(
            "SELECT EXISTS (SELECT 1 FROM browser_session WHERE id = ?2 AND user_id = ?3 AND",
            is_live!(),
            ")"
        ))?
        .query_row(params![now.0, id.0.as_bytes(), user.0.as_bytes()], |row| row.get(0))?;
    Ok(admits)
}

/// Remembers where it is used from, and moves the idle expiry. What has ended stays as it was.
pub(super) fn touch(
    conn: &Connection,
    id: BrowserSessionId,
    network: &str,
    agent: &str,
    now: Timestamp,
) -> StoreResult<()> {
    conn.prepare_cached(concat!(
        "UPDATE browser_session SET network = ?3, agent = ?4,",
        seen!(),
        " WHERE id = ?2 AND",
        is_live!()
    ))?
    .execute(params![now.0, id.0.as_bytes(), network, agent])?;
    Ok(())
}

/// Ends it, and every live session that ends with it.
pub(super) fn end(change: Change<'_>, id: BrowserSessionId, reason: Reason) -> StoreResult<Option<Receipt>> {
    let Change { conn, now, .. } = change;
    let key = id.0.as_bytes();
    let changed = conn
        .prepare_cached(
            "UPDATE browser_session SET ended_at = ?2, ended_reason = ?3 WHERE id = ?1 AND ended_at IS NULL",
        )?
        .execute(params![key, now.0, reason.as_str()])?;
    if changed == 0 {
        let known: bool = conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM browser_session WHERE id = ?1)")?
            .query_row(params![key], |row| row.get(0))?;
        return Ok(known.then_some(Done::NOTHING.receipt));
    }
    let mut statement =
        conn.prepare_cached("SELECT id FROM session WHERE browser = ?1 AND ended_at IS NULL ORDER BY id")?;
    let sessions: Vec<SessionId> = collect(statement.query(params![key])?, |mut row| row.session())?;
    change.end_live(&sessions, reason).map(Some)
}

fn standing(mut row: Columns<'_, '_>) -> StoreResult<BrowserStanding> {
    let session = BrowserSession {
        id: row.browser()?,
        user: row.user()?,
        secret_hash: row.take()?,
        user_stamp: row.number()?,
        born: row.number()?,
        remember: row.take()?,
        created_at: row.time()?,
        auth_time: row.time()?,
        acr: row.take()?,
        amr: row.json()?,
        seen_at: row.time()?,
        idle_lifetime: row.duration()?,
        idle_expires_at: row.time()?,
        expires_at: row.time()?,
        network: row.take()?,
        agent: row.take()?,
        ended: row.ended()?,
    };
    let cut = row.number()?;
    Ok(BrowserStanding { session, cut, user: user::read(&mut row)? })
}
