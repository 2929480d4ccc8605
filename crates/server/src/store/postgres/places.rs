//! Where people have signed in from. A place is noted where its browser session is started: see
//! `browsers.rs`.

use countersign_wire::{BrowserSessionId, UserId};

use super::PostgresStore;
use super::error::Failure;
use super::lease::Lease;
use super::rows;
use crate::store::Place;

/// Removes a user's places beyond the limit, those first that were not seen for longest.
pub(super) async fn trim(lease: &mut Lease, user: UserId) -> Result<(), Failure> {
    const TRIM: &str = "DELETE FROM place WHERE id IN (
        SELECT id FROM place WHERE user_id = $1 ORDER BY seen_at DESC, id DESC OFFSET $2)";
    lease.execute(TRIM, &[&user.0, &i64::from(Place::MOST)]).await?;
    Ok(())
}

impl PostgresStore {
    pub(super) async fn places_once(&self, user: UserId) -> Result<Vec<Place>, Failure> {
        const LIST: &str = "
            SELECT id, user_id, network, device, agent, since, seen_at, browser, is_new FROM place
            WHERE user_id = $1 ORDER BY since DESC, id DESC";
        let rows = Lease::take(&self.pool).await?.query(LIST, &[&user.0]).await?;
        rows.iter().map(rows::place).collect()
    }

    pub(super) async fn has_place_in_once(&self, canonical: &str, network: &str) -> Result<bool, Failure> {
        const FIND: &str = "
            SELECT EXISTS (SELECT 1 FROM users u JOIN place p ON p.user_id = u.id
                           WHERE u.canonical = $1 AND p.network = $2) AS found";
        let row = Lease::take(&self.pool).await?.query_one(FIND, &[&canonical, &network]).await?;
        rows::get(&row, "found")
    }

    pub(super) async fn settle_place_once(
        &self,
        user: UserId,
        id: BrowserSessionId,
    ) -> Result<bool, Failure> {
        const SETTLE: &str = "UPDATE place SET is_new = false WHERE id = $1 AND user_id = $2 AND is_new";
        Ok(Lease::take(&self.pool).await?.execute(SETTLE, &[&id.0, &user.0]).await? == 1)
    }

    pub(super) async fn forget_place_once(
        &self,
        user: UserId,
        id: BrowserSessionId,
    ) -> Result<bool, Failure> {
        const FORGET: &str = "DELETE FROM place WHERE id = $1 AND user_id = $2";
        Ok(Lease::take(&self.pool).await?.execute(FORGET, &[&id.0, &user.0]).await? == 1)
    }
}
