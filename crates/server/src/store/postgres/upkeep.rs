//! Purging, the epoch after a restored backup, and the version that caches watch.

use super::PostgresStore;
use super::error::Failure;
use super::events::insert_event;
use super::lease::Lease;
use super::rows::number;
use crate::store::{EventKind, LogoutNotice, Place, Reason, StatusIndex, Target};
use crate::time::Timestamp;

impl PostgresStore {
    pub(super) async fn ping_once(&self) -> Result<(), Failure> {
        // Of a table, so that a database that is up but not ours is not called ready.
        Lease::take(&self.pool).await?.query_one("SELECT version FROM meta", &[]).await?;
        Ok(())
    }

    pub(super) async fn version_once(&self) -> Result<u64, Failure> {
        number(&Lease::take(&self.pool).await?.query_one("SELECT version FROM meta", &[]).await?, "version")
    }

    pub(super) async fn purge_once(
        &self,
        now: Timestamp,
        events_before: Timestamp,
        limit: u32,
    ) -> Result<u64, Failure> {
        // Rows that another node is purging, or a request is using, are passed over.
        const SESSIONS: &str = "
            WITH gone AS (
                DELETE FROM session_head WHERE id IN (
                    SELECT id FROM session_head WHERE expires_at <= $1
                    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
                ) RETURNING id
            ) DELETE FROM session WHERE id IN (SELECT id FROM gone)";
        const REVOCATIONS: &str = "
            DELETE FROM revocation WHERE number IN (
                SELECT number FROM revocation WHERE expires_at <= $1
                ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
            )";
        const EVENTS: &str = "
            DELETE FROM event WHERE number IN (
                SELECT number FROM event WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED
            )";
        const BROWSERS: &str = "
            DELETE FROM browser_session WHERE id IN (
                SELECT id FROM browser_session WHERE expires_at <= $1
                ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
            )";
        const TICKETS: &str = "
            DELETE FROM ticket WHERE hash IN (
                SELECT hash FROM ticket WHERE kept_until <= $1
                ORDER BY kept_until LIMIT $2 FOR UPDATE SKIP LOCKED
            )";
        const NOTICES: &str = "
            DELETE FROM logout_notice WHERE session_id IN (
                SELECT session_id FROM logout_notice WHERE ended_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
            )";
        const PLACES: &str = "
            DELETE FROM place WHERE id IN (
                SELECT id FROM place WHERE seen_at <= $1 ORDER BY seen_at LIMIT $2 FOR UPDATE SKIP LOCKED
            )";
        let mut lease = Lease::take(&self.pool).await?;
        let mut gone = 0;
        for (sql, before) in [
            (SESSIONS, now),
            (REVOCATIONS, now),
            (EVENTS, events_before),
            (BROWSERS, now),
            (TICKETS, now),
            (NOTICES, LogoutNotice::oldest(now)),
            (PLACES, Place::oldest(now)),
        ] {
            let left = i64::from(limit).saturating_sub(i64::try_from(gone).unwrap_or(i64::MAX));
            if left > 0 {
                gone += lease.execute(sql, &[&before.0, &left]).await?;
            }
        }
        Ok(gone)
    }

    pub(super) async fn begin_epoch_once(
        &self,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> Result<(), Failure> {
        // The position leaps past every number that the store can have given between the backup
        // and now: tokens that it signed then, and has forgotten, carry a lower one. So do status
        // lists.
        const EPOCH: &str = "
            WITH next AS (
                UPDATE meta SET position = greatest(position + 1, $1), cut = greatest(position + 1, $1),
                                version = version + 1,
                                status_list = ((coalesce(status_list, 0) >> 20) + 1) << 20
                RETURNING position
            )
            INSERT INTO revocation (number, at, expires_at, kind, subject, stamp, reason)
            SELECT position, $1, $2, $3, $4, NULL, $5 FROM next";
        const { assert!(StatusIndex::EPOCH_BITS == 20, "the statement shifts by as many") };
        let (target, reason) = (Target::Everything, Reason::Restored);
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        insert_event(&mut tx, now, EventKind::End, (None, None, None), &target.detail(reason)).await?;
        tx.execute(EPOCH, &[&now.0, &keep_until.0, &target.kind(), &target.subject(), &reason.as_str()])
            .await?;
        tx.commit_and_tell(self.nodes_listen).await
    }
}
