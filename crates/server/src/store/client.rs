//! Clients (RFC 6749 section 2).

use std::time::Duration;

use countersign_wire::{Algorithm, ClientId, Scope};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What a client is, which decides its lifetimes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientKind {
    /// Runs in a browser, keeps tokens there.
    Spa,
    /// A web server that keeps tokens for its users.
    Web,
    /// A mobile or desktop program.
    Native,
    /// A command-line program or an agent.
    Cli,
    /// A program that acts for itself.
    Service,
}

/// The form of a client's access tokens.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum TokenFormat {
    /// RFC 9068.
    #[default]
    Jwt,
    /// Sealed, for introspection.
    Opaque,
    /// A JWE around the RFC 9068 token, to the key of the one API that it is for.
    Encrypted,
}

/// What a refresh does to the refresh token (the design's section 1).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Rotation {
    /// A new one each time, with an overlap window.
    #[default]
    Rotate,
    /// A new one each time, no window; a retry proof is still answered.
    RotateStrict,
    /// The same one; for confidential clients only.
    Reuse,
}

/// The hash of a client secret. A secret is 256 random bits, so a plain hash is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretHash {
    /// SHA-256 of the secret, hex.
    pub sha256: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working: set on the old secret when a new one is made.
    pub expires_at: Option<Timestamp>,
}

/// Lifetimes that differ from the kind's own; in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LifetimeSettings {
    /// Access tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<u64>,
    /// A refresh token that is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<u64>,
    /// A session, however often refreshed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute: Option<u64>,
    /// As `idle`, for remembered sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remember_idle: Option<u64>,
    /// As `absolute`, for remembered sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remember_absolute: Option<u64>,
}

/// Everything about a client that no gate reads: kept as one JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSettings {
    /// The kind.
    pub kind: ClientKind,
    /// True when the client keeps no secret.
    pub public: bool,
    /// Current secrets, newest first: two while one is being replaced.
    pub secrets: Vec<SecretHash>,
    /// Exact redirect URIs.
    pub redirect_uris: Vec<String>,
    /// What it may be granted.
    pub scope: Scope,
    /// Whom its access tokens are for; the first is the default (RFC 9068 section 3).
    pub audience: Vec<String>,
    /// The form of its access tokens.
    pub token_format: TokenFormat,
    /// The algorithm of its JWTs; `None` takes the server's.
    pub signing_alg: Option<Algorithm>,
    /// The rotation policy.
    pub rotation: Rotation,
    /// The overlap window in milliseconds.
    pub overlap_ms: u64,
    /// Lifetimes that differ from the kind's.
    pub lifetimes: LifetimeSettings,
    /// The longest lifetime, in seconds, that its access tokens ever had: revocation-log entries
    /// about it are kept this long.
    pub longest_access: u64,
    /// Permits access tokens that live longer than an hour.
    pub allow_long_access_tokens: bool,
    /// The audiences whose tokens it may introspect, because it is that API; `*` is every one.
    pub introspects: Vec<String>,
    /// Personal data to put into access tokens: `username`, `email`.
    pub extra_claims: Vec<String>,
    /// How it has its users signed in.
    #[serde(default)]
    pub sign_in: SignInSettings,
}

/// How a client has its users signed in by us.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SignInSettings {
    /// Its name as people know it; its id is shown when there is none.
    pub name: Option<String>,
    /// It is the operator's own: nobody is asked for consent.
    pub first_party: bool,
    /// Accepts authorization requests without PKCE that have a `nonce` (OAuth 2.1 section 7.5.1):
    /// for confidential clients that cannot send it.
    pub allow_missing_pkce: bool,
    /// With `allow_missing_pkce`: the `nonce` may be missing too, as OpenID Connect Core section
    /// 3.1.2.1 has it. Nothing then tells the client an injected code from its own.
    pub allow_missing_nonce: bool,
    /// Accepts authorization requests only when they were pushed (RFC 9126 section 6).
    pub require_pushed_requests: bool,
    /// The algorithm of its ID tokens; `None` takes the server's.
    pub id_token_alg: Option<Algorithm>,
    /// Where a person may be sent after signing out; exact.
    pub post_logout_redirect_uris: Vec<String>,
    /// Where to tell that a session has ended (OpenID Connect Back-Channel Logout 1.0).
    pub backchannel_logout_uri: Option<String>,
}

impl ClientSettings {
    /// The overlap window of the rotation policy.
    pub fn overlap(&self) -> Duration {
        match self.rotation {
            Rotation::Rotate => Duration::from_millis(self.overlap_ms),
            Rotation::RotateStrict | Rotation::Reuse => Duration::ZERO,
        }
    }
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Whether it may do anything.
    pub enabled: bool,
    /// Moves on with each change, so that a decision made with an old record fails at the gate.
    pub revision: u64,
    /// Sessions and tokens born before this log number are ended.
    pub cut: u64,
    /// The only tenant whose users it serves; `None` serves all.
    pub tenant: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
    /// The rest.
    pub settings: ClientSettings,
}

/// Which clients to list.
#[derive(Debug, Clone, Default)]
pub struct ClientFilter {
    /// Of this tenant.
    pub tenant: Option<String>,
    /// Enabled or disabled ones.
    pub enabled: Option<bool>,
}
