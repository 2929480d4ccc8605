//! Pushed authorization requests (RFC 9126): the request comes from the client itself, checked
//! and authenticated, and the browser carries a handle.

use std::time::Duration;

use countersign_wire::{Parameters, RequestUri};

use super::authorize::{Asked, Unanswerable, resolve};
use super::clients::Credentials;
use super::{FlowResult, Refusal, authorize, tickets};
use crate::app::App;
use crate::store::{Client, TicketKind};
use crate::time::Timestamp;

/// How long a handle is good.
pub const LIFETIME: Duration = Duration::from_secs(90);
/// What a handle begins with (section 2.2).
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// Takes a request in and hands out its handle.
///
/// # Errors
/// A refusal, or the store's silence.
pub async fn push(
    app: &App,
    credentials: &Credentials,
    parameters: &Parameters,
    network: &str,
    now: Timestamp,
) -> FlowResult<RequestUri> {
    let client = app.clients.authenticate_enabled(credentials, now).await?;
    if client.settings().public {
        app.strangers.admit(network, now).map_err(|wait| Refusal::TooMany(wait.0))?;
    }
    if parameters.get("request_uri").is_some() {
        // Section 2.1.
        return Err(Refusal::invalid_request("request_uri must not be in a pushed request").into());
    }
    let pairs = authorize::without_credentials(parameters);
    let client = std::sync::Arc::new(client.client().clone());
    let (client, resolved) = resolve(client, &pairs).map_err(|why| match why {
        Unanswerable::RedirectUri => {
            Refusal::invalid_request("redirect_uri is missing or not registered for this client")
        }
        _ => Refusal::invalid_request("a parameter was sent more than once"),
    })?;
    let request = authorize::check(app, &client, &pairs).map_err(Refusal::Request)?;
    let secret = tickets::fresh_secret();
    let asked = resolved.with(&client, request);
    tickets::add(app, TicketKind::PushedRequest, &secret, &asked, (LIFETIME, LIFETIME), now).await?;
    Ok(RequestUri::new(format!("{PREFIX}{secret}")))
}

/// Whether a `request_uri` is one of ours.
pub(super) fn is_handle(request_uri: &str) -> bool {
    request_uri.starts_with(PREFIX)
}

/// The request of a handle, once, for the client that pushed it (sections 4 and 7.3).
///
/// # Errors
/// The store's silence.
pub(super) async fn take(
    app: &App,
    request_uri: &str,
    client: &Client,
    now: Timestamp,
) -> FlowResult<Option<Asked>> {
    let Some(secret) = request_uri.strip_prefix(PREFIX) else { return Ok(None) };
    // Another client's handle is not used up.
    let found = tickets::find::<Asked>(app, TicketKind::PushedRequest, secret, now).await?;
    if found.is_none_or(|(_, asked)| asked.client != client.id) {
        return Ok(None);
    }
    tickets::take(app, TicketKind::PushedRequest, secret, now).await
}
