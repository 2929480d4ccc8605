//! Sessions: start, look at, list. The refresh itself is in `rotate.rs`.

use countersign_wire::SessionId;

use super::error::{Failure, broken};
use super::lease::{Lease, Params};
use super::revoke::end_session;
use super::rows::{self, is_live, millis, standing_columns, standing_tables, to_json, wide};
use super::{PostgresStore, browsers, status};
use crate::store::{
    NewSession, Page, Reason, Recent, Replay, SessionFilter, Standing, StartRefusal, Started,
};
use crate::time::Timestamp;

/// The user's row is locked first, so that of two sessions started at once each counts the other,
/// and so that no change to the user overlaps.
const LOCK_USER: &str = "SELECT id FROM users WHERE id = $1 FOR UPDATE";

/// Tests the gates and inserts in one statement, hence in one snapshot: a cut that this statement
/// does not see is numbered above the `born` that it writes, and so ends the session too.
const START: &str = "
WITH gate AS (
    SELECT u.enabled AS user_ok, u.stamp, m.position,
           coalesce(c.enabled AND c.revision = $3, false) AS client_ok,
           (c.tenant IS NULL OR c.tenant IS NOT DISTINCT FROM u.tenant) AS tenant_ok
    FROM users u CROSS JOIN meta m LEFT JOIN client c ON c.id = $2
    WHERE u.id = $1
), head AS (
    INSERT INTO session_head (id, user_id, client_id, nonce_hash, user_stamp, born, idle_lifetime, expires_at,
                              generation, key_number, retry_hash, rotated_at, idle_expires_at, recent, replays,
                              lockstep_generation, lockstep_streak)
    SELECT $4::uuid, $1::uuid, $2::text, $5::bytea, stamp, position, $6::bigint, $7::bigint,
           1, $8::bigint, NULL, $9::bigint, least($9::bigint + $6::bigint, $7::bigint), $10::bytea, 0, 0, 0
    FROM gate WHERE user_ok AND client_ok AND tenant_ok
    RETURNING id
), cold AS (
    INSERT INTO session (id, scope, audience, device, network, agent, remember, created_at, auth_time, acr, amr,
                         browser, status_index)
    SELECT id, $11::text, $12::text, $13::text, $14::text, $15::text, $16::boolean, $9::bigint, $17::bigint,
           $18::text, $19::text, $20::uuid, $21::bigint
    FROM head
), told AS (
    INSERT INTO event (at, kind, session_id, user_id, client_id, detail)
    SELECT $9::bigint, 'start', id, $1::uuid, $2::text, 'the session began' FROM head
)
SELECT user_ok, client_ok, tenant_ok FROM gate";

/// The live sessions of a user beyond a number, the oldest last; never the one just started.
const BEYOND_LIMIT: &str = concat!(
    "SELECT h.id FROM ",
    standing_tables!(),
    " WHERE h.user_id = $1 AND h.id <> $2 AND ",
    is_live!("$3"),
    " ORDER BY h.id DESC OFFSET $4"
);

const STANDING: &str =
    concat!("SELECT ", standing_columns!(), " FROM ", standing_tables!(), " WHERE h.id = $1");

const SESSIONS: &str = concat!(
    "SELECT ",
    standing_columns!(),
    " FROM ",
    standing_tables!(),
    " WHERE ($1::uuid IS NULL OR h.user_id = $1) AND ($2::text IS NULL OR h.client_id = $2) \
      AND ($3::uuid IS NULL OR h.id < $3) AND ($4::boolean IS NULL OR ",
    is_live!("$5"),
    " = $4) ORDER BY h.id DESC LIMIT $6"
);

/// The same gates as a refresh has, on the generation that is answered again; with its event.
const REPLAY: &str = concat!(
    "WITH replayed AS (
    UPDATE session_head h
    SET replays = h.replays + 1, lockstep_generation = $6, lockstep_streak = $7
    FROM session s
    JOIN client c ON c.id = $4
    CROSS JOIN meta m
    CROSS JOIN users u
    LEFT JOIN tenant t ON t.id = u.tenant
    WHERE h.id = $1 AND s.id = $1 AND u.id = h.user_id
      AND h.generation = $2 AND h.nonce_hash = $3 AND h.client_id = $4 AND c.revision = $5
      AND h.lockstep_generation = $10 AND h.lockstep_streak = $11 AND ",
    is_live!("$8"),
    " RETURNING ",
    standing_columns!(),
    "), told AS (
    INSERT INTO event (at, kind, session_id, user_id, client_id, detail)
    SELECT $8, 'replay', id, user_id, client_id, $9 FROM replayed
) SELECT * FROM replayed"
);

impl PostgresStore {
    pub(super) async fn start_session_once(&self, new: &NewSession) -> Result<Started, Failure> {
        let mut tx = Lease::take(&self.pool).await?;
        let index = status::choose(&mut tx, &new.status_positions).await?;
        tx.begin();
        if tx.query_opt(LOCK_USER, &[&new.user.0]).await?.is_none() {
            tx.rollback().await?;
            return Ok(Started::Refused(StartRefusal::User));
        }
        if let Some(refusal) = insert_session(&mut tx, new, index).await? {
            tx.rollback().await?;
            return Ok(Started::Refused(refusal));
        }
        if let Some(sign_in) = &new.sign_in
            && let Some(refusal) = browsers::redeem(&mut tx, new, sign_in).await?
        {
            tx.rollback().await?;
            return Ok(Started::Refused(refusal));
        }
        let others = i64::from(new.limit.saturating_sub(1));
        let beyond = tx.query(BEYOND_LIMIT, &[&new.user.0, &new.id.0, &new.now.0, &others]).await?;
        let mut displaced = Vec::with_capacity(beyond.len());
        for row in beyond.iter().rev() {
            let id = SessionId(rows::get(row, "id")?);
            if end_session(&mut tx, id, Reason::SessionLimit, new.now, new.keep_until).await?.number.is_some()
            {
                displaced.push(id);
            }
        }
        // Read last: its position is then the newest that any of this wrote.
        let row = tx.query_one(STANDING, &[&new.id.0]).await?;
        let standing = Box::new(rows::standing(&row)?);
        tx.commit_and_tell(self.nodes_listen && !displaced.is_empty()).await?;
        Ok(Started::Session { standing, displaced })
    }

    pub(super) async fn replay_once(&self, replay: &Replay) -> Result<Option<Standing>, Failure> {
        let params: Params<'_> = &[
            &replay.id.0,
            &i64::from(replay.generation),
            &replay.nonce_hash.as_slice(),
            &replay.client.as_str(),
            &wide(replay.client_revision),
            &i64::from(replay.lockstep.generation),
            &i64::from(replay.lockstep.streak),
            &replay.now.0,
            &replay.detail,
            &i64::from(replay.seen.generation),
            &i64::from(replay.seen.streak),
        ];
        let row = Lease::take(&self.pool).await?.query_opt(REPLAY, params).await?;
        row.as_ref().map(rows::standing).transpose()
    }

    pub(super) async fn standing_once(&self, id: SessionId) -> Result<Option<Standing>, Failure> {
        let row = Lease::take(&self.pool).await?.query_opt(STANDING, &[&id.0]).await?;
        row.as_ref().map(rows::standing).transpose()
    }

    pub(super) async fn sessions_once(
        &self,
        filter: &SessionFilter,
        page: &Page<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<Standing>, Failure> {
        let params: Params<'_> = &[
            &filter.user.map(|id| id.0),
            &filter.client.as_ref().map(countersign_wire::ClientId::as_str),
            &page.after.map(|id| id.0),
            &filter.live,
            &now.0,
            &i64::from(page.limit),
        ];
        let rows = Lease::take(&self.pool).await?.query(SESSIONS, params).await?;
        rows.iter().map(rows::standing).collect()
    }

    pub(super) async fn note_network_once(
        &self,
        id: SessionId,
        network: &str,
        agent: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        const NOTE: &str = "
            WITH noted AS (UPDATE session SET network = $2, agent = $3 WHERE id = $1 RETURNING id)
            INSERT INTO event (at, kind, session_id, user_id, client_id, detail)
            SELECT $4, 'network', h.id, h.user_id, h.client_id, $5
            FROM noted JOIN session_head h ON h.id = noted.id";
        let detail = format!("seen from {network} with {agent}");
        Lease::take(&self.pool).await?.execute(NOTE, &[&id.0, &network, &agent, &now.0, &detail]).await?;
        Ok(())
    }
}

async fn insert_session(
    tx: &mut Lease,
    new: &NewSession,
    index: Option<i64>,
) -> Result<Option<StartRefusal>, Failure> {
    let recent = Recent::encode_all(&[Recent { at: new.now, context: new.context }]);
    let params: Params<'_> = &[
        &new.user.0,
        &new.client.as_str(),
        &wide(new.client_revision),
        &new.id.0,
        &new.nonce_hash.as_slice(),
        &millis(new.idle_lifetime),
        &new.now.plus(new.absolute_lifetime).0,
        &i64::from(new.key_number),
        &new.now.0,
        &recent.as_slice(),
        &new.scope.to_string(),
        &to_json(&new.audience)?,
        &new.device,
        &new.network,
        &new.agent,
        &new.remember,
        &new.auth_time.0,
        &new.acr,
        &to_json(&new.amr)?,
        &new.ends_with().map(|id| id.0),
        &index,
    ];
    let row = tx.query_opt(START, params).await?.ok_or_else(|| broken("a locked user is gone"))?;
    Ok(if !rows::get(&row, "user_ok")? {
        Some(StartRefusal::User)
    } else if !rows::get(&row, "client_ok")? {
        Some(StartRefusal::Client)
    } else if !rows::get(&row, "tenant_ok")? {
        Some(StartRefusal::Tenant)
    } else {
        None
    })
}
