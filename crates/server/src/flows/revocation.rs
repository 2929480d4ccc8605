//! Ending things: by a client (RFC 7009), by an operator, by someone who found a token. Each goes
//! through [`end`], so that each is counted, logged and told to other nodes in the same way.

use std::time::Duration;

use super::clients::Credentials;
use super::tokens::{self, Token};
use super::{FlowResult, Refusal, access};
use crate::app::App;
use crate::store::{Reason, Receipt, Standing, Target, UserChange};
use crate::time::Timestamp;

/// What a revocation ended, or would end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// What the store did or would do.
    pub receipt: Receipt,
    /// When the last access token that it concerns expires: until then an API that checks locally
    /// without the revocation log may still accept one.
    pub access_tokens_expire_by: Timestamp,
}

/// Ends what the target names.
///
/// # Errors
/// The store's silence.
pub async fn end(app: &App, target: &Target, reason: Reason, now: Timestamp) -> FlowResult<Ending> {
    let keep_until = last_expiry(app, target, now).await?;
    let receipt = app.store.revoke(target, reason, now, keep_until).await?;
    Ok(ended(app, target, reason.as_str(), receipt, keep_until))
}

/// Counts and logs what a store call ended.
pub(super) fn ended(
    app: &App,
    target: &Target,
    reason: &str,
    receipt: Receipt,
    keep_until: Timestamp,
) -> Ending {
    if receipt.number.is_some() {
        app.metrics.revocation(target);
        tracing::info!(
            target = target.kind(), subject = %target.subject(), reason, sessions = receipt.sessions_ended, "revoked"
        );
    }
    Ending { receipt, access_tokens_expire_by: keep_until }
}

/// What [`end`] would end now.
///
/// # Errors
/// The store's silence.
pub async fn preview(app: &App, target: &Target, now: Timestamp) -> FlowResult<Ending> {
    let receipt = app.store.preview(target, now).await?;
    Ok(Ending { receipt, access_tokens_expire_by: last_expiry(app, target, now).await? })
}

/// Changes a user; `None` when there is no such user.
///
/// # Errors
/// The store's silence.
pub async fn change_user(
    app: &App,
    user: countersign_wire::UserId,
    change: &UserChange,
    now: Timestamp,
) -> FlowResult<Option<Ending>> {
    let target = Target::User(user);
    let keep_until = last_expiry(app, &target, now).await?;
    let receipt = app.store.change_user(user, change, now, keep_until).await?;
    Ok(receipt.map(|receipt| ended(app, &target, "user_changed", receipt, keep_until)))
}

/// A client revokes one of its tokens (RFC 7009). Revoking a refresh token, spent or not, ends the
/// session and the access tokens from it; revoking an access token ends that token. The hint is
/// not needed: what a token is stands in the token (RFC 7009 section 2.1).
///
/// # Errors
/// A caller that is not authenticated, or whose token it is not; the store's silence.
pub async fn by_client(app: &App, credentials: &Credentials, token: &str, now: Timestamp) -> FlowResult<()> {
    let caller = app.clients.authenticate_enabled(credentials, now).await?;
    let Some(found) = find(app, token, now).await? else {
        return Ok(()); // RFC 7009 section 2.2: an invalid token is no error.
    };
    if found.client != *caller.id() {
        return Err(Refusal::RevocationOfAnothersToken.into());
    }
    end(app, &found.target, Reason::ClientRequest, now).await?;
    Ok(())
}

/// An operator revokes a token, or a finder reports one. Says whether it was a token of ours.
///
/// # Errors
/// The store's silence.
pub async fn by_token(
    app: &App,
    token: &str,
    reason: Reason,
    now: Timestamp,
) -> FlowResult<Option<(Target, Ending)>> {
    let Some(found) = find(app, token, now).await? else { return Ok(None) };
    // Who holds a user's access token by theft can hold the session's refresh token as well.
    let target = match (reason, found.session) {
        (Reason::Leaked, Some(session)) => Target::Session(session),
        _ => found.target,
    };
    let ending = end(app, &target, reason, now).await?;
    Ok(Some((target, ending)))
}

/// What [`by_token`] would end for an operator.
///
/// # Errors
/// The store's silence.
pub async fn preview_token(app: &App, token: &str, now: Timestamp) -> FlowResult<Option<(Target, Ending)>> {
    let Some(found) = find(app, token, now).await? else { return Ok(None) };
    let ending = preview(app, &found.target, now).await?;
    Ok(Some((found.target, ending)))
}

struct Found {
    target: Target,
    session: Option<countersign_wire::SessionId>,
    client: countersign_wire::ClientId,
}

/// What a token names, if it is ours and authentic.
async fn find(app: &App, token: &str, now: Timestamp) -> FlowResult<Option<Found>> {
    match tokens::open(app, token, now).await? {
        None => Ok(None),
        Some(Token::Refresh(presented)) => {
            let standing = app.store.standing(presented.session).await?;
            let own = standing.filter(|s| s.session.nonce_hash == presented.nonce.hash());
            Ok(own.map(|Standing { session, .. }| Found {
                target: Target::Session(session.id),
                session: Some(session.id),
                client: session.client,
            }))
        }
        Some(Token::Access(claims)) => Ok((claims.exp > now.seconds()).then_some(Found {
            target: Target::Token(claims.jti.clone()),
            session: claims.sid,
            client: claims.client_id.clone(),
        })),
    }
}

/// When the last access token that a revocation now could concern has expired.
pub(super) async fn last_expiry(app: &App, target: &Target, now: Timestamp) -> FlowResult<Timestamp> {
    let client = match target {
        Target::Client(id) => app.clients.lookup(id).await?,
        Target::Session(id) => match app.store.standing(*id).await? {
            Some(standing) => app.clients.lookup(&standing.session.client).await?,
            None => None,
        },
        _ => None,
    };
    // A second more than the longest life: claims count in whole seconds.
    Ok(access::keep_until(app, client.as_deref(), now).plus(Duration::from_secs(1)))
}
