//! Users.

use countersign_wire::UserId;

use super::PostgresStore;
use super::browsers;
use super::error::Failure;
use super::events::insert_event;
use super::factors::{add_factors, remove_factors, remove_recovery_codes};
use super::lease::Lease;
use super::revoke::{NOTHING, end_user};
use super::rows::{self, to_json, user_columns, wide};
use crate::store::{Added, EventKind, OwnChange, Page, Reason, Receipt, User, UserChange, UserFilter};
use crate::time::Timestamp;

macro_rules! select_users {
    ($rest:literal) => {
        concat!("SELECT ", user_columns!(), " FROM users u ", $rest)
    };
}

impl PostgresStore {
    pub(super) async fn add_user_once(&self, user: &User) -> Result<Added, Failure> {
        const INSERT: &str = "
            INSERT INTO users (id, username, canonical, email, password_hash, enabled, stamp, tenant, roles,
                               created_at, profile)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
        let added = Lease::take(&self.pool)
            .await?
            .execute(
                INSERT,
                &[
                    &user.id.0,
                    &user.username,
                    &user.canonical,
                    &user.email,
                    &user.password_hash,
                    &user.enabled,
                    &wide(user.stamp),
                    &user.tenant,
                    &to_json(&user.roles)?,
                    &user.created_at.0,
                    &to_json(&user.profile)?,
                ],
            )
            .await?;
        Ok(if added == 1 { Added::Yes } else { Added::Exists })
    }

    pub(super) async fn user_once(&self, id: UserId) -> Result<Option<User>, Failure> {
        let row = Lease::take(&self.pool).await?.query_opt(select_users!("WHERE id = $1"), &[&id.0]).await?;
        row.as_ref().map(rows::user).transpose()
    }

    pub(super) async fn find_user_by_name_once(&self, canonical: &str) -> Result<Option<User>, Failure> {
        // PostgreSQL's text cannot hold it, so nobody is called that.
        if canonical.contains('\0') {
            return Ok(None);
        }
        let row = Lease::take(&self.pool)
            .await?
            .query_opt(select_users!("WHERE canonical = $1"), &[&canonical])
            .await?;
        row.as_ref().map(rows::user).transpose()
    }

    pub(super) async fn users_once(
        &self,
        filter: &UserFilter,
        page: &Page<String>,
    ) -> Result<Vec<User>, Failure> {
        let sql = select_users!(
            "WHERE ($1::text IS NULL OR tenant = $1) AND ($2::boolean IS NULL OR enabled = $2) \
               AND ($3::text IS NULL OR (canonical >= $3 AND left(canonical, length($3)) = $3)) \
               AND ($4::text IS NULL OR canonical > $4) ORDER BY canonical LIMIT $5"
        );
        let rows = Lease::take(&self.pool)
            .await?
            .query(
                sql,
                &[&filter.tenant, &filter.enabled, &filter.name_prefix, &page.after, &i64::from(page.limit)],
            )
            .await?;
        rows.iter().map(rows::user).collect()
    }

    pub(super) async fn change_user_once(
        &self,
        id: UserId,
        change: &UserChange,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> Result<Option<Receipt>, Failure> {
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        let Some(user) = lock(&mut tx, id).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        if !change.changes(&user) {
            tx.rollback().await?;
            return Ok(Some(NOTHING));
        }
        let receipt = apply(&mut tx, &user, change, now, keep_until).await?;
        tx.commit_and_tell(self.nodes_listen && receipt.number.is_some()).await?;
        Ok(Some(receipt))
    }

    pub(super) async fn change_own_user_once(&self, own: &OwnChange) -> Result<Option<Receipt>, Failure> {
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        let Some(user) = lock(&mut tx, own.user).await?.filter(|user| own.ends(user)) else {
            tx.rollback().await?;
            return Ok(None);
        };
        if !browsers::go_on(&mut tx, own).await? {
            tx.rollback().await?;
            return Ok(None);
        }
        let receipt = apply(&mut tx, &user, &own.change, own.now, own.keep_until).await?;
        tx.commit_and_tell(self.nodes_listen && receipt.number.is_some()).await?;
        Ok(Some(receipt))
    }

    pub(super) async fn remove_user_once(
        &self,
        id: UserId,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> Result<Option<Receipt>, Failure> {
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        if tx.query_opt("SELECT id FROM users WHERE id = $1 FOR UPDATE", &[&id.0]).await?.is_none() {
            tx.rollback().await?;
            return Ok(None);
        }
        // Before the number of the log is taken, after which no row is waited for.
        for sql in [
            "DELETE FROM browser_session WHERE user_id = $1",
            "DELETE FROM place WHERE user_id = $1",
            "DELETE FROM factor WHERE user_id = $1",
            "DELETE FROM consent WHERE user_id = $1",
        ] {
            tx.execute(sql, &[&id.0]).await?;
        }
        let about = (None, Some(id), None);
        insert_event(&mut tx, now, EventKind::Admin, about, "the user was removed").await?;
        let receipt = end_user(&mut tx, id, Reason::UserRemoved, now, keep_until).await?;
        tx.execute("DELETE FROM users WHERE id = $1", &[&id.0]).await?;
        tx.commit_and_tell(self.nodes_listen).await?;
        Ok(Some(receipt))
    }
}

/// A user, whose row is held from here to the end of the transaction.
async fn lock(tx: &mut Lease, id: UserId) -> Result<Option<User>, Failure> {
    let row = tx.query_opt(select_users!("WHERE id = $1 FOR UPDATE"), &[&id.0]).await?;
    row.as_ref().map(rows::user).transpose()
}

/// Changes a user, locked by the caller, and ends what that must end.
async fn apply(
    tx: &mut Lease,
    user: &User,
    change: &UserChange,
    now: Timestamp,
    keep_until: Timestamp,
) -> Result<Receipt, Failure> {
    let id = user.id;
    insert_event(tx, now, EventKind::Admin, (None, Some(id), None), change.detail()).await?;
    // Before the change itself: what it ends is counted with the user's old state.
    let receipt = match change.ends(user) {
        Some(reason) => end_user(tx, id, reason, now, keep_until).await?,
        None => NOTHING,
    };
    match change {
        UserChange::Disable | UserChange::Enable => {
            let enabled = *change == UserChange::Enable;
            tx.execute("UPDATE users SET enabled = $2 WHERE id = $1", &[&id.0, &enabled]).await?;
        }
        UserChange::Password(hash) => {
            tx.execute("UPDATE users SET password_hash = $2 WHERE id = $1", &[&id.0, hash]).await?;
        }
        UserChange::Roles(roles) => {
            tx.execute("UPDATE users SET roles = $2 WHERE id = $1", &[&id.0, &to_json(roles)?]).await?;
        }
        UserChange::AddFactors(factors) => add_factors(tx, id, factors).await?,
        UserChange::RemoveFactors(ids) => remove_factors(tx, id, ids).await?,
        UserChange::RecoveryCodes(codes) => {
            remove_recovery_codes(tx, id).await?;
            add_factors(tx, id, codes).await?;
        }
        UserChange::Profile(email, profile) => {
            const SET: &str = "UPDATE users SET email = $2, profile = $3 WHERE id = $1";
            tx.execute(SET, &[&id.0, email, &to_json(profile)?]).await?;
        }
        UserChange::SignOut => {}
    }
    Ok(receipt)
}
