//! What a person shows beside the password, and passkeys, which need none.

use countersign_wire::{BrowserSecret, UserId};
use serde::{Deserialize, Serialize};

use super::authorize::{self, Interaction};
use super::browser::{self, ACR_TWO_FACTORS, Authentication, BrowserStanding};
use super::sign_in::{FIRST_FACTOR, Outcome, finish};
use super::{FlowResult, Origin, places, records, tickets};
use crate::app::App;
use crate::factors::recovery::RecoveryCode;
use crate::factors::totp::TotpSecret;
use crate::store::{Event, EventKind, Factor, FactorKind, FactorUse, TicketKind, User};
use crate::time::Timestamp;

/// What a TOTP secret is sealed for.
pub(super) const TOTP_PURPOSE: &str = "totp";
/// How long a passkey ceremony may take.
pub(super) const CEREMONY: std::time::Duration = std::time::Duration::from_secs(10 * 60);

/// What a person shows.
pub enum Shown {
    /// A code of an authenticator app.
    Totp(String),
    /// A recovery code.
    Recovery(String),
    /// The answer of a passkey, as JSON.
    Passkey(String),
}

/// Who has to show a second factor.
#[derive(Debug, Clone)]
pub struct Whose {
    user: UserId,
    stamp: u64,
    remember: bool,
    /// What was shown already.
    amr: Vec<String>,
    /// Whether that was in this interaction: else the second factor is shown alone.
    has_shown_first: bool,
}

/// What a person can show.
#[derive(Debug, Default)]
pub struct Offer {
    /// An authenticator app.
    pub totp: bool,
    /// A recovery code that was not used.
    pub recovery: bool,
    /// The options of a passkey ceremony.
    pub passkey: Option<String>,
}

/// A ceremony that is under way.
#[derive(Serialize, Deserialize)]
struct Ceremony {
    state: String,
}

/// Whether a user has a second factor: recovery codes alone are none.
///
/// # Errors
/// The store's silence.
pub async fn has_any(app: &App, user: UserId) -> FlowResult<bool> {
    Ok(app.store.factors(user).await?.iter().any(|factor| factor.kind != FactorKind::Recovery))
}

/// Who has to show something: whose password was right a moment ago; or who is signed in and owes a second factor, and
/// nothing that a second factor alone would stand in for. `None`: nobody has to show one here.
///
/// # Errors
/// The store's silence.
pub async fn whose(
    app: &App,
    interaction: &Interaction,
    standing: Option<&BrowserStanding>,
    now: Timestamp,
) -> FlowResult<Option<Whose>> {
    let first = interaction.first_factor.as_ref().filter(|first| now.since(first.at) <= FIRST_FACTOR);
    if let Some(first) = first {
        return Ok(Some(Whose {
            user: first.user,
            stamp: first.stamp,
            remember: first.remember,
            amr: vec!["pwd".to_owned()],
            has_shown_first: true,
        }));
    }
    let Some(standing) = standing else { return Ok(None) };
    if !authorize::owes_second_factor(app, interaction, standing, now).await? {
        return Ok(None);
    }
    let session = &standing.session;
    Ok(Some(Whose {
        user: session.user,
        stamp: session.user_stamp,
        remember: session.remember,
        amr: session.amr.clone(),
        has_shown_first: false,
    }))
}

/// What this person can show; begins a passkey ceremony when there is one.
///
/// # Errors
/// The store's silence.
pub async fn offer(app: &App, secret: &BrowserSecret, whose: Whose, now: Timestamp) -> FlowResult<Offer> {
    let factors = app.store.factors(whose.user).await?;
    let has = |kind| factors.iter().any(|factor| factor.kind == kind && !is_used_up(factor));
    let passkeys = bodies(&factors);
    let passkey = match &app.passkeys {
        Some(relying_party) if !passkeys.is_empty() => match relying_party.start_authentication(&passkeys) {
            Ok((options, state)) => Some(keep(app, "factor", secret, state, now).await.map(|()| options)?),
            Err(error) => {
                tracing::warn!(%error, "a passkey ceremony could not begin");
                None
            }
        },
        _ => None,
    };
    Ok(Offer { totp: has(FactorKind::Totp), recovery: has(FactorKind::Recovery), passkey })
}

/// Checks what a person shows.
///
/// # Errors
/// The store's silence; everything else is an [`Outcome`].
pub async fn prove(
    app: &App,
    (secret, interaction): (&BrowserSecret, &Interaction),
    shown: &Shown,
    before: Option<&BrowserStanding>,
    origin: &Origin,
    now: Timestamp,
) -> FlowResult<Outcome> {
    let Some(whose) = whose(app, interaction, before, now).await? else { return Ok(Outcome::Over) };
    let Some(user) = app.store.user(whose.user).await? else { return Ok(Outcome::Over) };
    if !user.enabled || user.stamp != whose.stamp {
        return Ok(Outcome::Over);
    }
    // Apart from passwords: who knows the password must not use up the person's own attempts. In
    // capitals, which no canonical name has, so that nobody can type it as a name.
    let account = format!("SECOND FACTOR {}", user.canonical);
    let counted = places::attempt(app, &user.canonical, &account, origin).await?;
    if let Err(wait) = app.throttle.check(&counted, now) {
        return Ok(Outcome::Wait(wait.0));
    }
    let Some(method) = check(app, secret, &user, shown, now).await? else {
        app.throttle.failed(&counted, now);
        app.metrics.sign_in(crate::metrics::SignInOutcome::Refused);
        return Ok(Outcome::Wrong);
    };
    app.throttle.succeeded(&account, &origin.network);
    app.throttle.succeeded(&user.canonical, &origin.network);
    let mut amr = whose.amr;
    for method in [method, "mfa"] {
        if !amr.iter().any(|known| known == method) {
            amr.push(method.to_owned());
        }
    }
    if whose.has_shown_first {
        let authentication = Authentication { user, acr: ACR_TWO_FACTORS, amr, remember: whose.remember };
        return finish(app, &authentication, before, origin, now).await;
    }
    let Some(before) = before else { return Ok(Outcome::Over) };
    let Some((secret, standing)) = browser::step_up(app, before, amr, now).await? else {
        return Ok(Outcome::Over);
    };
    app.metrics.sign_in(crate::metrics::SignInOutcome::SignedIn);
    records::add(app, &stepped_up(user.id, origin, now)).await;
    Ok(Outcome::SignedIn(secret, Box::new(standing)))
}

fn stepped_up(user: UserId, origin: &Origin, now: Timestamp) -> Event {
    Event {
        number: 0,
        at: now,
        kind: EventKind::SignIn,
        session: None,
        user: Some(user),
        client: None,
        detail: format!("showed a second factor: {} with {}", origin.network, origin.agent),
    }
}

/// The options of a ceremony in which a passkey says by itself whose it is. `None`: passkeys are
/// not to be had under this issuer.
///
/// # Errors
/// The store's silence.
pub async fn passkey_options(
    app: &App,
    secret: &BrowserSecret,
    now: Timestamp,
) -> FlowResult<Option<String>> {
    let Some(relying_party) = &app.passkeys else { return Ok(None) };
    match relying_party.start_discoverable() {
        Ok((options, state)) => {
            keep(app, "alone", secret, state, now).await?;
            Ok(Some(options))
        }
        Err(error) => {
            tracing::warn!(%error, "a passkey ceremony could not begin");
            Ok(None)
        }
    }
}

/// Signs in with a passkey and nothing else. `remember` is what the person asked for; nobody is asked
/// who only confirms: that is for who is signed in, and leaves the browser session as it is.
///
/// # Errors
/// The store's silence; everything else is an [`Outcome`].
pub async fn passkey_alone(
    app: &App,
    secret: &BrowserSecret,
    credential: &str,
    remember: Option<bool>,
    before: Option<&BrowserStanding>,
    origin: &Origin,
    now: Timestamp,
) -> FlowResult<Outcome> {
    let Some(relying_party) = &app.passkeys else { return Ok(Outcome::Wrong) };
    let Some(state) = take(app, "alone", secret, now).await? else { return Ok(Outcome::Wrong) };
    let Some(user) = relying_party.identify(credential) else { return Ok(Outcome::Wrong) };
    let Some(user) = app.store.user(UserId(user)).await?.filter(|user| user.enabled) else {
        return Ok(Outcome::Wrong);
    };
    let remember = match (remember, before) {
        (Some(asked), _) => asked,
        (None, Some(before)) if before.session.user == user.id => before.session.remember,
        // Nobody signs in as somebody else here.
        (None, Some(_)) => return Ok(Outcome::Wrong),
        (None, None) => false,
    };
    let factors = app.store.factors(user.id).await?;
    let passkeys: Vec<&Factor> = factors.iter().filter(|f| f.kind == FactorKind::Passkey).collect();
    let used = match relying_party.finish_discoverable(credential, &state, &bodies(&factors)) {
        Ok(used) if used.user_verified => used,
        Ok(_) => return Ok(Outcome::Wrong),
        Err(error) => {
            tracing::info!(%error, "a passkey was refused");
            return Ok(Outcome::Wrong);
        }
    };
    let Some(factor) = passkeys.get(used.index) else { return Ok(Outcome::Wrong) };
    if !use_up(app, factor, factor.counter + 1, used.updated, now).await? {
        return Ok(Outcome::Wrong);
    }
    app.throttle.succeeded(&user.canonical, &origin.network);
    // RFC 8176: the key was proved to be there, and it knew its user by a second factor of its own.
    let amr = ["pop", "user", "mfa"].map(str::to_owned).to_vec();
    let authentication = Authentication { user, acr: ACR_TWO_FACTORS, amr, remember };
    finish(app, &authentication, before, origin, now).await
}

/// The method that was right, and is used up with that.
async fn check(
    app: &App,
    secret: &BrowserSecret,
    user: &User,
    shown: &Shown,
    now: Timestamp,
) -> FlowResult<Option<&'static str>> {
    let factors = app.store.factors(user.id).await?;
    match shown {
        Shown::Totp(code) => {
            for factor in factors.iter().filter(|factor| factor.kind == FactorKind::Totp) {
                let opened =
                    app.keys.snapshot().open_secret(TOTP_PURPOSE, &user.id.to_string(), &factor.body);
                let Some(opened) = opened else {
                    tracing::error!(factor = %factor.id, "a sealed factor cannot be opened");
                    continue;
                };
                let secret = TotpSecret::from_bytes(&opened);
                if let Some(step) = secret.matching_step(code, now, factor.counter)
                    && use_up(app, factor, step, None, now).await?
                {
                    return Ok(Some("otp"));
                }
            }
            Ok(None)
        }
        Shown::Recovery(code) => {
            let Some(hash) = RecoveryCode::typed(code).map(|code| code.hash()) else { return Ok(None) };
            let of_code = |factor: &&Factor| {
                factor.kind == FactorKind::Recovery && !is_used_up(factor) && factor.body == hash
            };
            let Some(factor) = factors.iter().find(of_code) else { return Ok(None) };
            Ok(use_up(app, factor, 1, None, now).await?.then_some("otp"))
        }
        Shown::Passkey(credential) => {
            let Some(relying_party) = &app.passkeys else { return Ok(None) };
            let Some(state) = take(app, "factor", secret, now).await? else { return Ok(None) };
            let passkeys: Vec<&Factor> = factors.iter().filter(|f| f.kind == FactorKind::Passkey).collect();
            let used = match relying_party.finish_authentication(credential, &state, &bodies(&factors)) {
                Ok(used) => used,
                Err(error) => {
                    tracing::info!(%error, "a passkey was refused");
                    return Ok(None);
                }
            };
            let Some(factor) = passkeys.get(used.index) else { return Ok(None) };
            Ok(use_up(app, factor, factor.counter + 1, used.updated, now).await?.then_some("pop"))
        }
    }
}

/// False when somebody else used it at the same moment.
async fn use_up(
    app: &App,
    factor: &Factor,
    counter: u64,
    body: Option<String>,
    now: Timestamp,
) -> FlowResult<bool> {
    let used = FactorUse { id: factor.id, seen: factor.counter, counter, body, now };
    Ok(app.store.use_factor(&used).await?)
}

fn is_used_up(factor: &Factor) -> bool {
    factor.kind == FactorKind::Recovery && factor.counter > 0
}

pub(super) fn bodies(factors: &[Factor]) -> Vec<String> {
    factors.iter().filter(|f| f.kind == FactorKind::Passkey).map(|f| f.body.clone()).collect()
}

/// One ceremony of each kind at a time in an interaction: a page that is loaded again begins anew.
async fn keep(
    app: &App,
    kind: &str,
    secret: &BrowserSecret,
    state: String,
    now: Timestamp,
) -> FlowResult<()> {
    let name = format!("{kind} {}", secret.expose());
    tickets::take::<Ceremony>(app, TicketKind::Passkey, &name, now).await?;
    tickets::add(app, TicketKind::Passkey, &name, &Ceremony { state }, (CEREMONY, CEREMONY), now).await?;
    Ok(())
}

async fn take(app: &App, kind: &str, secret: &BrowserSecret, now: Timestamp) -> FlowResult<Option<String>> {
    let name = format!("{kind} {}", secret.expose());
    let taken = tickets::take::<Ceremony>(app, TicketKind::Passkey, &name, now).await?;
    Ok(taken.map(|ceremony| ceremony.state))
}
