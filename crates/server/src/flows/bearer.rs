//! What an API does with a bearer token (RFC 6750), for our own APIs.

use countersign_wire::{AccessClaims, ErrorBody, ErrorCode};

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
) -> FlowResult<Result<AccessClaims, BearerRefusal>> {
    if token.starts_with("rft_") {
        return Ok(Err(BearerRefusal::RefreshToken));
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
    if !claims.scope.contains(scope) {
        return Ok(Err(BearerRefusal::Scope));
    }
    Ok(Ok(*claims))
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
        BearerRefusal::Foreign => (401, ErrorCode::InvalidToken, "not an access token of this issuer"),
        BearerRefusal::Expired => (401, ErrorCode::InvalidToken, "the access token expired: refresh"),
        BearerRefusal::Audience => (401, ErrorCode::InvalidToken, "the access token is for another API"),
        BearerRefusal::Revoked => (401, ErrorCode::InvalidToken, "the access token was revoked"),
        BearerRefusal::Scope => (403, ErrorCode::InsufficientScope, "the access token lacks the scope"),
    };
    (status, Some(ErrorBody { error, error_description: text.to_owned() }))
}
