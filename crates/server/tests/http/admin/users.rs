//! `/users`.

use std::time::Duration;

use countersign::store::{BrowserStanding, Factor, FactorKind, NewBrowserSession, NewPlace, UserChange};
use countersign_wire::{BrowserSessionId, UserId};
use http::Method;
use serde_json::{Value, json};

use crate::on_both;
use crate::support::TestServer;

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
        let mut shown = shown.json();
        let members = shown.as_object_mut().unwrap();
        for has in ["factors", "browser_sessions", "consents"] {
            assert_eq!(members.remove(has), Some(json!([])), "{has}");
        }
        assert_eq!(shown, user, "{reference}");
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

on_both!(claims_are_added_changed_and_taken_away, |server| {
    let claims = json!({"name": "Ana Berg", "address": {"country": "DE"}});
    let body =
        json!({"username": "ana", "email": "ana@example.com", "email_verified": true, "claims": claims});
    let added = server.admin_post("/users", body).await.assert_ok().json();
    assert_eq!((&added["claims"], &added["email_verified"]), (&claims, &json!(true)));
    server.public_client("app").await;
    let pair = server.session("ana", "app").await;

    server.advance(Duration::from_secs(60));
    let change = async |body: Value| server.admin(Method::PATCH, "/users/ana", body).await;
    let answer = change(json!({"claims": {"nickname": "an", "address": null}})).await.assert_ok().json();
    assert_eq!(answer["receipt"], Value::Null, "claims end nothing");
    assert_eq!(answer["user"]["claims"], json!({"name": "Ana Berg", "nickname": "an"}));
    assert_eq!(answer["user"]["updated_at"], "2027-01-15T08:01:00Z");
    assert_eq!(answer["user"]["email_verified"], true, "what is not named stays");

    server.advance(Duration::from_secs(60));
    let same = change(json!({"claims": {"nickname": "an"}, "email": "ana@example.com"})).await.assert_ok();
    assert_eq!(same.json()["user"], answer["user"], "what changes nothing is no update");

    for (body, member) in [
        (json!({"claims": {"shoe_size": "42"}}), "claims.shoe_size: is not known"),
        (json!({"claims": {"name": 1}}), "claims.name: must be a text"),
        (json!({"email": "ana"}), "email: must have one @"),
        (json!({"email": null, "email_verified": true}), "email_verified: there is no"),
    ] {
        let text = change(body).await.assert_error(400, "invalid_request");
        assert!(text.contains(member), "{text}");
    }

    let preview =
        server.admin(Method::PATCH, "/users/ana?preview=true", json!({"email": "a@home.example"})).await;
    let preview = preview.assert_ok().json();
    assert_eq!(preview["receipt"]["sessions_ended"], 1);
    assert_eq!(preview["user"]["email"], "ana@example.com", "a preview changes nothing");
    let answer = change(json!({"email": "a@home.example"})).await.assert_ok().json();
    assert_eq!(answer["receipt"]["sessions_ended"], 1);
    assert_eq!((&answer["user"]["email_verified"], &answer["user"]["stamp"]), (&json!(false), &json!(2)));
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    let answer = change(json!({"email": null})).await.assert_ok().json();
    assert_eq!(answer["user"]["email"], Value::Null);
});

on_both!(what_a_user_has_is_shown_and_signing_out_ends_it_in_browsers_too, |server| {
    let id: UserId = server.user("ana").await.parse().unwrap();
    server.public_client("app").await;
    let browser = browser_session(&server, id, 1).await;
    assert!(browser.is_live(server.app.clock.now()));
    let scope = "read".parse().unwrap();
    server
        .app
        .store
        .grant_consent(id, &"app".parse().unwrap(), &scope, server.app.clock.now())
        .await
        .unwrap();

    let shown = server.admin(Method::GET, "/users/ana", Value::Null).await.assert_ok().json();
    let session = &shown["browser_sessions"][0];
    assert_eq!(session["browser_session_id"], browser.session.id.to_string());
    assert_eq!((&session["device"], &session["network"]), (&json!("Firefox"), &json!("192.0.2.0/24")));
    assert_eq!((&session["created_at"], &session["seen_at"]), (&shown["created_at"], &shown["created_at"]));
    assert_eq!(shown["consents"][0]["client_id"], "app");
    assert_eq!(shown["consents"][0]["scope"], "read");

    server.admin_post("/users/ana/sign-out", Value::Null).await.assert_ok();
    let after = server.app.store.browser_session(&browser.session.secret_hash).await.unwrap().unwrap();
    assert!(!after.is_live(server.app.clock.now()));
    let shown = server.admin(Method::GET, "/users/ana", Value::Null).await.assert_ok().json();
    assert_eq!(shown["browser_sessions"], json!([]));
    assert_eq!(shown["consents"][0]["client_id"], "app", "what the person allowed stays allowed");
});

on_both!(whoever_lost_everything_is_let_in_without_factors, |server| {
    let id: UserId = server.user("ana").await.parse().unwrap();
    server.public_client("app").await;
    let none = server.admin_post("/users/ana/reset-factors", Value::Null).await.assert_ok().json();
    assert_eq!((&none["factors_removed"], &none["receipt"]), (&json!(0), &Value::Null));
    assert_eq!(none["user"]["stamp"], 1, "nothing was changed");

    let now = server.app.clock.now();
    let factor = |number: u128, kind, label: &str| Factor {
        id: uuid::Uuid::from_u128(number),
        user: id,
        kind,
        label: label.to_owned(),
        created_at: now,
        used_at: None,
        counter: 0,
        body: "never-shown".to_owned(),
    };
    let factors = vec![
        factor(1, FactorKind::Passkey, "Key on the desk"),
        factor(2, FactorKind::Recovery, "1"),
        factor(3, FactorKind::Recovery, "2"),
    ];
    let until = now.plus(Duration::from_secs(60));
    server.app.store.change_user(id, &UserChange::AddFactors(factors), now, until).await.unwrap();
    let shown = server.admin(Method::GET, "/users/ana", Value::Null).await.assert_ok();
    assert!(!shown.text.contains("never-shown"));
    assert_eq!(shown.json()["factors"].as_array().unwrap().len(), 3);
    assert_eq!(shown.json()["factors"][0]["label"], "Key on the desk");
    assert_eq!(shown.json()["factors"][0]["kind"], "passkey");

    let pair = server.session("ana", "app").await;
    let browser = browser_session(&server, id, 2).await;
    let preview = server.admin_post("/users/ana/reset-factors?preview=true", Value::Null).await;
    let preview = preview.assert_ok().json();
    assert_eq!((&preview["factors_removed"], &preview["receipt"]["sessions_ended"]), (&json!(3), &json!(1)));
    assert_eq!(server.app.store.factors(id).await.unwrap().len(), 3);

    let answer = server.admin_post("/users/ana/reset-factors", Value::Null).await.assert_ok().json();
    assert_eq!((&answer["factors_removed"], &answer["receipt"]["sessions_ended"]), (&json!(3), &json!(1)));
    assert_eq!(server.app.store.factors(id).await.unwrap(), Vec::new());
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    let after = server.app.store.browser_session(&browser.session.secret_hash).await.unwrap().unwrap();
    assert!(!after.is_live(server.app.clock.now()));
});

on_both!(a_removed_user_is_gone_with_everything, |server| {
    let pair = server.alice().await;
    let preview = server.admin(Method::DELETE, "/users/alice?preview=true", Value::Null).await;
    assert_eq!(preview.assert_ok().json()["sessions_ended"], 1);
    let answer = server.admin(Method::DELETE, "/users/alice", Value::Null).await.assert_ok().json();
    assert_eq!((&answer["target"], &answer["sessions_ended"]), (&json!("user"), &json!(1)));
    assert!(answer["revocation_number"].is_u64(), "{answer}");
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    server.admin(Method::GET, "/users/alice", Value::Null).await.assert_error(404, "not_found");
    server.admin(Method::DELETE, "/users/alice", Value::Null).await.assert_error(404, "not_found");

    let again = server.user("alice").await;
    assert_ne!(answer["subject"], again, "the name is free, and whoever gets it is somebody else");
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
});

/// A browser session of a user, as signing in starts one.
async fn browser_session(server: &TestServer, user: UserId, user_stamp: u64) -> BrowserStanding {
    let new = NewBrowserSession {
        id: BrowserSessionId(uuid::Uuid::from_u128(u128::from(user_stamp))),
        user,
        secret_hash: [7; 32],
        user_stamp,
        remember: false,
        acr: "1".to_owned(),
        amr: vec!["pwd".to_owned()],
        idle_lifetime: Duration::from_secs(600),
        absolute_lifetime: Duration::from_secs(600),
        network: Some("192.0.2.0/24".to_owned()),
        agent: Some("Firefox".to_owned()),
        place: NewPlace { device: String::new(), asks: false },
        now: server.app.clock.now(),
    };
    server.app.store.start_browser_session(&new).await.unwrap().unwrap()
}
