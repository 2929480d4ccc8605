//! Revocation (RFC 7009) and the other ways of ending things.

use serde_json::json;

use crate::on_both;
use crate::support::{TestServer, basic};

async fn revoke(server: &TestServer, client: &str, token: &str) -> crate::support::Answer {
    server.form("/oauth/revoke", &[("client_id", client), ("token", token)]).await
}

on_both!(revoking_a_refresh_token_ends_the_session, |server| {
    let pair = server.alice().await;
    assert_eq!(revoke(&server, "app", &pair.refresh).await.status, 200);
    let text = server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    assert!(text.contains("the client revoked it"), "{text}");
    server.get_as("/api/profile", &pair.access).await.assert_error(401, "invalid_token");
    assert_eq!(revoke(&server, "app", &pair.refresh).await.status, 200);
});

on_both!(a_spent_token_still_names_its_session, |server| {
    let pair = server.alice().await;
    let r1 = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");
    assert_eq!(revoke(&server, "app", &pair.refresh).await.status, 200);
    server.refresh("app", &r1).await.assert_error(400, "invalid_grant");
});

on_both!(a_revoked_token_gets_no_window, |server| {
    let pair = server.alice().await;
    let r1 = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");
    revoke(&server, "app", &r1).await;
    for token in [&pair.refresh, &r1] {
        server.refresh("app", token).await.assert_error(400, "invalid_grant");
    }
});

on_both!(revoking_an_access_token_ends_that_token_only, |server| {
    let pair = server.alice().await;
    let answer = server.refresh("app", &pair.refresh).await.assert_ok();
    assert_eq!(revoke(&server, "app", &pair.access).await.status, 200);
    server.get_as("/api/profile", &pair.access).await.assert_error(401, "invalid_token");
    assert_eq!(server.get_as("/api/profile", &answer.str("access_token")).await.status, 200);
    server.refresh("app", &answer.str("refresh_token")).await.assert_ok();
});

on_both!(the_hint_does_not_matter_and_unknown_tokens_are_fine, |server| {
    let pair = server.alice().await;
    for token in ["nonsense", "rft_AAAA", "oat_AAAA", "a.b.c"] {
        assert_eq!(revoke(&server, "app", token).await.status, 200);
    }
    let pairs = [("client_id", "app"), ("token", pair.refresh.as_str()), ("token_type_hint", "access_token")];
    assert_eq!(server.form("/oauth/revoke", &pairs).await.status, 200);
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
});

on_both!(another_clients_token_is_refused_and_lives_on, |server| {
    let pair = server.alice().await;
    server.public_client("other").await;
    for token in [&pair.refresh, &pair.access] {
        revoke(&server, "other", token).await.assert_error(400, "invalid_grant");
    }
    assert_eq!(server.get_as("/api/profile", &pair.access).await.status, 200);
    server.refresh("app", &pair.refresh).await.assert_ok();
});

on_both!(a_confidential_client_must_authenticate, |server| {
    server.user("alice").await;
    let more = json!({"kind": "web", "redirect_uris": ["https://app.example/callback"]});
    let secret = server.confidential_client("web", more).await;
    let pair = server.session("alice", "web").await;
    revoke(&server, "web", &pair.refresh).await.assert_error(401, "invalid_client");
    let headers = [("authorization", basic("web", &secret))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    assert_eq!(server.form_with("/oauth/revoke", &[("token", &pair.refresh)], &headers).await.status, 200);
    server.form("/oauth/revoke", &[("client_id", "web")]).await.assert_error(400, "invalid_request");
});

on_both!(a_leaked_token_is_ended_by_whoever_finds_it, |server| {
    let pair = server.alice().await;
    let other = server.session("alice", "app").await;
    let garbage = server.form("/leaked-tokens", &[("token", "rft_nonsense")]).await;
    let real = server.form("/leaked-tokens", &[("token", &pair.refresh)]).await;
    assert_eq!((garbage.status, &garbage.text), (real.status, &real.text));
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    assert_eq!(server.form("/leaked-tokens", &[("token", &other.access)]).await.status, 200);
    server.refresh("app", &other.refresh).await.assert_error(400, "invalid_grant");
});

on_both!(each_scope_of_revocation_ends_what_it_names, |server| {
    server.admin_post("/users", json!({"username": "bob", "tenant": "acme"})).await.assert_ok();
    server.alice().await;
    server.public_client("other").await;
    for (target, subject) in [("client", "app"), ("tenant", "acme"), ("everything", "")] {
        let alice = server.session("alice", "app").await;
        let bob = server.session("bob", "app").await;
        let elsewhere = server.session("alice", "other").await;
        let mut body = json!({"target": target});
        if !subject.is_empty() {
            body["subject"] = json!(subject);
        }
        let preview = server.admin_post("/revocations?preview=true", body.clone()).await.assert_ok().json();
        assert_eq!(server.refresh("app", &alice.refresh).await.status, 200, "a preview changed something");
        let receipt = server.admin_post("/revocations", body).await.assert_ok().json();
        assert_eq!(preview["sessions_ended"], receipt["sessions_ended"]);
        let ended = |name: &str| match target {
            "client" => name != "elsewhere",
            "tenant" => name == "bob",
            _ => true,
        };
        for (name, pair, client) in
            [("alice", &alice, "app"), ("bob", &bob, "app"), ("elsewhere", &elsewhere, "other")]
        {
            let api = server.get_as("/api/profile", &pair.access).await.status;
            assert_eq!(api == 401, ended(name), "{target}: the access token of {name}");
            if name != "alice" {
                let refresh = server.refresh(client, &pair.refresh).await.status;
                assert_eq!(refresh == 400, ended(name), "{target}: the refresh token of {name}");
            }
        }
        // What is made afterwards lives.
        let fresh = server.session("bob", "app").await;
        assert_eq!(server.get_as("/api/profile", &fresh.access).await.status, 200);
        server.refresh("app", &fresh.refresh).await.assert_ok();
    }
});
