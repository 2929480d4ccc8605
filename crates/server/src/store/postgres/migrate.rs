//! Bringing the schema up to date, by any number of nodes that start at once.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::error::{Failure, classify, retrying};
use super::rows::number;
use crate::store::migrations::{Applied, Migration, pending};
use crate::store::{StoreError, StoreResult};

/// Every migration, in order.
pub(super) const MIGRATIONS: [Migration; 6] = [
    Migration {
        number: 1,
        name: "token_core",
        sql: include_str!("../../../migrations/postgres/0001_token_core.sql"),
    },
    Migration {
        number: 2,
        name: "sign_in",
        sql: include_str!("../../../migrations/postgres/0002_sign_in.sql"),
    },
    Migration {
        number: 3,
        name: "resources",
        sql: include_str!("../../../migrations/postgres/0003_resources.sql"),
    },
    Migration {
        number: 4,
        name: "status_lists",
        sql: include_str!("../../../migrations/postgres/0004_status_lists.sql"),
    },
    Migration {
        number: 5,
        name: "places",
        sql: include_str!("../../../migrations/postgres/0005_places.sql"),
    },
    Migration {
        number: 6,
        name: "row_numbers",
        sql: include_str!("../../../migrations/postgres/0006_row_numbers.sql"),
    },
];

const TUNING: &str = include_str!("../../../migrations/postgres/tuning.sql");

/// Applies what is missing. The lock is a row, `FOR UPDATE`, in the very transaction that
/// migrates: every engine of this family has that, and it cannot outlive the transaction. A node
/// that waited for it looks again at what there is to do.
pub(super) async fn migrate(client: &Client) -> StoreResult<()> {
    prepare_lock(client).await?;
    let mut moved = false;
    while retrying(|| apply_next(client)).await? {
        moved = true;
    }
    if moved {
        for statement in TUNING.split(';') {
            // Advice; an engine that does not take it works as well without.
            if let Err(error) = client.batch_execute(statement).await {
                tracing::debug!(%error, "a storage setting was not taken");
            }
        }
    }
    Ok(())
}

async fn prepare_lock(client: &Client) -> StoreResult<()> {
    const TABLES: &str = "
        CREATE TABLE IF NOT EXISTS schema_lock (id bigint PRIMARY KEY);
        INSERT INTO schema_lock (id) VALUES (1) ON CONFLICT DO NOTHING;
        CREATE TABLE IF NOT EXISTS schema_migration (
            number bigint PRIMARY KEY,
            name text NOT NULL,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL
        )";
    retrying(|| async {
        client.batch_execute(TABLES).await.map_err(|error| match error.code() {
            // Of two nodes that create a table at once, IF NOT EXISTS or not, one is refused: by
            // the catalogue's own unique index, or because the table, or the type of its rows, is
            // there by then.
            Some(code)
                if [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_TABLE, SqlState::DUPLICATE_OBJECT]
                    .contains(code) =>
            {
                Failure::Lost(error.to_string())
            }
            _ => classify(&error),
        })
    })
    .await
}

/// Applies one migration, if one is missing.
async fn apply_next(client: &Client) -> Result<bool, Failure> {
    let run = async |sql: &str| client.batch_execute(sql).await.map_err(|error| classify(&error));
    // Waiting for another node's migration, and migrating, may take as long as it takes.
    run("BEGIN; SET LOCAL statement_timeout = 0; SELECT id FROM schema_lock WHERE id = 1 FOR UPDATE").await?;
    let result = apply_locked(client).await;
    match result {
        Ok(applied) => run("COMMIT").await.map(|()| applied),
        Err(failure) => {
            // What failed says why; that the connection may be gone as well adds nothing.
            let _ = run("ROLLBACK").await;
            Err(failure)
        }
    }
}

async fn apply_locked(client: &Client) -> Result<bool, Failure> {
    let rows = client
        .query("SELECT number, checksum FROM schema_migration ORDER BY number", &[])
        .await
        .map_err(|error| classify(&error))?;
    let applied = rows
        .iter()
        .map(|row| {
            Ok(Applied { number: number(row, "number")?, checksum: super::rows::get(row, "checksum")? })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let Some(next) = pending(&MIGRATIONS, &applied)?.first() else { return Ok(false) };
    client.batch_execute(next.sql).await.map_err(|error| match classify(&error) {
        Failure::Store(StoreError::Broken(why)) => Failure::Store(StoreError::Broken(format!(
            "migration {} ({}) failed: {why}",
            next.number, next.name
        ))),
        other => other,
    })?;
    client
        .execute(
            "INSERT INTO schema_migration (number, name, checksum, applied_at) VALUES ($1, $2, $3, now())",
            &[&i64::from(next.number), &next.name, &next.checksum()],
        )
        .await
        .map_err(|error| classify(&error))?;
    tracing::info!(number = next.number, name = next.name, "the schema was migrated");
    Ok(true)
}
