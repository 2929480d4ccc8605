//! The one state that a handler may ask for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::flows::clients::Clients;
use crate::flows::policy::{MAX_ACCESS, Policy};
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::passwords::Passwords;
use crate::store::{ClientFilter, Page, Store, StoreError, StoreResult};
use crate::time::{Clock, Timestamp};

/// Shortest time between two reloads of the keys that requests ask for, in milliseconds: tokens
/// with made-up key numbers must not make work.
const RELOAD_PAUSE_MS: i64 = 1_000;

/// Everything that a request needs.
pub struct App {
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// The keys.
    pub keys: Arc<Keys>,
    /// The store's clock.
    pub clock: Arc<dyn Clock>,
    /// What the operator decided.
    pub policy: Policy,
    /// The clients, by way of a cache.
    pub clients: Clients,
    /// The password pool.
    pub passwords: Passwords,
    /// The counters.
    pub metrics: Arc<Metrics>,
    longest_access: AtomicU64,
    keys_reloaded: AtomicI64,
}

impl App {
    /// Puts the parts together and reads what must be known before the first request.
    ///
    /// # Errors
    /// The store's.
    pub async fn new(
        store: Arc<dyn Store>,
        keys: Arc<Keys>,
        clock: Arc<dyn Clock>,
        policy: Policy,
        passwords: Passwords,
        metrics: Arc<Metrics>,
    ) -> StoreResult<Arc<Self>> {
        let app = Arc::new(Self {
            clients: Clients::new(store.clone()),
            store,
            keys,
            clock,
            policy,
            passwords,
            metrics,
            longest_access: AtomicU64::new(0),
            keys_reloaded: AtomicI64::new(i64::MIN),
        });
        app.look_again().await?;
        Ok(app)
    }

    /// Reads again what is kept in memory, after a change on this node or another.
    ///
    /// # Errors
    /// The store's.
    pub async fn look_again(&self) -> StoreResult<()> {
        self.clients.forget_all();
        self.keys.reload().await?;
        let mut longest = MAX_ACCESS.as_secs();
        let mut page = Page { after: None, limit: 500 };
        loop {
            let clients = self.store.clients(&ClientFilter::default(), &page).await?;
            for client in &clients {
                longest = longest.max(client.settings.longest_access);
            }
            match clients.last() {
                Some(last) => page.after = Some(last.id.clone()),
                None => break,
            }
        }
        self.longest_access.store(longest, Ordering::Relaxed);
        Ok(())
    }

    /// The longest that any access token alive now can have been made for.
    pub fn longest_access(&self) -> Duration {
        Duration::from_secs(self.longest_access.load(Ordering::Relaxed))
    }

    /// Reads the keys again because a token names one that is not known here. Asked for again
    /// within a second, this says that nothing is known instead.
    ///
    /// # Errors
    /// The store's.
    pub async fn reload_keys(&self, now: Timestamp) -> StoreResult<()> {
        let last = self.keys_reloaded.load(Ordering::Relaxed);
        let due = now.0.saturating_sub(last) >= RELOAD_PAUSE_MS || now.0 < last;
        let mine = due
            && self.keys_reloaded.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !mine {
            return Err(StoreError::Unavailable("keys were read a moment ago".to_owned()));
        }
        self.keys.reload().await
    }
}
