//! What the server says of itself: metadata (RFC 8414) and public keys (RFC 7517).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_wire::{Algorithm, ServerMetadata};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::Public;

/// How long a client may keep the metadata, in seconds.
const METADATA_MAX_AGE: &str = "public, max-age=300";

/// `GET /.well-known/oauth-authorization-server`.
pub async fn metadata(State(public): State<Arc<Public>>) -> Response {
    let document = Json(document(&public.app.policy.issuer));
    ([(header::CACHE_CONTROL, METADATA_MAX_AGE)], document).into_response()
}

/// `GET /.well-known/jwks.json`, with a validator: a poll between changes costs no body.
pub async fn jwks(State(public): State<Arc<Public>>, request: HeaderMap) -> Response {
    let keys = public.app.keys.snapshot();
    let etag = keys.jwks_etag();
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, public.jwks_cache_control.clone());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
    if let Ok(value) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, value);
    }
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let fresh = known.is_some_and(|list| list.split(',').any(|tag| tag.trim() == etag || tag.trim() == "*"));
    if fresh {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, keys.jwks_json().to_owned()).into_response()
}

/// The metadata of an issuer: what works, nothing else.
pub fn document(issuer: &str) -> ServerMetadata {
    let at = |path: &str| format!("{issuer}{path}");
    let secret_methods = vec!["client_secret_basic", "client_secret_post"];
    let all_methods = vec!["client_secret_basic", "client_secret_post", "none"];
    ServerMetadata {
        issuer: issuer.to_owned(),
        token_endpoint: at("/oauth/token"),
        jwks_uri: at("/.well-known/jwks.json"),
        revocation_endpoint: at("/oauth/revoke"),
        introspection_endpoint: at("/oauth/introspect"),
        response_types_supported: Vec::new(),
        grant_types_supported: vec!["refresh_token", "client_credentials"],
        token_endpoint_auth_methods_supported: all_methods.clone(),
        revocation_endpoint_auth_methods_supported: all_methods,
        introspection_endpoint_auth_methods_supported: secret_methods,
        service_documentation: at("/docs/lifetimes"),
        access_token_signing_alg_values_supported: Algorithm::ALL.to_vec(),
        countersign_lifetimes_uri: at("/docs/lifetimes.json"),
    }
}
