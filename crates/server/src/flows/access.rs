//! Making access tokens (RFC 9068), the same claims in each format.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_wire::{AccessClaims, AccessToken, Audience, REVOCATIONS_SCOPE, Scope};

use super::{FlowError, FlowResult, Refusal, status_lists};
use crate::app::App;
use crate::keys::RecipientKey;
use crate::store::{Client, Standing, TokenFormat};
use crate::time::Timestamp;

/// Whom an access token acts for.
#[derive(Debug, Clone, Copy)]
pub enum Actor<'a> {
    /// The user of a session.
    User(&'a Standing),
    /// The client itself; the number of the newest revocation.
    Client(u64),
}

/// Whom an access token is for.
#[derive(Debug, Clone)]
pub struct Recipients {
    audience: Vec<String>,
    /// The key of the only one, for a client whose tokens are encrypted.
    key: Option<Arc<RecipientKey>>,
}

impl Recipients {
    /// Their audiences.
    pub fn audience(&self) -> &[String] {
        &self.audience
    }
}

/// Whom a token is for: what was granted, what the client still has, and what was asked for. With
/// nothing left the token is for the issuer itself and opens no API.
///
/// # Errors
/// When the client's tokens are encrypted and there is not one API with a key. It is asked before
/// anything changes: a grant is not spent on a token that cannot be made.
pub fn recipients(
    app: &App,
    client: &Client,
    granted: &[String],
    asked: &[String],
) -> Result<Recipients, Refusal> {
    let audience = narrowed(granted, &client.settings.audience, asked);
    let key = match (client.settings.token_format, audience.as_slice()) {
        (TokenFormat::Jwt | TokenFormat::Opaque, _) => None,
        (TokenFormat::Encrypted, [one]) => {
            let key = app.resources.key(one).ok_or_else(|| Refusal::TargetWithoutKey(one.clone()))?;
            Some(key)
        }
        (TokenFormat::Encrypted, others) => return Err(Refusal::TargetNotOne(others.len())),
    };
    Ok(Recipients { audience, key })
}

/// Makes an access token and says how long it lives.
///
/// # Errors
/// Only when no key can make it, which is a bug.
pub fn mint(
    app: &App,
    client: &Client,
    actor: Actor<'_>,
    scope: Scope,
    recipients: Recipients,
    now: Timestamp,
) -> FlowResult<(AccessToken, Duration)> {
    let mut lifetime = app.policy.lifetimes_of(client).access;
    if let Actor::User(standing) = actor {
        // Authority never outlives the session (RFC 9700 section 4.14.2).
        lifetime = lifetime.min(standing.session.expires_at.since(now));
    }
    let Recipients { audience, key } = recipients;
    // What is encrypted to an API is for nobody else, not even for us.
    let audience = if key.is_some() { audience } else { with_us(app, &scope, audience) };
    let claims = claims(app, client, actor, scope, audience, now, lifetime);
    let keys = app.keys.snapshot();
    let signed =
        || keys.sign(client.settings.signing_alg.unwrap_or(app.policy.signing_algorithm), &claims, now);
    let token = match (client.settings.token_format, key) {
        (TokenFormat::Jwt, _) => signed(),
        (TokenFormat::Opaque, _) => keys.seal_opaque(&claims, now),
        (TokenFormat::Encrypted, Some(key)) => signed().and_then(|token| key.seal(&token)),
        (TokenFormat::Encrypted, None) => {
            return Err(FlowError::Internal("an encrypted access token without a key"));
        }
    };
    match token {
        Ok(token) => Ok((token, lifetime)),
        Err(error) => {
            tracing::error!(%error, "an access token could not be made");
            Err(FlowError::Internal("an access token could not be made"))
        }
    }
}

fn narrowed(granted: &[String], registered: &[String], asked: &[String]) -> Vec<String> {
    let allowed =
        |audience: &&String| registered.contains(audience) && (asked.is_empty() || asked.contains(audience));
    granted.iter().filter(allowed).cloned().collect()
}

/// Until when a revocation-log entry must be kept: when the last access token that it could
/// concern has expired. Without a client, any client's.
pub fn keep_until(app: &App, client: Option<&Client>, now: Timestamp) -> Timestamp {
    let longest = match client {
        // The configuration can have made the kind's lifetime longer since the client was changed.
        Some(client) => {
            Duration::from_secs(client.settings.longest_access).max(app.policy.lifetimes_of(client).access)
        }
        None => app.longest_access(),
    };
    now.plus(longest)
}

/// With these scopes the token is for userinfo, or for the feed, as well: they are the issuer's own
/// APIs.
fn with_us(app: &App, scope: &Scope, mut audience: Vec<String>) -> Vec<String> {
    let is_for_us = scope.contains(super::id_tokens::OPENID) || scope.contains(REVOCATIONS_SCOPE);
    if is_for_us && !audience.is_empty() {
        audience.push(app.policy.issuer.clone());
    }
    audience
}

fn claims(
    app: &App,
    client: &Client,
    actor: Actor<'_>,
    scope: Scope,
    mut audience: Vec<String>,
    now: Timestamp,
    lifetime: Duration,
) -> AccessClaims {
    let aud = match audience.len() {
        0 => Audience::One(app.policy.issuer.clone()),
        1 => Audience::One(audience.swap_remove(0)),
        _ => Audience::Many(audience),
    };
    let common = AccessClaims {
        iss: app.policy.issuer.clone(),
        sub: client.id.to_string(),
        aud,
        exp: now.plus(lifetime).seconds(),
        iat: now.seconds(),
        nbf: None,
        jti: URL_SAFE_NO_PAD.encode(crate::entropy::bytes_for_id::<16>()),
        client_id: client.id.clone(),
        scope,
        rev: 0,
        sid: None,
        stv: None,
        tenant: client.tenant.clone(),
        auth_time: None,
        acr: None,
        amr: Vec::new(),
        roles: Vec::new(),
        username: None,
        email: None,
        status: None,
    };
    match actor {
        Actor::Client(position) => AccessClaims { rev: position, ..common },
        Actor::User(standing) => {
            let Standing { session, user, position, .. } = standing;
            let wants = |claim: &str| client.settings.extra_claims.iter().any(|c| c == claim);
            AccessClaims {
                sub: session.user.to_string(),
                rev: *position,
                sid: Some(session.id),
                stv: Some(session.user_stamp),
                tenant: user.tenant.clone(),
                auth_time: Some(session.auth_time.seconds()),
                acr: session.acr.clone(),
                amr: session.amr.clone(),
                roles: user.roles.clone(),
                username: wants("username").then(|| user.username.clone()),
                email: user.email.clone().filter(|_| wants("email")),
                // An opaque token's reader asks us about it anyway.
                status: match client.settings.token_format {
                    TokenFormat::Opaque => None,
                    TokenFormat::Jwt | TokenFormat::Encrypted => status_lists::claim(app, session),
                },
                ..common
            }
        }
    }
}
