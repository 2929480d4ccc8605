//! Events.

use countersign_wire::{ClientId, SessionId, UserId};

use super::PostgresStore;
use super::error::Failure;
use super::lease::Lease;
use super::rows::{self, wide};
use crate::store::{Event, EventFilter, EventKind, Page};
use crate::time::Timestamp;

/// Whom an event concerns.
pub(super) type About<'a> = (Option<SessionId>, Option<UserId>, Option<&'a ClientId>);

/// Adds an event to the caller's transaction.
pub(super) async fn insert_event(
    tx: &mut Lease,
    at: Timestamp,
    kind: EventKind,
    (session, user, client): About<'_>,
    detail: &str,
) -> Result<(), Failure> {
    const INSERT: &str = "INSERT INTO event (at, kind, session_id, user_id, client_id, detail)
                          VALUES ($1, $2, $3, $4, $5, $6)";
    let (session, user) = (session.map(|id| id.0), user.map(|id| id.0));
    let client = client.map(ClientId::as_str);
    tx.execute(INSERT, &[&at.0, &kind.as_str(), &session, &user, &client, &detail]).await?;
    Ok(())
}

impl PostgresStore {
    pub(super) async fn add_event_once(&self, event: &Event) -> Result<(), Failure> {
        let mut lease = Lease::take(&self.pool).await?;
        let about = (event.session, event.user, event.client.as_ref());
        insert_event(&mut lease, event.at, event.kind, about, &event.detail).await
    }

    pub(super) async fn events_once(
        &self,
        filter: &EventFilter,
        page: &Page<u64>,
    ) -> Result<Vec<Event>, Failure> {
        macro_rules! events {
            ($after:literal, $order:literal) => {
                concat!(
                    "SELECT number, at, kind, session_id, user_id, client_id, detail FROM event \
                     WHERE ($1::uuid IS NULL OR session_id = $1) AND ($2::uuid IS NULL OR user_id = $2) \
                       AND ($3::text IS NULL OR client_id = $3) AND ($4::text IS NULL OR kind = $4) \
                       AND ($5::bigint IS NULL OR number ",
                    $after,
                    " $5) ORDER BY number ",
                    $order,
                    " LIMIT $6"
                )
            };
        }
        // A session's events are a story; all others are news.
        let sql = if filter.session.is_some() { events!(">", "ASC") } else { events!("<", "DESC") };
        let session = filter.session.map(|id| id.0);
        let user = filter.user.map(|id| id.0);
        let client = filter.client.as_ref().map(ClientId::as_str);
        let kind = filter.kind.map(EventKind::as_str);
        let after = page.after.map(wide);
        let rows = Lease::take(&self.pool)
            .await?
            .query(sql, &[&session, &user, &client, &kind, &after, &i64::from(page.limit)])
            .await?;
        rows.iter().map(rows::event).collect()
    }
}
