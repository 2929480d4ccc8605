//! Introspection (RFC 7662). Of a token that the caller cannot use or may not see, the answer is
//! `active: false` and nothing else.

mod ready;

use std::sync::Arc;

use bytes::Bytes;
use countersign_wire::{AccessClaims, IntrospectionAnswer, RefreshFacts};

use super::clients::{AuthenticatedClient, Credentials};
use super::tokens::{self, Token};
use super::{FlowError, FlowResult, Refusal};
use crate::app::App;
use crate::keys::PresentedRefresh;
use crate::store::LivenessQuery;
use crate::time::Timestamp;

pub use ready::{Key, ReadyAnswers};

/// An answer.
#[derive(Debug, Clone)]
pub struct Introspected {
    /// Whether the token can be used now.
    pub active: bool,
    /// The whole of it, an [`IntrospectionAnswer`] written out.
    pub json: Bytes,
}

/// How often the caller's record is read again when it changes meanwhile.
const MAX_ROUNDS: usize = 4;

/// Answers what a token is to this caller, now.
///
/// # Errors
/// A caller that may not ask, or the store's silence.
pub async fn run(
    app: &App,
    credentials: &Credentials,
    token: &str,
    now: Timestamp,
) -> FlowResult<Introspected> {
    let mut caller = app.clients.authenticate_enabled(credentials, now).await?;
    for _ in 0..MAX_ROUNDS {
        // RFC 7662 section 2.1: the endpoint requires authorisation, and a public client has none.
        if caller.settings().public {
            return Err(Refusal::IntrospectionNotAllowed.into());
        }
        match look(app, &caller, token, now).await? {
            Some(answer) => return Ok(answer),
            None => {
                caller = app.clients.authenticate_anew(credentials, now).await?;
                if !caller.client().enabled {
                    return Err(Refusal::ClientDisabled.into());
                }
            }
        }
    }
    Err(crate::store::StoreError::Unavailable("the client keeps changing".to_owned()).into())
}

/// `None`: the caller's record is stale.
async fn look(
    app: &App,
    caller: &AuthenticatedClient,
    token: &str,
    now: Timestamp,
) -> FlowResult<Option<Introspected>> {
    // Before anything is read, so that what is kept is not older than it says.
    let known = app.store.endings().map(|endings| (endings, Key::new(token, caller.id(), caller.revision())));
    if let Some((endings, key)) = &known
        && let Some(json) = app.ready_answers.find(*endings, key, now.seconds())
    {
        return Ok(Some(Introspected { active: true, json }));
    }
    let claims = match tokens::open(app, token, now).await? {
        None => return written(&IntrospectionAnswer::inactive()).map(Some),
        Some(Token::Refresh(presented)) => {
            return written(&refresh_token(app, caller, &presented, now).await?).map(Some);
        }
        Some(Token::Access(claims)) => claims,
    };
    if claims.exp <= now.seconds() || !may_see(caller, &claims) {
        return written(&IntrospectionAnswer::inactive()).map(Some);
    }
    let liveness = app
        .store
        .liveness(&LivenessQuery {
            caller: Some((caller.id().clone(), caller.revision())),
            session: claims.sid.zip(claims.stv),
            client: claims.client_id.clone(),
            position: claims.rev,
            jti: claims.jti.clone(),
        })
        .await?;
    if !liveness.caller_current {
        return Ok(None);
    }
    if !liveness.live {
        return written(&IntrospectionAnswer::inactive()).map(Some);
    }
    let exp = claims.exp;
    let answer = written(&IntrospectionAnswer::access(Arc::unwrap_or_clone(claims)))?;
    if let Some((endings, key)) = known {
        app.ready_answers.add(endings, key, exp, answer.json.clone());
    }
    Ok(Some(answer))
}

fn written(answer: &IntrospectionAnswer) -> FlowResult<Introspected> {
    let json = serde_json::to_vec(answer)
        .map_err(|_| FlowError::Internal("an introspection answer could not be written"))?;
    Ok(Introspected { active: answer.active, json: Bytes::from(json) })
}

/// RFC 7662 section 2.2: a token is shown to the client that holds it and to the API that it is
/// meant for.
fn may_see(caller: &AuthenticatedClient, claims: &AccessClaims) -> bool {
    *caller.id() == claims.client_id
        || claims.aud.contains(caller.id().as_str())
        || caller.settings().introspects.iter().any(|api| api == "*" || claims.aud.contains(api))
}

/// A refresh token is shown to its own client only.
async fn refresh_token(
    app: &App,
    caller: &AuthenticatedClient,
    presented: &PresentedRefresh,
    now: Timestamp,
) -> FlowResult<IntrospectionAnswer> {
    let Some(standing) = app.store.standing(presented.session).await? else {
        return Ok(IntrospectionAnswer::inactive());
    };
    let session = &standing.session;
    let live = standing.is_live(now)
        && session.nonce_hash == presented.nonce.hash()
        && session.generation == presented.generation
        && session.client == *caller.id();
    if !live {
        return Ok(IntrospectionAnswer::inactive());
    }
    Ok(IntrospectionAnswer::refresh(RefreshFacts {
        client_id: session.client.to_string(),
        sub: session.user.to_string(),
        sid: session.id.to_string(),
        scope: session.scope.clone(),
        exp: session.idle_expires_at.seconds(),
        iat: session.created_at.seconds(),
        iss: app.policy.issuer.clone(),
    }))
}
