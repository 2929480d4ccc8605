//! Users.

use countersign_wire::UserId;
use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::convert::{Columns, first, int, json};
use super::event::{self, Concerns};
use super::query::Query;
use super::revocation::{Change, Done};
use super::{browser, factor};
use crate::store::{
    Added, EventKind, OwnChange, Page, Reason, Receipt, StoreResult, User, UserChange, UserFilter,
};

/// The columns that [`read`] reads, of a user `u`.
macro_rules! columns {
    () => {
        "u.id, u.username, u.canonical, u.email, u.password_hash, u.enabled, u.stamp, u.tenant, u.roles,
         u.created_at, u.profile"
    };
}

pub(super) use columns;

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM user u ", $rest)
    };
}

/// Adds a user.
pub(super) fn add(conn: &Connection, user: &User) -> StoreResult<Added> {
    let added = conn
        .prepare_cached(
            "INSERT INTO user (id, username, canonical, email, password_hash, enabled, stamp, tenant,
                               roles, created_at, profile)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            user.id.0.as_bytes(),
            user.username,
            user.canonical,
            user.email,
            user.password_hash,
            user.enabled,
            int(user.stamp),
            user.tenant,
            json(&user.roles)?,
            user.created_at.0,
            json(&user.profile)?
        ])?;
    Ok(if added == 0 { Added::Exists } else { Added::Yes })
}

/// By id.
pub(super) fn find(conn: &Connection, id: UserId) -> StoreResult<Option<User>> {
    first(conn.prepare_cached(select!("WHERE id = ?1"))?.query(params![id.0.as_bytes()])?, user)
}

/// By canonical name.
pub(super) fn find_by_name(conn: &Connection, canonical: &str) -> StoreResult<Option<User>> {
    first(conn.prepare_cached(select!("WHERE canonical = ?1"))?.query(params![canonical])?, user)
}

/// Users by canonical name.
pub(super) fn list(conn: &Connection, filter: &UserFilter, page: &Page<String>) -> StoreResult<Vec<User>> {
    let mut query = Query::new(select!("WHERE 1"));
    query.and_if("tenant = ?", filter.tenant.clone());
    query.and_if("enabled = ?", filter.enabled);
    query.and_if("canonical > ?", page.after.clone());
    if let Some(prefix) = &filter.name_prefix {
        let prefix = || Value::from(prefix.clone());
        // The first finds the place in the index, the second tells where it ends.
        query.and("canonical >= ?", [prefix()]);
        query.and("substr(canonical, 1, length(?)) = ?", [prefix(), prefix()]);
    }
    query.end("ORDER BY canonical", page.limit);
    query.collect(conn, user)
}

/// Changes a user, and ends what that must end.
pub(super) fn change(change: Change<'_>, id: UserId, what: &UserChange) -> StoreResult<Option<Receipt>> {
    let Change { conn, now, .. } = change;
    let Some(before) = find(conn, id)? else { return Ok(None) };
    if !what.changes(&before) {
        return Ok(Some(Done::NOTHING.receipt));
    }
    event::add(conn, now, EventKind::Admin, Concerns::user(id), what.detail())?;
    let done = match what.ends(&before) {
        Some(reason) => change.end_user(id, reason)?,
        None => Done::NOTHING,
    };
    let key = id.0.as_bytes();
    match what {
        UserChange::Disable | UserChange::Enable => conn
            .prepare_cached("UPDATE user SET enabled = ?2 WHERE id = ?1")?
            .execute(params![key, *what == UserChange::Enable])?,
        UserChange::Password(hash) => conn
            .prepare_cached("UPDATE user SET password_hash = ?2 WHERE id = ?1")?
            .execute(params![key, hash])?,
        UserChange::Roles(roles) => conn
            .prepare_cached("UPDATE user SET roles = ?2 WHERE id = ?1")?
            .execute(params![key, json(roles)?])?,
        UserChange::AddFactors(factors) => factor::add(conn, id, factors)?,
        UserChange::RemoveFactors(ids) => factor::remove(conn, id, ids)?,
        UserChange::RecoveryCodes(codes) => {
            factor::remove_recovery_codes(conn, id)?;
            factor::add(conn, id, codes)?
        }
        UserChange::Profile(email, profile) => conn
            .prepare_cached("UPDATE user SET email = ?2, profile = ?3 WHERE id = ?1")?
            .execute(params![key, email, json(profile)?])?,
        UserChange::SignOut => 0,
    };
    Ok(Some(done.receipt))
}

/// Changes a user for the person in a browser, which goes on with the stamp that follows.
pub(super) fn change_own(conn: &Connection, own: &OwnChange) -> StoreResult<Option<Receipt>> {
    let Some(before) = find(conn, own.user)? else { return Ok(None) };
    if !own.ends(&before) || !browser::go_on(conn, own)? {
        return Ok(None);
    }
    change(Change { conn, now: own.now, keep_until: own.keep_until }, own.user, &own.change)
}

/// Removes a user. Its sessions stay to be told of, and are ended: their user is gone.
pub(super) fn remove(change: Change<'_>, id: UserId) -> StoreResult<Option<Receipt>> {
    let Change { conn, now, .. } = change;
    if find(conn, id)?.is_none() {
        return Ok(None);
    }
    event::add(conn, now, EventKind::Admin, Concerns::user(id), "the user was removed")?;
    let done = change.end_user(id, Reason::UserRemoved)?;
    for sql in [
        "DELETE FROM browser_session WHERE user_id = ?1",
        "DELETE FROM place WHERE user_id = ?1",
        "DELETE FROM factor WHERE user_id = ?1",
        "DELETE FROM consent WHERE user_id = ?1",
        "DELETE FROM user WHERE id = ?1",
    ] {
        conn.prepare_cached(sql)?.execute(params![id.0.as_bytes()])?;
    }
    Ok(Some(done.receipt))
}

fn user(mut row: Columns<'_, '_>) -> StoreResult<User> {
    read(&mut row)
}

/// The next columns of a row, which are [`columns`].
pub(super) fn read(row: &mut Columns<'_, '_>) -> StoreResult<User> {
    Ok(User {
        id: row.user()?,
        username: row.take()?,
        canonical: row.take()?,
        email: row.take()?,
        password_hash: row.take()?,
        enabled: row.take()?,
        stamp: row.number()?,
        tenant: row.take()?,
        roles: row.json()?,
        created_at: row.time()?,
        profile: row.json_or_default()?,
    })
}
