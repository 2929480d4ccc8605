//! What the server says of itself.

use http::{Method, Request, StatusCode, header};
use serde_json::json;

use crate::on_both;
use crate::support::{Engine, TestServer};

on_both!(metadata_lists_what_works, |server| {
    let document = server.get("/.well-known/oauth-authorization-server").await.assert_ok().json();
    assert_eq!(document["issuer"], "https://auth.example");
    for member in ["token_endpoint", "revocation_endpoint", "introspection_endpoint"] {
        let path = document[member].as_str().unwrap().strip_prefix("https://auth.example").unwrap();
        let answer = server.form(path, &[]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{member}");
    }
    for member in ["jwks_uri", "countersign_lifetimes_uri", "service_documentation"] {
        let path = document[member].as_str().unwrap().strip_prefix("https://auth.example").unwrap();
        assert_eq!(server.get(path).await.status, StatusCode::OK, "{member}");
    }
    let feed = document["countersign_revocation_feed_uri"].as_str().unwrap();
    let path = feed.strip_prefix("https://auth.example").unwrap();
    assert_eq!(server.get(path).await.status, StatusCode::UNAUTHORIZED);
    let grants = json!([
        "authorization_code",
        "refresh_token",
        "client_credentials",
        countersign_wire::DEVICE_CODE_GRANT
    ]);
    assert_eq!(document["grant_types_supported"], grants);
    assert_eq!(document["response_types_supported"], json!(["code"]));
    // There are clients that read one of the two only.
    assert_eq!(server.get("/.well-known/openid-configuration").await.json(), document);
});

on_both!(the_key_set_is_public_only_and_cacheable, |server| {
    let answer = server.get("/.well-known/jwks.json").await.assert_ok();
    assert_eq!(answer.header(header::CACHE_CONTROL), "public, max-age=600");
    let keys = answer.json()["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 3);
    for key in &keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            assert!(key.get(private).is_none(), "{private}");
        }
    }
    let etag = answer.header(header::ETAG).to_owned();
    let request = Request::get("/.well-known/jwks.json").header(header::IF_NONE_MATCH, etag);
    let again = server.send(request.body(Default::default()).unwrap()).await;
    assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
});

on_both!(a_new_signing_key_is_published_before_it_signs, |server| {
    let pair = server.alice().await;
    server.admin_post("/keys/rotate", json!({"purpose": "sign-ES256"})).await.assert_ok();
    assert_eq!(server.get("/.well-known/jwks.json").await.json()["keys"].as_array().unwrap().len(), 4);
    let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid;
    let answer = server.refresh("app", &pair.refresh).await.assert_ok();
    assert_eq!(kid(&answer.str("access_token")), kid(&pair.access));
    server.advance(std::time::Duration::from_secs(3_600));
    let answer = server.refresh("app", &answer.str("refresh_token")).await.assert_ok();
    assert_ne!(kid(&answer.str("access_token")), kid(&pair.access));
});

async fn preflight(server: &TestServer, path: &str, origin: &str) -> Option<String> {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri(path)
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type,idempotency-key");
    let answer = server.send(request.body(Default::default()).unwrap()).await;
    let allowed = answer.headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN)?;
    assert!(answer.headers.get(header::ACCESS_CONTROL_ALLOW_CREDENTIALS).is_none());
    Some(allowed.to_str().unwrap().to_owned())
}

on_both!(browsers_may_call_from_registered_origins_only, |server| {
    server.public_client("app").await;
    for path in ["/oauth/token", "/oauth/revoke"] {
        let registered = preflight(&server, path, "https://app.example").await;
        assert_eq!(registered.as_deref(), Some("https://app.example"), "{path}");
        assert_eq!(preflight(&server, path, "https://evil.example").await, None, "{path}");
        assert_eq!(preflight(&server, path, "null").await, None, "{path}");
    }
    assert_eq!(preflight(&server, "/oauth/introspect", "https://app.example").await, None);
    assert_eq!(preflight(&server, "/leaked-tokens", "https://app.example").await, None);
    for path in ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server"] {
        let request = Request::get(path).header(header::ORIGIN, "https://anyone.example");
        let answer = server.send(request.body(Default::default()).unwrap()).await;
        assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "*", "{path}");
    }
});

#[tokio::test]
async fn configured_origins_are_allowed_too() {
    let server = TestServer::start_with(Engine::Sqlite, &[("cors_origins", "https://more.example")]).await;
    let allowed = preflight(&server, "/oauth/token", "https://more.example").await;
    assert_eq!(allowed.as_deref(), Some("https://more.example"));
}

on_both!(the_lifetimes_document_is_made_from_what_is_in_force, |server| {
    server.public_client("app").await;
    let body = json!({"lifetimes": {"access": 300}, "overlap_seconds": 25});
    server.admin(Method::PATCH, "/clients/app", body).await.assert_ok();
    let document = server.get("/docs/lifetimes.json").await.assert_ok().json();
    let client = &document["clients"][0];
    assert_eq!(client["client_id"], "app");
    assert_eq!(client["access_token"], 300);
    assert_eq!(client["session"], 60 * 86_400);
    assert_eq!(client["overlap_seconds"], 25);
    assert_eq!(document["kinds"][1]["remembered_session"], 60 * 86_400);
    let page = server.get("/docs/lifetimes").await.assert_ok();
    assert!(page.header(header::CONTENT_TYPE).starts_with("text/html"));
    assert!(page.text.contains("answered again for 25 s"), "{}", page.text);
});

on_both!(the_decoder_can_send_nothing_and_sets_no_cookie, |server| {
    let page = server.get("/decode").await.assert_ok();
    let policy = page.header(header::CONTENT_SECURITY_POLICY);
    for directive in ["default-src 'none'", "connect-src 'none'", "form-action 'none'", "script-src 'self'"] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert_eq!(page.header(header::REFERRER_POLICY), "no-referrer");
    assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
    assert!(page.headers.get(header::SET_COOKIE).is_none() && !page.text.contains("<form"), "{}", page.text);
    // There is nothing to send a token to.
    assert_eq!(server.form("/decode", &[("token", "a.b.c")]).await.status, StatusCode::METHOD_NOT_ALLOWED);
});

on_both!(health_needs_no_token, |server| {
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
});
