//! `docs/endings.md`, its first table: what happens to a person, and to the browsers.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::endings_scene::{PAGE, Place, Scene};
use crate::relying::{PASSWORD, request_with};
use crate::row;
use crate::second_factor::{LATER, add_app, code};

/// A row that nothing tries is a row that may be wrong.
#[test]
fn every_row_has_its_test() {
    let tests = [include_str!("endings_table.rs"), include_str!("endings_sessions.rs")].concat();
    let rows = PAGE.lines().filter(|line| line.starts_with("| ") && line.split('|').count() == 10);
    let rows: Vec<_> = rows.filter_map(|line| line.split('|').nth(1)).map(str::trim).collect();
    let rows: Vec<_> = rows.into_iter().filter(|row| !matches!(*row, "event" | "---")).collect();
    assert!(rows.len() > 30, "the tables were not read");
    let missing: Vec<_> = rows.iter().filter(|row| !tests.contains(&format!("{row:?}"))).collect();
    assert!(missing.is_empty(), "docs/endings.md has rows that nothing tries: {missing:?}");
}

/// The ids of alice's browser sessions, the newest first.
async fn browsers(scene: &Scene<'_>) -> Vec<String> {
    let app = &scene.server.app;
    let all = app.store.browser_sessions(scene.user.parse().unwrap(), app.clock.now()).await.unwrap();
    all.iter().map(|standing| standing.session.id.to_string()).collect()
}

/// Alice has an authenticator app, and all her browsers and sessions are from after that.
async fn with_app(scene: &mut Scene<'_>) {
    let server = scene.server;
    let page = scene.here.open("/account").await.page_at("/account");
    let (app, _) = add_app(server, &mut scene.here, &page).await;
    server.advance(LATER);
    let page = scene.elsewhere.open("/account").await.page_at("/signin");
    let page = scene.elsewhere.sign_in(&page, "alice", PASSWORD).await.page_at("/signin/factor");
    let fresh = code(&app, server.app.clock.now());
    scene.elsewhere.submit(&page, &[("code", &fresh), ("action", "verify")]).await.page_at("/account");
    scene.restart_all_but(0).await;
}

/// Alice signs in once more in the browser that is here.
async fn sign_in_again(scene: &mut Scene<'_>, name: &str, more: &[(&str, &str)]) {
    let page = scene.here.ask(&request_with(&[("prompt", "select_account")])).await.page_at("/signin");
    let mut typed = vec![("username", name), ("password", PASSWORD), ("action", "sign_in")];
    typed.extend_from_slice(more);
    scene.here.submit(&page, &typed).await;
}

async fn operator(scene: &mut Scene<'_>, verb: &str, body: Value) {
    scene.operator(Method::POST, &format!("/users/alice/{verb}"), body).await;
}

row!(signing_out, "the person signs out (`/oauth/logout`)", |scene| {
    let page = scene.here.open("/oauth/logout").await.page_at("/oauth/logout");
    scene.here.submit(&page, &[("action", "yes")]).await.page();
});

row!(an_id_token_names_a_session, "an application signs the person out with an ID token", |scene| {
    let kept = scene.sessions.iter().find(|s| s.place == Place::Here && s.offline).unwrap();
    let path = format!("/oauth/logout?id_token_hint={}", kept.id_token);
    scene.here.open(&path).await.page_at("/oauth/logout");
});

row!(this_browser, "the person ends this browser on the account page", |scene| {
    let id = browsers(scene).await.pop().unwrap();
    scene.account("/account/browsers/end", &[("id", &id)]).await;
});

row!(another_browser, "the person ends another browser on the account page", |scene| {
    let id = browsers(scene).await.remove(0);
    scene.account("/account/browsers/end", &[("id", &id)]).await;
});

row!(all_others, "the person ends all others on the account page", |scene| scene
    .account("/account/end-others", &[])
    .await);

row!(everywhere, "an operator signs the person out everywhere (`user sign-out`)", |scene| operator(
    scene,
    "sign-out",
    Value::Null
)
.await);

row!(own_password, "the person changes the password", |scene| {
    let fields = [("current_password", PASSWORD), ("new_password", "another correct horse battery")];
    scene.account("/account/password", &fields).await;
});

row!(set_password, "an operator sets the password", |scene| {
    operator(scene, "password", json!({"password": "another correct horse battery"})).await;
});

row!(factor_added, "the person adds a second factor", |scene| {
    let page = scene.here.open("/account").await.page_at("/account");
    add_app(scene.server, &mut scene.here, &page).await;
});

row!(factor_removed, "the person removes a second factor", |scene| {
    with_app(scene).await;
    scene.account("/account/totp/remove", &[]).await;
});

row!(recovery_codes, "the person makes new recovery codes", |scene| {
    scene.account("/account/recovery-codes", &[]).await;
});

row!(factors_reset, "an operator resets the factors (`user reset-factors`)", |scene| {
    with_app(scene).await;
    operator(scene, "reset-factors", Value::Null).await;
});

row!(address, "an operator changes the e-mail address", |scene| {
    scene.operator(Method::PATCH, "/users/alice", json!({"email": "a@home.example"})).await;
});

row!(claims, "an operator changes other claims of the person", |scene| {
    scene.operator(Method::PATCH, "/users/alice", json!({"claims": {"name": "Alice"}})).await;
});

row!(role_taken, "an operator takes a role away", |scene| {
    operator(scene, "roles", json!({"roles": ["reader"]})).await;
});

row!(role_given, "an operator adds a role", |scene| {
    operator(scene, "roles", json!({"roles": ["reader", "writer", "admin"]})).await;
});

row!(disabled, "the user is disabled", |scene| {
    operator(scene, "disable", Value::Null).await;
});

row!(enabled_again, "the user is disabled, and enabled again", |scene| {
    operator(scene, "disable", Value::Null).await;
    operator(scene, "enable", Value::Null).await;
});

row!(removed, "the user is removed", |scene| {
    scene.operator(Method::DELETE, "/users/alice", Value::Null).await;
});

row!(somebody_else, "somebody else signs in in this browser", |scene| {
    scene.server.person("carol").await;
    sign_in_again(scene, "carol", &[]).await;
});

row!(the_same_person, "the person signs in again in this browser", |scene| {
    sign_in_again(scene, "alice", &[]).await;
});

row!(the_same_person_to_stay, "the same, with another answer to \"stay signed in\"", |scene| sign_in_again(
    scene,
    "alice",
    &[("remember", "1")]
)
.await);

row!(idle, "this browser was not used for `sign_in.idle`", [("sign_in.idle", "5m")], |scene| {
    scene.server.advance(Duration::from_secs(4 * 60));
    scene.elsewhere.open("/account").await.page_at("/account");
    scene.server.advance(Duration::from_secs(2 * 60));
});

row!(
    absolute,
    "this browser reached `sign_in.absolute`",
    [("sign_in.idle", "5m"), ("sign_in.absolute", "5m")],
    |scene| {
        scene.server.advance(Duration::from_secs(3 * 60));
        scene.elsewhere.cookies.clear();
        let page = scene.elsewhere.open("/account").await.page_at("/signin");
        scene.elsewhere.sign_in(&page, "alice", PASSWORD).await.page_at("/account");
        scene.here.open("/account").await.page_at("/account");
        scene.begin().await;
        scene.server.advance(Duration::from_secs(3 * 60));
    }
);

row!(tenant, "everything of the tenant is revoked (`revoke tenant`)", |scene| {
    let body = json!({"target": "tenant", "subject": "acme"});
    scene.operator(Method::POST, "/revocations", body).await;
});

row!(everything, "everything is revoked (`revoke everything`)", |scene| {
    scene.bob = scene.sessions[0].clone();
    scene.operator(Method::POST, "/revocations", json!({"target": "everything"})).await;
});
