//! Lists, their filters and cursors; keys and events.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::on_both;
use crate::support::{Answer, TestServer};

async fn get(server: &TestServer, path: &str) -> Answer {
    server.admin(Method::GET, path, Value::Null).await
}

/// A member of every item of a list, followed by its cursors.
async fn all(server: &TestServer, path: &str, member: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = get(server, &format!("{path}{cursor}")).await.assert_ok().json();
        let items = page["items"].as_array().unwrap();
        found.extend(
            items.iter().map(|item| item[member].as_str().map_or(item[member].to_string(), str::to_owned)),
        );
        let Some(next) = page["next_cursor"].as_str() else { return found };
        assert!(!items.is_empty(), "a page with a cursor has items");
        cursor = format!("&cursor={next}");
    }
}

on_both!(lists_are_paged_without_gaps_or_repeats, |server| {
    for i in 0..5 {
        server.public_client(&format!("app{i}")).await;
        server.user(&format!("user{i}")).await;
        server.advance(Duration::from_millis(5));
        server.session(&format!("user{i}"), "app0").await;
    }
    for limit in [1, 2, 5, 500] {
        let clients = all(&server, &format!("/clients?limit={limit}"), "client_id").await;
        assert_eq!(clients, ["app0", "app1", "app2", "app3", "app4"], "{limit}");
        let users = all(&server, &format!("/users?limit={limit}"), "username").await;
        assert_eq!(users, ["user0", "user1", "user2", "user3", "user4"], "{limit}");
        let sessions = all(&server, &format!("/sessions?limit={limit}"), "username").await;
        assert_eq!(sessions, ["user4", "user3", "user2", "user1", "user0"], "newest first");
        let events = all(&server, &format!("/events?kind=start&limit={limit}"), "number").await;
        assert_eq!(events.len(), 5, "{events:?}");
    }
    for i in 0..5 {
        server
            .admin_post("/revocations", json!({"target": "token", "subject": format!("jti{i}")}))
            .await
            .assert_ok();
    }
    for limit in [1, 2, 5] {
        let revocations = all(&server, &format!("/revocations?limit={limit}"), "subject").await;
        assert_eq!(revocations, ["jti0", "jti1", "jti2", "jti3", "jti4"]);
    }
});

on_both!(filters_are_kept, |server| {
    for (name, tenant) in [("ana", "acme"), ("Anatol", "acme"), ("bob", "other")] {
        server.admin_post("/users", json!({"username": name, "tenant": tenant})).await.assert_ok();
    }
    server.public_client("app").await;
    server.public_client("other-app").await;
    server
        .admin_post("/clients", json!({"id": "acme-app", "kind": "spa", "tenant": "acme"}))
        .await
        .assert_ok();
    let ana = server.session("ana", "app").await;
    server.session("bob", "app").await;
    server.advance(Duration::from_millis(5));
    server.session("bob", "other-app").await;
    server.admin_post("/users/bob/disable", Value::Null).await.assert_ok();
    server.admin_post("/clients/other-app/disable", Value::Null).await.assert_ok();

    for (path, member, expected) in [
        ("/users?tenant=acme", "username", &["ana", "Anatol"][..]),
        ("/users?name=ANA", "username", &["ana", "Anatol"]),
        ("/users?name=anat", "username", &["Anatol"]),
        ("/users?enabled=false", "username", &["bob"]),
        ("/users?enabled=true&tenant=other", "username", &[]),
        ("/clients?tenant=acme", "client_id", &["acme-app"]),
        ("/clients?enabled=false", "client_id", &["other-app"]),
        ("/clients?enabled=true", "client_id", &["acme-app", "app"]),
        ("/sessions?user=bob", "client_id", &["other-app", "app"]),
        ("/sessions?user=BOB&client=app", "client_id", &["app"]),
        ("/sessions?live=true", "username", &["ana"]),
        ("/sessions?live=false&client=app", "username", &["bob"]),
        ("/events?kind=start&user=ana", "client_id", &["app"]),
        ("/events?kind=start&client=app&user=bob", "client_id", &["app"]),
    ] {
        assert_eq!(all(&server, path, member).await, expected, "{path}");
    }
    let events = all(&server, &format!("/events?session={}", ana.sid), "kind").await;
    assert_eq!(events, ["start"]);
    for path in ["/sessions?user=nobody", "/events?user=nobody"] {
        get(&server, path).await.assert_error(404, "not_found");
    }
});

on_both!(forged_cursors_and_unknown_parameters_are_refused, |server| {
    for i in 0..3 {
        server.public_client(&format!("app{i}")).await;
    }
    let cursor = get(&server, "/clients?limit=1").await.json()["next_cursor"].as_str().unwrap().to_owned();
    get(&server, &format!("/clients?cursor={cursor}")).await.assert_ok();
    let mut edited = cursor.clone().into_bytes();
    edited[0] = if edited[0] == b'A' { b'B' } else { b'A' };
    let edited = String::from_utf8(edited).unwrap();
    for path in [
        format!("/clients?cursor={edited}"),
        format!("/clients?cursor={}", &cursor[1..]),
        "/clients?cursor=app1".to_owned(),
        "/clients?cursor=".to_owned(),
        format!("/clients?cursor={}", "A".repeat(5000)),
        format!("/users?cursor={cursor}"),
        format!("/revocations?cursor={cursor}&after=1"),
        "/clients?limit=0".to_owned(),
        "/clients?limit=501".to_owned(),
        "/clients?limit=-1".to_owned(),
        "/clients?limit=1&limit=2".to_owned(),
        "/clients?enabled=yes".to_owned(),
        "/events?kind=nonsense".to_owned(),
        "/events?session=nonsense".to_owned(),
        "/sessions?client=a%20b".to_owned(),
        "/status?verbose=true".to_owned(),
    ] {
        get(&server, &path).await.assert_error(400, "invalid_request");
    }
    let text = get(&server, "/clients?enable=true").await.assert_error(400, "invalid_request");
    assert!(text.contains("did you mean enabled?"), "{text}");
});

on_both!(keys_are_listed_and_rotated, |server| {
    let keys = get(&server, "/keys").await.assert_ok();
    let count = keys.json()["items"].as_array().unwrap().len();
    assert!(
        keys.json()["items"].as_array().unwrap().iter().all(|key| key["state"] == "active"),
        "{}",
        keys.text
    );
    assert!(!keys.text.contains("sealed"));

    let made = server.admin_post("/keys/rotate", json!({"purpose": "sign-ES256"})).await.assert_ok().json();
    assert_eq!(made["items"].as_array().unwrap().len(), 1);
    assert_eq!(made["items"][0]["state"], "next");
    let status = get(&server, "/status").await.assert_ok().json();
    assert_eq!(status["keys"], json!({"next": 1, "active": count, "retiring": 0}));
    assert_eq!(status["issuer"], "https://auth.example");

    let made = server.admin_post("/keys/rotate", json!({"immediately": true})).await.assert_ok().json();
    for key in made["items"].as_array().unwrap() {
        // The keys of a ring wait until every node knows them.
        let signs = key["purpose"].as_str().unwrap().starts_with("sign-");
        assert_eq!(key["state"], if signs { "active" } else { "next" }, "{key}");
    }
    assert_eq!(made["items"].as_array().unwrap().len(), count - 1, "the internal key stays");
    let events = get(&server, "/events?kind=admin").await.assert_ok();
    assert!(events.text.contains("an operator made key sign-ES256 number 2"), "{}", events.text);

    for body in [json!({"purpose": "internal"}), json!({"purpose": "signing"}), json!({"imediately": true})] {
        server.admin_post("/keys/rotate", body).await.assert_error(400, "invalid_request");
    }
});

on_both!(changes_leave_events_without_secrets, |server| {
    let secret = server.confidential_client("robot", json!({})).await;
    server.admin_post("/users", json!({"username": "ana", "password": "correct horse"})).await.assert_ok();
    server.admin_post("/clients/robot/rotate-secret", Value::Null).await.assert_ok();
    server.admin(Method::PATCH, "/clients/robot", json!({"scope": "read"})).await.assert_ok();
    let events = get(&server, "/events?kind=admin&limit=500").await.assert_ok();
    for detail in [
        "the client was added",
        "the user was added",
        "a new client secret was made",
        "the client was changed",
    ] {
        assert!(events.text.contains(detail), "{detail}: {}", events.text);
    }
    assert!(!events.text.contains("correct horse") && !events.text.contains(&secret[..12]));
});
