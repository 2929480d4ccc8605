//! The order to stop, in two steps: finish what is in flight, then let go.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use tokio::sync::{Notify, futures::OwnedNotified};

/// How far the server is on its way down. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    phase: AtomicU8,
    changed: Arc<Notify>,
}

const RUNNING: u8 = 0;
const DRAINING: u8 = 1;
const CUT: u8 = 2;

impl Shutdown {
    /// A server that runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stop accepting, finish what is in flight. Streams that would never end watch for this.
    pub fn begin(&self) {
        self.advance(DRAINING);
    }

    /// The grace is over: connections that are still open are dropped.
    pub fn cut(&self) {
        self.advance(CUT);
    }

    /// Whether the order was given.
    pub fn has_begun(&self) -> bool {
        self.0.phase.load(Ordering::Acquire) >= DRAINING
    }

    /// Whether the grace is over.
    pub fn is_cut(&self) -> bool {
        self.0.phase.load(Ordering::Acquire) >= CUT
    }

    /// Returns once the order was given.
    pub async fn begun(&self) {
        while !self.has_begun() {
            // Made before the phase is looked at again, so that no change falls between.
            let changed = self.changed();
            if self.has_begun() {
                return;
            }
            changed.await;
        }
    }

    /// Completes at the next change of phase after this call.
    pub(super) fn changed(&self) -> OwnedNotified {
        Arc::clone(&self.0.changed).notified_owned()
    }

    fn advance(&self, phase: u8) {
        if self.0.phase.fetch_max(phase, Ordering::AcqRel) < phase {
            self.0.changed.notify_waiters();
        }
    }
}

const _: () = assert!(RUNNING == 0, "the default phase is the running one");

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_order_reaches_those_who_wait_and_those_who_ask_later() {
        let shutdown = Shutdown::new();
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.begun().await }
        });
        tokio::task::yield_now().await;
        assert!(!shutdown.has_begun());
        shutdown.begin();
        waiting.await.unwrap();
        shutdown.begun().await;
        assert!(shutdown.has_begun() && !shutdown.is_cut());
        shutdown.cut();
        shutdown.begin();
        assert!(shutdown.is_cut());
    }
}
