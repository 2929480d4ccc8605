//! The one state that a handler may ask for.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::factors::passkey::Passkeys;
use crate::flows::clients::Clients;
use crate::flows::feed::Feed;
use crate::flows::introspect::ReadyAnswers;
use crate::flows::policy::{MAX_ACCESS, Policy};
use crate::flows::resources::Resources;
use crate::flows::status_lists::StatusLists;
use crate::keys::{Keys, KeysError};
use crate::metrics::{Activity, Metrics};
use crate::passwords::Passwords;
use crate::store::{ClientFilter, Page, Store, StoreError, StoreResult};
use crate::throttle::{Limiter, Throttle};
use crate::time::{Clock, Timestamp};

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
    /// The APIs' keys to encrypt to.
    pub resources: Resources,
    /// Answers of introspection that are good still.
    pub ready_answers: ReadyAnswers,
    /// The password pool.
    pub passwords: Passwords,
    /// Passkeys, where the issuer's host can have them.
    pub passkeys: Option<Passkeys>,
    /// Who guesses too much.
    pub throttle: Throttle,
    /// Who guesses at devices' user codes.
    pub user_codes: Limiter,
    /// Who begins things without end.
    pub strangers: Limiter,
    /// Who reads the revocation feed here.
    pub feed: Feed,
    /// The status lists that were computed here.
    pub status_lists: StatusLists,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// What they stood at lately.
    pub activity: Activity,
    longest_access: AtomicU64,
    origins: RwLock<HashSet<String>>,
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
        passkeys: Option<Passkeys>,
        metrics: Arc<Metrics>,
    ) -> StoreResult<Arc<Self>> {
        let app = Arc::new(Self {
            clients: Clients::new(store.clone()),
            resources: Resources::default(),
            store,
            keys,
            clock,
            policy,
            ready_answers: ReadyAnswers::default(),
            passwords,
            passkeys,
            throttle: Throttle::default(),
            user_codes: Limiter::of_user_codes(),
            strangers: Limiter::of_strangers(),
            feed: Feed::default(),
            status_lists: StatusLists::default(),
            metrics,
            activity: Activity::default(),
            longest_access: AtomicU64::new(0),
            origins: RwLock::default(),
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
        self.resources.look_again(self.store.as_ref()).await?;
        self.keys.reload().await.map_err(keys_error)?;
        let mut origins: HashSet<String> = self.policy.cors_origins.iter().cloned().collect();
        let mut longest = MAX_ACCESS.as_secs();
        let mut page = Page { after: None, limit: 500 };
        loop {
            let clients = self.store.clients(&ClientFilter::default(), &page).await?;
            for client in &clients {
                longest = longest.max(client.settings.longest_access);
                if client.enabled && client.settings.public {
                    origins.extend(client.settings.redirect_uris.iter().filter_map(|uri| origin_of(uri)));
                }
            }
            match clients.last() {
                Some(last) => page.after = Some(last.id.clone()),
                None => break,
            }
        }
        self.longest_access.store(longest, Ordering::Relaxed);
        *self.origins.write().unwrap_or_else(PoisonError::into_inner) = origins;
        Ok(())
    }

    /// The longest that any access token alive now can have been made for.
    pub fn longest_access(&self) -> Duration {
        Duration::from_secs(self.longest_access.load(Ordering::Relaxed))
    }

    /// Reads the keys again because a token names one that is not known here.
    ///
    /// # Errors
    /// The store's; and the same when they were read a moment ago, since an unknown key is no "no".
    pub async fn reload_keys(&self, now: Timestamp) -> StoreResult<()> {
        if self.look_for_keys(now).await? {
            return Ok(());
        }
        Err(StoreError::Unavailable("keys were read a moment ago".to_owned()))
    }

    /// As [`Self::reload_keys`], where "not known" is an answer. False: they were read a moment ago.
    ///
    /// # Errors
    /// The store's.
    pub async fn look_for_keys(&self, now: Timestamp) -> StoreResult<bool> {
        self.keys.look_again(now).await.map_err(keys_error)
    }

    /// Whether browsers on this origin may call the token and revocation endpoints.
    pub fn is_registered_origin(&self, origin: &str) -> bool {
        self.origins.read().unwrap_or_else(PoisonError::into_inner).contains(origin)
    }

    /// Whether the store answers.
    pub async fn is_store_up(&self) -> bool {
        self.store.ping().await.is_ok()
    }
}

/// A failure of the keys is the store's, or the store's content's.
fn keys_error(error: KeysError) -> StoreError {
    match error {
        KeysError::Store(error) => error,
        other => StoreError::Broken(other.to_string()),
    }
}

/// The origin of a redirect URI (RFC 6454), when it is one that browsers have.
fn origin_of(redirect_uri: &str) -> Option<String> {
    let url = url::Url::parse(redirect_uri).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.origin().ascii_serialization())
}
