//! The keys of APIs to which access tokens are encrypted, all of them in memory: they are few, and
//! no token waits for the store because of them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use countersign_wire::EncryptionJwk;

use crate::keys::RecipientKey;
use crate::store::{Page, Resource, Store, StoreResult};

/// Most resources, so that reading all of them again is quick.
pub const MAX_RESOURCES: usize = 1_000;
/// Resources that are read at once.
const PAGE: u32 = 500;

/// What is known of an API.
#[derive(Clone)]
struct Known {
    jwk: EncryptionJwk,
    key: Arc<RecipientKey>,
}

/// The APIs by their audiences.
#[derive(Default)]
pub struct Resources(RwLock<HashMap<String, Known>>);

impl Resources {
    /// The key of an API, if one is registered.
    pub fn key(&self, audience: &str) -> Option<Arc<RecipientKey>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(audience).map(|known| known.key.clone())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Reads them again, after a change on this node or another.
    ///
    /// # Errors
    /// The store's; what was known stays known then.
    pub async fn look_again(&self, store: &dyn Store) -> StoreResult<()> {
        let before = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut known = HashMap::new();
        let mut page = Page { after: None, limit: PAGE };
        loop {
            let resources = store.resources(&page).await?;
            let Some(last) = resources.last() else { break };
            page.after = Some(last.audience.clone());
            for resource in resources {
                // Most changes that are heard of are none of these.
                let same = before.get(&resource.audience).filter(|old| old.jwk == resource.encryption_key);
                if let Some(now) = same.cloned().or_else(|| opened(&resource)) {
                    known.insert(resource.audience, now);
                }
            }
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }
}

/// Keys were checked when they were registered, so what does not open was damaged since. For its
/// API no token is made then; for all others nothing changes.
fn opened(resource: &Resource) -> Option<Known> {
    match RecipientKey::new(&resource.encryption_key) {
        Ok(key) => Some(Known { jwk: resource.encryption_key.clone(), key: Arc::new(key) }),
        Err(error) => {
            tracing::error!(audience = resource.audience, %error, "a stored encryption key cannot be used");
            None
        }
    }
}
