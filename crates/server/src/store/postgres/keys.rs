//! Keys, sealed.

use super::PostgresStore;
use super::clients::move_version_on;
use super::error::Failure;
use super::lease::{Lease, Params};
use super::rows;
use crate::store::{Added, KeyRecord};
use crate::time::Timestamp;

impl PostgresStore {
    pub(super) async fn keys_once(&self) -> Result<Vec<KeyRecord>, Failure> {
        const KEYS: &str = "SELECT id, purpose, number, created_at, active_at, expires_at, sealed FROM key
                            ORDER BY purpose, number";
        let rows = Lease::take(&self.pool).await?.query(KEYS, &[]).await?;
        rows.iter().map(rows::key).collect()
    }

    pub(super) async fn add_key_once(&self, key: &KeyRecord) -> Result<Added, Failure> {
        const INSERT: &str = "
            INSERT INTO key (id, purpose, number, created_at, active_at, expires_at, sealed)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
        let expires_at = key.expires_at.map(|at| at.0);
        let params: Params<'_> = &[
            &key.id,
            &key.purpose.as_str(),
            &i64::from(key.number),
            &key.created_at.0,
            &key.active_at.0,
            &expires_at,
            &key.sealed,
        ];
        let added = self.change_keys(INSERT, params).await?;
        Ok(if added == 1 { Added::Yes } else { Added::Exists })
    }

    pub(super) async fn retire_key_once(&self, id: &str, expires_at: Timestamp) -> Result<(), Failure> {
        self.change_keys("UPDATE key SET expires_at = $2 WHERE id = $1", &[&id, &expires_at.0]).await?;
        Ok(())
    }

    pub(super) async fn remove_expired_keys_once(&self, now: Timestamp) -> Result<u64, Failure> {
        self.change_keys("DELETE FROM key WHERE expires_at < $1", &[&now.0]).await
    }

    async fn change_keys(&self, sql: &str, params: Params<'_>) -> Result<u64, Failure> {
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        let changed = tx.execute(sql, params).await?;
        if changed == 0 {
            tx.rollback().await?;
        } else {
            move_version_on(&mut tx).await?;
            tx.commit_and_tell(self.nodes_listen).await?;
        }
        Ok(changed)
    }
}
