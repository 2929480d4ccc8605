//! Client authentication (RFC 6749 section 2.3). Only this file makes an [`AuthenticatedClient`].
//!
//! Records are cached: clients are few and change seldom. A stale record is harmless, because
//! every write and every liveness check tests the record's revision in SQL; see `refresh::run`.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use countersign_wire::{ClientId, ClientSecret};

use super::{FlowResult, Refusal};
use crate::store::{Client, ClientSettings, Store, StoreResult, hex};
use crate::time::Timestamp;

/// Most records kept in memory.
const CACHE_SIZE: usize = 10_000;

/// How a client presented itself.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// `client_secret_basic` or `client_secret_post`.
    Secret(ClientId, ClientSecret),
    /// `none`: the `client_id` parameter alone.
    Public(ClientId),
    /// A client id that no client can have.
    Malformed,
}

/// A client that proved to be itself, or a public one that named itself.
#[derive(Debug, Clone)]
pub struct AuthenticatedClient(Arc<Client>);

impl AuthenticatedClient {
    /// The record.
    pub fn client(&self) -> &Client {
        &self.0
    }

    /// Its id.
    pub fn id(&self) -> &ClientId {
        &self.0.id
    }

    /// The revision of the record.
    pub fn revision(&self) -> u64 {
        self.0.revision
    }

    /// Its settings.
    pub fn settings(&self) -> &ClientSettings {
        &self.0.settings
    }
}

/// The clients, by way of a cache.
pub struct Clients {
    store: Arc<dyn Store>,
    cache: RwLock<HashMap<ClientId, Arc<Client>>>,
}

impl Clients {
    /// An empty cache over a store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, cache: RwLock::default() }
    }

    /// Authenticates a client, enabled or not: what a disabled client is told depends on the
    /// endpoint.
    ///
    /// # Errors
    /// The refusals that become `invalid_client` (RFC 6749 section 5.2).
    pub async fn authenticate(
        &self,
        credentials: &Credentials,
        now: Timestamp,
    ) -> FlowResult<AuthenticatedClient> {
        let cached = credentials.id().and_then(|id| self.cached(id));
        if let Some(client) = cached
            && let Ok(client) = check(credentials, client, now)
        {
            return Ok(client);
        }
        self.authenticate_anew(credentials, now).await
    }

    /// As [`Self::authenticate`], with the record as it is in the store now.
    ///
    /// # Errors
    /// As there.
    pub async fn authenticate_anew(
        &self,
        credentials: &Credentials,
        now: Timestamp,
    ) -> FlowResult<AuthenticatedClient> {
        let Some(id) = credentials.id() else { return Err(Refusal::UnknownClient.into()) };
        let Some(client) = self.load(id).await? else { return Err(Refusal::UnknownClient.into()) };
        Ok(check(credentials, client, now)?)
    }

    /// An enabled client, authenticated.
    ///
    /// # Errors
    /// As [`Self::authenticate`], and for a disabled client.
    pub async fn authenticate_enabled(
        &self,
        credentials: &Credentials,
        now: Timestamp,
    ) -> FlowResult<AuthenticatedClient> {
        let client = self.authenticate(credentials, now).await?;
        if !client.0.enabled {
            return Err(Refusal::ClientDisabled.into());
        }
        Ok(client)
    }

    /// A record, perhaps from the cache.
    ///
    /// # Errors
    /// The store's.
    pub async fn lookup(&self, id: &ClientId) -> StoreResult<Option<Arc<Client>>> {
        match self.cached(id) {
            Some(client) => Ok(Some(client)),
            None => self.load(id).await,
        }
    }

    /// Drops all records: something changed on this node or another.
    pub fn forget_all(&self) {
        self.cache.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn cached(&self, id: &ClientId) -> Option<Arc<Client>> {
        self.cache.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    async fn load(&self, id: &ClientId) -> StoreResult<Option<Arc<Client>>> {
        let client = self.store.client(id).await?.map(Arc::new);
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        match &client {
            // Only existing clients are kept, so that made-up ids cannot fill the memory.
            Some(client) => {
                if cache.len() >= CACHE_SIZE {
                    cache.clear();
                }
                cache.insert(id.clone(), client.clone());
            }
            None => {
                cache.remove(id);
            }
        }
        Ok(client)
    }
}

impl Credentials {
    fn id(&self) -> Option<&ClientId> {
        match self {
            Self::Secret(id, _) | Self::Public(id) => Some(id),
            Self::Malformed => None,
        }
    }
}

fn check(
    credentials: &Credentials,
    client: Arc<Client>,
    now: Timestamp,
) -> Result<AuthenticatedClient, Refusal> {
    match (credentials, client.settings.public) {
        (Credentials::Public(_), true) => Ok(AuthenticatedClient(client)),
        (Credentials::Public(_), false) => Err(Refusal::WrongClientSecret),
        (Credentials::Secret(..), true) => Err(Refusal::SecretFromPublicClient),
        (Credentials::Secret(_, secret), false) => {
            if secret_matches(&client.settings, secret, now) {
                Ok(AuthenticatedClient(client))
            } else {
                Err(Refusal::WrongClientSecret)
            }
        }
        (Credentials::Malformed, _) => Err(Refusal::UnknownClient),
    }
}

fn secret_matches(settings: &ClientSettings, secret: &ClientSecret, now: Timestamp) -> bool {
    let presented = hash_secret(secret);
    settings
        .secrets
        .iter()
        .filter(|known| known.expires_at.is_none_or(|at| at > now))
        .any(|known| verify_slices_are_equal(known.sha256.as_bytes(), presented.as_bytes()).is_ok())
}

/// SHA-256 of a client secret, hex. Secrets are 256 random bits made by us, so there is nothing
/// that a slow hash would protect.
pub fn hash_secret(secret: &ClientSecret) -> String {
    hex::encode(digest(&SHA256, secret.expose().as_bytes()).as_ref())
}
