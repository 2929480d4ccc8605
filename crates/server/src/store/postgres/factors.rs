//! Second factors and consents.

use countersign_wire::{ClientId, Scope, UserId};
use uuid::Uuid;

use super::PostgresStore;
use super::error::Failure;
use super::lease::{Lease, Params};
use super::revoke::end_sessions;
use super::rows::{self, is_live, standing_tables, wide};
use crate::store::{Consent, Factor, FactorKind, FactorUse, Reason, Receipt};
use crate::time::Timestamp;

/// Adds factors of a user to the caller's transaction.
pub(super) async fn add_factors(tx: &mut Lease, user: UserId, factors: &[Factor]) -> Result<(), Failure> {
    const INSERT: &str = "INSERT INTO factor (id, user_id, kind, label, created_at, used_at, counter, body)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    for factor in factors {
        let params: Params<'_> = &[
            &factor.id,
            &user.0,
            &factor.kind.as_str(),
            &factor.label,
            &factor.created_at.0,
            &factor.used_at.map(|at| at.0),
            &wide(factor.counter),
            &factor.body,
        ];
        tx.execute(INSERT, params).await?;
    }
    Ok(())
}

/// Removes factors, if they are that user's, in the caller's transaction.
pub(super) async fn remove_factors(tx: &mut Lease, user: UserId, ids: &[Uuid]) -> Result<(), Failure> {
    const REMOVE: &str = "DELETE FROM factor WHERE user_id = $1 AND id = ANY ($2)";
    tx.execute(REMOVE, &[&user.0, &ids]).await?;
    Ok(())
}

/// Removes all recovery codes of a user, used ones too, in the caller's transaction.
pub(super) async fn remove_recovery_codes(tx: &mut Lease, user: UserId) -> Result<(), Failure> {
    const REMOVE: &str = "DELETE FROM factor WHERE user_id = $1 AND kind = $2";
    tx.execute(REMOVE, &[&user.0, &FactorKind::Recovery.as_str()]).await?;
    Ok(())
}

impl PostgresStore {
    pub(super) async fn factors_once(&self, user: UserId) -> Result<Vec<Factor>, Failure> {
        const LIST: &str = "SELECT id, user_id, kind, label, created_at, used_at, counter, body FROM factor
                            WHERE user_id = $1 ORDER BY created_at, id";
        let rows = Lease::take(&self.pool).await?.query(LIST, &[&user.0]).await?;
        rows.iter().map(rows::factor).collect()
    }

    pub(super) async fn use_factor_once(&self, used: &FactorUse) -> Result<bool, Failure> {
        const USE: &str = "
            UPDATE factor
            SET counter = $3, used_at = greatest(used_at, $4::bigint), body = coalesce($5::text, body)
            WHERE id = $1 AND counter = $2";
        let params: Params<'_> = &[&used.id, &wide(used.seen), &wide(used.counter), &used.now.0, &used.body];
        Ok(Lease::take(&self.pool).await?.execute(USE, params).await? == 1)
    }

    pub(super) async fn consent_once(
        &self,
        user: UserId,
        client: &ClientId,
    ) -> Result<Option<Consent>, Failure> {
        const FIND: &str = "SELECT user_id, client_id, scope, granted_at FROM consent
                            WHERE user_id = $1 AND client_id = $2";
        let row = Lease::take(&self.pool).await?.query_opt(FIND, &[&user.0, &client.as_str()]).await?;
        row.as_ref().map(rows::consent).transpose()
    }

    pub(super) async fn consents_once(&self, user: UserId) -> Result<Vec<Consent>, Failure> {
        const LIST: &str = "SELECT user_id, client_id, scope, granted_at FROM consent
                            WHERE user_id = $1 ORDER BY client_id";
        let rows = Lease::take(&self.pool).await?.query(LIST, &[&user.0]).await?;
        rows.iter().map(rows::consent).collect()
    }

    pub(super) async fn grant_consent_once(
        &self,
        user: UserId,
        client: &ClientId,
        scope: &Scope,
        now: Timestamp,
    ) -> Result<(), Failure> {
        // The user's row is held, so that who removes the user waits and then finds this row too.
        const GRANT: &str = "
            INSERT INTO consent (user_id, client_id, scope, granted_at)
            SELECT id, $2::text, $3::text, $4::bigint FROM users WHERE id = $1 FOR SHARE
            ON CONFLICT (user_id, client_id)
                DO UPDATE SET scope = excluded.scope, granted_at = excluded.granted_at";
        let params: Params<'_> = &[&user.0, &client.as_str(), &scope.to_string(), &now.0];
        Lease::take(&self.pool).await?.execute(GRANT, params).await?;
        Ok(())
    }

    pub(super) async fn withdraw_consent_once(
        &self,
        user: UserId,
        client: &ClientId,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> Result<Option<Receipt>, Failure> {
        // The user first: a session that is being started is committed before, and found below.
        const LOCK_USER: &str = "SELECT id FROM users WHERE id = $1 FOR UPDATE";
        const WITHDRAW: &str = "DELETE FROM consent WHERE user_id = $1 AND client_id = $2";
        const SESSIONS: &str = concat!(
            "SELECT h.id FROM ",
            standing_tables!(),
            " WHERE h.user_id = $1 AND h.client_id = $3 AND ",
            is_live!("$2"),
            " ORDER BY h.id"
        );
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        tx.query_opt(LOCK_USER, &[&user.0]).await?;
        if tx.execute(WITHDRAW, &[&user.0, &client.as_str()]).await? == 0 {
            tx.rollback().await?;
            return Ok(None);
        }
        let sessions = tx.query(SESSIONS, &[&user.0, &now.0, &client.as_str()]).await?;
        let receipt = end_sessions(&mut tx, &sessions, Reason::ConsentWithdrawn, now, keep_until).await?;
        tx.commit_and_tell(self.nodes_listen && receipt.number.is_some()).await?;
        Ok(Some(receipt))
    }
}
