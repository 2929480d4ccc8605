//! Ending things, and the numbered log.

use countersign_wire::{ClientId, SessionId, UserId};
use rusqlite::{Connection, OptionalExtension, params};

use super::convert::{Columns, collect, int};
use super::count::{self, Before};
use super::event::{self, Concerns};
use super::{logout, standing, status};
use crate::store::{EventKind, Reason, Receipt, RevocationEntry, StoreError, StoreResult, Target};
use crate::time::Timestamp;

/// What a revocation did.
pub(super) struct Done {
    /// The receipt; for a [`Before`], without the sessions.
    pub(super) receipt: Receipt,
    /// When what was ended may be very many sessions: what they are to be counted by, outside of
    /// the transaction, as the writer must not be held up.
    pub(super) to_count: Option<Before>,
}

impl Done {
    pub(super) const NOTHING: Self =
        Self { receipt: Receipt { sessions_ended: 0, number: None }, to_count: None };

    fn ended(sessions_ended: u64, number: u64) -> Self {
        Self { receipt: Receipt { sessions_ended, number: Some(number) }, to_count: None }
    }

    fn ended_uncounted(before: Before, number: u64) -> Self {
        Self { to_count: Some(before), ..Self::ended(0, number) }
    }
}

/// A change that ends something, inside of a transaction.
#[derive(Clone, Copy)]
pub(super) struct Change<'c> {
    pub(super) conn: &'c Connection,
    pub(super) now: Timestamp,
    pub(super) keep_until: Timestamp,
}

impl Change<'_> {
    /// Ends what `target` names, with its log entry and its events.
    pub(super) fn revoke(&self, target: &Target, reason: Reason) -> StoreResult<Done> {
        match target {
            Target::Token(jti) => self.end_token(jti, reason),
            Target::Session(id) => self.end_session(*id, reason),
            Target::User(id) => self.end_user(*id, reason),
            Target::Client(id) => self.end_client(id, reason),
            Target::Tenant(name) => self.end_tenant(name, reason),
            Target::Everything => self.end_everything(reason),
        }
    }

    fn end_token(&self, jti: &str, reason: Reason) -> StoreResult<Done> {
        if token_is_revoked(self.conn, jti)? {
            return Ok(Done::NOTHING);
        }
        let number = self.log(&Target::Token(jti.to_owned()), None, reason, Concerns::default())?;
        Ok(Done::ended(0, number))
    }

    fn end_session(&self, id: SessionId, reason: Reason) -> StoreResult<Done> {
        let Some(before) = standing::find(self.conn, id)? else { return Ok(Done::NOTHING) };
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE session SET ended_at = ?2, ended_reason = ?3 WHERE id = ?1 AND ended_at IS NULL",
            )?
            .execute(params![id.0.as_bytes(), self.now.0, reason.as_str()])?;
        if changed == 0 {
            return Ok(Done::NOTHING);
        }
        let session = &before.session;
        let concerns = Concerns::session(id, session.user, &session.client);
        if matches!(reason, Reason::Reuse | Reason::Lockstep) {
            event::add(self.conn, self.now, EventKind::Reuse, concerns, reason.sentence())?;
        }
        let live = before.is_live(self.now);
        if live {
            // Who was told when a stamp ended it need not be told again.
            logout::add(self.conn, id, session.user, &session.client, self.now)?;
        }
        let number = self.log(&Target::Session(id), None, reason, concerns)?;
        Ok(Done::ended(u64::from(live), number))
    }

    /// Ends those of the sessions that are live, each with its log entry; the receipt has the last
    /// one's number.
    pub(super) fn end_live(&self, sessions: &[SessionId], reason: Reason) -> StoreResult<Receipt> {
        let mut all = Done::NOTHING.receipt;
        for id in sessions {
            if standing::find(self.conn, *id)?.is_some_and(|standing| standing.is_live(self.now)) {
                let Receipt { sessions_ended, number } = self.end_session(*id, reason)?.receipt;
                all.sessions_ended += sessions_ended;
                all.number = number.or(all.number);
            }
        }
        Ok(all)
    }

    /// Moves the user's stamp on.
    pub(super) fn end_user(&self, id: UserId, reason: Reason) -> StoreResult<Done> {
        let sessions = count::of_user(self.conn, id, self.now)?;
        logout::add_of_user(self.conn, id, self.now)?;
        let stamp: Option<i64> = self
            .conn
            .prepare_cached("UPDATE user SET stamp = stamp + 1 WHERE id = ?1 RETURNING stamp")?
            .query_row(params![id.0.as_bytes()], |row| row.get(0))
            .optional()?;
        let Some(stamp) = stamp else { return Ok(Done::NOTHING) };
        let number = self.log(&Target::User(id), Some(stamp), reason, Concerns::user(id))?;
        Ok(Done::ended(sessions, number))
    }

    /// Moves the client's cut on.
    pub(super) fn end_client(&self, id: &ClientId, reason: Reason) -> StoreResult<Done> {
        let Some(before) = Before::of_client(self.conn, id)? else { return Ok(Done::NOTHING) };
        let number = self.log(&Target::Client(id.clone()), None, reason, Concerns::client(id))?;
        self.conn
            .prepare_cached("UPDATE client SET cut = ?2 WHERE id = ?1")?
            .execute(params![id.as_str(), int(number)])?;
        Ok(Done::ended_uncounted(before, number))
    }

    fn end_tenant(&self, name: &str, reason: Reason) -> StoreResult<Done> {
        let before = Before::of_tenant(self.conn, name)?;
        let number = self.log(&Target::Tenant(name.to_owned()), None, reason, Concerns::default())?;
        self.conn
            .prepare_cached(
                "INSERT INTO tenant (id, cut) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET cut = excluded.cut",
            )?
            .execute(params![name, int(number)])?;
        Ok(Done::ended_uncounted(before, number))
    }

    fn end_everything(&self, reason: Reason) -> StoreResult<Done> {
        let before = Before::of_everything(self.conn)?;
        let number = self.log(&Target::Everything, None, reason, Concerns::default())?;
        self.cut_everything(number)?;
        Ok(Done::ended_uncounted(before, number))
    }

    fn cut_everything(&self, number: u64) -> StoreResult<()> {
        self.conn.prepare_cached("UPDATE meta SET cut = ?1 WHERE id = 1")?.execute(params![int(number)])?;
        Ok(())
    }

    /// Ends all that there is, under a number that is above any that a lost later state of this
    /// store can have given out: milliseconds pass faster than revocations are made.
    pub(super) fn begin_epoch(&self) -> StoreResult<()> {
        self.conn
            .prepare_cached("UPDATE meta SET position = max(position, ?1 - 1) WHERE id = 1")?
            .execute(params![self.now.0])?;
        status::begin_epoch(self.conn)?;
        let number = self.log(&Target::Everything, None, Reason::Restored, Concerns::default())?;
        self.cut_everything(number)
    }

    /// Writes the next entry of the log, and the `end` event. One writer at a time makes the
    /// numbers gapless and in the order of commits.
    fn log(
        &self,
        target: &Target,
        stamp: Option<i64>,
        reason: Reason,
        concerns: Concerns<'_>,
    ) -> StoreResult<u64> {
        let number: i64 = self
            .conn
            .prepare_cached(
                "UPDATE meta SET position = position + 1, version = version + 1 WHERE id = 1
                 RETURNING position",
            )?
            .query_row([], |row| row.get(0))?;
        self.conn
            .prepare_cached(
                "INSERT INTO revocation (number, at, expires_at, kind, subject, stamp, reason)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                number,
                self.now.0,
                self.keep_until.0,
                target.kind(),
                target.subject(),
                stamp,
                reason.as_str()
            ])?;
        event::add(self.conn, self.now, EventKind::End, concerns, &target.detail(reason))?;
        u64::try_from(number).map_err(|_| StoreError::Broken("the stored position is not valid".to_owned()))
    }
}

/// What a revocation would end, but for what is to be counted.
pub(super) fn preview(conn: &Connection, target: &Target, now: Timestamp) -> StoreResult<u64> {
    match target {
        Target::Token(_) => Ok(0),
        Target::Session(id) => Ok(standing::find(conn, *id)?.map_or(0, |s| u64::from(s.is_live(now)))),
        Target::User(id) => count::of_user(conn, *id, now),
        Target::Client(id) => match Before::of_client(conn, id)? {
            Some(before) => before.count(conn, now, None),
            None => Ok(0),
        },
        Target::Tenant(name) => Before::of_tenant(conn, name)?.count(conn, now, None),
        Target::Everything => Before::of_everything(conn)?.count(conn, now, None),
    }
}

/// Whether the log has that access token.
fn token_is_revoked(conn: &Connection, jti: &str) -> StoreResult<bool> {
    let known = conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM revocation WHERE kind = 'token' AND subject = ?1)")?
        .query_row(params![jti], |row| row.get(0))?;
    Ok(known)
}

/// Entries of the log above a number.
pub(super) fn list(
    conn: &Connection,
    after: u64,
    limit: u32,
    now: Timestamp,
) -> StoreResult<Vec<RevocationEntry>> {
    let mut statement = conn.prepare_cached(
        "SELECT number, at, expires_at, kind, subject, stamp, reason FROM revocation
          WHERE number > ?1 AND expires_at > ?2 ORDER BY number LIMIT ?3",
    )?;
    collect(statement.query(params![int(after), now.0, limit])?, entry)
}

fn entry(mut row: Columns<'_, '_>) -> StoreResult<RevocationEntry> {
    let (number, at, expires_at) = (row.number()?, row.time()?, row.time()?);
    let (kind, subject): (String, String) = (row.take()?, row.take()?);
    let target = Target::from_parts(&kind, &subject).ok_or_else(|| row.wrong())?;
    let stamp = row.number_if_set()?;
    Ok(RevocationEntry { number, at, expires_at, target, stamp, reason: row.parsed(Reason::from_name)? })
}

/// The newest entry's number.
pub(super) fn position(conn: &Connection) -> StoreResult<u64> {
    meta(conn, "SELECT position FROM meta WHERE id = 1")
}

/// What caches watch.
pub(super) fn version(conn: &Connection) -> StoreResult<u64> {
    meta(conn, "SELECT version FROM meta WHERE id = 1")
}

fn meta(conn: &Connection, sql: &str) -> StoreResult<u64> {
    let number: i64 = conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    u64::try_from(number).map_err(|_| StoreError::Broken("the stored meta row is not valid".to_owned()))
}

/// Moves the version on, for changes that no log entry tells of.
pub(super) fn touch(conn: &Connection) -> StoreResult<()> {
    conn.prepare_cached("UPDATE meta SET version = version + 1 WHERE id = 1")?.execute([])?;
    Ok(())
}
