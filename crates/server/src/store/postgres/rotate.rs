//! The refresh: one conditional update, and one round trip, for all the refreshes that wait.
//!
//! Under READ COMMITTED the statement sees every change that was committed when it began, and so
//! every change that anyone was told is done. A change that commits while the statement runs may
//! be seen or not, by these rules: where the statement had to wait for a session's row, it tests
//! that row again as it is then, so generation and end are always the newest; of the client, the
//! user, the tenant and the cuts it keeps to its snapshot. A refresh that thus overlaps a disable
//! or a cut is answered with the old stamp and the old position, and its session's row keeps
//! them: the next gate that meets either refuses them. So nothing on this path locks a row that
//! two sessions share.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_wire::SessionId;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::error::{Failure, retrying};
use super::lease::{Lease, Params, Pool};
use super::rows::{self, is_live, standing_columns, wide};
use crate::store::{Recent, RotateSession, Standing, StoreError, StoreResult};

/// Connections that refreshes have to themselves. Few, so that under load each statement carries
/// many refreshes; more than one, so that a lock that one waits for does not hold up all.
pub(super) const CONNECTIONS: usize = 2;
/// Most refreshes in one statement.
const MOST_IN_A_STATEMENT: usize = 64;
/// Most refreshes that wait. At 4,000 a second more would not be answered before their deadline.
const MOST_WAITING: usize = 16_384;

/// Settings of these connections. The statement is planned once, and always by looking up each
/// session by its key: whatever the statistics said when it was planned, it must not scan, and
/// rows must be locked in the order of the ids.
pub(super) const SETTINGS: &str = "SET plan_cache_mode = force_generic_plan;SET enable_seqscan = off;\
     SET enable_hashjoin = off;SET enable_mergejoin = off;SET enable_bitmapscan = off;\
     SET enable_material = off;SET jit = off";

const ROTATE: &str = concat!(
    "UPDATE session_head h
    SET generation = h.generation + CASE WHEN a.advance THEN 1 ELSE 0 END,
        key_number = CASE WHEN a.advance THEN a.key_number ELSE h.key_number END,
        retry_hash = CASE WHEN a.advance THEN a.retry_hash ELSE h.retry_hash END,
        rotated_at = CASE WHEN a.advance THEN greatest(a.now, h.rotated_at) ELSE h.rotated_at END,
        recent = substring(a.recent || h.recent FROM 1 FOR 48),
        idle_expires_at = greatest(h.idle_expires_at, least(a.now + h.idle_lifetime, h.expires_at))
    FROM unnest($1::uuid[], $2::bigint[], $3::boolean[], $4::bytea[], $5::text[], $6::bigint[], $7::bigint[],
                $8::bytea[], $9::bytea[], $10::bigint[])
         AS a (id, generation, advance, nonce_hash, client_id, client_revision, key_number, retry_hash, recent, now)
    JOIN session s ON s.id = a.id
    JOIN client c ON c.id = a.client_id
    CROSS JOIN meta m
    CROSS JOIN users u
    LEFT JOIN tenant t ON t.id = u.tenant
    WHERE h.id = a.id AND u.id = h.user_id
      AND h.generation = a.generation AND h.nonce_hash = a.nonce_hash
      AND h.client_id = a.client_id AND c.revision = a.client_revision AND ",
    is_live!("a.now"),
    " RETURNING ",
    standing_columns!()
);

const _: () = assert!(Recent::FIELD_LEN == 48, "the statement keeps as many bytes");

/// The refreshes that wait, and the tasks that carry them to the database.
pub(super) struct Rotator {
    /// Taken away by [`Self::close`].
    queue: Mutex<Option<mpsc::Sender<Waiting>>>,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
    /// How long a refresh waits for its outcome.
    deadline: Duration,
}

type Queue = Arc<tokio::sync::Mutex<mpsc::Receiver<Waiting>>>;

struct Waiting {
    rotate: RotateSession,
    deadline: Instant,
    answer: oneshot::Sender<StoreResult<Option<Standing>>>,
}

impl Rotator {
    /// Starts the tasks. They end when the rotator is dropped or closed.
    pub(super) fn start(pool: &Pool) -> Self {
        let (queue, waiting) = mpsc::channel(MOST_WAITING);
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        let mut tasks = JoinSet::new();
        for _ in 0..CONNECTIONS {
            tasks.spawn(carry(pool.clone(), Arc::clone(&waiting)));
        }
        Self {
            queue: Mutex::new(Some(queue)),
            tasks: tokio::sync::Mutex::new(tasks),
            deadline: pool.deadline,
        }
    }

    /// Waits for the outcome of one refresh.
    pub(super) async fn rotate(&self, rotate: &RotateSession) -> StoreResult<Option<Standing>> {
        let (answer, outcome) = oneshot::channel();
        let deadline = Instant::now() + self.deadline;
        self.enqueue(Waiting { rotate: rotate.clone(), deadline, answer })?;
        match timeout_at(deadline, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(away("the store was closed before the refresh was done")),
            Err(_) => Err(away("PostgreSQL did not answer in time")),
        }
    }

    fn enqueue(&self, waiting: Waiting) -> StoreResult<()> {
        let queue = self.queue.lock().map_err(|_| StoreError::Broken("the queue is poisoned".to_owned()))?;
        let queue = queue.as_ref().ok_or_else(|| away("the store is closed"))?;
        queue.try_send(waiting).map_err(|_| away("too many refreshes wait for PostgreSQL"))
    }

    /// Takes no more, and ends the tasks when they have carried what waits.
    pub(super) async fn close(&self) {
        if let Ok(mut queue) = self.queue.lock() {
            *queue = None;
        }
        let deadline = Instant::now() + self.deadline;
        let mut tasks = self.tasks.lock().await;
        while let Ok(Some(_)) = timeout_at(deadline, tasks.join_next()).await {}
        tasks.abort_all();
    }
}

/// Carries what waits, all that has come together since the last statement in the next one.
async fn carry(pool: Pool, queue: Queue) {
    let mut batch: Vec<Waiting> = Vec::with_capacity(MOST_IN_A_STATEMENT);
    loop {
        if batch.is_empty() {
            if queue.lock().await.recv_many(&mut batch, MOST_IN_A_STATEMENT).await == 0 {
                return;
            }
        } else if let Ok(mut queue) = queue.try_lock() {
            while batch.len() < MOST_IN_A_STATEMENT
                && let Ok(waiting) = queue.try_recv()
            {
                batch.push(waiting);
            }
        }
        // Whoever has given up was told that the outcome is not known; now it is that nothing
        // happens.
        let now = Instant::now();
        batch.retain(|waiting| waiting.deadline > now && !waiting.answer.is_closed());
        let later = set_aside(&mut batch);
        // In one order everywhere, so that two statements never wait for each other.
        batch.sort_by_key(|waiting| waiting.rotate.id);
        if !batch.is_empty() {
            answer(&pool, batch).await;
        }
        batch = later;
    }
}

/// Leaves one refresh of each session in the batch, the first that came, and returns the others:
/// a statement that names a row twice updates it once, from either.
fn set_aside(batch: &mut Vec<Waiting>) -> Vec<Waiting> {
    let mut seen = HashSet::with_capacity(batch.len());
    let (once, again) = std::mem::take(batch).into_iter().partition(|waiting| seen.insert(waiting.rotate.id));
    *batch = once;
    again
}

async fn answer(pool: &Pool, batch: Vec<Waiting>) {
    match retrying(|| run(pool, &batch)).await {
        Ok(mut standings) => {
            for Waiting { rotate, answer, .. } in batch {
                // Nobody may be there to hear it any more; what is done is done.
                let _ = answer.send(standings.remove(&rotate.id).transpose());
            }
        }
        Err(error) => {
            for Waiting { answer, .. } in batch {
                let _ = answer.send(Err(error.clone()));
            }
        }
    }
}

/// What became of each session that was moved on.
type Moved = HashMap<SessionId, StoreResult<Standing>>;

async fn run(pool: &Pool, batch: &[Waiting]) -> Result<Moved, Failure> {
    fn column<'a, T>(batch: &'a [Waiting], value: impl FnMut(&'a RotateSession) -> T) -> Vec<T> {
        batch.iter().map(|waiting| &waiting.rotate).map(value).collect()
    }
    let recent = column(batch, |r| Recent { at: r.now, context: r.context }.encode().to_vec());
    let params: Params<'_> = &[
        &column(batch, |r| r.id.0),
        &column(batch, |r| i64::from(r.generation)),
        &column(batch, |r| r.advance),
        &column(batch, |r| r.nonce_hash.as_slice()),
        &column(batch, |r| r.client.as_str()),
        &column(batch, |r| wide(r.client_revision)),
        &column(batch, |r| i64::from(r.key_number)),
        &column(batch, |r| r.retry_hash.as_ref().map(<[u8; 16]>::as_slice)),
        &recent,
        &column(batch, |r| r.now.0),
    ];
    let rows = Lease::take(pool).await?.query(ROTATE, params).await?;
    rows.iter()
        .map(|row| Ok((SessionId(rows::get(row, "id")?), rows::standing(row).map_err(StoreError::from))))
        .collect()
}

fn away(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}
