//! What an API does with a bearer token (RFC 6750), for our own APIs.

use std::sync::Arc;

use countersign_wire::{AccessClaims, ErrorBody, ErrorCode, Scope, acr_satisfies};

use super::FlowResult;
use super::tokens::{self, Token};
use crate::app::App;
use crate::store::LivenessQuery;
use crate::time::Timestamp;

/// Why a bearer token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BearerRefusal {
    /// None was sent.
    Missing,
    /// It came in the query.
    InQuery,
    /// The header is not `Bearer` and a token.
    Malformed,
    /// A refresh token.
    RefreshToken,
    /// Encrypted to an API's own key: perhaps ours, and nothing that we could open.
    Encrypted,
    /// Not a token of ours.
    Foreign,
    /// Past its expiry.
    Expired,
    /// Meant for another API.
    Audience,
    /// Revoked, or its session has ended.
    Revoked,
    /// Without the scope wanted.
    Scope,
    /// Of a user without the role wanted.
    Role,
    /// Of a user who did not authenticate so well, or so lately (RFC 9470).
    Authentication,
}

/// What an API wants of a token, besides that it is good.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The API's name.
    pub audience: String,
    /// Every one of these.
    pub scope: Scope,
    /// The user's role.
    pub role: Option<String>,
    /// How well the user authenticated.
    pub acr: Option<String>,
    /// How many seconds ago at most.
    pub max_age: Option<u64>,
}

/// Checks a token as an API must: authentic, unexpired, for this audience, not revoked, with the
/// scope.
///
/// # Errors
/// The store's silence; a refusal is the inner `Err`.
pub async fn check(
    app: &App,
    token: &str,
    audience: &str,
    scope: &str,
    now: Timestamp,
) -> FlowResult<Result<Arc<AccessClaims>, BearerRefusal>> {
    Ok(check_audience(app, token, audience, now).await?.and_then(|claims| {
        match claims.scope.contains(scope) {
            true => Ok(claims),
            false => Err(BearerRefusal::Scope),
        }
    }))
}

/// The same, for an API that wants more. What a new token would not change is said first.
///
/// # Errors
/// The store's silence; a refusal is the inner `Err`.
pub async fn check_all(
    app: &App,
    token: &str,
    wanted: &Wanted,
    now: Timestamp,
) -> FlowResult<Result<Arc<AccessClaims>, BearerRefusal>> {
    let claims = match check_audience(app, token, &wanted.audience, now).await? {
        Ok(claims) => claims,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if !wanted.scope.is_subset(&claims.scope) {
        return Ok(Err(BearerRefusal::Scope));
    }
    if wanted.role.as_ref().is_some_and(|role| !claims.roles.contains(role)) {
        return Ok(Err(BearerRefusal::Role));
    }
    let is_recent = |most: u64| claims.auth_time.is_some_and(|at| now.seconds().saturating_sub(at) <= most);
    let is_weak = wanted.acr.as_deref().is_some_and(|acr| !acr_satisfies(claims.acr.as_deref(), acr));
    if is_weak || wanted.max_age.is_some_and(|most| !is_recent(most)) {
        return Ok(Err(BearerRefusal::Authentication));
    }
    Ok(Ok(claims))
}

async fn check_audience(
    app: &App,
    token: &str,
    audience: &str,
    now: Timestamp,
) -> FlowResult<Result<Arc<AccessClaims>, BearerRefusal>> {
    if token.starts_with("rft_") {
        return Ok(Err(BearerRefusal::RefreshToken));
    }
    // RFC 7516 section 7.1.
    if token.split('.').count() == 5 {
        return Ok(Err(BearerRefusal::Encrypted));
    }
    let Some(Token::Access(claims)) = tokens::open(app, token, now).await? else {
        return Ok(Err(BearerRefusal::Foreign));
    };
    if claims.exp <= now.seconds() {
        return Ok(Err(BearerRefusal::Expired));
    }
    if !claims.aud.contains(audience) {
        return Ok(Err(BearerRefusal::Audience));
    }
    let liveness = app
        .store
        .liveness(&LivenessQuery {
            caller: None,
            session: claims.sid.zip(claims.stv),
            client: claims.client_id.clone(),
            position: claims.rev,
            jti: claims.jti.clone(),
        })
        .await?;
    if !liveness.live {
        return Ok(Err(BearerRefusal::Revoked));
    }
    Ok(Ok(claims))
}

/// The status and the error of RFC 6750 section 3.1; no error when no token was sent.
pub fn answer(refusal: &BearerRefusal) -> (u16, Option<ErrorBody>) {
    let (status, error, text) = match refusal {
        BearerRefusal::Missing => return (401, None),
        BearerRefusal::InQuery => {
            (400, ErrorCode::InvalidRequest, "send the token in the Authorization header, never in the URL")
        }
        BearerRefusal::Malformed => {
            (400, ErrorCode::InvalidRequest, "the Authorization header must be: Bearer, a space, the token")
        }
        BearerRefusal::RefreshToken => (
            401,
            ErrorCode::InvalidToken,
            "this is a refresh token: it goes to the token endpoint only; send the access token",
        ),
        BearerRefusal::Encrypted => (
            401,
            ErrorCode::InvalidToken,
            "this is an encrypted token: only the API that it is for can open it",
        ),
        BearerRefusal::Foreign => (401, ErrorCode::InvalidToken, "not an access token of this issuer"),
        BearerRefusal::Expired => (401, ErrorCode::InvalidToken, "the access token expired: refresh"),
        BearerRefusal::Audience => (401, ErrorCode::InvalidToken, "the access token is for another API"),
        BearerRefusal::Revoked => (401, ErrorCode::InvalidToken, "the access token was revoked"),
        BearerRefusal::Scope => (403, ErrorCode::InsufficientScope, "the access token lacks the scope"),
        BearerRefusal::Role => (403, ErrorCode::InsufficientScope, "the user lacks the role"),
        BearerRefusal::Authentication => (
            401,
            ErrorCode::InsufficientUserAuthentication,
            "the person must authenticate anew, or better: ask for it with acr_values or max_age",
        ),
    };
    (status, Some(ErrorBody { error, error_description: text.to_owned() }))
}
