//! Operations of the store one step at a time: a step is a statement or a commit, and each waits
//! until the script of a test gives it its turn. The statements are the product's own.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, mpsc};

/// What an operation tells the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store::postgres) enum Said {
    /// It waits for its next turn, to run this; `begins` a transaction with it.
    Waits { sql: String, begins: bool },
    /// It is over.
    Done,
}

/// The side of the operation.
#[derive(Debug, Clone)]
pub(in crate::store::postgres) struct Steps {
    pub(super) number: usize,
    pub(super) turns: Arc<Semaphore>,
    pub(super) script: mpsc::UnboundedSender<(usize, Said)>,
    /// How its transactions begin.
    pub(in crate::store::postgres) begin: &'static str,
}

impl Steps {
    /// Waits for a turn. When the script is gone there is nothing to wait for.
    pub(in crate::store::postgres) async fn turn(&self, sql: &str, begins: bool) {
        let waits = Said::Waits { sql: sql.to_owned(), begins };
        if self.script.send((self.number, waits)).is_ok() {
            self.turns.acquire().await.unwrap().forget();
        }
    }
}

/// Where a pool's leases find their steps; empty but for these tests.
#[derive(Debug, Clone, Default)]
pub(in crate::store::postgres) struct Slot(Arc<Mutex<Option<Steps>>>);

impl Slot {
    pub(in crate::store::postgres) fn taken(&self) -> Option<Steps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn put(&self, steps: Option<Steps>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = steps;
    }
}
