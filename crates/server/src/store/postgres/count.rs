//! How many live sessions a revocation ends, or would end.

use tokio::time::Instant;

use super::error::Failure;
use super::lease::{Lease, Pool};
use super::rows::{is_live, number, standing_tables};
use super::{COUNT_DEADLINE, PostgresStore};
use crate::store::{Receipt, Target};
use crate::time::Timestamp;

const COUNT: &str = concat!(
    "SELECT count(*) AS live FROM ",
    standing_tables!(),
    " WHERE ($2::uuid IS NULL OR h.id = $2) AND ($3::uuid IS NULL OR h.user_id = $3) \
      AND ($4::text IS NULL OR h.client_id = $4) AND ($5::text IS NULL OR u.tenant = $5) AND ",
    is_live!("$1")
);

impl PostgresStore {
    /// Runs a change that ends what a target has, and completes its receipt with the count.
    pub(super) async fn counted(
        &self,
        target: &Target,
        now: Timestamp,
        change: impl Future<Output = Result<Option<Receipt>, Failure>>,
    ) -> Result<Option<Receipt>, Failure> {
        let before = Before::take(&self.pool).await?;
        match change.await? {
            Some(receipt @ Receipt { number: Some(_), .. }) => {
                Ok(Some(Receipt { sessions_ended: before.count(target, now).await?, ..receipt }))
            }
            nothing => before.forget().await.map(|()| nothing),
        }
    }
}

/// The store as it was when this was taken. Counting all sessions may take long: a revocation
/// takes this first, then does its work, and counts when it has been committed. So what must
/// happen never waits for what is nice to know, nor fails with it.
pub(super) struct Before(Lease);

impl Before {
    /// Now is before what comes.
    pub(super) async fn take(pool: &Pool) -> Result<Self, Failure> {
        let mut lease = Lease::take_until(pool, Instant::now() + COUNT_DEADLINE).await?;
        lease.begin_snapshot(COUNT_DEADLINE).await?;
        Ok(Self(lease))
    }

    /// How many live sessions the target had then.
    pub(super) async fn count(mut self, target: &Target, now: Timestamp) -> Result<u64, Failure> {
        let (mut session, mut user, mut client, mut tenant) = (None, None, None, None);
        match target {
            // An access token is not a session.
            Target::Token(_) => return self.forget().await.map(|()| 0),
            Target::Session(id) => session = Some(id.0),
            Target::User(id) => user = Some(id.0),
            Target::Client(id) => client = Some(id.as_str()),
            Target::Tenant(name) => tenant = Some(name),
            Target::Everything => {}
        }
        let row = self.0.query_one(COUNT, &[&now.0, &session, &user, &client, &tenant]).await?;
        self.forget().await?;
        number(&row, "live")
    }

    /// Nothing need be counted.
    pub(super) async fn forget(mut self) -> Result<(), Failure> {
        self.0.rollback().await
    }
}
