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
    /// Required by RFC 8414; empty while there is no authorization endpoint.
    pub response_types_supported: Vec<&'static str>,
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
}
