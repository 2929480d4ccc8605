//! Authorization codes (OAuth 2.1 section 4.1.2 and 4.1.3): good once, for a minute, for the
//! client, the redirect URI and the PKCE verifier that they were made for, while the browser
//! session in which the person agreed lasts.

use std::time::Duration;

use countersign_wire::{
    AuthorizationCode, BrowserSessionId, ClientId, CodeGrant, Scope, TokenAnswer, UserId,
};
use serde::{Deserialize, Serialize};

use super::authorize::{Asked, OFFLINE_ACCESS};
use super::browser::BrowserStanding;
use super::clients::{AuthenticatedClient, Credentials};
use super::sessions::{self, StartRequest};
use super::{FlowError, FlowResult, Origin, Refusal, pkce, revocation, tickets};
use crate::app::App;
use crate::store::{Client, Reason, SignIn, Target, Ticket, TicketKind};
use crate::time::Timestamp;

/// How long a code is good.
const LIFETIME: Duration = Duration::from_secs(60);
/// How long a code that was used is remembered, so that its second use ends what the first began.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

/// What a code stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) client: ClientId,
    pub(super) redirect_uri: String,
    pub(super) redirect_uri_sent: bool,
    pub(super) challenge: Option<String>,
    pub(super) user: UserId,
    pub(super) browser: BrowserSessionId,
    pub(super) scope: Scope,
    pub(super) resources: Vec<String>,
    pub(super) nonce: Option<String>,
    pub(super) auth_time: Timestamp,
    pub(super) acr: String,
    pub(super) amr: Vec<String>,
    pub(super) remember: bool,
}

/// Makes a code.
///
/// # Errors
/// The store's silence.
pub(super) async fn issue(
    app: &App,
    client: &Client,
    asked: &Asked,
    browser: &BrowserStanding,
    scope: Scope,
    now: Timestamp,
) -> FlowResult<AuthorizationCode> {
    let session = &browser.session;
    let grant = Grant {
        client: client.id.clone(),
        redirect_uri: asked.redirect_uri.clone(),
        redirect_uri_sent: asked.redirect_uri_sent,
        challenge: asked.request.code_challenge.clone(),
        user: session.user,
        browser: session.id,
        scope,
        resources: asked.request.resources.clone(),
        nonce: asked.request.nonce.clone(),
        auth_time: session.auth_time,
        acr: session.acr.clone(),
        amr: session.amr.clone(),
        remember: session.remember,
    };
    let secret = tickets::fresh_secret();
    tickets::add(app, TicketKind::Code, &secret, &grant, (LIFETIME, REMEMBERED), now).await?;
    Ok(AuthorizationCode::new(secret))
}

/// Answers a code's exchange.
///
/// # Errors
/// A refusal, or the store's silence.
pub async fn exchange(
    app: &App,
    credentials: &Credentials,
    request: &CodeGrant,
    resources: &[String],
    origin: Origin,
    now: Timestamp,
) -> FlowResult<TokenAnswer> {
    let client = app.clients.authenticate_enabled(credentials, now).await?;
    let hash = tickets::hash(TicketKind::Code, request.code.expose());
    let Some(ticket) = app.store.ticket(&hash).await? else { return Err(Refusal::UnknownCode.into()) };
    let Some(grant) = tickets::read::<Grant>(&ticket).filter(|_| ticket.kind == TicketKind::Code) else {
        return Err(Refusal::UnknownCode.into());
    };
    judge(&client, &grant, request)?;
    // From here on the caller has shown that the code was its own.
    if ticket.session.is_some() {
        return Err(replayed(app, &ticket, now).await);
    }
    if ticket.expires_at <= now {
        return Err(Refusal::CodeExpired.into());
    }
    if resources.iter().any(|resource| !allowed(&grant, &client).contains(resource)) {
        return Err(Refusal::TargetNotGranted.into());
    }
    let resources = if resources.is_empty() { grant.resources.clone() } else { resources.to_vec() };
    let start = StartRequest {
        user: grant.user,
        client: grant.client.clone(),
        scope: Some(grant.scope.clone()),
        resources,
        device: None,
        remember: grant.remember,
        auth_time: Some(grant.auth_time),
        acr: Some(grant.acr.clone()),
        amr: grant.amr.clone(),
        origin,
        sign_in: Some(SignIn {
            ticket: hash,
            browser: grant.browser,
            ends_with_browser: !grant.scope.contains(OFFLINE_ACCESS),
        }),
        nonce: grant.nonce.clone(),
    };
    match sessions::start(app, &start, now).await {
        Ok((session, answer)) => {
            // Looked at after the session is there: a consent that is taken back later ends it, and
            // one that was taken back before is seen here.
            if may_have(app, &client, &grant).await? {
                return Ok(answer);
            }
            revocation::end(app, &Target::Session(session), Reason::ConsentWithdrawn, now).await?;
            Err(Refusal::ConsentWithdrawn.into())
        }
        // Somebody was quicker, between our look and the store's update.
        Err(FlowError::Refused(Refusal::CodeSpent)) => match app.store.ticket(&hash).await? {
            Some(ticket) if ticket.session.is_some() => Err(replayed(app, &ticket, now).await),
            _ => Err(Refusal::CodeExpired.into()),
        },
        Err(error) => Err(error),
    }
}

/// Whether the person still allows what the code was made for.
async fn may_have(app: &App, client: &AuthenticatedClient, grant: &Grant) -> FlowResult<bool> {
    if client.settings().sign_in.first_party {
        return Ok(true);
    }
    let consent = app.store.consent(grant.user, client.id()).await?;
    Ok(consent.is_some_and(|consent| grant.scope.is_subset(&consent.scope)))
}

/// The resources that a code may be narrowed to (RFC 8707 section 2.2).
fn allowed<'a>(grant: &'a Grant, client: &'a AuthenticatedClient) -> &'a [String] {
    if grant.resources.is_empty() { &client.settings().audience } else { &grant.resources }
}

/// Whether the caller is the one that the code was made for. A caller that is not changes nothing:
/// who only saw a code cannot use it, and cannot spoil it either (OAuth 2.1 section 7.5.2).
fn judge(client: &AuthenticatedClient, grant: &Grant, request: &CodeGrant) -> Result<(), Refusal> {
    if *client.id() != grant.client {
        return Err(Refusal::UnknownCode);
    }
    // RFC 6749 section 4.1.3: named there, so named here; OAuth 2.1 section 10.2.
    match &request.redirect_uri {
        Some(sent) if *sent != grant.redirect_uri => return Err(Refusal::CodeRedirectUri),
        None if grant.redirect_uri_sent && grant.challenge.is_none() => {
            return Err(Refusal::CodeRedirectUri);
        }
        _ => {}
    }
    match (&grant.challenge, &request.verifier) {
        (Some(challenge), Some(verifier)) if pkce::verify(challenge, verifier) => Ok(()),
        (None, None) => Ok(()),
        // RFC 9700 section 4.8.2: a verifier without a challenge is a downgrade.
        _ => Err(Refusal::CodeVerifier),
    }
}

/// The second use of a code that was used: what the first began is ended, since one of the two is
/// not the client (OAuth 2.1 section 4.1.3).
async fn replayed(app: &App, ticket: &Ticket, now: Timestamp) -> FlowError {
    let Some(session) = ticket.session else { return Refusal::CodeSpent.into() };
    tracing::warn!(sid = %session, "an authorization code was used again; the session is ended");
    match revocation::end(app, &Target::Session(session), Reason::CodeReplay, now).await {
        Ok(_) => Refusal::CodeSpent.into(),
        Err(error) => error,
    }
}
