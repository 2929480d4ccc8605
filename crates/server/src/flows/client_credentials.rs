//! Client credentials (RFC 6749 section 4.4): a token for the client itself. No refresh token.

use countersign_wire::{Scope, TokenAnswer};

use super::access::{self, Actor};
use super::clients::{AuthenticatedClient, Credentials};
use super::{FlowResult, Refusal};
use crate::app::App;
use crate::store::ClientKind;
use crate::time::Timestamp;

/// How often the client's record is read again when it changes meanwhile.
const MAX_ROUNDS: usize = 4;

/// Answers a client-credentials request.
///
/// # Errors
/// A refusal, or the store's silence.
pub async fn run(
    app: &App,
    credentials: &Credentials,
    scope: Option<&Scope>,
    resources: &[String],
    now: Timestamp,
) -> FlowResult<TokenAnswer> {
    let mut client = app.clients.authenticate_enabled(credentials, now).await?;
    for _ in 0..MAX_ROUNDS {
        let granted = judge(&client, scope, resources)?;
        let registered = &client.settings().audience;
        let recipients = access::recipients(app, client.client(), registered, resources)?;
        let Some(position) = app.store.client_position(client.id(), client.revision()).await? else {
            client = app.clients.authenticate_anew(credentials, now).await?;
            if !client.client().enabled {
                return Err(Refusal::ClientDisabled.into());
            }
            continue;
        };
        let (access_token, expires_in) =
            access::mint(app, client.client(), Actor::Client(position), granted.clone(), recipients, now)?;
        return Ok(TokenAnswer {
            access_token,
            token_type: "Bearer",
            expires_in: expires_in.as_secs(),
            scope: granted,
            refresh_token: None,
            refresh_token_expires_in: None,
            authorization_expires_in: None,
            id_token: None,
        });
    }
    Err(crate::store::StoreError::Unavailable("the client keeps changing".to_owned()).into())
}

/// The scope to grant, or why not.
fn judge(
    client: &AuthenticatedClient,
    scope: Option<&Scope>,
    resources: &[String],
) -> Result<Scope, Refusal> {
    let settings = client.settings();
    // RFC 6749 section 4.4: only for confidential clients; and a client that acts for users is not
    // one that acts for itself.
    if settings.public || settings.kind != ClientKind::Service {
        return Err(Refusal::GrantNotAllowed);
    }
    if resources.iter().any(|resource| !settings.audience.contains(resource)) {
        return Err(Refusal::TargetNotGranted);
    }
    match scope {
        None => Ok(settings.scope.clone()),
        Some(asked) if asked.is_subset(&settings.scope) => Ok(asked.clone()),
        Some(_) => Err(Refusal::ScopeNotGranted),
    }
}
