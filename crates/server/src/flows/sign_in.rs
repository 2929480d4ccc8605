//! Signing in with a password, and what comes after it. Unknown, disabled and wrong get the same
//! answer after the same time.

use std::time::Duration;

use countersign_wire::{BrowserSecret, Password};

use super::authorize::{self, FirstFactor, Interaction};
use super::browser::{self, ACR_ONE_FACTOR, Authentication, BrowserStanding};
use super::{FlowError, FlowResult, Origin, Refusal, manage_users, places, second_factor};
use crate::app::App;
use crate::passwords::PasswordError;
use crate::store::{Event, EventKind, StoreError, Ticket, User};
use crate::time::Timestamp;

/// How long a right password waits for its second factor.
pub(super) const FIRST_FACTOR: Duration = Duration::from_secs(10 * 60);

/// What a person typed.
pub struct Attempt {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Password,
    /// Whether to be remembered.
    pub remember: bool,
}

/// What came of an attempt.
pub enum Outcome {
    /// Signed in: the browser gets this cookie.
    SignedIn(BrowserSecret, Box<BrowserStanding>),
    /// The password was right, and a second factor is wanted.
    SecondFactor,
    /// Wrong, in some way.
    Wrong,
    /// Too many failures: not looked at.
    Wait(Duration),
    /// The interaction was changed from another tab meanwhile, or is over.
    Over,
}

/// Checks a password.
///
/// # Errors
/// A busy password pool and the store's silence; everything else is an [`Outcome`].
pub async fn password(
    app: &App,
    (ticket, interaction): (&Ticket, &Interaction),
    attempt: Attempt,
    before: Option<&BrowserStanding>,
    origin: &Origin,
    now: Timestamp,
) -> FlowResult<Outcome> {
    let canonical = manage_users::canonical(&attempt.username);
    let counted = places::attempt(app, &canonical, &canonical, origin).await?;
    if let Err(wait) = app.throttle.check(&counted, now) {
        return Ok(Outcome::Wait(wait.0));
    }
    let user = app.store.find_user_by_name(&canonical).await?;
    let hash = user.as_ref().and_then(|user| user.password_hash.clone());
    let is_right = match app.passwords.verify(attempt.password, hash).await {
        Ok(is_right) => is_right,
        Err(PasswordError::Length) => false,
        Err(PasswordError::Busy) => return Err(busy()),
        Err(PasswordError::Failed) => return Err(FlowError::Internal("a password could not be checked")),
    };
    let Some(user) = user.filter(|user| is_right && user.enabled) else {
        app.throttle.failed(&counted, now);
        app.metrics.sign_in(crate::metrics::SignInOutcome::Refused);
        return Ok(Outcome::Wrong);
    };
    if second_factor::has_any(app, user.id).await? {
        let changed = Interaction {
            first_factor: Some(FirstFactor {
                user: user.id,
                stamp: user.stamp,
                at: now,
                remember: attempt.remember,
            }),
            ..interaction.clone()
        };
        return Ok(match authorize::remember(app, ticket, &changed, now).await? {
            true => Outcome::SecondFactor,
            false => Outcome::Over,
        });
    }
    app.throttle.succeeded(&canonical, &origin.network);
    let authentication =
        Authentication { user, acr: ACR_ONE_FACTOR, amr: vec!["pwd".to_owned()], remember: attempt.remember };
    finish(app, &authentication, before, origin, now).await
}

/// Records an authentication that is complete.
pub(super) async fn finish(
    app: &App,
    authentication: &Authentication,
    before: Option<&BrowserStanding>,
    origin: &Origin,
    now: Timestamp,
) -> FlowResult<Outcome> {
    let is_new_device = !places::is_known(app, authentication.user.id, origin).await?;
    match browser::sign_in(app, authentication, before, origin, now).await {
        Ok((secret, standing)) => {
            record(app, &authentication.user, is_new_device, origin, now).await;
            app.metrics.sign_in(crate::metrics::SignInOutcome::SignedIn);
            Ok(Outcome::SignedIn(secret, Box::new(standing)))
        }
        // Disabled, or its password changed, while the form was open.
        Err(FlowError::Refused(Refusal::UserDisabled)) => Ok(Outcome::Wrong),
        Err(error) => Err(error),
    }
}

/// Nothing depends on the event, so the sign-in does not fail with it.
async fn record(app: &App, user: &User, is_new_device: bool, origin: &Origin, now: Timestamp) {
    let place = if is_new_device { "signed in from a new device" } else { "signed in" };
    let event = Event {
        number: 0,
        at: now,
        kind: EventKind::SignIn,
        session: None,
        user: Some(user.id),
        client: None,
        detail: format!("{place}: {} with {}", origin.network, origin.agent),
    };
    if let Err(error) = app.store.add_event(&event).await {
        tracing::debug!(%error, "an event was not recorded");
    }
}

pub(super) fn busy() -> FlowError {
    FlowError::Store(StoreError::Unavailable(
        "more passwords are waiting to be checked than the limit".to_owned(),
    ))
}
