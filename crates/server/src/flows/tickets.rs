//! Tickets as flows use them: a secret that somebody holds, and what we remember of it for minutes.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{FlowError, FlowResult};
use crate::app::App;
use crate::store::{Added, Ticket, TicketKind};
use crate::time::Timestamp;

/// Longest body of a ticket, in bytes: an authorization request with all its parameters.
const MAX_BODY: usize = 32 * 1024;

/// A fresh secret: 256 random bits, base64url.
pub(super) fn fresh_secret() -> String {
    URL_SAFE_NO_PAD.encode(crate::entropy::bytes::<32>())
}

/// What the store knows of a secret. The kind goes in, so that a secret is good for one thing only.
pub(super) fn hash(kind: TicketKind, secret: &str) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in ["countersign ticket\0", kind.as_str(), "\0", secret] {
        context.update(part.as_bytes());
    }
    // SHA-256 has 32 bytes.
    context.finish().as_ref().try_into().unwrap_or_default()
}

/// Remembers something under a secret. It is good until `good_for` has passed and remembered until
/// `kept_for` has.
///
/// # Errors
/// The store's silence.
pub(super) async fn add(
    app: &App,
    kind: TicketKind,
    secret: &str,
    body: &impl Serialize,
    (good_for, kept_for): (Duration, Duration),
    now: Timestamp,
) -> FlowResult<Added> {
    let ticket = Ticket {
        hash: hash(kind, secret),
        kind,
        expires_at: now.plus(good_for),
        kept_until: now.plus(kept_for.max(good_for)),
        revision: 1,
        body: to_text(body)?,
        session: None,
    };
    Ok(app.store.add_ticket(&ticket).await?)
}

/// A ticket that is good now, and what it says. `None` also for what another version of this
/// program wrote and this one cannot read.
///
/// # Errors
/// The store's silence.
pub(super) async fn find<T: DeserializeOwned>(
    app: &App,
    kind: TicketKind,
    secret: &str,
    now: Timestamp,
) -> FlowResult<Option<(Ticket, T)>> {
    let Some(ticket) = app.store.ticket(&hash(kind, secret)).await? else { return Ok(None) };
    if ticket.kind != kind || ticket.expires_at <= now || ticket.session.is_some() {
        return Ok(None);
    }
    Ok(read(&ticket).map(|body| (ticket, body)))
}

/// Takes a ticket away and says what it said: of two at once, one gets it.
///
/// # Errors
/// The store's silence.
pub(super) async fn take<T: DeserializeOwned>(
    app: &App,
    kind: TicketKind,
    secret: &str,
    now: Timestamp,
) -> FlowResult<Option<T>> {
    let taken = app.store.take_ticket(&hash(kind, secret), now).await?;
    Ok(taken.filter(|ticket| ticket.kind == kind).and_then(|ticket| read(&ticket)))
}

/// Changes what a ticket says, unless somebody else did meanwhile.
///
/// # Errors
/// The store's silence.
pub(super) async fn replace(
    app: &App,
    ticket: &Ticket,
    body: &impl Serialize,
    now: Timestamp,
) -> FlowResult<bool> {
    let changed = Ticket { body: to_text(body)?, ..ticket.clone() };
    Ok(app.store.replace_ticket(&changed, now).await?)
}

/// What a ticket says.
pub(super) fn read<T: DeserializeOwned>(ticket: &Ticket) -> Option<T> {
    serde_json::from_str(&ticket.body).ok()
}

fn to_text(body: &impl Serialize) -> FlowResult<String> {
    let text = serde_json::to_string(body).map_err(|_| FlowError::Internal("a ticket has no text"))?;
    if text.len() > MAX_BODY {
        return Err(super::Refusal::invalid_request("the request is too long").into());
    }
    Ok(text)
}
