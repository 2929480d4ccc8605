//! What an operator says of APIs: the key to which their access tokens are encrypted.

use serde_json::Value;

use super::manage_clients::{MAX_AUDIENCE_BYTES, check_audience};
use super::resources::MAX_RESOURCES;
use super::{FlowResult, Refusal, records};
use crate::app::App;
use crate::keys::public_jwk;
pub use crate::store::{Added, Page, Resource};
use crate::time::Timestamp;

/// Adds a resource, or replaces its key; answers it as it is then, and whether it is new.
///
/// # Errors
/// An audience or a key that cannot be used, too many resources, the store's silence.
pub async fn put(app: &App, audience: &str, key: &Value, now: Timestamp) -> FlowResult<(Resource, Added)> {
    let wrong = |member: &str, problem: &dyn std::fmt::Display| {
        Refusal::invalid_request(format!("{member}: {problem}"))
    };
    check_audience(audience).map_err(|problem| wrong("audience", &problem))?;
    if audience.len() > MAX_AUDIENCE_BYTES {
        return Err(wrong("audience", &format_args!("the most is {MAX_AUDIENCE_BYTES} bytes")).into());
    }
    let encryption_key = public_jwk(key).map_err(|problem| wrong("encryption_key", &problem))?;
    if app.resources.count() >= MAX_RESOURCES && app.resources.key(audience).is_none() {
        return Err(
            Refusal::conflict(format!("there are {MAX_RESOURCES} resources already, the most")).into()
        );
    }
    let kid = encryption_key.kid.clone();
    let resource =
        Resource { audience: audience.to_owned(), encryption_key, created_at: now, changed_at: now };
    let added = app.store.replace_resource(&resource).await?;
    tell(app).await;
    let verb = if added == Added::Yes { "was added" } else { "was changed" };
    note(app, format!("the resource {audience} {verb}: its tokens are encrypted to the key {kid}"), now)
        .await;
    // Of one that was replaced the store knows when it was added.
    let stored = app.store.resource(audience).await?.unwrap_or(resource);
    Ok((stored, added))
}

/// A resource as it is in the store.
///
/// # Errors
/// No such resource, the store's silence.
pub async fn lookup(app: &App, audience: &str) -> FlowResult<Resource> {
    Ok(app.store.resource(audience).await?.ok_or_else(unknown)?)
}

/// Resources by audience.
///
/// # Errors
/// The store's silence.
pub async fn list(app: &App, page: &Page<String>) -> FlowResult<Vec<Resource>> {
    Ok(app.store.resources(page).await?)
}

/// Removes a resource, and answers what it was. Encrypted tokens for it are not made any more;
/// those that are out are as good as they were.
///
/// # Errors
/// No such resource, the store's silence.
pub async fn remove(app: &App, audience: &str, now: Timestamp) -> FlowResult<Resource> {
    let resource = lookup(app, audience).await?;
    if !app.store.remove_resource(audience).await? {
        return Err(unknown().into());
    }
    tell(app).await;
    note(app, format!("the resource {audience} was removed"), now).await;
    Ok(resource)
}

async fn note(app: &App, detail: String, now: Timestamp) {
    tracing::info!("{detail}");
    records::note(app, None, None, detail, now).await;
}

/// The change is done; that this node could not look again is no reason to say it was not. It
/// looks by itself soon.
async fn tell(app: &App) {
    if let Err(error) = app.look_again().await {
        tracing::warn!(%error, "the resources could not be read again after a change");
    }
}

fn unknown() -> Refusal {
    Refusal::not_found("no resource of that audience")
}
