//! Clients.

use countersign_wire::ClientId;

use super::PostgresStore;
use super::error::Failure;
use super::events::insert_event;
use super::lease::Lease;
use super::revoke::{Entry, NOTHING, end_by_cut, lock_client};
use super::rows::{self, to_json, wide};
use crate::store::{Added, Client, ClientFilter, EventKind, Page, Reason, Receipt, Target};
use crate::time::Timestamp;

macro_rules! select_clients {
    ($rest:literal) => {
        concat!("SELECT id, enabled, revision, cut, tenant, created_at, settings FROM client ", $rest)
    };
}

/// Clients and keys are cached by the nodes: each change to them moves `version` on.
pub(super) async fn move_version_on(tx: &mut Lease) -> Result<(), Failure> {
    tx.execute("UPDATE meta SET version = version + 1", &[]).await?;
    Ok(())
}

impl PostgresStore {
    pub(super) async fn add_client_once(&self, client: &Client) -> Result<Added, Failure> {
        const INSERT: &str = "
            INSERT INTO client (id, enabled, revision, cut, tenant, created_at, settings)
            VALUES ($1, $2, $3, 0, $4, $5, $6) ON CONFLICT DO NOTHING";
        // The cut is the position: what an earlier client of that name left behind was born
        // before. While the log remembers that one, the revision is the store's version, which is
        // above any that the earlier one had, as each of its changes moved both on. In a second
        // statement, whose snapshot is newer: the first may have waited for the earlier client's
        // removal to be committed.
        const PLACE: &str = "
            UPDATE client c
            SET cut = m.position,
                revision = CASE WHEN EXISTS (SELECT 1 FROM revocation r WHERE r.kind = 'client' AND r.subject = c.id
                                         AND r.reason = 'client_removed')
                           THEN greatest(c.revision, m.version + 1) ELSE c.revision END
            FROM meta m WHERE c.id = $1";
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        let added = tx
            .execute(
                INSERT,
                &[
                    &client.id.as_str(),
                    &client.enabled,
                    &wide(client.revision),
                    &client.tenant,
                    &client.created_at.0,
                    &to_json(&client.settings)?,
                ],
            )
            .await?;
        if added == 0 {
            tx.rollback().await?;
            return Ok(Added::Exists);
        }
        tx.execute(PLACE, &[&client.id.as_str()]).await?;
        move_version_on(&mut tx).await?;
        tx.commit_and_tell(self.nodes_listen).await?;
        Ok(Added::Yes)
    }

    pub(super) async fn client_once(&self, id: &ClientId) -> Result<Option<Client>, Failure> {
        let sql = select_clients!("WHERE id = $1");
        let row = Lease::take(&self.pool).await?.query_opt(sql, &[&id.as_str()]).await?;
        row.as_ref().map(rows::client).transpose()
    }

    pub(super) async fn clients_once(
        &self,
        filter: &ClientFilter,
        page: &Page<ClientId>,
    ) -> Result<Vec<Client>, Failure> {
        let sql = select_clients!(
            "WHERE ($1::text IS NULL OR tenant = $1) AND ($2::boolean IS NULL OR enabled = $2) \
               AND ($3::text IS NULL OR id > $3) ORDER BY id LIMIT $4"
        );
        let after = page.after.as_ref().map(ClientId::as_str);
        let rows = Lease::take(&self.pool)
            .await?
            .query(sql, &[&filter.tenant, &filter.enabled, &after, &i64::from(page.limit)])
            .await?;
        rows.iter().map(rows::client).collect()
    }

    pub(super) async fn replace_client_once(&self, client: &Client, revision: u64) -> Result<bool, Failure> {
        const REPLACE: &str = "UPDATE client SET settings = $3, tenant = $4, revision = revision + 1
                               WHERE id = $1 AND revision = $2";
        let settings = to_json(&client.settings)?;
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        let replaced =
            tx.execute(REPLACE, &[&client.id.as_str(), &wide(revision), &settings, &client.tenant]).await?;
        if replaced == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        move_version_on(&mut tx).await?;
        tx.commit_and_tell(self.nodes_listen).await?;
        Ok(true)
    }

    pub(super) async fn set_client_enabled_once(
        &self,
        id: &ClientId,
        enabled: bool,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> Result<Option<Receipt>, Failure> {
        let target = Target::Client(id.clone());
        if enabled {
            return self.enable(id, now).await;
        }
        let entry = Entry { target: &target, stamp: None, reason: Reason::ClientDisabled, now, keep_until };
        self.counted(&target, now, self.disable(id, entry)).await
    }

    async fn enable(&self, id: &ClientId, now: Timestamp) -> Result<Option<Receipt>, Failure> {
        const ENABLE: &str = "UPDATE client SET enabled = true, revision = revision + 1 WHERE id = $1";
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        if let was @ (None | Some(true)) = lock_client(&mut tx, id).await? {
            tx.rollback().await?;
            return Ok(was.map(|_| NOTHING));
        }
        tx.execute(ENABLE, &[&id.as_str()]).await?;
        told(&mut tx, id, "the client was enabled", now).await?;
        move_version_on(&mut tx).await?;
        tx.commit_and_tell(self.nodes_listen).await?;
        Ok(Some(NOTHING))
    }

    async fn disable(&self, id: &ClientId, entry: Entry<'_>) -> Result<Option<Receipt>, Failure> {
        const DISABLE: &str = "UPDATE client SET enabled = false, revision = revision + 1 WHERE id = $1";
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        if let was @ (None | Some(false)) = lock_client(&mut tx, id).await? {
            tx.rollback().await?;
            return Ok(was.map(|_| NOTHING));
        }
        tx.execute(DISABLE, &[&id.as_str()]).await?;
        told(&mut tx, id, "the client was disabled", entry.now).await?;
        let number = end_by_cut(&mut tx, entry).await?;
        tx.commit_and_tell(self.nodes_listen).await?;
        Ok(Some(Receipt { sessions_ended: 0, number: Some(number) }))
    }

    pub(super) async fn remove_client_once(
        &self,
        id: &ClientId,
        now: Timestamp,
        keep_until: Timestamp,
    ) -> Result<Option<Receipt>, Failure> {
        let target = Target::Client(id.clone());
        let entry = Entry { target: &target, stamp: None, reason: Reason::ClientRemoved, now, keep_until };
        self.counted(&target, now, self.remove(id, entry)).await
    }

    async fn remove(&self, id: &ClientId, entry: Entry<'_>) -> Result<Option<Receipt>, Failure> {
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        if lock_client(&mut tx, id).await?.is_none() {
            tx.rollback().await?;
            return Ok(None);
        }
        told(&mut tx, id, "the client was removed", entry.now).await?;
        tx.execute("DELETE FROM client WHERE id = $1", &[&id.as_str()]).await?;
        let number = end_by_cut(&mut tx, entry).await?;
        tx.commit_and_tell(self.nodes_listen).await?;
        Ok(Some(Receipt { sessions_ended: 0, number: Some(number) }))
    }
}

async fn told(tx: &mut Lease, id: &ClientId, what: &str, now: Timestamp) -> Result<(), Failure> {
    insert_event(tx, now, EventKind::Admin, (None, None, Some(id)), what).await
}
