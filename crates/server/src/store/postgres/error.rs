//! What a failure of the database means to the caller.

use std::future::Future;

use tokio_postgres::error::SqlState;

use super::status;
use crate::store::StoreError;

/// How often a transaction that lost against another is begun again before the caller is told
/// that the store is not available.
const ATTEMPTS: u32 = 5;

/// A failure, and whether the transaction may simply be run again.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database undid the transaction in favour of another (40001, 40P01): nothing happened.
    Lost(String),
    /// Everything else.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(why) => Self::Unavailable(why),
            Failure::Store(error) => error,
        }
    }
}

/// Runs a transaction again when it lost against another. Only what was certainly undone is run
/// again: a lost connection is not, because nobody knows what became of its commit.
pub(super) async fn retrying<T, F, R>(mut transaction: F) -> Result<T, StoreError>
where
    F: FnMut() -> R,
    R: Future<Output = Result<T, Failure>>,
{
    let mut attempt = 1;
    loop {
        match transaction().await {
            Err(Failure::Lost(why)) if attempt < ATTEMPTS => {
                tracing::debug!(attempt, why, "a transaction is run again");
                attempt += 1;
            }
            other => return other.map_err(StoreError::from),
        }
    }
}

/// Sorts an error of the driver. Only the code and the first line are kept: the detail of a
/// constraint quotes the row.
pub(super) fn classify(error: &tokio_postgres::Error) -> Failure {
    let Some(db) = error.as_db_error() else {
        return if error.is_closed() || has_io_source(error) {
            unavailable(format!("the connection to PostgreSQL failed: {}", io_source(error)))
        } else {
            Failure::Store(StoreError::Broken(format!("PostgreSQL's answer was not understood: {error}")))
        };
    };
    let text = format!("PostgreSQL says {} ({})", db.message(), db.code().code());
    match db.code() {
        code if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED => {
            Failure::Lost(text)
        }
        // Of two sessions that chose one place in a status list, the second chooses again.
        code if *code == SqlState::UNIQUE_VIOLATION && db.constraint() == Some(status::UNIQUE) => {
            Failure::Lost(text)
        }
        code => match code.code() {
            // A standby after a failover is read-only until it is promoted; a lock that was not
            // had in time, a statement whose end is not known.
            "25006" | "40003" | "55P03" | "55006" => unavailable(text),
            // Connections, resources, an operator's or a timeout's interruption, the system.
            code if ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class)) => unavailable(text),
            _ => Failure::Store(StoreError::Broken(text)),
        },
    }
}

/// A store that cannot answer now.
pub(super) fn unavailable(why: impl Into<String>) -> Failure {
    Failure::Store(StoreError::Unavailable(why.into()))
}

/// Stored data that cannot be what this program wrote.
pub(super) fn broken(why: impl Into<String>) -> Failure {
    Failure::Store(StoreError::Broken(why.into()))
}

fn has_io_source(error: &tokio_postgres::Error) -> bool {
    sources(error).any(|source| source.is::<std::io::Error>())
}

fn io_source(error: &tokio_postgres::Error) -> String {
    sources(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn sources(error: &tokio_postgres::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(error), |inner| inner.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_was_undone_is_run_again_and_not_for_ever() {
        let runs = std::cell::Cell::new(0);
        let lost = || async {
            runs.set(runs.get() + 1);
            Err::<(), _>(Failure::Lost("lost".to_owned()))
        };
        assert!(matches!(retrying(lost).await, Err(StoreError::Unavailable(_))));
        assert_eq!(runs.replace(0), ATTEMPTS);

        let unknown = || async {
            runs.set(runs.get() + 1);
            Err::<(), _>(unavailable("the connection is gone"))
        };
        assert!(matches!(retrying(unknown).await, Err(StoreError::Unavailable(_))));
        assert_eq!(runs.get(), 1);
    }
}
