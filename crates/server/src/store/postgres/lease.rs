//! A pooled connection for one call, with the call's deadline.

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Object, Runtime};
use futures_util::future::join;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connect::{Target, prepare};
use super::error::{Failure, broken, classify, unavailable};
use crate::store::{StoreError, StoreResult};

/// Parameters of a statement.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Connections, and how long a call on one of them may take.
#[derive(Clone)]
pub(super) struct Pool {
    connections: deadpool_postgres::Pool,
    pub(super) deadline: Duration,
    /// Where a test takes the connections' statements one by one.
    #[cfg(test)]
    pub(super) steps: super::tests::steps::Slot,
}

impl Pool {
    /// Of at most `size` connections, each with `settings` on top of what all have.
    pub(super) fn new(target: &Target, size: usize, settings: &'static str) -> StoreResult<Self> {
        let deadline = target.deadline();
        let connections = deadpool_postgres::Pool::builder(target.manager())
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .post_create(Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
                Box::pin(async move { prepare(client, settings, deadline).await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(|error| StoreError::Broken(error.to_string()))?;
        Ok(Self {
            connections,
            deadline,
            #[cfg(test)]
            steps: super::tests::steps::Slot::default(),
        })
    }

    /// Gives no more connections out, and closes those that come back.
    pub(super) fn close(&self) {
        self.connections.close();
    }
}

/// A connection on loan. It goes back to the pool unless something is left pending on it: a
/// statement that timed out, or a transaction that was neither committed nor rolled back.
/// Then it is closed, and the server undoes what was begun.
pub(super) struct Lease {
    /// Empty only after the connection was given up.
    object: Option<Object>,
    deadline: Instant,
    transaction: Transaction,
    #[cfg(test)]
    steps: Option<super::tests::steps::Steps>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    /// Each statement is its own.
    None,
    /// Begins with the next statement, on the same trip.
    Due,
    /// Has begun.
    Open,
}

impl Lease {
    /// Takes a connection, for a call that ends within the pool's deadline.
    pub(super) async fn take(pool: &Pool) -> Result<Self, Failure> {
        Self::take_until(pool, Instant::now() + pool.deadline).await
    }

    /// Takes a connection, for a call that ends by `deadline`.
    pub(super) async fn take_until(pool: &Pool, deadline: Instant) -> Result<Self, Failure> {
        match timeout_at(deadline, pool.connections.get()).await {
            Ok(Ok(object)) => Ok(Self {
                object: Some(object),
                deadline,
                transaction: Transaction::None,
                #[cfg(test)]
                steps: pool.steps.taken(),
            }),
            Ok(Err(deadpool_postgres::PoolError::Backend(error))) => Err(classify(&error)),
            Ok(Err(deadpool_postgres::PoolError::PostCreateHook(HookError::Backend(error)))) => {
                Err(classify(&error))
            }
            Ok(Err(error)) => Err(unavailable(format!("no connection to PostgreSQL: {error}"))),
            Err(_) => Err(unavailable("no connection to PostgreSQL came free in time")),
        }
    }

    /// Runs a statement and returns its rows.
    pub(super) async fn query(&mut self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Failure> {
        self.run(sql, async |client| client.query(&client.prepare_cached(sql).await?, params).await).await
    }

    /// As [`Self::query`], for at most one row.
    pub(super) async fn query_opt(&mut self, sql: &str, params: Params<'_>) -> Result<Option<Row>, Failure> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// As [`Self::query`], for exactly one row.
    pub(super) async fn query_one(&mut self, sql: &str, params: Params<'_>) -> Result<Row, Failure> {
        self.query_opt(sql, params).await?.ok_or_else(|| broken("a row that must exist is missing"))
    }

    /// Runs a statement and returns how many rows it changed.
    pub(super) async fn execute(&mut self, sql: &str, params: Params<'_>) -> Result<u64, Failure> {
        self.run(sql, async |client| client.execute(&client.prepare_cached(sql).await?, params).await).await
    }

    /// Runs statements that take no parameters.
    pub(super) async fn batch(&mut self, sql: &str) -> Result<(), Failure> {
        self.run(sql, async |client| client.batch_execute(sql).await).await
    }

    /// Begins a transaction; costs no round trip of its own.
    pub(super) fn begin(&mut self) {
        self.transaction = Transaction::Due;
    }

    /// Begins a transaction that only reads, all of it from one snapshot, which is taken now; its
    /// statements may take `longest`.
    pub(super) async fn begin_snapshot(&mut self, longest: Duration) -> Result<(), Failure> {
        self.transaction = Transaction::Open;
        self.batch(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
             SET LOCAL statement_timeout = {0};
             SET LOCAL idle_in_transaction_session_timeout = {0};
             SELECT position FROM meta",
            longest.as_millis()
        ))
        .await
    }

    /// Commits it, and wakes the nodes that listen, in one round trip. After this the change is
    /// durable.
    pub(super) async fn commit_and_tell(&mut self, nodes_listen: bool) -> Result<(), Failure> {
        self.batch(if nodes_listen { "NOTIFY countersign; COMMIT" } else { "COMMIT" }).await?;
        self.transaction = Transaction::None;
        Ok(())
    }

    /// Undoes it.
    pub(super) async fn rollback(&mut self) -> Result<(), Failure> {
        self.batch("ROLLBACK").await?;
        self.transaction = Transaction::None;
        Ok(())
    }

    async fn run<T>(
        &mut self,
        #[cfg_attr(not(test), expect(unused_variables, reason = "a test's script is told what comes"))]
        sql: &str,
        work: impl AsyncFnOnce(&deadpool_postgres::ClientWrapper) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Failure> {
        #[cfg(test)]
        if let Some(steps) = self.steps.clone() {
            return self.run_in_steps(&steps, sql, work).await;
        }
        self.run_now(work).await
    }

    /// Each statement and each commit waits for its turn; a statement that is its own transaction
    /// is two steps, so that others come between it and its commit.
    #[cfg(test)]
    async fn run_in_steps<T>(
        &mut self,
        steps: &super::tests::steps::Steps,
        sql: &str,
        work: impl AsyncFnOnce(&deadpool_postgres::ClientWrapper) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Failure> {
        steps.turn(sql, self.transaction != Transaction::Open).await;
        let alone = self.transaction == Transaction::None;
        if alone {
            self.begin();
        }
        if self.transaction == Transaction::Due {
            self.transaction = Transaction::Open;
            self.run_now(async |client| client.batch_execute(steps.begin).await).await?;
        }
        let value = self.run_now(work).await?;
        if alone {
            steps.turn("COMMIT", false).await;
            self.run_now(async |client| client.batch_execute("COMMIT").await).await?;
            self.transaction = Transaction::None;
        }
        Ok(value)
    }

    async fn run_now<T>(
        &mut self,
        work: impl AsyncFnOnce(&deadpool_postgres::ClientWrapper) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Failure> {
        let Some(object) = &self.object else {
            return Err(unavailable("the connection to PostgreSQL was given up"));
        };
        let due = self.transaction == Transaction::Due;
        if due {
            self.transaction = Transaction::Open;
        }
        let begin = async { if due { object.batch_execute("BEGIN").await } else { Ok(()) } };
        // Polled in this order, so sent in this order.
        let both = async {
            let (begun, done) = join(begin, work(object)).await;
            begun.and(done)
        };
        match timeout_at(self.deadline, both).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                // The server has said no: the connection is sound, only the transaction is not.
                if self.transaction == Transaction::Open && error.as_db_error().is_some() {
                    let undone = timeout_at(self.deadline, object.batch_execute("ROLLBACK")).await;
                    if matches!(undone, Ok(Ok(()))) {
                        self.transaction = Transaction::None;
                    }
                }
                Err(classify(&error))
            }
            Err(_) => {
                self.give_up();
                Err(unavailable("PostgreSQL did not answer in time"))
            }
        }
    }

    fn give_up(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.transaction == Transaction::Open {
            self.give_up();
        }
    }
}
