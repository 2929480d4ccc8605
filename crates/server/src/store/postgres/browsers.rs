//! Browser sessions.

use countersign_wire::{BrowserSessionId, UserId};

use super::PostgresStore;
use super::error::Failure;
use super::lease::{Lease, Params};
use super::places::trim;
use super::revoke::{NOTHING, end_sessions};
use super::rows::{self, is_live, millis, standing_tables, to_json, user_columns, wide};
use crate::store::{
    BrowserStanding, NewBrowserSession, NewSession, OwnChange, Reason, Receipt, RenewBrowserSession, SignIn,
    StartRefusal,
};
use crate::time::Timestamp;

/// The columns that [`rows::browser`] reads.
macro_rules! columns {
    () => {
        concat!(
            "b.id AS browser_id, b.user_id, b.secret_hash, b.user_stamp, b.born, b.remember, \
             b.created_at AS began_at, b.auth_time, b.acr, b.amr, b.seen_at, b.idle_lifetime, \
             b.idle_expires_at, b.expires_at, b.network, b.agent, b.ended_at, b.ended_reason, \
             greatest(coalesce(t.cut, 0), m.cut) AS cut, ",
            user_columns!()
        )
    };
}

/// [`BrowserStanding::is_live`] in SQL, where `b`, `u`, `t` and `m` are browser_session, users,
/// tenant and meta; the time is `$1`.
macro_rules! is_live_browser {
    () => {
        "b.ended_at IS NULL AND b.expires_at > $1 AND b.idle_expires_at > $1 \
         AND u.enabled AND u.stamp = b.user_stamp \
         AND coalesce(t.cut, 0) <= b.born AND m.cut <= b.born"
    };
}

/// What a browser session depends on.
macro_rules! its_gates {
    () => {
        "users u LEFT JOIN tenant t ON t.id = u.tenant CROSS JOIN meta m"
    };
}

/// What use writes in any case: time only ages, idle expiry never passes the absolute one.
macro_rules! seen {
    () => {
        "seen_at = greatest(b.seen_at, $1), \
         idle_expires_at = greatest(b.idle_expires_at, least($1 + b.idle_lifetime, b.expires_at))"
    };
}

impl PostgresStore {
    pub(super) async fn start_browser_session_once(
        &self,
        new: &NewBrowserSession,
    ) -> Result<Option<BrowserStanding>, Failure> {
        // The user's row is held, so that who removes the user waits and then finds these rows too.
        // A cut that the snapshot does not see is numbered above `born`, and ends it.
        const START: &str = concat!(
            "WITH gate AS (
                SELECT u.id, u.stamp, m.position FROM users u CROSS JOIN meta m
                WHERE u.id = $2::uuid AND u.enabled AND u.stamp = $3::bigint FOR SHARE OF u
            ), b AS (
                INSERT INTO browser_session (id, secret_hash, user_id, user_stamp, born, remember, created_at,
                                             auth_time, acr, amr, seen_at, idle_lifetime, idle_expires_at,
                                             expires_at, network, agent)
                SELECT $4::uuid, $5::bytea, id, stamp, position, $6::boolean, $1::bigint, $1::bigint, $7::text,
                       $8::text, $1::bigint, $9::bigint, least($1::bigint + $9::bigint, $10::bigint), $10::bigint,
                       $11::text, $12::text
                FROM gate RETURNING *
            ), noted AS (
                INSERT INTO place (id, user_id, network, device, agent, since, seen_at, browser, is_new)
                SELECT id, user_id, coalesce(network, ''), $13::text, coalesce(agent, ''), created_at, created_at,
                       id, $14::boolean
                FROM b
                ON CONFLICT (user_id, network, device) DO UPDATE
                    SET agent = excluded.agent, browser = excluded.browser,
                        seen_at = greatest(place.seen_at, excluded.seen_at)
            ) SELECT ",
            columns!(),
            " FROM b CROSS JOIN ",
            its_gates!(),
            " WHERE u.id = b.user_id"
        );
        let params: Params<'_> = &[
            &new.now.0,
            &new.user.0,
            &wide(new.user_stamp),
            &new.id.0,
            &new.secret_hash.as_slice(),
            &new.remember,
            &new.acr,
            &to_json(&new.amr)?,
            &millis(new.idle_lifetime),
            &new.now.plus(new.absolute_lifetime).0,
            &new.network,
            &new.agent,
            &new.place.device,
            &new.place.asks,
        ];
        let mut lease = Lease::take(&self.pool).await?;
        let Some(row) = lease.query_opt(START, params).await? else { return Ok(None) };
        // The sign-in stands without it, and the next one does it again.
        if let Err(failure) = trim(&mut lease, new.user).await {
            tracing::debug!(?failure, "old places were not removed");
        }
        rows::browser(&row).map(Some)
    }

    pub(super) async fn renew_browser_session_once(
        &self,
        renew: &RenewBrowserSession,
    ) -> Result<Option<BrowserStanding>, Failure> {
        const RENEW: &str = concat!(
            "UPDATE browser_session b
             SET secret_hash = $4, acr = $5, amr = $6, auth_time = greatest(b.auth_time, $7), ",
            seen!(),
            " FROM ",
            its_gates!(),
            " WHERE b.id = $2 AND b.secret_hash = $3 AND u.id = b.user_id AND ",
            is_live_browser!(),
            " RETURNING ",
            columns!()
        );
        let params: Params<'_> = &[
            &renew.now.0,
            &renew.id.0,
            &renew.seen_hash.as_slice(),
            &renew.secret_hash.as_slice(),
            &renew.acr,
            &to_json(&renew.amr)?,
            &renew.auth_time.0,
        ];
        let row = Lease::take(&self.pool).await?.query_opt(RENEW, params).await?;
        row.as_ref().map(rows::browser).transpose()
    }

    pub(super) async fn browser_session_once(
        &self,
        secret_hash: &[u8; 32],
    ) -> Result<Option<BrowserStanding>, Failure> {
        const FIND: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM browser_session b CROSS JOIN ",
            its_gates!(),
            " WHERE b.secret_hash = $1 AND u.id = b.user_id"
        );
        let row = Lease::take(&self.pool).await?.query_opt(FIND, &[&secret_hash.as_slice()]).await?;
        row.as_ref().map(rows::browser).transpose()
    }

    pub(super) async fn browser_sessions_once(
        &self,
        user: UserId,
        now: Timestamp,
    ) -> Result<Vec<BrowserStanding>, Failure> {
        const LIST: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM browser_session b CROSS JOIN ",
            its_gates!(),
            " WHERE b.user_id = $2 AND u.id = b.user_id AND ",
            is_live_browser!(),
            " ORDER BY b.id DESC"
        );
        let rows = Lease::take(&self.pool).await?.query(LIST, &[&now.0, &user.0]).await?;
        rows.iter().map(rows::browser).collect()
    }

    pub(super) async fn touch_browser_session_once(
        &self,
        id: BrowserSessionId,
        network: &str,
        agent: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        const TOUCH: &str = concat!(
            "UPDATE browser_session b SET network = $3, agent = $4, ",
            seen!(),
            " FROM ",
            its_gates!(),
            " WHERE b.id = $2 AND u.id = b.user_id AND ",
            is_live_browser!()
        );
        Lease::take(&self.pool).await?.execute(TOUCH, &[&now.0, &id.0, &network, &agent]).await?;
        Ok(())
    }

    pub(super) async fn end_browser_session_once(
        &self,
        id: BrowserSessionId,
        reason: Reason,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> Result<Option<Receipt>, Failure> {
        const END: &str = "UPDATE browser_session SET ended_at = $2, ended_reason = $3
                           WHERE id = $1 AND ended_at IS NULL";
        // Asked with the row in hand: a session that was being started from it has been committed.
        const SESSIONS: &str = concat!(
            "SELECT h.id FROM ",
            standing_tables!(),
            " WHERE s.browser = $1 AND ",
            is_live!("$2"),
            " ORDER BY h.id"
        );
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        if tx.execute(END, &[&id.0, &now.0, &reason.as_str()]).await? == 0 {
            let known = tx.query_opt("SELECT id FROM browser_session WHERE id = $1", &[&id.0]).await?;
            tx.rollback().await?;
            return Ok(known.map(|_| NOTHING));
        }
        let sessions = tx.query(SESSIONS, &[&id.0, &now.0]).await?;
        let receipt = end_sessions(&mut tx, &sessions, reason, now, keep_until).await?;
        tx.commit_and_tell(self.nodes_listen && receipt.number.is_some()).await?;
        Ok(Some(receipt))
    }
}

/// Lets one that is live go on as another, with the stamp that its user, locked by the caller, is about to have. All of
/// it goes along but the id and the secret, so that nothing that hung on the old one hangs on the new one. False: it is
/// not live, or not that user's. Its row is held: who ends it has done so before, or finds it over by the stamp.
pub(super) async fn go_on(tx: &mut Lease, own: &OwnChange) -> Result<bool, Failure> {
    const GO_ON: &str = concat!(
        "WITH b AS (
            SELECT b.* FROM browser_session b CROSS JOIN ",
        its_gates!(),
        " WHERE b.id = $2 AND b.secret_hash = $3 AND b.user_id = $4 AND u.id = b.user_id AND ",
        is_live_browser!(),
        " FOR UPDATE OF b
        ) INSERT INTO browser_session (id, secret_hash, user_id, user_stamp, born, remember, created_at,
                                       auth_time, acr, amr, seen_at, idle_lifetime, idle_expires_at,
                                       expires_at, network, agent)
        SELECT $5::uuid, $6::bytea, user_id, user_stamp + 1, born, remember, created_at, auth_time, acr, amr,
               greatest(seen_at, $1::bigint), idle_lifetime,
               greatest(idle_expires_at, least($1::bigint + idle_lifetime, expires_at)),
               expires_at, network, agent
        FROM b"
    );
    let params: Params<'_> = &[
        &own.now.0,
        &own.browser.0,
        &own.seen_hash.as_slice(),
        &own.user.0,
        &own.next.0,
        &own.secret_hash.as_slice(),
    ];
    Ok(tx.execute(GO_ON, params).await? == 1)
}

/// Spends the sign-in's ticket on the session, in the caller's transaction, if its browser session
/// is live and the session's user's; a refusal is to be rolled back. Who comes second with the
/// ticket waits for the first to commit, and then finds it spent. The browser session's row is
/// held, so that who ends it waits, and then finds the session that is being started.
pub(super) async fn redeem(
    tx: &mut Lease,
    new: &NewSession,
    sign_in: &SignIn,
) -> Result<Option<StartRefusal>, Failure> {
    const REDEEM: &str = concat!(
        "WITH spent AS (
            UPDATE ticket SET session_id = $4 WHERE hash = $5 AND expires_at > $1 AND session_id IS NULL
            RETURNING hash
        ), browser AS (
            SELECT b.id FROM browser_session b CROSS JOIN ",
        its_gates!(),
        " WHERE b.id = $2 AND b.user_id = $3 AND u.id = b.user_id AND ",
        is_live_browser!(),
        " FOR SHARE OF b
        ) SELECT EXISTS (SELECT 1 FROM spent) AS ticket_ok, EXISTS (SELECT 1 FROM browser) AS browser_ok"
    );
    let params: Params<'_> =
        &[&new.now.0, &sign_in.browser.0, &new.user.0, &new.id.0, &sign_in.ticket.as_slice()];
    let row = tx.query_one(REDEEM, params).await?;
    Ok(if !rows::get(&row, "ticket_ok")? {
        Some(StartRefusal::Ticket)
    } else if !rows::get(&row, "browser_ok")? {
        Some(StartRefusal::Browser)
    } else {
        None
    })
}
