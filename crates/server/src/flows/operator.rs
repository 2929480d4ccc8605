//! What an operator does in the console, as a person who is signed in. It is what the admin API does, by the
//! same flows; besides, each action is told with the name of who did it.

use std::time::Duration;

use super::browser::{ACR_TWO_FACTORS, BrowserStanding};
use super::manage_users::{self, Change};
use super::revocation::{self, Ending};
use super::{FlowResult, Refusal, Target, keys, manage_clients, records, second_factor};
use crate::app::App;
use crate::store::{Event, EventKind, User};
use crate::time::Timestamp;

/// The role that makes a user an operator. Only users without a tenant: one of a tenant would see and end what is
/// other tenants'.
pub const ROLE: &str = "countersign-admin";

/// How recent an authentication must be for what changes something.
const RECENT: Duration = Duration::from_secs(10 * 60);

/// Whether a user may look. Asked at each request, of the user as stored now.
pub fn may(user: &User) -> bool {
    user.enabled && user.tenant.is_none() && user.roles.iter().any(|role| role == ROLE)
}

/// An operator who has just shown who it is: what every action wants.
pub struct Confirmed(User);

/// The operator of a browser session, if the authentication is recent, and with a second factor where the person has
/// one. `None`: to be confirmed first.
///
/// # Errors
/// A user who is no operator, the store's silence.
pub async fn confirm(app: &App, standing: &BrowserStanding, now: Timestamp) -> FlowResult<Option<Confirmed>> {
    let BrowserStanding { session, user, .. } = standing;
    if !may(user) {
        return Err(Refusal::not_found("no operator").into());
    }
    if now.since(session.auth_time) > RECENT {
        return Ok(None);
    }
    let is_enough = session.acr == ACR_TWO_FACTORS || !second_factor::has_any(app, user.id).await?;
    Ok(is_enough.then(|| Confirmed(user.clone())))
}

impl Confirmed {
    /// Changes a user.
    ///
    /// # Errors
    /// As [`manage_users::change`].
    pub async fn change_user(
        &self,
        app: &App,
        reference: &str,
        change: Change,
        now: Timestamp,
    ) -> FlowResult<User> {
        let what = match change {
            Change::Disable => "disabled the user",
            Change::Enable => "enabled the user",
            Change::SignOut => "signed the user out everywhere",
            Change::Password(_) => "set the user's password",
            Change::Roles(_) => "set the user's roles",
            Change::Profile(_) => "set the user's profile",
        };
        let (user, _) = manage_users::change(app, reference, change, false, now).await?;
        self.tell(app, Some(&Target::User(user.id)), what, now).await;
        Ok(user)
    }

    /// Enables or disables a client.
    ///
    /// # Errors
    /// As [`manage_clients::set_enabled`].
    pub async fn set_client_enabled(
        &self,
        app: &App,
        id: &str,
        enabled: bool,
        now: Timestamp,
    ) -> FlowResult<()> {
        let (client, _) = manage_clients::set_enabled(app, id, enabled, false, now).await?;
        let what = if enabled { "enabled the client" } else { "disabled the client" };
        self.tell(app, Some(&Target::Client(client.id)), what, now).await;
        Ok(())
    }

    /// Ends what is named. With how many browser sessions end with it, where they were counted.
    ///
    /// # Errors
    /// As [`records::revoke`].
    pub async fn revoke(
        &self,
        app: &App,
        target: &str,
        subject: Option<&str>,
        now: Timestamp,
    ) -> FlowResult<Revoked> {
        self.revoke_or_look(app, target, subject, false, now).await
    }

    /// Says what [`Self::revoke`] would end.
    ///
    /// # Errors
    /// As [`records::revoke`].
    pub async fn preview(
        &self,
        app: &App,
        target: &str,
        subject: Option<&str>,
        now: Timestamp,
    ) -> FlowResult<Revoked> {
        self.revoke_or_look(app, target, subject, true, now).await
    }

    async fn revoke_or_look(
        &self,
        app: &App,
        target: &str,
        subject: Option<&str>,
        preview: bool,
        now: Timestamp,
    ) -> FlowResult<Revoked> {
        // Counted before they are gone.
        let (target, looked) = records::revoke(app, target, subject, true, now).await?;
        let browsers = match &target {
            Target::Token(_) | Target::Session(_) | Target::Client(_) => Some(0),
            Target::User(user) => u64::try_from(records::browsers(app, *user, now).await?.len()).ok(),
            Target::Tenant(_) | Target::Everything => None,
        };
        if preview {
            return Ok(Revoked { target, ending: looked, browsers });
        }
        let ending = revocation::end(app, &target, super::Reason::Operator, now).await?;
        let what = match &target {
            Target::Tenant(name) => format!("revoked everything of the tenant {name}"),
            Target::Token(jti) => format!("revoked the access token {jti}"),
            Target::Everything => "revoked everything".to_owned(),
            Target::Session(_) => "revoked the session".to_owned(),
            named => format!("revoked everything of the {}", named.kind()),
        };
        self.tell(app, Some(&target), &what, now).await;
        Ok(Revoked { target, ending, browsers })
    }

    /// Makes new keys, which are published before they are used.
    ///
    /// # Errors
    /// As [`keys::rotate`].
    pub async fn rotate_keys(&self, app: &App, now: Timestamp) -> FlowResult<()> {
        let made = keys::rotate(app, None, false, now).await?;
        self.tell(app, None, &format!("made {} new keys", made.len()), now).await;
        Ok(())
    }

    /// Logs an action that is done, and adds an event about it.
    async fn tell(&self, app: &App, target: Option<&Target>, what: &str, now: Timestamp) {
        let Self(by) = self;
        let subject = target.map(Target::subject).unwrap_or_default();
        tracing::info!(operator = %by.id, subject, "{what}");
        let (mut session, mut user, mut client) = (None, None, None);
        match target {
            Some(Target::Session(id)) => {
                session = Some(*id);
                if let Ok(standing) = records::session(app, &id.to_string()).await {
                    (user, client) = (Some(standing.session.user), Some(standing.session.client));
                }
            }
            Some(Target::User(id)) => user = Some(*id),
            Some(Target::Client(id)) => client = Some(id.clone()),
            Some(Target::Token(_) | Target::Tenant(_) | Target::Everything) | None => {}
        }
        let detail = format!("an operator {what}: {} ({})", by.username, by.id);
        let event = Event { number: 0, at: now, kind: EventKind::Admin, session, user, client, detail };
        records::add(app, &event).await;
    }
}

/// What a revocation ended, or would end.
pub struct Revoked {
    /// What was named, as it is stored.
    pub target: Target,
    /// What the store did.
    pub ending: Ending,
    /// How many browser sessions; `None` for all of the tenant or of everybody, which nobody counts.
    pub browsers: Option<u64>,
}
