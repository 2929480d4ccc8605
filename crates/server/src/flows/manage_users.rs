//! What an operator does to users.

mod check;
mod profile;

pub use check::{
    Checked, MAX_EMAIL, MAX_NAME, MAX_ROLE, MAX_ROLE_BYTES, MAX_ROLES, canonical, new_user as check_new,
    roles as check_roles,
};
pub use profile::{MAX_CLAIM, MAX_PROFILE_BYTES, ProfileFields};

use countersign_wire::{Password, UserId};

use super::revocation::{self, Ending};
use super::{FlowResult, Reason, Refusal, Target, records};
use crate::app::App;
use crate::passwords::{MAX_LEN, MIN_CHARS, PasswordError};
use crate::store::{Added, FactorKind, Page, Receipt, StoreError, UserChange, UserFilter};
pub use crate::store::{BrowserSession, Consent, Factor, User};
use crate::time::Timestamp;

/// How often factors are looked for again that were added while others were taken away.
const MAX_ROUNDS: usize = 4;

/// A user to add.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The name.
    pub username: String,
    /// The address.
    pub email: Option<String>,
    /// The password; `None` when a back end signs the user in itself.
    pub password: Option<Password>,
    /// The tenant.
    pub tenant: Option<String>,
    /// The roles.
    pub roles: Vec<String>,
    /// Whether the address was found to be the person's.
    pub email_verified: bool,
    /// What clients may be told of the person, by the standard's names.
    pub claims: serde_json::Map<String, serde_json::Value>,
}

/// A user, and what the user has.
#[derive(Debug, Clone)]
pub struct Details {
    /// The user.
    pub user: User,
    /// Second factors and recovery codes, oldest first.
    pub factors: Vec<Factor>,
    /// Live browser sessions, newest first.
    pub browsers: Vec<BrowserSession>,
    /// What the user allowed clients.
    pub consents: Vec<Consent>,
}

/// A change to a user, not yet checked.
#[derive(Debug, Clone)]
pub enum Change {
    /// See [`UserChange::Disable`].
    Disable,
    /// See [`UserChange::Enable`].
    Enable,
    /// See [`UserChange::SignOut`].
    SignOut,
    /// See [`UserChange::Password`].
    Password(Password),
    /// See [`UserChange::Roles`].
    Roles(Vec<String>),
    /// See [`UserChange::Profile`].
    Profile(ProfileFields),
}

/// Adds a user.
///
/// # Errors
/// Complaints, a name that is taken, a busy password pool, the store's silence.
pub async fn add(app: &App, request: NewUser, now: Timestamp) -> FlowResult<User> {
    let NewUser { username, email, password, tenant, roles, email_verified, claims } = request;
    let person = ProfileFields { email: Some(email), email_verified: Some(email_verified), claims };
    let checked = check::new_user(&username, &person, tenant.as_deref(), &roles, now)?;
    let taken = || Refusal::conflict("a user of that name exists already");
    // The store decides; this only saves the work of hashing.
    if app.store.find_user_by_name(&checked.canonical).await?.is_some() {
        return Err(taken().into());
    }
    let password_hash = match password {
        Some(password) => Some(hash(app, password).await?),
        None => None,
    };
    let user = User {
        id: UserId(crate::entropy::uuid_v7(now)),
        username: username.trim().to_owned(),
        canonical: checked.canonical,
        email: checked.email,
        password_hash,
        enabled: true,
        stamp: 1,
        tenant,
        roles: checked.roles,
        created_at: now,
        profile: checked.profile,
    };
    match app.store.add_user(&user).await? {
        Added::Yes => {
            records::note(app, Some(user.id), None, "the user was added", now).await;
            Ok(user)
        }
        Added::Exists => Err(taken().into()),
    }
}

/// A user by id or by name.
///
/// # Errors
/// No such user, the store's silence.
pub async fn find(app: &App, reference: &str) -> FlowResult<User> {
    let user = match reference.parse::<UserId>() {
        Ok(id) => app.store.user(id).await?,
        Err(_) => app.store.find_user_by_name(&canonical(reference)).await?,
    };
    Ok(user.ok_or_else(unknown)?)
}

/// A user by id or by name, and what the user has.
///
/// # Errors
/// No such user, the store's silence.
pub async fn details(app: &App, reference: &str, now: Timestamp) -> FlowResult<Details> {
    let user = find(app, reference).await?;
    let browsers = app.store.browser_sessions(user.id, now).await?;
    Ok(Details {
        factors: app.store.factors(user.id).await?,
        browsers: browsers.into_iter().map(|standing| standing.session).collect(),
        consents: app.store.consents(user.id).await?,
        user,
    })
}

/// The ways in which a user can sign in or show a second factor.
///
/// # Errors
/// The store's silence.
pub async fn methods(app: &App, user: &User) -> FlowResult<Vec<&'static str>> {
    let factors = app.store.factors(user.id).await?;
    let has = |kind| factors.iter().any(|factor| factor.kind == kind);
    let kinds = FactorKind::ALL.into_iter().filter(|kind| has(*kind)).map(FactorKind::as_str);
    Ok(user.password_hash.iter().map(|_| "password").chain(kinds).collect())
}

/// Users by name. `prefix` is the beginning of a name, however written.
///
/// # Errors
/// The store's silence.
pub async fn list(
    app: &App,
    tenant: Option<String>,
    enabled: Option<bool>,
    prefix: Option<&str>,
    page: &Page<String>,
) -> FlowResult<Vec<User>> {
    let name_prefix = prefix.map(check::canonical_prefix).filter(|prefix| !prefix.is_empty());
    Ok(app.store.users(&UserFilter { tenant, enabled, name_prefix }, page).await?)
}

/// Changes a user, or says what the change would end; `None` for one that ends nothing.
///
/// # Errors
/// Complaints, no such user, a busy password pool, the store's silence.
pub async fn change(
    app: &App,
    reference: &str,
    change: Change,
    preview: bool,
    now: Timestamp,
) -> FlowResult<(User, Option<Ending>)> {
    let user = find(app, reference).await?;
    let (change, ends) = match change {
        Change::Disable => (UserChange::Disable, true),
        Change::Enable => (UserChange::Enable, false),
        Change::SignOut => (UserChange::SignOut, true),
        Change::Roles(roles) => {
            let roles = check::roles(&roles)?;
            let takes_one = user.roles.iter().any(|role| !roles.contains(role));
            (UserChange::Roles(roles), takes_one)
        }
        Change::Profile(fields) => {
            let (email, profile) = profile::change(&user, &fields, now)?;
            let is_another = email != user.email;
            (UserChange::Profile(email, Box::new(profile)), is_another)
        }
        Change::Password(password) if preview => {
            password_length(&password)?;
            (UserChange::Password(String::new()), true)
        }
        Change::Password(password) => (UserChange::Password(hash(app, password).await?), true),
    };
    if preview {
        let ending = match ends {
            true => Some(revocation::preview(app, &Target::User(user.id), now).await?),
            false => None,
        };
        return Ok((user, ending));
    }
    let ending = revocation::change_user(app, user.id, &change, now).await?.ok_or_else(unknown)?;
    let after = app.store.user(user.id).await?.ok_or_else(unknown)?;
    Ok((after, Some(ending).filter(|_| ends)))
}

/// Removes a user with all that the user has, or says what that would end.
///
/// # Errors
/// No such user, the store's silence.
pub async fn remove(
    app: &App,
    reference: &str,
    preview: bool,
    now: Timestamp,
) -> FlowResult<(Target, Ending)> {
    let user = find(app, reference).await?;
    let target = Target::User(user.id);
    if preview {
        let ending = revocation::preview(app, &target, now).await?;
        return Ok((target, ending));
    }
    let keep_until = revocation::last_expiry(app, &target, now).await?;
    let receipt = app.store.remove_user(user.id, now, keep_until).await?;
    let reason = Reason::UserRemoved.as_str();
    let ending = revocation::ended(app, &target, reason, receipt.ok_or_else(unknown)?, keep_until);
    Ok((target, ending))
}

/// Takes all second factors and recovery codes from a user who has lost them, or says what that
/// would end; with how many they are. `None` for a user who has none.
///
/// # Errors
/// No such user, the store's silence.
pub async fn reset_factors(
    app: &App,
    reference: &str,
    preview: bool,
    now: Timestamp,
) -> FlowResult<(User, usize, Option<Ending>)> {
    let user = find(app, reference).await?;
    if preview {
        let count = app.store.factors(user.id).await?.len();
        let ending = match count {
            0 => None,
            _ => Some(revocation::preview(app, &Target::User(user.id), now).await?),
        };
        return Ok((user, count, ending));
    }
    let (mut removed, mut ending) = (0, None);
    // Whoever is signed in may add one while the others go. Nobody is signed in after the first
    // round, so that the second is the last that finds any.
    for _ in 0..MAX_ROUNDS {
        let ids: Vec<uuid::Uuid> = app.store.factors(user.id).await?.iter().map(|factor| factor.id).collect();
        if ids.is_empty() {
            break;
        }
        removed += ids.len();
        let change = UserChange::RemoveFactors(ids);
        let ended = revocation::change_user(app, user.id, &change, now).await?.ok_or_else(unknown)?;
        ending = Some(ending.map_or(ended, |before| together(before, ended)));
    }
    let after = app.store.user(user.id).await?.ok_or_else(unknown)?;
    Ok((after, removed, ending))
}

/// Two endings as one.
fn together(before: Ending, after: Ending) -> Ending {
    let receipt = Receipt {
        sessions_ended: before.receipt.sessions_ended.saturating_add(after.receipt.sessions_ended),
        number: after.receipt.number.or(before.receipt.number),
    };
    Ending { receipt, ..after }
}

async fn hash(app: &App, password: Password) -> FlowResult<String> {
    password_length(&password)?;
    app.passwords.hash(password).await.map_err(|error| match error {
        PasswordError::Length => wrong_length().into(),
        PasswordError::Busy => {
            StoreError::Unavailable("too many passwords are being hashed".to_owned()).into()
        }
        PasswordError::Failed => super::FlowError::Internal("a password could not be hashed"),
    })
}

fn password_length(password: &Password) -> Result<(), Refusal> {
    let text = password.expose();
    let fits = text.len() <= MAX_LEN && text.chars().count() >= MIN_CHARS;
    if fits { Ok(()) } else { Err(wrong_length()) }
}

fn wrong_length() -> Refusal {
    Refusal::invalid_request(format!(
        "password: must be at least {MIN_CHARS} characters and at most {MAX_LEN} bytes long"
    ))
}

fn unknown() -> Refusal {
    Refusal::not_found("no user of that id or name")
}
