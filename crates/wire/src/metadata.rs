//! Authorization server metadata (RFC 8414 section 2): what works, nothing else.

use serde::Serialize;

use crate::Algorithm;

/// The document at `/.well-known/oauth-authorization-server`.
#[derive(Debug, Clone, Serialize)]
pub struct ServerMetadata {
    /// The issuer, exactly as configured.
    pub issuer: String,
    /// `POST /oauth/token`.
    pub token_endpoint: String,
    /// `/.well-known/jwks.json`.
    pub jwks_uri: String,
    /// `POST /oauth/revoke` (RFC 7009).
    pub revocation_endpoint: String,
    /// `POST /oauth/introspect` (RFC 7662).
    pub introspection_endpoint: String,
    /// `GET` and `POST /oauth/authorize`.
    pub authorization_endpoint: String,
    /// `POST /oauth/par` (RFC 9126).
    pub pushed_authorization_request_endpoint: String,
    /// `POST /oauth/device_authorization` (RFC 8628).
    pub device_authorization_endpoint: String,
    /// `code`.
    pub response_types_supported: Vec<&'static str>,
    /// How the answer travels back.
    pub response_modes_supported: Vec<&'static str>,
    /// `S256` (RFC 7636); RFC 9700 section 2.1.1 wants it published.
    pub code_challenge_methods_supported: Vec<&'static str>,
    /// The answer names the issuer (RFC 9207).
    pub authorization_response_iss_parameter_supported: bool,
    /// PAR is required of single clients, by their settings.
    pub require_pushed_authorization_requests: bool,
    /// Scopes with a meaning of their own; clients' others are the operator's.
    pub scopes_supported: Vec<&'static str>,
    /// The grants.
    pub grant_types_supported: Vec<&'static str>,
    /// Client authentication at the token endpoint.
    pub token_endpoint_auth_methods_supported: Vec<&'static str>,
    /// Client authentication at the revocation endpoint.
    pub revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    /// Client authentication at the introspection endpoint.
    pub introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    /// Where a client's developer reads on.
    pub service_documentation: String,
    /// Algorithms of signed access tokens (our member; RFC 8414 section 2 allows additions).
    pub access_token_signing_alg_values_supported: Vec<Algorithm>,
    /// The lifetimes of each client, as JSON (our member).
    pub countersign_lifetimes_uri: String,
    /// The revocation feed (our member).
    pub countersign_revocation_feed_uri: String,
}

/// The document at `/.well-known/openid-configuration` (OpenID Connect Discovery 1.0 section 3,
/// RP-Initiated Logout 1.0 section 2.1, Back-Channel Logout 1.0 section 2.1).
#[derive(Debug, Clone, Serialize)]
pub struct ProviderMetadata {
    /// What OAuth says of the server.
    #[serde(flatten)]
    pub server: ServerMetadata,
    /// `GET` and `POST /oauth/userinfo`.
    pub userinfo_endpoint: String,
    /// `/oauth/logout`.
    pub end_session_endpoint: String,
    /// `public`: one `sub` for all clients.
    pub subject_types_supported: Vec<&'static str>,
    /// Algorithms of ID tokens.
    pub id_token_signing_alg_values_supported: Vec<Algorithm>,
    /// How well a person can be authenticated.
    pub acr_values_supported: Vec<&'static str>,
    /// What is said of a person.
    pub claims_supported: Vec<&'static str>,
    /// `normal`.
    pub claim_types_supported: Vec<&'static str>,
    /// The `claims` parameter is ignored.
    pub claims_parameter_supported: bool,
    /// The `request` parameter is refused.
    pub request_parameter_supported: bool,
    /// A `request_uri` is good when it was pushed (RFC 9126), and not otherwise.
    pub request_uri_parameter_supported: bool,
    /// What `prompt` may say.
    pub prompt_values_supported: Vec<&'static str>,
    /// Languages of the pages.
    pub ui_locales_supported: Vec<&'static str>,
    /// Back-channel logout is there.
    pub backchannel_logout_supported: bool,
    /// Logout tokens name the session.
    pub backchannel_logout_session_supported: bool,
}
