//! `/users`.

use http::Method;
use serde_json::{Value, json};

use crate::on_both;

on_both!(a_user_is_added_and_found_by_id_and_by_name, |server| {
    let body = json!({"username": "Zo\u{eb} Example", "email": "zoe@example.com", "password": "correct horse",
        "tenant": "acme", "roles": ["writer", "admin", "writer"]});
    let added = server.admin_post("/users", body).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let user = added.json();
    assert_eq!(user["username"], "Zo\u{eb} Example");
    assert_eq!(user["roles"], json!(["admin", "writer"]));
    assert_eq!(user["has_password"], true);
    let id = added.str("user_id");
    for reference in [&id, "Zo%C3%AB%20Example", "ZO%C3%8B%20EXAMPLE", "zoe%CC%88%20example"] {
        let shown = server.admin(Method::GET, &format!("/users/{reference}"), Value::Null).await.assert_ok();
        assert_eq!(shown.json(), user, "{reference}");
    }
    let taken = server.admin_post("/users", json!({"username": " zo\u{eb} EXAMPLE "})).await;
    taken.assert_error(409, "conflict");
    server.admin(Method::GET, "/users/nobody", Value::Null).await.assert_error(404, "not_found");
    server.admin_post("/users", json!({"username": "a/b"})).await.assert_ok();
    server.admin(Method::GET, "/users/a%2Fb", Value::Null).await.assert_ok();
});

on_both!(what_is_wrong_with_a_user_is_told_at_once, |server| {
    let body = json!({"username": "", "email": "x", "tenant": "a b", "roles": [""]});
    let text = server.admin_post("/users", body).await.assert_error(400, "invalid_request");
    for member in ["username: ", "email: ", "tenant: ", "roles: "] {
        assert!(text.contains(member), "{text}");
    }
    for password in ["short", &"x".repeat(1025)] {
        let answer = server.admin_post("/users", json!({"username": "ana", "password": password})).await;
        let text = answer.assert_error(400, "invalid_request");
        assert!(text.contains("8 characters") && text.contains("1024 bytes"), "{text}");
        assert!(!text.contains(password));
    }
    let text = server.admin_post("/users", json!({"username": "ana", "password": 12345678})).await;
    let text = text.assert_error(400, "invalid_request");
    assert!(!text.contains("12345678"), "values are not repeated: {text}");
    let text = server.admin_post("/users", json!({"username": "ana", "pasword": "correct horse"})).await;
    assert!(text.assert_error(400, "invalid_request").contains("did you mean password?"));
    server.admin(Method::GET, "/users/ana", Value::Null).await.assert_error(404, "not_found");
});

on_both!(every_change_that_must_end_sessions_does, |server| {
    server.public_client("app").await;
    let cases = [
        ("disable", Value::Null, "user was disabled"),
        ("sign-out", Value::Null, "signed out everywhere"),
        ("password", json!({"password": "battery staple"}), "password was changed"),
        ("roles", json!({"roles": ["reader"]}), "a role was taken"),
    ];
    for (i, (verb, body, why)) in cases.into_iter().enumerate() {
        let name = format!("user{i}");
        server
            .admin_post("/users", json!({"username": name, "roles": ["reader", "writer"]}))
            .await
            .assert_ok();
        let pair = server.session(&name, "app").await;

        let preview = server.admin_post(&format!("/users/{name}/{verb}?preview=true"), body.clone()).await;
        let preview = preview.assert_ok().json();
        assert_eq!(preview["receipt"]["preview"], true, "{verb}");
        assert_eq!(preview["receipt"]["sessions_ended"], 1, "{verb}");
        assert_eq!(preview["user"]["enabled"], true, "{verb}");
        let refreshed = server.refresh("app", &pair.refresh).await.assert_ok();

        let answer = server.admin_post(&format!("/users/{name}/{verb}"), body).await.assert_ok().json();
        assert_eq!(answer["receipt"]["sessions_ended"], 1, "{verb}");
        assert!(answer["receipt"]["summary"].as_str().unwrap().starts_with("ended 1 session; "));
        assert_eq!(answer["user"]["stamp"], 2, "{verb}");
        server.admin_post(&format!("/users/{name}/enable"), Value::Null).await.assert_ok();
        let token = refreshed.str("refresh_token");
        server.refresh("app", &token).await.assert_error(400, "invalid_grant");
        let access = refreshed.str("access_token");
        assert!(!server.get_as("/api/profile", &access).await.status.is_success(), "{verb}");

        let told = server.admin(Method::GET, &format!("/sessions/{}/explain", pair.sid), Value::Null).await;
        assert!(told.str("verdict").contains(why), "{verb}: {}", told.text);
        assert_eq!(told.str("status"), "ended");
    }
});

on_both!(more_roles_and_enabling_end_nothing, |server| {
    let pair = server.alice().await;
    let answer =
        server.admin_post("/users/alice/roles", json!({"roles": ["reader"]})).await.assert_ok().json();
    assert_eq!(answer["receipt"], Value::Null);
    assert_eq!(answer["user"]["roles"], json!(["reader"]));
    let answer = server.admin_post("/users/alice/enable", Value::Null).await.assert_ok().json();
    assert_eq!(answer["receipt"], Value::Null);
    server.refresh("app", &pair.refresh).await.assert_ok();
});
