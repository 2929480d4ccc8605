//! Tickets. They are spent where sessions are started: see `browsers.rs`.

use super::PostgresStore;
use super::error::Failure;
use super::lease::{Lease, Params};
use super::rows::{self, wide};
use crate::store::{Added, Ticket};
use crate::time::Timestamp;

macro_rules! columns {
    () => {
        " hash, kind, expires_at, kept_until, revision, body, session_id "
    };
}

/// Of the ticket `$1`, at the time `$2`: it is good for something still.
macro_rules! while_good {
    () => {
        " WHERE hash = $1 AND expires_at > $2 AND session_id IS NULL "
    };
}

impl PostgresStore {
    pub(super) async fn add_ticket_once(&self, ticket: &Ticket) -> Result<Added, Failure> {
        const INSERT: &str = concat!(
            "INSERT INTO ticket (",
            columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
        );
        let params: Params<'_> = &[
            &ticket.hash.as_slice(),
            &ticket.kind.as_str(),
            &ticket.expires_at.0,
            &ticket.kept_until.0,
            &wide(ticket.revision),
            &ticket.body,
            &ticket.session.map(|id| id.0),
        ];
        let added = Lease::take(&self.pool).await?.execute(INSERT, params).await?;
        Ok(if added == 1 { Added::Yes } else { Added::Exists })
    }

    pub(super) async fn ticket_once(&self, hash: &[u8; 32]) -> Result<Option<Ticket>, Failure> {
        const FIND: &str = concat!("SELECT", columns!(), "FROM ticket WHERE hash = $1");
        let row = Lease::take(&self.pool).await?.query_opt(FIND, &[&hash.as_slice()]).await?;
        row.as_ref().map(rows::ticket).transpose()
    }

    pub(super) async fn replace_ticket_once(&self, ticket: &Ticket, now: Timestamp) -> Result<bool, Failure> {
        const REPLACE: &str = concat!(
            "UPDATE ticket SET body = $3, revision = revision + 1",
            while_good!(),
            "AND revision = $4"
        );
        let params: Params<'_> = &[&ticket.hash.as_slice(), &now.0, &ticket.body, &wide(ticket.revision)];
        Ok(Lease::take(&self.pool).await?.execute(REPLACE, params).await? == 1)
    }

    pub(super) async fn take_ticket_once(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Ticket>, Failure> {
        const TAKE: &str = concat!("DELETE FROM ticket", while_good!(), "RETURNING", columns!());
        let row = Lease::take(&self.pool).await?.query_opt(TAKE, &[&hash.as_slice(), &now.0]).await?;
        row.as_ref().map(rows::ticket).transpose()
    }
}
