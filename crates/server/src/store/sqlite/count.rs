//! How many live sessions a revocation ended. Ending a client, a tenant or everything moves one
//! number; counting what that ended can take a walk over a million rows, so it is done afterwards,
//! by a reader, with the gate as it was before.

use countersign_wire::{ClientId, UserId};
use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::convert::int;
use super::standing::{its_user, live_sessions_of_user};
use crate::store::{StoreError, StoreResult};
use crate::time::Timestamp;

/// A gate as it was before it was closed.
#[derive(Debug, Clone)]
pub(super) enum Before {
    /// The client's.
    Client {
        /// Its id.
        id: ClientId,
        /// Whether it was enabled.
        enabled: bool,
        /// Its cut.
        cut: i64,
    },
    /// The tenant's.
    Tenant {
        /// Its name.
        name: String,
        /// Its cut.
        cut: i64,
    },
    /// The one of everything.
    Everything {
        /// The cut.
        cut: i64,
    },
}

impl Before {
    /// Of a client, if there is one.
    pub(super) fn of_client(conn: &Connection, id: &ClientId) -> StoreResult<Option<Self>> {
        let row = conn
            .prepare_cached("SELECT enabled, cut FROM client WHERE id = ?1")?
            .query_row(params![id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(row.map(|(enabled, cut)| Self::Client { id: id.clone(), enabled, cut }))
    }

    /// Of a tenant.
    pub(super) fn of_tenant(conn: &Connection, name: &str) -> StoreResult<Self> {
        let cut = conn
            .prepare_cached("SELECT cut FROM tenant WHERE id = ?1")?
            .query_row(params![name], |row| row.get(0))
            .optional()?;
        Ok(Self::Tenant { name: name.to_owned(), cut: cut.unwrap_or(0) })
    }

    /// Of everything.
    pub(super) fn of_everything(conn: &Connection) -> StoreResult<Self> {
        let cut =
            conn.prepare_cached("SELECT cut FROM meta WHERE id = 1")?.query_row([], |row| row.get(0))?;
        Ok(Self::Everything { cut })
    }

    /// The sessions that were alive behind the gate; `closed_at` is the log number of its closing,
    /// so that those begun later are left out.
    pub(super) fn count(
        &self,
        conn: &Connection,
        now: Timestamp,
        closed_at: Option<u64>,
    ) -> StoreResult<u64> {
        let (behind, id) = match self {
            Self::Client { id, .. } => ("s.client_id = :id", id.as_str()),
            Self::Tenant { name, .. } => ("u.tenant = :id", name.as_str()),
            Self::Everything { .. } => ("'' = :id", ""),
        };
        let (client, tenant, everything) = match self {
            Self::Client { enabled, cut, .. } => (Some((*enabled, *cut)), None, None),
            Self::Tenant { cut, .. } => (None, Some(*cut), None),
            Self::Everything { cut } => (None, None, Some(*cut)),
        };
        let sql = format!(
            "SELECT count(*) FROM session s
               JOIN user u ON {}
               LEFT JOIN client c ON c.id = s.client_id
               LEFT JOIN tenant t ON t.id = u.tenant
               LEFT JOIN meta m ON m.id = 1
              WHERE {behind} AND s.ended_at IS NULL AND s.expires_at > :now AND s.idle_expires_at > :now
                AND u.enabled AND u.stamp = s.user_stamp AND coalesce(:client_enabled, c.enabled, 0)
                AND max(coalesce(:client_cut, c.cut, 0), coalesce(:tenant_cut, t.cut, 0),
                        coalesce(:cut, m.cut)) <= s.born
                AND s.born < :closed_at",
            its_user!()
        );
        let count: i64 = conn.prepare_cached(&sql)?.query_row(
            named_params! {
                ":id": id,
                ":now": now.0,
                ":client_enabled": client.map(|(enabled, _)| enabled),
                ":client_cut": client.map(|(_, cut)| cut),
                ":tenant_cut": tenant,
                ":cut": everything,
                ":closed_at": closed_at.map_or(i64::MAX, int),
            },
            |row| row.get(0),
        )?;
        u64::try_from(count).map_err(|_| StoreError::Broken("a negative count".to_owned()))
    }
}

/// The live sessions of a user: few, so that they are counted where they are ended.
pub(super) fn of_user(conn: &Connection, id: UserId, now: Timestamp) -> StoreResult<u64> {
    let count: i64 = conn
        .prepare_cached(concat!("SELECT count(*)", live_sessions_of_user!()))?
        .query_row(params![id.0.as_bytes(), now.0], |row| row.get(0))?;
    u64::try_from(count).map_err(|_| StoreError::Broken("a negative count".to_owned()))
}
