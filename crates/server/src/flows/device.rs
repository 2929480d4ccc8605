//! Device authorization (RFC 8628): a device without a browser asks, a person decides elsewhere.

use std::sync::Arc;
use std::time::Duration;

use countersign_wire::{BrowserSessionId, ClientId, DeviceCode, Scope, TokenAnswer, UserCode, UserId};
use serde::{Deserialize, Serialize};

use super::browser::BrowserStanding;
use super::clients::Credentials;
use super::sessions::{self, StartRequest};
use super::{FlowError, FlowResult, Origin, Refusal, revocation, tickets, user_code};
use crate::app::App;
use crate::factors::qr;
use crate::store::{Added, Client, ClientKind, Reason, SignIn, Target, Ticket, TicketKind};
use crate::time::Timestamp;

/// How long a person has to decide.
pub const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How long an expired device code is told apart from an unknown one.
const REMEMBERED: Duration = Duration::from_secs(30 * 60);
/// Seconds between a device's requests (section 3.2).
pub const INTERVAL: u64 = 5;
/// How often another user code is made because the first was in use.
const MAX_ROUNDS: usize = 8;

/// What a device asked for, as its ticket has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// Which client.
    pub client: ClientId,
    /// What is asked for.
    pub scope: Scope,
    /// For which resources.
    pub resources: Vec<String>,
    /// The network that the device asked from, in words.
    pub network: String,
    decided: Option<Decided>,
    /// When the device asked last, and how long it has to wait.
    asked_at: Option<Timestamp>,
    interval: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Decided {
    No,
    Yes { user: UserId, browser: BrowserSessionId, auth_time: Timestamp, acr: String, amr: Vec<String> },
}

/// What a device shows and keeps.
pub struct Codes {
    /// Kept.
    pub device_code: DeviceCode,
    /// Shown.
    pub user_code: UserCode,
}

/// Takes a device's request in.
///
/// # Errors
/// A refusal, or the store's silence.
pub async fn begin(
    app: &App,
    credentials: &Credentials,
    scope: Option<Scope>,
    resources: Vec<String>,
    origin: &Origin,
    now: Timestamp,
) -> FlowResult<Codes> {
    let client = app.clients.authenticate_enabled(credentials, now).await?;
    let settings = client.settings();
    if settings.kind == ClientKind::Service {
        return Err(Refusal::GrantNotAllowed.into());
    }
    if settings.public {
        app.strangers.admit(&origin.network, now).map_err(|wait| Refusal::TooMany(wait.0))?;
    }
    let scope = match scope {
        None => settings.scope.clone(),
        Some(asked) if asked.is_subset(&settings.scope) => asked,
        Some(_) => return Err(Refusal::ScopeNotGranted.into()),
    };
    if resources.iter().any(|resource| !settings.audience.contains(resource)) {
        return Err(Refusal::TargetNotGranted.into());
    }
    let device_code = tickets::fresh_secret();
    let request = Request {
        client: client.id().clone(),
        scope,
        resources,
        network: origin.network.clone(),
        decided: None,
        asked_at: None,
        interval: INTERVAL,
    };
    tickets::add(app, TicketKind::Device, &device_code, &request, (LIFETIME, REMEMBERED), now).await?;
    for _ in 0..MAX_ROUNDS {
        let code = user_code::generate();
        let body = tickets::hash(TicketKind::Device, &device_code);
        let added = tickets::add(app, TicketKind::UserCode, &code, &body, (LIFETIME, LIFETIME), now).await?;
        if added == Added::Yes {
            return Ok(Codes {
                device_code: DeviceCode::new(device_code),
                user_code: UserCode::new(user_code::display(&code)),
            });
        }
    }
    Err(FlowError::Internal("no user code is free"))
}

/// A code that a person typed, as the device shows it; `None` when it cannot be one.
pub fn shown(typed: &str) -> Option<String> {
    user_code::normalise(typed).map(|code| user_code::display(&code))
}

/// How a picture is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawn {
    /// As SVG.
    Svg,
    /// As lines of text for a terminal.
    Lines,
}

/// The address with a code in it as a picture, for the device to show (RFC 8628 section 3.3.1).
/// Whether there is such a code is not looked at; `None` when there cannot be.
pub fn picture(app: &App, typed: &str, drawn: Drawn) -> Option<String> {
    let address = format!("{}/device?user_code={}", app.policy.issuer, shown(typed)?);
    match drawn {
        Drawn::Svg => qr::svg(&address),
        Drawn::Lines => qr::lines(&address),
    }
}

/// The request of a code that a person typed, while it waits for a decision.
///
/// # Errors
/// The store's silence.
pub async fn find(
    app: &App,
    typed: &str,
    now: Timestamp,
) -> FlowResult<Option<(Arc<Client>, Ticket, Request)>> {
    let Some(code) = user_code::normalise(typed) else { return Ok(None) };
    let Some((_, hash)) = tickets::find::<[u8; 32]>(app, TicketKind::UserCode, &code, now).await? else {
        return Ok(None);
    };
    let Some(ticket) = app.store.ticket(&hash).await? else { return Ok(None) };
    let Some(request) = tickets::read::<Request>(&ticket) else { return Ok(None) };
    if ticket.expires_at <= now || ticket.session.is_some() || request.decided.is_some() {
        return Ok(None);
    }
    let client = app.clients.lookup(&request.client).await?.filter(|client| client.enabled);
    Ok(client.map(|client| (client, ticket, request)))
}

/// What came of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is remembered.
    Done,
    /// It was decided already, or ran out meanwhile.
    Over,
    /// The person has to show first that it is them: see [`must_confirm`].
    Confirm,
}

/// Whether what a device asks for is only allowed soon after an authentication, and this browser's
/// was longer ago: the same rule as for a code (OAuth 2.1 section 7.3).
pub fn must_confirm(app: &App, request: &Request, browser: &BrowserStanding, now: Timestamp) -> bool {
    app.policy.sign_in.sensitive.forbids(&request.scope, browser.session.auth_time, now)
}

/// Remembers what the person decided. What is allowed is a consent, which can be taken back.
///
/// # Errors
/// A client that does not serve this person; the store's silence.
pub async fn decide(
    app: &App,
    typed: &str,
    browser: &BrowserStanding,
    allow: bool,
    now: Timestamp,
) -> FlowResult<Outcome> {
    let session = &browser.session;
    // A device that asks in between moves the ticket on.
    for _ in 0..MAX_ROUNDS {
        let Some((client, ticket, request)) = find(app, typed, now).await? else { return Ok(Outcome::Over) };
        if allow && client.tenant.is_some() && client.tenant != browser.user.tenant {
            return Err(Refusal::AnotherTenant.into());
        }
        if allow && must_confirm(app, &request, browser, now) {
            return Ok(Outcome::Confirm);
        }
        if allow {
            // Before the device can know: what it is given then has its consent.
            let known = app.store.consent(session.user, &client.id).await?.map(|consent| consent.scope);
            let scope = known.unwrap_or_default().union(&request.scope);
            app.store.grant_consent(session.user, &client.id, &scope, now).await?;
        }
        let decided = match allow {
            false => Decided::No,
            true => Decided::Yes {
                user: session.user,
                browser: session.id,
                auth_time: session.auth_time,
                acr: session.acr.clone(),
                amr: session.amr.clone(),
            },
        };
        let changed = Request { decided: Some(decided), ..request };
        if tickets::replace(app, &ticket, &changed, now).await? {
            return Ok(Outcome::Done);
        }
    }
    Ok(Outcome::Over)
}

/// Answers a device that asks whether the person has decided (section 3.4).
///
/// # Errors
/// A refusal, or the store's silence.
pub async fn poll(
    app: &App,
    credentials: &Credentials,
    code: &DeviceCode,
    origin: Origin,
    now: Timestamp,
) -> FlowResult<TokenAnswer> {
    let client = app.clients.authenticate_enabled(credentials, now).await?;
    let hash = tickets::hash(TicketKind::Device, code.expose());
    let Some(ticket) = app.store.ticket(&hash).await? else {
        return Err(Refusal::UnknownDeviceCode.into());
    };
    let request = tickets::read::<Request>(&ticket).filter(|request| request.client == *client.id());
    let Some(request) = request else { return Err(Refusal::UnknownDeviceCode.into()) };
    if ticket.session.is_some() {
        return Err(Refusal::UnknownDeviceCode.into());
    }
    if ticket.expires_at <= now {
        return Err(Refusal::DeviceCodeExpired.into());
    }
    let (user, browser, auth_time, acr, amr) = match request.decided.clone() {
        None => return Err(wait(app, &ticket, request, now).await),
        Some(Decided::No) => return Err(Refusal::DeviceDenied.into()),
        Some(Decided::Yes { user, browser, auth_time, acr, amr }) => (user, browser, auth_time, acr, amr),
    };
    let start = StartRequest {
        user,
        client: request.client.clone(),
        scope: Some(request.scope.clone()),
        resources: request.resources,
        device: None,
        remember: false,
        auth_time: Some(auth_time),
        acr: Some(acr),
        amr,
        origin,
        // The device is elsewhere: signing out in the browser is no word about it.
        sign_in: Some(SignIn { ticket: hash, browser, ends_with_browser: false }),
        nonce: None,
    };
    match sessions::start(app, &start, now).await {
        Ok((session, answer)) => {
            // As for a code: one that is taken back later ends the session, one that was taken back
            // before is seen here.
            let consent = app.store.consent(user, &request.client).await?;
            if consent.is_some_and(|consent| request.scope.is_subset(&consent.scope)) {
                return Ok(answer);
            }
            revocation::end(app, &Target::Session(session), Reason::ConsentWithdrawn, now).await?;
            Err(Refusal::ConsentWithdrawn.into())
        }
        Err(FlowError::Refused(Refusal::CodeSpent)) => Err(Refusal::UnknownDeviceCode.into()),
        Err(error) => Err(error),
    }
}

/// Not yet; and slower, for a device that asks too often (section 3.5).
async fn wait(app: &App, ticket: &Ticket, mut request: Request, now: Timestamp) -> FlowError {
    let too_soon = request.asked_at.is_some_and(|at| now.since(at) < Duration::from_secs(request.interval));
    if too_soon {
        request.interval = request.interval.saturating_add(INTERVAL);
    }
    request.asked_at = Some(now);
    match tickets::replace(app, ticket, &request, now).await {
        Ok(_) if too_soon => Refusal::SlowDown.into(),
        Ok(_) => Refusal::AuthorizationPending.into(),
        Err(error) => error,
    }
}
