//! Revocation and its numbered log.
//!
//! The number comes from a row, `meta.position`, that the transaction updates late: the row's
//! lock is held until commit, so numbers have no gaps and become visible in their own order, and
//! whoever has read up to a number has missed nothing below it. A sequence gives numbers outside
//! of transactions: a reader could see 8 while 7 is still to be committed, and pass over it.
//!
//! Rows of users, clients and sessions are locked before `meta`, never after it, so revocations
//! do not deadlock with each other.

use countersign_wire::{ClientId, SessionId, UserId};
use tokio_postgres::Row;

use super::PostgresStore;
use super::count::Before;
use super::error::Failure;
use super::events::insert_event;
use super::lease::Lease;
use super::notices::is_told;
use super::rows::{self, is_live, number, standing_tables, wide};
use crate::store::{EventKind, Liveness, LivenessQuery, Reason, Receipt, RevocationEntry, Target};
use crate::time::Timestamp;

/// Nothing was there to be ended.
pub(super) const NOTHING: Receipt = Receipt { sessions_ended: 0, number: None };

/// What a log entry says, but for its number.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) target: &'a Target,
    /// For a user: the new stamp.
    pub(super) stamp: Option<u64>,
    pub(super) reason: Reason,
    pub(super) now: Timestamp,
    pub(super) keep_until: Timestamp,
}

/// The session, and the logout notice that its client is owed. A session that was dead already is
/// none of its client's concern: what killed it has told the client, or is told to nobody.
const END_SESSION: &str = concat!(
    "WITH was AS (SELECT ",
    is_live!("$2"),
    " AS live FROM ",
    standing_tables!(),
    " WHERE h.id = $1
    ), ended AS (
    UPDATE session_head SET ended_at = $2, ended_reason = $3
    WHERE id = $1 AND ended_at IS NULL
    RETURNING id, user_id, client_id
    ), told AS (
    INSERT INTO logout_notice (session_id, user_id, client_id, attempts, ended_at, due_at)
    SELECT e.id, e.user_id, e.client_id, 0, $2, $2 FROM ended e JOIN was ON was.live JOIN client c ON c.id = e.client_id
    WHERE ",
    is_told!(),
    " ON CONFLICT DO NOTHING
    ) SELECT user_id, client_id, (SELECT live FROM was) AS live FROM ended"
);

/// Ends one session, unless it has ended, with its log entry and events.
pub(super) async fn end_session(
    tx: &mut Lease,
    id: SessionId,
    reason: Reason,
    now: Timestamp,
    keep_until: Timestamp,
) -> Result<Receipt, Failure> {
    let Some(row) = tx.query_opt(END_SESSION, &[&id.0, &now.0, &reason.as_str()]).await? else {
        return Ok(NOTHING);
    };
    let user = UserId(rows::get(&row, "user_id")?);
    let client: ClientId = rows::client_id(rows::get(&row, "client_id")?)?;
    let about = (Some(id), Some(user), Some(&client));
    if matches!(reason, Reason::Reuse | Reason::Lockstep) {
        insert_event(tx, now, EventKind::Reuse, about, reason.sentence()).await?;
    }
    insert_event(tx, now, EventKind::End, about, reason.sentence()).await?;
    let live: bool = rows::get(&row, "live")?;
    let entry = Entry { target: &Target::Session(id), stamp: None, reason, now, keep_until };
    let number = append(tx, entry).await?;
    Ok(Receipt { sessions_ended: u64::from(live), number: Some(number) })
}

/// Ends sessions, the rows of a query by their column `id`, each with its log entry and events;
/// the receipt has the last one's number.
pub(super) async fn end_sessions(
    tx: &mut Lease,
    sessions: &[Row],
    reason: Reason,
    now: Timestamp,
    keep_until: Timestamp,
) -> Result<Receipt, Failure> {
    let mut all = NOTHING;
    for row in sessions {
        let id = SessionId(rows::get(row, "id")?);
        let Receipt { sessions_ended, number } = end_session(tx, id, reason, now, keep_until).await?;
        all.sessions_ended += sessions_ended;
        all.number = number.or(all.number);
    }
    Ok(all)
}

/// Moves the number on and writes the entry. From here to the commit no other revocation can
/// pass, so little should follow.
pub(super) async fn append(tx: &mut Lease, entry: Entry<'_>) -> Result<u64, Failure> {
    const APPEND: &str = "
        WITH next AS (UPDATE meta SET position = position + 1, version = version + 1 RETURNING position)
        INSERT INTO revocation (number, at, expires_at, kind, subject, stamp, reason)
        SELECT position, $1, $2, $3, $4, $5, $6 FROM next
        RETURNING number";
    let Entry { target, stamp, reason, now, keep_until } = entry;
    let stamp = stamp.map(wide);
    let row = tx
        .query_one(
            APPEND,
            &[&now.0, &keep_until.0, &target.kind(), &target.subject(), &stamp, &reason.as_str()],
        )
        .await?;
    number(&row, "number")
}

/// Writes the event and the entry for what is ended by a cut, and sets the cut to its number. A
/// client has been locked by the caller.
pub(super) async fn end_by_cut(tx: &mut Lease, entry: Entry<'_>) -> Result<u64, Failure> {
    let client = if let Target::Client(id) = entry.target { Some(id) } else { None };
    let detail = entry.target.detail(entry.reason);
    insert_event(tx, entry.now, EventKind::End, (None, None, client), &detail).await?;
    let number = append(tx, entry).await?;
    let at = wide(number);
    match entry.target {
        Target::Client(id) => {
            tx.execute("UPDATE client SET cut = $2 WHERE id = $1", &[&id.as_str(), &at]).await?;
        }
        Target::Tenant(name) => {
            const CUT: &str = "INSERT INTO tenant (id, cut) VALUES ($1, $2)
                               ON CONFLICT (id) DO UPDATE SET cut = excluded.cut";
            tx.execute(CUT, &[&name, &at]).await?;
        }
        Target::Everything => {
            tx.execute("UPDATE meta SET cut = $1", &[&at]).await?;
        }
        Target::Token(_) | Target::Session(_) | Target::User(_) => {}
    }
    Ok(number)
}

/// Locks a client and says whether it is there, and enabled.
pub(super) async fn lock_client(tx: &mut Lease, id: &ClientId) -> Result<Option<bool>, Failure> {
    let row = tx.query_opt("SELECT enabled FROM client WHERE id = $1 FOR UPDATE", &[&id.as_str()]).await?;
    row.map(|row| rows::get(&row, "enabled")).transpose()
}

/// How many live sessions a user, locked by the caller, has; and the logout notices that their
/// clients are owed, because the caller ends them.
async fn count_and_tell(tx: &mut Lease, id: UserId, now: Timestamp) -> Result<u64, Failure> {
    const COUNT: &str = concat!(
        "WITH live AS (SELECT h.id, h.user_id, h.client_id, ",
        is_told!(),
        " AS told FROM ",
        standing_tables!(),
        " WHERE h.user_id = $1 AND ",
        is_live!("$2"),
        "), told AS (
        INSERT INTO logout_notice (session_id, user_id, client_id, attempts, ended_at, due_at)
        SELECT id, user_id, client_id, 0, $2, $2 FROM live WHERE told ON CONFLICT DO NOTHING
        ) SELECT count(*) AS live FROM live"
    );
    number(&tx.query_one(COUNT, &[&id.0, &now.0]).await?, "live")
}

/// Moves a user's stamp on and writes the event and the entry; the caller has locked the row.
pub(super) async fn end_user(
    tx: &mut Lease,
    id: UserId,
    reason: Reason,
    now: Timestamp,
    keep_until: Timestamp,
) -> Result<Receipt, Failure> {
    const MOVE_ON: &str = "UPDATE users SET stamp = stamp + 1 WHERE id = $1 RETURNING stamp";
    let sessions_ended = count_and_tell(tx, id, now).await?;
    let stamp = number(&tx.query_one(MOVE_ON, &[&id.0]).await?, "stamp")?;
    insert_event(tx, now, EventKind::End, (None, Some(id), None), reason.sentence()).await?;
    let target = Target::User(id);
    let number = append(tx, Entry { target: &target, stamp: Some(stamp), reason, now, keep_until }).await?;
    Ok(Receipt { sessions_ended, number: Some(number) })
}

impl PostgresStore {
    pub(super) async fn revoke_once(
        &self,
        target: &Target,
        reason: Reason,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> Result<Receipt, Failure> {
        let end = self.end(target, reason, now, keep_until);
        match target {
            Target::Client(_) | Target::Tenant(_) | Target::Everything => {
                let receipt = self.counted(target, now, async { end.await.map(Some) }).await?;
                Ok(receipt.unwrap_or(NOTHING))
            }
            Target::Token(_) | Target::Session(_) | Target::User(_) => end.await,
        }
    }

    /// Ends it; what a cut ends is not counted here.
    async fn end(
        &self,
        target: &Target,
        reason: Reason,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> Result<Receipt, Failure> {
        let entry = Entry { target, stamp: None, reason, now, keep_until };
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        let receipt = match target {
            Target::Token(jti) => revoke_token(&mut tx, jti, entry).await?,
            Target::Session(id) => end_session(&mut tx, *id, reason, now, keep_until).await?,
            Target::User(id) => {
                if tx.query_opt("SELECT id FROM users WHERE id = $1 FOR UPDATE", &[&id.0]).await?.is_none() {
                    NOTHING
                } else {
                    end_user(&mut tx, *id, reason, now, keep_until).await?
                }
            }
            Target::Client(id) if lock_client(&mut tx, id).await?.is_none() => NOTHING,
            Target::Client(_) | Target::Tenant(_) | Target::Everything => {
                Receipt { sessions_ended: 0, number: Some(end_by_cut(&mut tx, entry).await?) }
            }
        };
        if receipt.number.is_some() {
            tx.commit_and_tell(self.nodes_listen).await?;
        } else {
            tx.rollback().await?;
        }
        Ok(receipt)
    }

    pub(super) async fn preview_once(&self, target: &Target, now: Timestamp) -> Result<Receipt, Failure> {
        let sessions_ended = Before::take(&self.pool).await?.count(target, now).await?;
        Ok(Receipt { sessions_ended, number: None })
    }

    pub(super) async fn revocations_once(
        &self,
        after: u64,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<RevocationEntry>, Failure> {
        const ENTRIES: &str = "SELECT number, at, expires_at, kind, subject, stamp, reason FROM revocation
                               WHERE number > $1 AND expires_at > $2 ORDER BY number LIMIT $3";
        let rows =
            Lease::take(&self.pool).await?.query(ENTRIES, &[&wide(after), &now.0, &i64::from(limit)]).await?;
        rows.iter().map(rows::revocation).collect()
    }

    pub(super) async fn position_once(&self) -> Result<u64, Failure> {
        number(&Lease::take(&self.pool).await?.query_one("SELECT position FROM meta", &[]).await?, "position")
    }

    pub(super) async fn client_position_once(
        &self,
        client: &ClientId,
        revision: u64,
    ) -> Result<Option<u64>, Failure> {
        const POSITION: &str = "SELECT m.position FROM client c CROSS JOIN meta m
                                WHERE c.id = $1 AND c.revision = $2 AND c.enabled";
        let row =
            Lease::take(&self.pool).await?.query_opt(POSITION, &[&client.as_str(), &wide(revision)]).await?;
        row.map(|row| number(&row, "position")).transpose()
    }

    pub(super) async fn liveness_once(&self, query: &LivenessQuery) -> Result<Liveness, Failure> {
        // One statement, so one snapshot. A missing row anywhere makes the answer false.
        const LIVENESS: &str = "
            SELECT ($1::text IS NULL OR EXISTS (
                       SELECT 1 FROM client WHERE id = $1 AND enabled AND revision = $2::bigint
                   )) AS caller_current,
                   NOT EXISTS (SELECT 1 FROM revocation WHERE kind = 'token' AND subject = $6::text)
                   AND EXISTS (
                       SELECT 1 FROM client c CROSS JOIN meta m LEFT JOIN tenant t ON t.id = c.tenant
                       WHERE c.id = $5::text AND c.enabled AND c.cut <= $7::bigint AND m.cut <= $7::bigint
                         AND coalesce(t.cut, 0) <= $7::bigint
                   )
                   AND ($3::uuid IS NULL OR EXISTS (
                       SELECT 1 FROM session_head h
                       JOIN users u ON u.id = h.user_id
                       JOIN client c ON c.id = h.client_id
                       CROSS JOIN meta m
                       LEFT JOIN tenant t ON t.id = u.tenant
                       WHERE h.id = $3 AND h.client_id = $5 AND h.ended_at IS NULL
                         AND h.user_stamp = $4::bigint AND u.enabled AND u.stamp = h.user_stamp
                         AND greatest(c.cut, coalesce(t.cut, 0), m.cut) <= least(h.born, $7)
                   )) AS live";
        let caller = query.caller.as_ref().map(|(id, _)| id.as_str());
        let revision = query.caller.as_ref().map(|(_, revision)| wide(*revision));
        let session = query.session.map(|(id, _)| id.0);
        let stamp = query.session.map(|(_, stamp)| wide(stamp));
        let row = Lease::take(&self.pool)
            .await?
            .query_one(
                LIVENESS,
                &[
                    &caller,
                    &revision,
                    &session,
                    &stamp,
                    &query.client.as_str(),
                    &query.jti,
                    &wide(query.position),
                ],
            )
            .await?;
        Ok(Liveness { caller_current: rows::get(&row, "caller_current")?, live: rows::get(&row, "live")? })
    }
}

async fn revoke_token(tx: &mut Lease, jti: &str, entry: Entry<'_>) -> Result<Receipt, Failure> {
    const ENTRIES: &str = "SELECT count(*) AS entries FROM revocation WHERE kind = 'token' AND subject = $1";
    let detail = entry.target.detail(entry.reason);
    insert_event(tx, entry.now, EventKind::End, (None, None, None), &detail).await?;
    let number = append(tx, entry).await?;
    // Asked with the number in hand: who revoked the same token before us, on any node, has
    // committed by now.
    let entries: i64 = rows::get(&tx.query_one(ENTRIES, &[&jti]).await?, "entries")?;
    Ok(if entries > 1 { NOTHING } else { Receipt { sessions_ended: 0, number: Some(number) } })
}
