//! Access tokens: formats, claims, client credentials.

use std::time::Duration;

use countersign_verify::Verifier;
use countersign_wire::JwkSet;
use serde_json::json;

use crate::on_both;
use crate::support::{AUDIENCE, START, TestServer, basic};

async fn verifier(server: &TestServer) -> Verifier {
    let keys: JwkSet = serde_json::from_value(server.get("/.well-known/jwks.json").await.json()).unwrap();
    Verifier::new("https://auth.example", AUDIENCE, keys).unwrap()
}

async fn credentials(
    server: &TestServer,
    id: &str,
    secret: &str,
    more: &[(&str, &str)],
) -> crate::support::Answer {
    let mut pairs = vec![("grant_type", "client_credentials")];
    pairs.extend_from_slice(more);
    server.form_with("/oauth/token", &pairs, &[("authorization", &basic(id, secret))]).await
}

on_both!(a_users_token_says_what_rfc_9068_asks, |server| {
    let pair = server.alice().await;
    let claims = verifier(&server).await.verify(&pair.access, START.seconds()).unwrap();
    assert_eq!(claims.iss, "https://auth.example");
    assert_eq!(claims.client_id.as_str(), "app");
    assert_eq!(claims.scope.to_string(), "read write");
    assert_eq!(claims.exp - claims.iat, 900);
    assert_eq!(claims.sid.unwrap().to_string(), pair.sid);
    assert_eq!(claims.stv, Some(1));
    assert_eq!(claims.auth_time, Some(START.seconds()));
    assert_eq!((claims.username, claims.email), (None, None));
});

on_both!(each_algorithm_is_signed_and_verified, |server| {
    for alg in ["ES256", "EdDSA", "RS256"] {
        let id = format!("svc-{alg}");
        let secret = server.confidential_client(&id, json!({"signing_alg": alg})).await;
        let token = credentials(&server, &id, &secret, &[]).await.assert_ok().str("access_token");
        let claims = verifier(&server).await.verify(&token, START.seconds()).unwrap();
        assert_eq!((claims.sub.as_str(), claims.sid), (id.as_str(), None));
    }
});

on_both!(an_opaque_token_shows_nothing_and_works, |server| {
    server.user("alice").await;
    let body = json!({"id": "app", "kind": "native", "scope": "read", "audience": [AUDIENCE], "token_format": "opaque",
        "redirect_uris": ["https://app.example/callback"]});
    server.admin_post("/clients", body).await.assert_ok();
    let pair = server.session("alice", "app").await;
    assert!(pair.access.starts_with("oat_"));
    assert_eq!(server.get_as("/api/profile", &pair.access).await.status, 200);
});

on_both!(an_opaque_token_edited_anywhere_is_no_token, |server| {
    server.user("alice").await;
    let more = json!({"introspects": ["*"]});
    let secret = server.confidential_client("api", more).await;
    let caller = basic("api", &secret);
    let body = json!({"id": "app", "kind": "native", "scope": "read", "audience": [AUDIENCE], "token_format": "opaque",
        "redirect_uris": ["https://app.example/callback"]});
    server.admin_post("/clients", body).await.assert_ok();
    let token = server.session("alice", "app").await.access;
    let mut wrong = vec![format!("{token}A"), format!("{token}="), format!(" {token}"), token.to_uppercase()];
    for at in 0..token.len() {
        wrong.push(token[..at].to_owned());
        for byte in [b'A', b'B', b'_', b'.'] {
            let mut edited = token.clone().into_bytes();
            edited[at] = byte;
            wrong.push(String::from_utf8(edited).unwrap());
        }
    }
    for wrong in wrong.iter().filter(|wrong| **wrong != token && !wrong.is_empty()) {
        let headers = [("authorization", caller.as_str())];
        let answer = server.form_with("/oauth/introspect", &[("token", wrong)], &headers).await.assert_ok();
        assert_eq!(answer.json(), json!({"active": false}), "{wrong}");
        if !wrong.starts_with(' ') {
            server.get_as("/api/profile", wrong).await.assert_error(401, "invalid_token");
        }
        // What is no token is revoked already (RFC 7009 section 2.2).
        server.form("/oauth/revoke", &[("client_id", "app"), ("token", wrong)]).await.assert_ok();
    }
    assert_eq!(server.get_as("/api/profile", &token).await.status, 200);
});

on_both!(client_credentials_are_for_confidential_services, |server| {
    server.public_client("app").await;
    let pairs = [("grant_type", "client_credentials"), ("client_id", "app")];
    server.form("/oauth/token", &pairs).await.assert_error(400, "unauthorized_client");
    let more = json!({"kind": "web", "redirect_uris": ["https://app.example/callback"]});
    let secret = server.confidential_client("web", more).await;
    credentials(&server, "web", &secret, &[]).await.assert_error(400, "unauthorized_client");
    let secret = server.confidential_client("svc", json!({})).await;
    let body = credentials(&server, "svc", &secret, &[("scope", "read")]).await.assert_ok().json();
    assert_eq!((&body["scope"], &body["refresh_token"]), (&json!("read"), &json!(null)));
    credentials(&server, "svc", &secret, &[("scope", "admin")]).await.assert_error(400, "invalid_scope");
    credentials(&server, "svc", &secret, &[("resource", "https://other.example")])
        .await
        .assert_error(400, "invalid_target");
});

on_both!(a_disabled_service_is_refused_and_its_token_ends, |server| {
    let secret = server.confidential_client("svc", json!({})).await;
    let token = credentials(&server, "svc", &secret, &[]).await.assert_ok().str("access_token");
    assert_eq!(server.get_as("/api/profile", &token).await.status, 200);
    server.admin_post("/clients/svc/disable", json!({})).await.assert_ok();
    credentials(&server, "svc", &secret, &[]).await.assert_error(401, "invalid_client");
    server.get_as("/api/profile", &token).await.assert_error(401, "invalid_token");
    server.admin_post("/clients/svc/enable", json!({})).await.assert_ok();
    server.get_as("/api/profile", &token).await.assert_error(401, "invalid_token");
    let fresh = credentials(&server, "svc", &secret, &[]).await.assert_ok().str("access_token");
    assert_eq!(server.get_as("/api/profile", &fresh).await.status, 200);
});

on_both!(the_api_answers_401_and_403_rightly, |server| {
    let pair = server.alice().await;
    let missing = server.get("/api/profile").await;
    assert_eq!(missing.status, 401);
    assert_eq!(missing.header(http::header::WWW_AUTHENTICATE), "Bearer realm=\"countersign-demo\"");
    let text = server.get_as("/api/profile", &pair.refresh).await.assert_error(401, "invalid_token");
    assert!(text.contains("this is a refresh token"), "{text}");
    server.get_as("/api/profile", "nonsense").await.assert_error(401, "invalid_token");
    server
        .get(&format!("/api/profile?access_token={}", pair.access))
        .await
        .assert_error(400, "invalid_request");
    let secret = server.confidential_client("writer", json!({"scope": "write"})).await;
    let narrow = credentials(&server, "writer", &secret, &[]).await.assert_ok().str("access_token");
    let answer = server.get_as("/api/profile", &narrow).await;
    answer.assert_error(403, "insufficient_scope");
    assert!(answer.header(http::header::WWW_AUTHENTICATE).contains("scope=\"read\""));
    let secret =
        server.confidential_client("elsewhere", json!({"audience": ["https://other.example"]})).await;
    let foreign = credentials(&server, "elsewhere", &secret, &[]).await.assert_ok().str("access_token");
    server.get_as("/api/profile", &foreign).await.assert_error(401, "invalid_token");
    server.advance(Duration::from_secs(900));
    let text = server.get_as("/api/profile", &pair.access).await.assert_error(401, "invalid_token");
    assert!(text.contains("expired"), "{text}");
});

on_both!(an_access_token_never_outlives_its_session, |server| {
    let pair = server.alice().await;
    let mut token = pair.refresh;
    for _ in 0..5 {
        server.advance(Duration::from_secs(11 * 86_400 + 86_000));
        token = server.refresh("app", &token).await.assert_ok().str("refresh_token");
    }
    let session = server.standing(&pair.sid).await.session;
    let left = Duration::from_secs(60);
    server.clock.set(session.expires_at.minus(left));
    assert_eq!(server.refresh("app", &token).await.assert_ok().json()["expires_in"], 60);
});

on_both!(no_token_loses_its_key_when_keys_rotate, |server| {
    let pair = server.alice().await;
    server.admin_post("/keys/rotate", json!({"immediately": true})).await.assert_ok();
    let fresh = server.refresh("app", &pair.refresh).await.assert_ok().str("access_token");
    let verifier = verifier(&server).await;
    verifier.verify(&pair.access, START.seconds()).unwrap();
    verifier.verify(&fresh, START.seconds()).unwrap();
    let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid;
    assert_ne!(kid(&pair.access), kid(&fresh));
});
