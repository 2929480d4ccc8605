//! `docs/endings.md`, its second table: what happens to one session, or to a client.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::endings_scene::{Place, Scene};
use crate::row;

/// Some time passes, and but for the first all sessions are from then.
async fn age(scene: &mut Scene<'_>) {
    scene.server.advance(Duration::from_secs(60));
    scene.restart_all_but(1).await;
    scene.server.advance(Duration::from_secs(70));
}

row!(on_the_account_page, "the person ends it on the account page", |scene| {
    let sid = scene.target().sid.clone();
    scene.account("/account/sessions/end", &[("id", &sid)]).await;
});

row!(refresh_token_revoked, "the client revokes its refresh token (RFC 7009)", |scene| {
    let pairs = [("token", scene.target().refresh.as_str())];
    scene.as_client("shop", "/oauth/revoke", &pairs).await.assert_ok();
});

row!(access_token_revoked, "the client revokes one of its access tokens (RFC 7009)", |scene| {
    let pairs = [("token", scene.target().access.as_str())];
    scene.as_client("shop", "/oauth/revoke", &pairs).await.assert_ok();
});

row!(by_an_operator, "an operator revokes it (`session revoke`)", |scene| {
    let path = format!("/sessions/{}/revoke", scene.target().sid);
    scene.operator(Method::POST, &path, Value::Null).await;
});

row!(handed_in, "somebody hands one of its tokens in (`/leaked-tokens`)", |scene| {
    let token = scene.target().access.clone();
    scene.server.form("/leaked-tokens", &[("token", &token)]).await.assert_ok();
});

row!(reuse, "a spent refresh token of it is used again", |scene| {
    let first = scene.target().clone();
    let answer = scene.refresh(&first).await.assert_ok();
    scene.server.advance(Duration::from_secs(60));
    scene.refresh(&first).await.assert_error(400, "invalid_grant");
    scene.sessions[0].refresh = answer.str("refresh_token");
});

row!(code_replay, "its code is used again", |scene| {
    let code = scene.target().code.clone();
    scene.exchange("shop", &code).await.assert_error(400, "invalid_grant");
});

row!(too_many, "it is the oldest of more than `sessions_per_user`", [("sessions_per_user", "6")], |scene| {
    scene.start_one(Place::Elsewhere, "mail", true).await;
});

row!(idle, "it was not used for its idle lifetime", [("lifetimes.web.idle", "2m")], |scene| age(scene).await);

row!(
    absolute,
    "it reached its longest lifetime",
    [("lifetimes.web.idle", "2m"), ("lifetimes.web.absolute", "2m")],
    |scene| age(scene).await
);

row!(consent, "the person takes the consent back", |scene| {
    scene.account("/account/permissions/withdraw", &[("id", "shop")]).await;
});

row!(secret, "the client gets a new secret (`client rotate-secret`)", |scene| {
    scene.operator(Method::POST, "/clients/shop/rotate-secret", Value::Null).await;
});

row!(disabled, "the client is disabled", |scene| {
    scene.operator(Method::POST, "/clients/shop/disable", Value::Null).await;
});

row!(enabled_again, "the client is disabled, and enabled again", |scene| {
    scene.operator(Method::POST, "/clients/shop/disable", Value::Null).await;
    scene.operator(Method::POST, "/clients/shop/enable", Value::Null).await;
});

row!(removed, "the client is removed", |scene| {
    scene.operator(Method::DELETE, "/clients/shop", Value::Null).await;
});

row!(revoked, "everything of the client is revoked (`revoke client`)", |scene| {
    let body = json!({"target": "client", "subject": "shop"});
    scene.operator(Method::POST, "/revocations", body).await;
});
