//! Browser sessions: who is signed in with us, in this browser.

use aws_lc_rs::digest::{Context, SHA256};
pub use countersign_wire::{ACR_ONE_FACTOR, ACR_TWO_FACTORS, ACR_VALUES};
use countersign_wire::{BrowserSecret, BrowserSessionId};

use super::{FlowResult, Origin, Refusal, access, places, revocation, tickets};
use crate::app::App;
pub use crate::store::BrowserStanding;
use crate::store::{NewBrowserSession, OwnChange, Reason, RenewBrowserSession, Target, User, UserChange};
use crate::time::Timestamp;

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

/// How a browser goes on after a change that ended everything else.
pub struct Stays {
    /// The secret of its new cookie.
    pub secret: BrowserSecret,
    /// How many sessions the change ended.
    pub sessions_ended: u64,
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
                    auth_time: now,
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

/// Records a second factor that was added to the authentication of a browser session. That stays as old as it is:
/// nothing else was shown again. `None`: the browser session is over, or its cookie is another by now.
///
/// # Errors
/// The store's silence.
pub(super) async fn step_up(
    app: &App,
    before: &BrowserStanding,
    amr: Vec<String>,
    now: Timestamp,
) -> FlowResult<Option<(BrowserSecret, BrowserStanding)>> {
    let secret = BrowserSecret::new(tickets::fresh_secret());
    let renewed = app
        .store
        .renew_browser_session(&RenewBrowserSession {
            id: before.session.id,
            seen_hash: before.session.secret_hash,
            secret_hash: hash(&secret),
            auth_time: before.session.auth_time,
            acr: ACR_TWO_FACTORS.to_owned(),
            amr,
            now,
        })
        .await?;
    Ok(renewed.map(|standing| (secret, standing)))
}

/// Changes a person's own user, which ends all that the person has; this browser goes on with the authentication that it
/// had, for as long as it was to last. `None`: the browser session is over by now, and nothing was changed.
///
/// # Errors
/// The store's silence.
pub(super) async fn change_own_user(
    app: &App,
    before: &BrowserStanding,
    change: UserChange,
    now: Timestamp,
) -> FlowResult<Option<Stays>> {
    let target = Target::User(before.session.user);
    let keep_until = revocation::last_expiry(app, &target, now).await?;
    let secret = BrowserSecret::new(tickets::fresh_secret());
    let own = OwnChange {
        user: before.session.user,
        change,
        browser: before.session.id,
        seen_hash: before.session.secret_hash,
        next: BrowserSessionId(crate::entropy::uuid_v7(now)),
        secret_hash: hash(&secret),
        now,
        keep_until,
    };
    let Some(receipt) = app.store.change_own_user(&own).await? else { return Ok(None) };
    let ending = revocation::ended(app, &target, "user_changed", receipt, keep_until);
    Ok(Some(Stays { secret, sessions_ended: ending.receipt.sessions_ended }))
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
