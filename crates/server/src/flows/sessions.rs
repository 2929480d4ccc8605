//! Starting a session for a user whom somebody has authenticated, and telling why one ended.

use countersign_wire::{ClientId, Scope, SessionId, TokenAnswer, UserId};

use super::access::{self, Actor};
use super::{FlowError, FlowResult, Origin, Refusal, id_tokens, status_lists};
use crate::app::App;
use crate::keys::RefreshNonce;
use crate::store::{ClientKind, NewSession, SignIn, StartRefusal, Started};
use crate::time::Timestamp;

/// How often a start is tried again when the client's record changes meanwhile.
const MAX_ROUNDS: usize = 4;

/// A session to start.
#[derive(Debug, Clone)]
pub struct StartRequest {
    /// Whose.
    pub user: UserId,
    /// For which client.
    pub client: ClientId,
    /// What to grant; `None` grants all that the client may have.
    pub scope: Option<Scope>,
    /// For which resources; none means all the client's.
    pub resources: Vec<String>,
    /// A name for the device.
    pub device: Option<String>,
    /// Whether the user asked to be remembered.
    pub remember: bool,
    /// When the user authenticated; `None` is now. Never later than now.
    pub auth_time: Option<Timestamp>,
    /// How well.
    pub acr: Option<String>,
    /// By which methods.
    pub amr: Vec<String>,
    /// Where the user is.
    pub origin: Origin,
    /// What it is started from, when the person signed in with us.
    pub sign_in: Option<SignIn>,
    /// The `nonce` of the authorization request, for the ID token.
    pub nonce: Option<String>,
}

/// Starts a session and answers with its first pair of tokens.
///
/// # Errors
/// A refusal, or the store's silence.
pub async fn start(
    app: &App,
    request: &StartRequest,
    now: Timestamp,
) -> FlowResult<(SessionId, TokenAnswer)> {
    for round in 0..MAX_ROUNDS {
        if round > 0 {
            app.clients.forget_all();
        }
        let Some(client) = app.clients.lookup(&request.client).await? else {
            return Err(Refusal::UnknownClient.into());
        };
        let settings = &client.settings;
        if !client.enabled {
            return Err(Refusal::ClientDisabled.into());
        }
        if settings.kind == ClientKind::Service {
            return Err(Refusal::GrantNotAllowed.into());
        }
        let scope = match &request.scope {
            None => settings.scope.clone(),
            Some(asked) if asked.is_subset(&settings.scope) => asked.clone(),
            Some(_) => return Err(Refusal::ScopeNotGranted.into()),
        };
        if request.resources.iter().any(|resource| !settings.audience.contains(resource)) {
            return Err(Refusal::TargetNotGranted.into());
        }
        let recipients = access::recipients(app, &client, &settings.audience, &request.resources)?;
        let (idle_lifetime, absolute_lifetime) = app.policy.lifetimes_of(&client).session(request.remember);
        let nonce = RefreshNonce::random();
        let keys = app.keys.snapshot();
        let key_number = keys.newest_refresh_key(now);
        let new = NewSession {
            id: SessionId(crate::entropy::uuid_v7(now)),
            user: request.user,
            client: request.client.clone(),
            client_revision: client.revision,
            scope,
            audience: recipients.audience().to_vec(),
            device: request.device.clone(),
            network: Some(request.origin.network.clone()).filter(|network| !network.is_empty()),
            agent: Some(request.origin.agent.clone()).filter(|agent| !agent.is_empty()),
            remember: request.remember,
            auth_time: request.auth_time.unwrap_or(now).min(now),
            acr: request.acr.clone(),
            amr: request.amr.clone(),
            sign_in: request.sign_in,
            status_positions: status_lists::draw(app),
            nonce_hash: nonce.hash(),
            key_number,
            idle_lifetime,
            absolute_lifetime,
            context: keys.context(&request.origin.network, &request.origin.agent),
            limit: app.policy.sessions_per_user,
            now,
            keep_until: access::keep_until(app, None, now),
        };
        let (standing, displaced) = match app.store.start_session(&new).await? {
            Started::Session { standing, displaced } => (standing, displaced),
            Started::Refused(StartRefusal::Client) => continue,
            // Who signed in did exist: for a code that is the end of the grant (RFC 6749 section 5.2).
            Started::Refused(StartRefusal::User) => {
                return Err(match request.sign_in {
                    Some(_) => Refusal::UserDisabled.into(),
                    None => Refusal::NoSuchUser.into(),
                });
            }
            Started::Refused(StartRefusal::Tenant) => return Err(Refusal::AnotherTenant.into()),
            Started::Refused(StartRefusal::Ticket) => return Err(Refusal::CodeSpent.into()),
            Started::Refused(StartRefusal::Browser) => return Err(Refusal::BrowserSessionEnded.into()),
        };
        for session in displaced {
            tracing::info!(sid = %session, "ended: the user has more sessions than the limit");
        }
        let session = &standing.session;
        let refresh_token = keys
            .refresh_token(key_number, session.id, session.generation, &nonce)
            .ok_or(FlowError::Internal("the newest refresh key is gone"))?;
        let (access_token, expires_in) =
            access::mint(app, &client, Actor::User(&standing), session.scope.clone(), recipients, now)?;
        let id_token = match session.scope.contains(id_tokens::OPENID) {
            true => Some(id_tokens::mint(app, &client, session, request.nonce.clone(), &access_token, now)?),
            false => None,
        };
        let answer = TokenAnswer {
            id_token,
            access_token,
            token_type: "Bearer",
            expires_in: expires_in.as_secs(),
            scope: session.scope.clone(),
            refresh_token: Some(refresh_token),
            refresh_token_expires_in: Some(session.idle_expires_at.since(now).as_secs()),
            authorization_expires_in: Some(session.expires_at.since(now).as_secs()),
        };
        return Ok((session.id, answer));
    }
    Err(crate::store::StoreError::Unavailable("the client keeps changing".to_owned()).into())
}
