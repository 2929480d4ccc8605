//! What the server says of itself: metadata (RFC 8414) and public keys (RFC 7517).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_wire::{Algorithm, DEVICE_CODE_GRANT, ProviderMetadata, ServerMetadata};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::Public;
use crate::flows::browser::ACR_VALUES;
use crate::flows::userinfo;
use crate::pages::Lang;

/// How long a client may keep the metadata, in seconds.
const METADATA_MAX_AGE: &str = "public, max-age=300";

/// `GET /.well-known/openid-configuration` (OpenID Connect Discovery 1.0 section 4) and
/// `GET /.well-known/oauth-authorization-server` (RFC 8414 section 3): one document, since there are
/// clients that read the second only and then look for userinfo.
pub async fn metadata(State(public): State<Arc<Public>>) -> Response {
    let document = Json(provider_document(&public.app.policy.issuer));
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
        authorization_endpoint: at("/oauth/authorize"),
        pushed_authorization_request_endpoint: at("/oauth/par"),
        device_authorization_endpoint: at("/oauth/device_authorization"),
        response_types_supported: vec!["code"],
        response_modes_supported: vec!["query", "form_post"],
        code_challenge_methods_supported: vec!["S256"],
        authorization_response_iss_parameter_supported: true,
        require_pushed_authorization_requests: false,
        scopes_supported: userinfo::scopes(),
        grant_types_supported: vec![
            "authorization_code",
            "refresh_token",
            "client_credentials",
            DEVICE_CODE_GRANT,
        ],
        token_endpoint_auth_methods_supported: all_methods.clone(),
        revocation_endpoint_auth_methods_supported: all_methods,
        introspection_endpoint_auth_methods_supported: secret_methods,
        service_documentation: at("/docs/lifetimes"),
        access_token_signing_alg_values_supported: Algorithm::ALL.to_vec(),
        countersign_lifetimes_uri: at("/docs/lifetimes.json"),
        countersign_revocation_feed_uri: at("/revocations"),
    }
}

/// The same with what OpenID Connect adds.
pub fn provider_document(issuer: &str) -> ProviderMetadata {
    let at = |path: &str| format!("{issuer}{path}");
    let about_the_token = ["iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"];
    ProviderMetadata {
        server: document(issuer),
        userinfo_endpoint: at("/oauth/userinfo"),
        end_session_endpoint: at("/oauth/logout"),
        subject_types_supported: vec!["public"],
        id_token_signing_alg_values_supported: Algorithm::ALL.to_vec(),
        acr_values_supported: ACR_VALUES.to_vec(),
        claims_supported: about_the_token.into_iter().chain(userinfo::claims()).collect(),
        claim_types_supported: vec!["normal"],
        claims_parameter_supported: false,
        request_parameter_supported: false,
        request_uri_parameter_supported: false,
        prompt_values_supported: vec!["none", "login", "consent", "select_account"],
        ui_locales_supported: Lang::ALL.iter().map(|lang| lang.tag()).collect(),
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
    }
}
