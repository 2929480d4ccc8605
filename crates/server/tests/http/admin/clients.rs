//! `/clients`.

use std::time::Duration;

use countersign::config::Settings;
use countersign::time::Clock as _;
use http::Method;
use serde_json::{Value, json};

use crate::on_both;
use crate::support::{AUDIENCE, Answer, TestServer, basic};

async fn get(server: &TestServer, path: &str) -> Answer {
    server.admin(Method::GET, path, Value::Null).await
}

/// Whether a confidential client gets in with a secret.
async fn works(server: &TestServer, id: &str, secret: &str) -> bool {
    let headers = [("authorization", basic(id, secret))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = server.form_with("/oauth/token", &[("grant_type", "client_credentials")], &headers).await;
    answer.status.is_success()
}

on_both!(a_client_is_added_shown_changed_and_removed, |server| {
    let body = json!({"id": "shop", "kind": "web", "scope": "read", "audience": [AUDIENCE], "tenant": "acme",
        "lifetimes": {"access": 300}, "extra_claims": ["email"]});
    let added = server.admin_post("/clients", body.clone()).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert!(added.str("client_secret").starts_with("cs_"));
    assert_eq!(added.json()["warnings"].as_array().unwrap().len(), 1, "{}", added.text);
    server.admin_post("/clients", body).await.assert_error(409, "conflict");

    let shown = get(&server, "/clients/shop").await.assert_ok().json();
    assert_eq!(added.json()["client"], shown);
    assert_eq!(shown["public"], false);
    assert_eq!(shown["effective_lifetimes"]["access"], 300);
    assert_eq!(shown["effective_lifetimes"]["remember_absolute"], 60 * 86400);
    assert_eq!(shown["secrets"][0]["fingerprint"].as_str().unwrap().len(), 8);
    assert_eq!(shown["overlap_seconds"], 10);

    let changed =
        server.admin(Method::PATCH, "/clients/shop", json!({"scope": "read write", "tenant": null})).await;
    let changed = changed.assert_ok().json();
    assert_eq!(changed["client"]["scope"], "read write");
    assert_eq!(changed["client"]["tenant"], Value::Null);
    assert_eq!(changed["client"]["lifetimes"], json!({"access": 300}));
    assert_eq!(changed["client"]["revision"], shown["revision"].as_u64().unwrap() + 1);

    let same = server.admin(Method::PATCH, "/clients/shop", json!({})).await.assert_ok().json();
    assert_eq!(same["client"], changed["client"], "a change of nothing is none");

    let removed = server.admin(Method::DELETE, "/clients/shop", Value::Null).await.assert_ok();
    assert_eq!((removed.str("target"), removed.str("subject")), ("client".to_owned(), "shop".to_owned()));
    get(&server, "/clients/shop").await.assert_error(404, "not_found");
    for path in ["/clients/shop", "/clients/a%20b"] {
        server.admin(Method::DELETE, path, Value::Null).await.assert_error(404, "not_found");
        server.admin(Method::PATCH, path, json!({})).await.assert_error(404, "not_found");
    }
});

on_both!(what_is_wrong_is_told_at_once, |server| {
    let body =
        json!({"id": "a b", "kind": "spa", "redirect_uris": ["http://app.example/"], "overlap_seconds": 601});
    let text = server.admin_post("/clients", body).await.assert_error(400, "invalid_request");
    for member in ["id: ", "redirect_uris[0]: ", "overlap_seconds: "] {
        assert!(text.contains(member), "{text}");
    }
    let text = server.admin_post("/clients", json!({"id": "a", "kind": "web", "redirect_uri": []})).await;
    assert!(text.assert_error(400, "invalid_request").contains("did you mean redirect_uris?"));
    let text = server.admin_post("/clients", json!({"id": "a"})).await.assert_error(400, "invalid_request");
    assert!(text.contains("kind is missing"), "{text}");
    let text = server.admin_post("/clients?dry_run=true", json!({"id": "a", "kind": "web"})).await;
    text.assert_error(400, "invalid_request");
    server.admin_post("/clients", json!(["a", "web"])).await.assert_error(400, "invalid_request");
    server
        .admin(Method::PATCH, "/clients/a", json!({"kind": "web"}))
        .await
        .assert_error(400, "invalid_request");
    let limits = Settings::from_values(&[]).unwrap().limits;
    let large = json!({"scope": "x".repeat(limits.body)});
    server.admin(Method::PATCH, "/clients/a", large).await.assert_error(413, "invalid_request");
    get(&server, "/clients/a").await.assert_error(404, "not_found");
    server.public_client("app").await;
    server.admin_post("/clients/app/disable", json!({"why": "x"})).await.assert_error(400, "invalid_request");
    server
        .admin_post("/clients/app/enable?preview=true", Value::Null)
        .await
        .assert_error(400, "invalid_request");
    let text = server.admin(Method::PATCH, "/clients/app", json!({"rotation": "reuse"})).await;
    text.assert_error(400, "invalid_request");
    server.admin_post("/clients/app/rotate-secret", Value::Null).await.assert_error(409, "conflict");
});

on_both!(an_old_secret_works_during_the_overlap_and_not_after, |server| {
    let first = server.confidential_client("robot", json!({})).await;
    let overlap = server.app.policy.client_secret_overlap;
    assert!(overlap > Duration::from_secs(1));
    assert!(works(&server, "robot", &first).await);

    let rotated = server.admin_post("/clients/robot/rotate-secret", Value::Null).await.assert_ok();
    let second = rotated.str("client_secret");
    assert_eq!(rotated.str("old_secret_works_until"), server.clock.now().plus(overlap).to_string());
    assert!(works(&server, "robot", &first).await);
    assert!(works(&server, "robot", &second).await);

    server.advance(overlap - Duration::from_millis(1));
    assert!(works(&server, "robot", &first).await);
    server.advance(Duration::from_millis(1));
    assert!(!works(&server, "robot", &first).await);
    assert!(works(&server, "robot", &second).await);

    let third =
        server.admin_post("/clients/robot/rotate-secret", Value::Null).await.assert_ok().str("client_secret");
    let fourth =
        server.admin_post("/clients/robot/rotate-secret", Value::Null).await.assert_ok().str("client_secret");
    assert!(!works(&server, "robot", &second).await, "only one old secret works");
    assert!(works(&server, "robot", &third).await);
    assert!(works(&server, "robot", &fourth).await);
    let shown = get(&server, "/clients/robot").await;
    assert_eq!(shown.json()["secrets"].as_array().unwrap().len(), 2);
    assert!(!shown.text.contains(&fourth[..12]));
});

on_both!(disabling_ends_all_and_enabling_brings_nothing_back, |server| {
    let pair = server.alice().await;
    let ended = server.admin_post("/clients/app/disable", Value::Null).await.assert_ok().json();
    assert_eq!(ended["client"]["enabled"], false);
    assert_eq!(ended["receipt"]["sessions_ended"], 1);
    assert_eq!(ended["receipt"]["preview"], false);
    assert!(ended["receipt"]["revocation_number"].is_u64());
    assert!(!server.refresh("app", &pair.refresh).await.status.is_success());

    let enabled = server.admin_post("/clients/app/enable", Value::Null).await.assert_ok().json();
    assert_eq!(enabled["client"]["enabled"], true);
    assert_eq!(enabled["receipt"], Value::Null);
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    assert!(!server.get_as("/api/profile", &pair.access).await.status.is_success());
    let again = server.session("alice", "app").await;
    server.refresh("app", &again.refresh).await.assert_ok();

    let told = get(&server, &format!("/sessions/{}/explain", pair.sid)).await.assert_ok();
    assert_eq!(told.str("status"), "ended");
    assert!(told.str("verdict").contains("the client was disabled"), "{}", told.text);
});

on_both!(a_preview_changes_nothing, |server| {
    let pair = server.alice().await;
    let before = get(&server, "/status").await.assert_ok().json()["revocation_position"].clone();
    for (method, path) in
        [(Method::POST, "/clients/app/disable?preview=true"), (Method::DELETE, "/clients/app?preview=true")]
    {
        let answer = server.admin(method, path, Value::Null).await.assert_ok().json();
        let receipt = answer.get("receipt").unwrap_or(&answer);
        assert_eq!(receipt["preview"], true);
        assert_eq!(receipt["sessions_ended"], 1);
        assert_eq!(receipt["revocation_number"], Value::Null);
        assert!(receipt["summary"].as_str().unwrap().starts_with("ends 1 session; "), "{receipt}");
    }
    assert_eq!(get(&server, "/status").await.json()["revocation_position"], before);
    assert_eq!(get(&server, "/clients/app").await.json()["enabled"], true);
    server.refresh("app", &pair.refresh).await.assert_ok();
});

on_both!(a_change_of_lifetimes_holds_for_the_next_token, |server| {
    let pair = server.alice().await;
    server.admin(Method::PATCH, "/clients/app", json!({"lifetimes": {"access": 120}})).await.assert_ok();
    let answer = server.refresh("app", &pair.refresh).await.assert_ok();
    assert_eq!(answer.json()["expires_in"], 120);
    let receipt =
        server.admin_post("/clients/app/disable?preview=true", Value::Null).await.json()["receipt"].clone();
    let by: countersign::time::Timestamp =
        receipt["access_tokens_expire_by"].as_str().unwrap().parse().unwrap();
    let still = by.since(server.clock.now());
    assert!(still >= Duration::from_secs(15 * 60), "tokens of the old lifetime are still alive: {still:?}");
});
