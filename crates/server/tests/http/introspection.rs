//! Introspection (RFC 7662).

use std::time::Duration;

use serde_json::{Value, json};

use crate::on_both;
use crate::support::{AUDIENCE, TestServer, basic};

async fn introspect(server: &TestServer, caller: (&str, &str), token: &str) -> crate::support::Answer {
    let header = basic(caller.0, caller.1);
    server.form_with("/oauth/introspect", &[("token", token)], &[("authorization", &header)]).await
}

const NO: &str = r#"{"active":false}"#;

on_both!(an_api_sees_the_tokens_meant_for_it, |server| {
    let pair = server.alice().await;
    let api = server.confidential_client("api", json!({"introspects": [AUDIENCE]})).await;
    let body = introspect(&server, ("api", &api), &pair.access).await.assert_ok().json();
    assert_eq!(body["active"], true);
    assert_eq!(body["client_id"], "app");
    assert_eq!(body["scope"], "read write");
    assert_eq!(body["sid"], pair.sid.as_str());
    assert_eq!(body["token_type"], "Bearer");
    let other =
        server.confidential_client("other-api", json!({"introspects": ["https://other.example"]})).await;
    assert_eq!(introspect(&server, ("other-api", &other), &pair.access).await.text, NO);
    // Its tokens going to that API does not make a client that API.
    let peer = server.confidential_client("peer", json!({})).await;
    assert_eq!(introspect(&server, ("peer", &peer), &pair.access).await.text, NO);
    let gateway = server.confidential_client("gateway", json!({"introspects": ["*"]})).await;
    assert_eq!(introspect(&server, ("gateway", &gateway), &pair.access).await.json()["active"], true);
});

on_both!(what_is_not_live_says_nothing_else, |server| {
    let pair = server.alice().await;
    let api = server.confidential_client("api", json!({"introspects": [AUDIENCE]})).await;
    let caller = ("api", api.as_str());
    for token in ["nonsense", "rft_AAAA", "oat_AAAA", "a.b.c", pair.refresh.as_str()] {
        assert_eq!(introspect(&server, caller, token).await.text, NO);
    }
    let mut edited = pair.access.clone();
    edited.push('A');
    assert_eq!(introspect(&server, caller, &edited).await.text, NO);
    server.advance(Duration::from_secs(900));
    assert_eq!(introspect(&server, caller, &pair.access).await.text, NO);
});

on_both!(a_revocation_is_seen_at_once, |server| {
    let pair = server.alice().await;
    let api = server.confidential_client("api", json!({"introspects": [AUDIENCE]})).await;
    let caller = ("api", api.as_str());
    let active = async |pair: &crate::support::Pair| -> Value {
        introspect(&server, caller, &pair.access).await.json()["active"].clone()
    };
    assert_eq!(active(&pair).await, true);
    server.admin_post(&format!("/sessions/{}/revoke", pair.sid), json!({})).await.assert_ok();
    assert_eq!(active(&pair).await, false);
    let pair = server.session("alice", "app").await;
    assert_eq!(active(&pair).await, true);
    server.admin_post("/users/alice/sign-out", json!({})).await.assert_ok();
    assert_eq!(active(&pair).await, false);
});

on_both!(the_caller_must_be_a_confidential_enabled_client, |server| {
    let pair = server.alice().await;
    let pairs = [("client_id", "app"), ("token", pair.access.as_str())];
    server.form("/oauth/introspect", &pairs).await.assert_error(401, "invalid_client");
    server.form("/oauth/introspect", &[("token", &pair.access)]).await.assert_error(401, "invalid_client");
    let api = server.confidential_client("api", json!({"introspects": [AUDIENCE]})).await;
    introspect(&server, ("api", "wrong"), &pair.access).await.assert_error(401, "invalid_client");
    server.admin_post("/clients/api/disable", json!({})).await.assert_ok();
    introspect(&server, ("api", &api), &pair.access).await.assert_error(401, "invalid_client");
});

on_both!(a_client_sees_its_own_live_refresh_token, |server| {
    server.user("alice").await;
    let more = json!({"kind": "web", "redirect_uris": ["https://app.example/callback"]});
    let secret = server.confidential_client("web", more).await;
    let pair = server.session("alice", "web").await;
    let body = introspect(&server, ("web", &secret), &pair.refresh).await.assert_ok().json();
    assert_eq!((body["active"].as_bool(), body["sid"].as_str()), (Some(true), Some(pair.sid.as_str())));
    assert!(body.get("token_type").is_none());
    let header = basic("web", &secret);
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", pair.refresh.as_str())];
    server.form_with("/oauth/token", &pairs, &[("authorization", &header)]).await.assert_ok();
    assert_eq!(introspect(&server, ("web", &secret), &pair.refresh).await.text, NO);
});

on_both!(opaque_tokens_are_introspected, |server| {
    let api = server.confidential_client("api", json!({"introspects": [AUDIENCE]})).await;
    let secret = server.confidential_client("svc", json!({"token_format": "opaque"})).await;
    let header = basic("svc", &secret);
    let answer = server
        .form_with("/oauth/token", &[("grant_type", "client_credentials")], &[("authorization", &header)])
        .await
        .assert_ok();
    let token = answer.str("access_token");
    assert_eq!(introspect(&server, ("api", &api), &token).await.json()["active"], true);
    server.form_with("/oauth/revoke", &[("token", &token)], &[("authorization", &header)]).await.assert_ok();
    assert_eq!(introspect(&server, ("api", &api), &token).await.text, NO);
});
