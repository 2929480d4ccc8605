//! Browser sessions: who is signed in with us, in this browser.

use aws_lc_rs::digest::{Context, SHA256};
use countersign_wire::{BrowserSecret, BrowserSessionId};

use super::{FlowResult, Origin, Refusal, access, places, tickets};
use crate::app::App;
pub use crate::store::BrowserStanding;
use crate::store::{NewBrowserSession, Reason, RenewBrowserSession, User};
use crate::time::Timestamp;

/// One factor.
pub const ACR_ONE_FACTOR: &str = "aal1";
/// Two factors, or a passkey that verified its user.
pub const ACR_TWO_FACTORS: &str = "aal2";
/// Every `acr`, the weakest first.
pub const ACR_VALUES: [&str; 2] = [ACR_ONE_FACTOR, ACR_TWO_FACTORS];

/// How seldom use is written down.
const TOUCH_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

/// An authentication that has just taken place.
#[derive(Debug, Clone)]
pub struct Authentication {
    /// The user's record that it was checked against.
    pub user: User,
    /// How well.
    pub acr: &'static str,
    /// By which methods (RFC 8176).
    pub amr: Vec<String>,
    /// Whether the person asked to be remembered.
    pub remember: bool,
}

/// The live browser session of a cookie, if any; its use is noted.
///
/// # Errors
/// The store's silence.
pub async fn find(
    app: &App,
    secret: &BrowserSecret,
    origin: &Origin,
    now: Timestamp,
) -> FlowResult<Option<BrowserStanding>> {
    let Some(standing) = app.store.browser_session(&hash(secret)).await? else { return Ok(None) };
    if !standing.is_live(now) {
        return Ok(None);
    }
    if now.since(standing.session.seen_at) >= TOUCH_EVERY {
        app.store.touch_browser_session(standing.session.id, &origin.network, &origin.agent, now).await?;
    }
    Ok(Some(standing))
}

/// Records an authentication: in the browser's own session when it is the same person's with the
/// same wish to be remembered, in a new one otherwise, which ends the other. The secret is new in
/// either case, so that nobody who knew the old one is signed in by it. A new one notes its place.
///
/// # Errors
/// A user who was disabled or changed meanwhile; the store's silence.
pub async fn sign_in(
    app: &App,
    authentication: &Authentication,
    before: Option<&BrowserStanding>,
    origin: &Origin,
    now: Timestamp,
) -> FlowResult<(BrowserSecret, BrowserStanding)> {
    let secret = BrowserSecret::new(tickets::fresh_secret());
    let Authentication { user, acr, amr, remember } = authentication;
    let mut replaced = None;
    if let Some(before) = before {
        let session = &before.session;
        if session.user == user.id && session.remember == *remember {
            let renewed = app
                .store
                .renew_browser_session(&RenewBrowserSession {
                    id: session.id,
                    seen_hash: session.secret_hash,
                    secret_hash: hash(&secret),
                    acr: (*acr).to_owned(),
                    amr: amr.clone(),
                    now,
                })
                .await?;
            if let Some(standing) = renewed {
                return Ok((secret, standing));
            }
        } else {
            replaced = Some(session.id);
        }
    }
    let lifetimes = app.policy.sign_in.lifetimes(*remember);
    let place = places::of_sign_in(app, user.id, origin).await?;
    let started = app
        .store
        .start_browser_session(&NewBrowserSession {
            id: BrowserSessionId(crate::entropy::uuid_v7(now)),
            user: user.id,
            secret_hash: hash(&secret),
            user_stamp: user.stamp,
            remember: *remember,
            acr: (*acr).to_owned(),
            amr: amr.clone(),
            idle_lifetime: lifetimes.idle,
            absolute_lifetime: lifetimes.absolute,
            network: Some(origin.network.clone()).filter(|text| !text.is_empty()),
            agent: Some(origin.agent.clone()).filter(|text| !text.is_empty()),
            place,
            now,
        })
        .await?;
    let Some(standing) = started else { return Err(Refusal::UserDisabled.into()) };
    if let Some(replaced) = replaced {
        end(app, replaced, Reason::BrowserSignOut, now).await?;
    }
    Ok((secret, standing))
}

/// Ends a browser session and what ends with it.
///
/// # Errors
/// The store's silence.
pub async fn end(app: &App, id: BrowserSessionId, reason: Reason, now: Timestamp) -> FlowResult<u64> {
    let keep_until = access::keep_until(app, None, now);
    let receipt = app.store.end_browser_session(id, reason, now, keep_until).await?;
    let ended = receipt.map_or(0, |receipt| receipt.sessions_ended);
    tracing::info!(browser_session = %id, reason = reason.as_str(), sessions = ended, "signed out");
    Ok(ended)
}

/// What the store knows of a cookie.
fn hash(secret: &BrowserSecret) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(b"countersign browser session\0");
    context.update(secret.expose().as_bytes());
    context.finish().as_ref().try_into().unwrap_or_default()
}
