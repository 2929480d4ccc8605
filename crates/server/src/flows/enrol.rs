//! What a person changes about how they sign in: the password and the second factors. Each change
//! moves the stamp on, and so ends every other sign-in and session of the person.

use countersign_wire::{BrowserSecret, Password};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::browser::{self, BrowserStanding, Stays};
use super::second_factor::{CEREMONY, TOTP_PURPOSE, bodies};
use super::{FlowError, FlowResult, Origin, places, sign_in, tickets};
use crate::app::App;
use crate::factors::qr;
use crate::factors::recovery;
pub use crate::factors::recovery::RecoveryCode;
use crate::factors::totp::TotpSecret;
pub use crate::passwords::MIN_CHARS;
use crate::passwords::{MAX_LEN, PasswordError};
use crate::store::{Factor, FactorKind, TicketKind, UserChange};
use crate::time::Timestamp;

/// Longest name of a passkey, in characters.
const MAX_LABEL: usize = 64;
/// Most second factors of a user, recovery codes apart.
const MAX_FACTORS: usize = 20;

/// What came of a change of password.
pub enum PasswordChanged {
    /// It is changed.
    Yes(Stays),
    /// The current one was not right.
    WrongCurrent,
    /// The new one is too short or too long.
    Length,
    /// The new one is the old one.
    Same,
    /// Too many attempts.
    Wait,
    /// The browser session is over by now.
    Over,
}

/// Changes the password of who is signed in.
///
/// # Errors
/// A busy password pool, the store's silence.
pub async fn change_password(
    app: &App,
    standing: &BrowserStanding,
    (current, new): (Password, Password),
    origin: &Origin,
    now: Timestamp,
) -> FlowResult<PasswordChanged> {
    let user = &standing.user;
    if new.expose().len() > MAX_LEN || new.expose().chars().count() < MIN_CHARS {
        return Ok(PasswordChanged::Length);
    }
    if current.expose() == new.expose() {
        return Ok(PasswordChanged::Same);
    }
    let counted = places::attempt(app, &user.canonical, &user.canonical, origin).await?;
    if app.throttle.check(&counted, now).is_err() {
        return Ok(PasswordChanged::Wait);
    }
    let is_right = match app.passwords.verify(current, user.password_hash.clone()).await {
        Ok(is_right) => is_right,
        Err(PasswordError::Length) => false,
        Err(PasswordError::Busy) => return Err(sign_in::busy()),
        Err(PasswordError::Failed) => return Err(FlowError::Internal("a password could not be checked")),
    };
    if !is_right {
        app.throttle.failed(&counted, now);
        return Ok(PasswordChanged::WrongCurrent);
    }
    let hash = match app.passwords.hash(new).await {
        Ok(hash) => hash,
        Err(PasswordError::Length) => return Ok(PasswordChanged::Length),
        Err(PasswordError::Busy) => return Err(sign_in::busy()),
        Err(PasswordError::Failed) => return Err(FlowError::Internal("a password could not be hashed")),
    };
    let stays = browser::change_own_user(app, standing, UserChange::Password(hash), now).await?;
    Ok(stays.map_or(PasswordChanged::Over, PasswordChanged::Yes))
}

/// An authenticator app that is being set up, as its ticket has it.
#[derive(Serialize, Deserialize)]
struct Enrolment {
    user: Uuid,
    /// Sealed for this user: it becomes the factor's body as it is.
    sealed: String,
}

/// What a person needs to set an authenticator app up.
pub struct AppSecret {
    /// A picture that the app reads: `<svg>`.
    pub picture: Zeroizing<String>,
    /// To type.
    pub base32: Zeroizing<String>,
}

/// Begins to set an authenticator app up.
///
/// # Errors
/// The store's silence.
pub async fn begin_totp(app: &App, standing: &BrowserStanding, now: Timestamp) -> FlowResult<BrowserSecret> {
    let user = standing.user.id;
    let secret = TotpSecret::random();
    let sealed = app
        .keys
        .snapshot()
        .seal_secret(TOTP_PURPOSE, &user.to_string(), secret.expose())
        .ok_or(FlowError::Internal("a secret could not be sealed"))?;
    let handle = tickets::fresh_secret();
    let body = Enrolment { user: user.0, sealed };
    tickets::add(app, TicketKind::Enrolment, &handle, &body, (CEREMONY, CEREMONY), now).await?;
    Ok(BrowserSecret::new(handle))
}

/// The secret of an app that is being set up. `None`: that is over, or somebody else's.
///
/// # Errors
/// The store's silence.
pub async fn totp_secret(
    app: &App,
    standing: &BrowserStanding,
    handle: &BrowserSecret,
    now: Timestamp,
) -> FlowResult<Option<AppSecret>> {
    let Some((_, secret)) = open(app, standing, handle, now).await? else { return Ok(None) };
    let issuer = app.policy.sign_in.brand.as_str();
    let uri = secret.expose_uri(issuer, &standing.user.username);
    Ok(Some(AppSecret {
        picture: Zeroizing::new(qr::svg(&uri).unwrap_or_default()),
        base32: secret.expose_base32(),
    }))
}

/// What came of setting a factor up.
pub enum Enrolled {
    /// It is there; with the first one come recovery codes, to be shown once.
    Yes(Vec<RecoveryCode>, Stays),
    /// The code, or the passkey's answer, was wrong.
    Wrong,
    /// It took too long, or there are too many already, or the browser session is over.
    Over,
}

/// Finishes setting an authenticator app up: the person shows that it works.
///
/// # Errors
/// The store's silence.
pub async fn finish_totp(
    app: &App,
    standing: &BrowserStanding,
    handle: &BrowserSecret,
    code: &str,
    now: Timestamp,
) -> FlowResult<Enrolled> {
    let Some((enrolment, secret)) = open(app, standing, handle, now).await? else {
        return Ok(Enrolled::Over);
    };
    let Some(step) = secret.matching_step(code, now, 0) else { return Ok(Enrolled::Wrong) };
    if tickets::take::<Enrolment>(app, TicketKind::Enrolment, handle.expose(), now).await?.is_none() {
        return Ok(Enrolled::Over);
    }
    let factor = factor(standing, FactorKind::Totp, String::new(), enrolment.sealed, now);
    add(app, standing, Factor { counter: step, ..factor }, now).await
}

/// Begins to set a passkey up: the options for the browser. `None`: there are none under this
/// issuer, or the person has as many as can be.
///
/// # Errors
/// The store's silence.
pub async fn begin_passkey(
    app: &App,
    standing: &BrowserStanding,
    now: Timestamp,
) -> FlowResult<Option<String>> {
    let Some(relying_party) = &app.passkeys else { return Ok(None) };
    let user = &standing.user;
    let factors = app.store.factors(user.id).await?;
    let (options, state) =
        match relying_party.start_registration(user.id.0, &user.username, &bodies(&factors)) {
            Ok(begun) => begun,
            Err(error) => {
                tracing::warn!(%error, "a passkey ceremony could not begin");
                return Ok(None);
            }
        };
    let name = passkey_ticket(standing);
    tickets::take::<String>(app, TicketKind::Enrolment, &name, now).await?;
    tickets::add(app, TicketKind::Enrolment, &name, &state, (CEREMONY, CEREMONY), now).await?;
    Ok(Some(options))
}

/// Finishes setting a passkey up.
///
/// # Errors
/// The store's silence.
pub async fn finish_passkey(
    app: &App,
    standing: &BrowserStanding,
    credential: &str,
    label: &str,
    now: Timestamp,
) -> FlowResult<Enrolled> {
    let Some(relying_party) = &app.passkeys else { return Ok(Enrolled::Over) };
    let name = passkey_ticket(standing);
    let Some(state) = tickets::take::<String>(app, TicketKind::Enrolment, &name, now).await? else {
        return Ok(Enrolled::Over);
    };
    let body = match relying_party.finish_registration(credential, &state) {
        Ok(body) => body,
        Err(error) => {
            tracing::info!(%error, "a passkey was not added");
            return Ok(Enrolled::Wrong);
        }
    };
    let label: String = label.chars().filter(|c| !c.is_control()).take(MAX_LABEL).collect();
    add(app, standing, factor(standing, FactorKind::Passkey, label, body, now), now).await
}

/// Takes factors away: those that `is_it` names; with the last one, what is left of the recovery
/// codes. `None`: there was none, or the browser session is over.
///
/// # Errors
/// The store's silence.
pub async fn remove(
    app: &App,
    standing: &BrowserStanding,
    is_it: impl Fn(&Factor) -> bool,
    now: Timestamp,
) -> FlowResult<Option<Stays>> {
    let factors = app.store.factors(standing.user.id).await?;
    let is_real = |factor: &&Factor| factor.kind != FactorKind::Recovery;
    let mut gone: Vec<Uuid> = factors.iter().filter(is_real).filter(|f| is_it(f)).map(|f| f.id).collect();
    if gone.is_empty() {
        return Ok(None);
    }
    if factors.iter().filter(is_real).all(|factor| gone.contains(&factor.id)) {
        gone = factors.iter().map(|factor| factor.id).collect();
    }
    browser::change_own_user(app, standing, UserChange::RemoveFactors(gone), now).await
}

/// Makes new recovery codes in place of all old ones. `None`: the browser session is over.
///
/// # Errors
/// The store's silence.
pub async fn new_recovery_codes(
    app: &App,
    standing: &BrowserStanding,
    now: Timestamp,
) -> FlowResult<Option<(Vec<RecoveryCode>, Stays)>> {
    let (codes, records) = recovery_codes(standing, now);
    let stays = browser::change_own_user(app, standing, UserChange::RecoveryCodes(records), now).await?;
    Ok(stays.map(|stays| (codes, stays)))
}

/// The factors of a person, for the account page.
///
/// # Errors
/// The store's silence.
pub async fn factors(app: &App, standing: &BrowserStanding) -> FlowResult<Vec<Factor>> {
    Ok(app.store.factors(standing.user.id).await?)
}

async fn open(
    app: &App,
    standing: &BrowserStanding,
    handle: &BrowserSecret,
    now: Timestamp,
) -> FlowResult<Option<(Enrolment, TotpSecret)>> {
    let found = tickets::find::<Enrolment>(app, TicketKind::Enrolment, handle.expose(), now).await?;
    let Some((_, enrolment)) = found.filter(|(_, e)| e.user == standing.user.id.0) else { return Ok(None) };
    let owner = standing.user.id.to_string();
    let opened = app.keys.snapshot().open_secret(TOTP_PURPOSE, &owner, &enrolment.sealed);
    Ok(opened.map(|bytes| (enrolment, TotpSecret::from_bytes(&bytes))))
}

async fn add(app: &App, standing: &BrowserStanding, factor: Factor, now: Timestamp) -> FlowResult<Enrolled> {
    // Whoever adds one meanwhile moves the stamp on, and so ends this browser session.
    let known = app.store.factors(standing.user.id).await?;
    if known.iter().filter(|factor| factor.kind != FactorKind::Recovery).count() >= MAX_FACTORS {
        return Ok(Enrolled::Over);
    }
    let mut new = vec![factor];
    let mut codes = Vec::new();
    if !known.iter().any(|factor| factor.kind == FactorKind::Recovery) {
        let (made, records) = recovery_codes(standing, now);
        codes = made;
        new.extend(records);
    }
    let stays = browser::change_own_user(app, standing, UserChange::AddFactors(new), now).await?;
    Ok(stays.map_or(Enrolled::Over, |stays| Enrolled::Yes(codes, stays)))
}

fn recovery_codes(standing: &BrowserStanding, now: Timestamp) -> (Vec<RecoveryCode>, Vec<Factor>) {
    let codes: Vec<RecoveryCode> = (0..recovery::COUNT).map(|_| RecoveryCode::random()).collect();
    let record =
        |code: &RecoveryCode| factor(standing, FactorKind::Recovery, String::new(), code.hash(), now);
    let records = codes.iter().map(record).collect();
    (codes, records)
}

fn factor(
    standing: &BrowserStanding,
    kind: FactorKind,
    label: String,
    body: String,
    now: Timestamp,
) -> Factor {
    Factor {
        id: crate::entropy::uuid_v7(now),
        user: standing.user.id,
        kind,
        label,
        created_at: now,
        used_at: None,
        counter: 0,
        body,
    }
}

/// One ceremony at a time in a browser session.
fn passkey_ticket(standing: &BrowserStanding) -> String {
    format!("passkey {}", standing.session.id)
}
