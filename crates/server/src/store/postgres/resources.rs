//! Resources.

use super::PostgresStore;
use super::clients::move_version_on;
use super::error::Failure;
use super::lease::Lease;
use super::rows::{self, to_json};
use crate::store::{Added, Page, Resource};

macro_rules! select_resources {
    ($rest:literal) => {
        concat!("SELECT audience, encryption_key, created_at, changed_at FROM resource ", $rest)
    };
}

impl PostgresStore {
    pub(super) async fn replace_resource_once(&self, resource: &Resource) -> Result<Added, Failure> {
        const INSERT: &str = "INSERT INTO resource (audience, encryption_key, created_at, changed_at)
                              VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        const UPDATE: &str = "UPDATE resource SET encryption_key = $2, changed_at = $3 WHERE audience = $1";
        let Resource { audience, created_at, changed_at, .. } = resource;
        let key = to_json(&resource.encryption_key)?;
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        let added = tx.execute(INSERT, &[audience, &key, &created_at.0, &changed_at.0]).await?;
        if added == 0 && tx.execute(UPDATE, &[audience, &key, &changed_at.0]).await? == 0 {
            // It was there, and is gone: somebody removed it in between.
            tx.rollback().await?;
            return Err(Failure::Lost("the resource was removed meanwhile".to_owned()));
        }
        move_version_on(&mut tx).await?;
        tx.commit_and_tell(self.nodes_listen).await?;
        Ok(if added == 0 { Added::Exists } else { Added::Yes })
    }

    pub(super) async fn resource_once(&self, audience: &str) -> Result<Option<Resource>, Failure> {
        let sql = select_resources!("WHERE audience = $1");
        let row = Lease::take(&self.pool).await?.query_opt(sql, &[&audience]).await?;
        row.as_ref().map(rows::resource).transpose()
    }

    pub(super) async fn resources_once(&self, page: &Page<String>) -> Result<Vec<Resource>, Failure> {
        let sql = select_resources!("WHERE ($1::text IS NULL OR audience > $1) ORDER BY audience LIMIT $2");
        let rows = Lease::take(&self.pool).await?.query(sql, &[&page.after, &i64::from(page.limit)]).await?;
        rows.iter().map(rows::resource).collect()
    }

    pub(super) async fn remove_resource_once(&self, audience: &str) -> Result<bool, Failure> {
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        if tx.execute("DELETE FROM resource WHERE audience = $1", &[&audience]).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        move_version_on(&mut tx).await?;
        tx.commit_and_tell(self.nodes_listen).await?;
        Ok(true)
    }
}
