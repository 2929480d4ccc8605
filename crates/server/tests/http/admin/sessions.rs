//! `/sessions`, `/revocations` and `/tokens/revoke`.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::on_both;
use crate::support::{AUDIENCE, Answer, TestServer};

async fn get(server: &TestServer, path: &str) -> Answer {
    server.admin(Method::GET, path, Value::Null).await
}

on_both!(a_session_is_started_as_it_was_asked_for, |server| {
    let user = server.user("alice").await;
    server.public_client("app").await;
    let body = json!({"user": "ALICE", "client": "app", "scope": "read", "resource": [AUDIENCE], "remember": true,
        "device": "Alice's phone", "auth_time": "2026-12-31T00:00:00Z", "acr": "urn:x", "amr": ["pwd", "otp"],
        "network": "192.0.2.0/24", "user_agent": "Browser/1"});
    let started = server.admin_post("/sessions", body).await;
    assert_eq!(started.status, 201, "{}", started.text);
    assert_eq!(started.str("token_type"), "Bearer");
    assert_eq!(started.str("scope"), "read");
    let shown = get(&server, &format!("/sessions/{}", started.str("session_id"))).await.assert_ok().json();
    assert_eq!(shown["user_id"], user);
    for (member, value) in [
        ("username", json!("alice")),
        ("client_id", json!("app")),
        ("scope", json!("read")),
        ("audience", json!([AUDIENCE])),
        ("device", json!("Alice's phone")),
        ("network", json!("192.0.2.0/24")),
        ("user_agent", json!("Browser/1")),
        ("remember", json!(true)),
        ("auth_time", json!("2026-12-31T00:00:00Z")),
        ("acr", json!("urn:x")),
        ("amr", json!(["pwd", "otp"])),
        ("generation", json!(1)),
        ("status", json!("live")),
        ("ended_at", Value::Null),
    ] {
        assert_eq!(shown[member], value, "{member}");
    }
});

on_both!(a_session_that_may_not_be_is_refused_in_words, |server| {
    server.user("alice").await;
    server.public_client("app").await;
    server.confidential_client("robot", json!({})).await;
    let cases = [
        (json!({"user": "bob", "client": "app"}), 400, "user: "),
        (json!({"user": "alice", "client": "nobody"}), 400, "client: "),
        (json!({"user": "alice", "client": "robot"}), 400, "service"),
        (json!({"user": "alice", "client": "app", "scope": "admin"}), 400, "scope: "),
        (json!({"user": "alice", "client": "app", "resource": ["https://other.example"]}), 400, "resource: "),
        (json!({"user": "alice", "client": "app", "auth_time": "yesterday"}), 400, "auth_time: "),
        (json!({"user": "alice", "client": "app", "devise": "x"}), 400, "did you mean device?"),
        (json!({"client": "app"}), 400, "user is missing"),
    ];
    for (body, status, words) in cases {
        let text = server.admin_post("/sessions", body.clone()).await.assert_error(status, "invalid_request");
        assert!(text.contains(words), "{body}: {text}");
    }
    server.admin_post("/users/alice/disable", Value::Null).await.assert_ok();
    server
        .admin_post("/sessions", json!({"user": "alice", "client": "app"}))
        .await
        .assert_error(409, "conflict");
    server.admin_post("/users/alice/enable", Value::Null).await.assert_ok();
    server.admin_post("/clients/app/disable", Value::Null).await.assert_ok();
    server
        .admin_post("/sessions", json!({"user": "alice", "client": "app"}))
        .await
        .assert_error(409, "conflict");
});

on_both!(the_end_by_reuse_is_explained, |server| {
    let pair = server.alice().await;
    let path = format!("/sessions/{}/explain", pair.sid);
    let alive = get(&server, &path).await.assert_ok();
    assert_eq!(alive.str("status"), "live");
    assert!(alive.str("verdict").starts_with("It is alive: "), "{}", alive.text);

    server.advance(Duration::from_secs(60));
    let second = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");
    server.advance(Duration::from_secs(37 * 60));
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    server.advance(Duration::from_secs(60));
    server.refresh("app", &second).await.assert_error(400, "invalid_grant");

    let told = get(&server, &path).await.assert_ok();
    assert_eq!(told.str("status"), "ended");
    assert!(told.str("verdict").contains("37 min after the last rotation"), "{}", told.text);
    assert!(told.str("verdict").contains("had been replaced was presented again"), "{}", told.text);
    let timeline = told.json()["timeline"].clone();
    let kinds: Vec<_> = timeline.as_array().unwrap().iter().map(|m| m["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.first(), Some(&"start"));
    assert!(kinds.contains(&"refresh") && kinds.contains(&"reuse") && kinds.contains(&"end"), "{kinds:?}");
    assert!(
        !told.text.contains("another than the time before"),
        "where it began is not known: {}",
        told.text
    );
    let times: Vec<_> = timeline.as_array().unwrap().iter().map(|m| m["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    for token in [&pair.refresh, &second, &pair.access] {
        assert!(!told.text.contains(&token[token.len() - 12..]), "no part of a token is told");
    }
    get(&server, "/sessions/nobody/explain").await.assert_error(404, "not_found");
    get(&server, "/sessions/0190a0a0-0000-7000-8000-000000000001").await.assert_error(404, "not_found");
});

on_both!(the_end_of_everything_is_explained, |server| {
    let pair = server.alice().await;
    server.advance(Duration::from_secs(5));
    server.admin_post("/revocations", json!({"target": "everything"})).await.assert_ok();
    let told = get(&server, &format!("/sessions/{}/explain", pair.sid)).await.assert_ok();
    assert_eq!(told.str("status"), "ended");
    assert!(told.str("verdict").contains("5 s after it began"), "{}", told.text);
});

on_both!(expiry_is_explained, |server| {
    let pair = server.alice().await;
    server.advance(Duration::from_secs(15 * 86400));
    let told = get(&server, &format!("/sessions/{}/explain", pair.sid)).await.assert_ok();
    assert_eq!(told.str("status"), "expired");
    assert!(told.str("verdict").contains("was not refreshed for 14 d"), "{}", told.text);
});

on_both!(every_target_can_be_previewed_and_ended, |server| {
    server.public_client("app").await;
    let mut position = 0;
    for target in ["session", "user", "client", "tenant", "everything"] {
        let name = format!("user-of-{target}");
        server.admin_post("/users", json!({"username": name, "tenant": "acme"})).await.assert_ok();
        let pair = server.session(&name, "app").await;
        let subject = match target {
            "session" => json!(pair.sid),
            "user" => json!(name),
            "client" => json!("app"),
            "tenant" => json!("acme"),
            _ => Value::Null,
        };
        let body = json!({"target": target, "subject": subject});
        let preview = server.admin_post("/revocations?preview=true", body.clone()).await.assert_ok();
        assert_eq!(preview.str("target"), target);
        assert_eq!(preview.json()["preview"], true);
        assert_eq!(preview.json()["sessions_ended"], 1, "{target}");
        let refreshed = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");

        let ended = server.admin_post("/revocations", body).await.assert_ok().json();
        assert_eq!(ended["sessions_ended"], 1, "{target}");
        assert!(ended["revocation_number"].as_u64().unwrap() > position, "{ended}");
        position = ended["revocation_number"].as_u64().unwrap();
        server.refresh("app", &refreshed).await.assert_error(400, "invalid_grant");
    }
    let entries = get(&server, "/revocations").await.assert_ok().json();
    assert_eq!(entries["items"].as_array().unwrap().len(), 5, "{entries}");
    let last = get(&server, &format!("/revocations?after={}", position - 1)).await.assert_ok().json();
    assert_eq!(last["items"][0]["target"], "everything");
});

on_both!(targets_that_make_no_sense_are_refused, |server| {
    let cases = [
        (json!({"target": "sesion", "subject": "x"}), 400),
        (json!({"target": "user"}), 400),
        (json!({"target": "everything", "subject": "x"}), 400),
        (json!({"target": "tenant", "subject": "a b"}), 400),
        (json!({"target": "token", "subject": "a b"}), 400),
        (json!({"target": "user", "subject": "nobody"}), 404),
        (json!({"target": "client", "subject": "nobody"}), 404),
        (json!({"target": "session", "subject": "nobody"}), 404),
    ];
    for (body, status) in cases {
        let answer = server.admin_post("/revocations", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
    assert_eq!(get(&server, "/revocations").await.json()["items"], json!([]));
});

on_both!(tokens_are_revoked_by_their_text, |server| {
    let pair = server.alice().await;
    let preview =
        server.admin_post("/tokens/revoke?preview=true", json!({"token": pair.access})).await.assert_ok();
    assert_eq!(preview.str("target"), "token");
    server.get_as("/api/profile", &pair.access).await.assert_ok();
    server.admin_post("/tokens/revoke", json!({"token": pair.access})).await.assert_ok();
    assert_eq!(server.get_as("/api/profile", &pair.access).await.status, 401);

    let next = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");
    let ended = server.admin_post("/tokens/revoke", json!({"token": pair.refresh})).await.assert_ok();
    assert_eq!((ended.str("target"), ended.str("subject")), ("session".to_owned(), pair.sid.clone()));
    server.refresh("app", &next).await.assert_error(400, "invalid_grant");
    let again = server.admin_post("/tokens/revoke", json!({"token": next})).await.assert_ok();
    assert_eq!(again.json()["sessions_ended"], 0);
    for token in ["", "x", "rft_AAAA", "oat_AAAA", "a.b.c"] {
        server.admin_post("/tokens/revoke", json!({"token": token})).await.assert_error(404, "not_found");
    }
});

on_both!(a_session_is_revoked_by_its_id, |server| {
    let pair = server.alice().await;
    let path = format!("/sessions/{}/revoke", pair.sid);
    let preview = server.admin_post(&format!("{path}?preview=true"), Value::Null).await.assert_ok();
    assert_eq!(preview.json()["sessions_ended"], 1);
    let ended = server.admin_post(&path, Value::Null).await.assert_ok().json();
    assert_eq!(ended["sessions_ended"], 1);
    let again = server.admin_post(&path, Value::Null).await.assert_ok();
    assert_eq!(again.json()["sessions_ended"], 0);
    assert_eq!(again.str("summary"), "ended nothing: it had ended before");
    let shown = get(&server, &format!("/sessions/{}", pair.sid)).await.json();
    assert_eq!((shown["status"].as_str(), shown["ended_reason"].as_str()), (Some("ended"), Some("operator")));
});
