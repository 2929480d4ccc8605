//! The claims of an access token (RFC 9068 section 2.2), the same for each format.

use serde::{Deserialize, Serialize};

use crate::{ClientId, Scope, SessionId, Status};

/// One audience or several (RFC 7519 section 4.1.3: a string or an array).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// A single audience, sent as a string.
    One(String),
    /// Several, sent as an array.
    Many(Vec<String>),
}

impl Audience {
    /// True when the audience is among them, by exact text.
    pub fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|a| a == audience),
        }
    }

    /// The audiences in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Many(many) => many.iter(),
        }
        .map(String::as_str)
    }
}

/// Who a token acts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimsKind {
    /// A user, in a session.
    User,
    /// The client itself (client credentials).
    Client,
}

/// The claim set. Times are whole seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer, exactly as configured.
    pub iss: String,
    /// The user's id, or the client's id for client credentials.
    pub sub: String,
    /// Whom the token is meant for.
    pub aud: Audience,
    /// Expiry.
    pub exp: u64,
    /// Time of issue.
    pub iat: u64,
    /// When it begins to be good. Countersign's tokens do not have it: they are good at once.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub nbf: Option<u64>,
    /// The token's own id.
    pub jti: String,
    /// The client it was issued to.
    pub client_id: ClientId,
    /// What it is good for.
    pub scope: Scope,
    /// The number of the newest revocation that the issuer had seen: a token with `rev` below the
    /// number of a client-wide, tenant-wide or global revocation is ended by it.
    pub rev: u64,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// The user's stamp version when the session was last refreshed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stv: Option<u64>,
    /// The tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// When the user last authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<u64>,
    /// How well the user was authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By which methods (RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// The user's roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Personal data, only when the client's settings ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Personal data, only when the client's settings ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Where a status list says whether the session is over, for readers without the feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// The claims of an ID token (OpenID Connect Core section 2). Times are whole seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdClaims {
    /// The issuer, exactly as configured.
    pub iss: String,
    /// The user's id.
    pub sub: String,
    /// The client's id.
    pub aud: String,
    /// Expiry.
    pub exp: u64,
    /// Time of issue.
    pub iat: u64,
    /// When the user last authenticated.
    pub auth_time: u64,
    /// The session: what a back-channel logout names.
    pub sid: SessionId,
    /// As the client sent it; absent after a refresh (section 12.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// How well the user was authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By which methods (RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// The left half of the access token's hash, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<String>,
}

/// The claims of a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4). It never has
/// a `nonce`, so that it is never taken for an ID token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogoutClaims {
    /// The issuer, exactly as configured.
    pub iss: String,
    /// The user's id.
    pub sub: String,
    /// The client's id.
    pub aud: String,
    /// Time of issue.
    pub iat: u64,
    /// Expiry.
    pub exp: u64,
    /// The token's own id.
    pub jti: String,
    /// The session that ended.
    pub sid: SessionId,
    /// That it is a logout: one member with an empty object.
    pub events: serde_json::Value,
}

/// A claim that is there has a value: `null` is a wrong type, and not an absence.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    u64::deserialize(deserializer).map(Some)
}

impl AccessClaims {
    /// Whether the token acts for a user or for the client itself.
    pub fn kind(&self) -> ClaimsKind {
        match self.sid {
            Some(_) => ClaimsKind::User,
            None => ClaimsKind::Client,
        }
    }
}
