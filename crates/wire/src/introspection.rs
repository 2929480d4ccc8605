//! Introspection answers (RFC 7662 section 2.2).

use serde::Serialize;

use crate::{AccessClaims, Scope};

/// What introspection says of a token. Of one that is not active it says nothing else.
#[derive(Debug, Clone, Serialize)]
pub struct IntrospectionAnswer {
    /// Whether the token can be used now.
    pub active: bool,
    /// `Bearer`, for an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    /// The claims of an access token.
    #[serde(flatten)]
    pub claims: Option<AccessClaims>,
    /// The facts of a refresh token.
    #[serde(flatten)]
    pub refresh: Option<RefreshFacts>,
}

/// What a client may learn of its own refresh token.
#[derive(Debug, Clone, Serialize)]
pub struct RefreshFacts {
    /// The client.
    pub client_id: String,
    /// The user.
    pub sub: String,
    /// The session.
    pub sid: String,
    /// What the session was granted.
    pub scope: Scope,
    /// When the refresh token expires if it is not used, seconds since 1970.
    pub exp: u64,
    /// When the session began, seconds since 1970.
    pub iat: u64,
    /// The issuer.
    pub iss: String,
}

impl IntrospectionAnswer {
    /// The answer for every token that is unknown, expired, revoked or not the caller's to see.
    pub fn inactive() -> Self {
        Self { active: false, token_type: None, claims: None, refresh: None }
    }

    /// The answer for a live access token.
    pub fn access(claims: AccessClaims) -> Self {
        Self { active: true, token_type: Some("Bearer"), claims: Some(claims), refresh: None }
    }

    /// The answer for a live refresh token, to its own client. It has no `token_type`: a refresh
    /// token is no bearer token.
    pub fn refresh(facts: RefreshFacts) -> Self {
        Self { active: true, token_type: None, claims: None, refresh: Some(facts) }
    }
}
