//! Logout notices: what tells the clients reads them here; what ends sessions writes them, in
//! `revoke.rs`.
//!
//! Written when sessions end one by one, and when a user's stamp moves on. Not when a client, a
//! tenant or everything is cut off: that moves one number, whatever the number of sessions behind
//! it, and must not become a walk over all of them.

use countersign_wire::{ClientId, SessionId};

use super::PostgresStore;
use super::error::Failure;
use super::lease::{Lease, Params};
use super::rows;
use crate::store::LogoutNotice;
use crate::time::Timestamp;

/// Whether the client `c` wants to be told. As text, and not as JSON: it is exact, because a quote
/// within a value of the settings has a backslash before it, and it cannot fail, which must not
/// happen where a session is ended (PostgreSQL's JSON functions refuse a text with `\u0000`).
macro_rules! is_told {
    () => {
        r#"strpos(c.settings, '"backchannel_logout_uri":"') > 0"#
    };
}

pub(super) use is_told;

impl PostgresStore {
    pub(super) async fn due_logout_notices_once(
        &self,
        limit: u32,
        but_for: &[ClientId],
        now: Timestamp,
        again_at: Timestamp,
    ) -> Result<Vec<LogoutNotice>, Failure> {
        // Those that another node is taking are passed over.
        const DUE: &str = "
            WITH due AS (
                SELECT session_id, due_at FROM logout_notice WHERE due_at <= $1 AND client_id <> ALL ($4)
                ORDER BY due_at, session_id LIMIT $2 FOR UPDATE SKIP LOCKED
            ), put_off AS (
                UPDATE logout_notice n SET due_at = $3 FROM due WHERE n.session_id = due.session_id
                RETURNING n.session_id, n.user_id, n.client_id, n.attempts, n.ended_at, due.due_at AS was_due
            ) SELECT * FROM put_off ORDER BY was_due, session_id";
        let but_for: Vec<&str> = but_for.iter().map(ClientId::as_str).collect();
        let params: Params<'_> = &[&now.0, &i64::from(limit), &again_at.0, &but_for];
        let rows = Lease::take(&self.pool).await?.query(DUE, params).await?;
        rows.iter().map(rows::notice).collect()
    }

    pub(super) async fn postpone_logout_notice_once(
        &self,
        session: SessionId,
        again_at: Timestamp,
    ) -> Result<(), Failure> {
        const POSTPONE: &str =
            "UPDATE logout_notice SET attempts = attempts + 1, due_at = $2 WHERE session_id = $1";
        Lease::take(&self.pool).await?.execute(POSTPONE, &[&session.0, &again_at.0]).await?;
        Ok(())
    }

    pub(super) async fn finish_logout_notice_once(&self, session: SessionId) -> Result<(), Failure> {
        const FINISH: &str = "DELETE FROM logout_notice WHERE session_id = $1";
        Lease::take(&self.pool).await?.execute(FINISH, &[&session.0]).await?;
        Ok(())
    }
}
