//! The decision table of a presented refresh token, row by row.

use std::time::Duration;

use serde_json::json;

use crate::on_both;
use crate::support::{AUDIENCE, TestServer, basic};

on_both!(the_live_token_gets_its_successor, |server| {
    let pair = server.alice().await;
    let answer = server.refresh("app", &pair.refresh).await.assert_ok();
    assert_eq!(answer.header(http::header::CACHE_CONTROL), "no-store");
    let body = answer.json();
    assert_ne!(body["refresh_token"], json!(pair.refresh));
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 900);
    assert_eq!(body["scope"], "read write");
    assert_eq!(body["refresh_token_expires_in"], 14 * 86_400);
    assert_eq!(body["authorization_expires_in"], 60 * 86_400);
    assert_eq!(server.get_as("/api/profile", &answer.str("access_token")).await.status, 200);
});

on_both!(a_json_body_does_the_same, |server| {
    let pair = server.alice().await;
    let request =
        http::Request::post("/oauth/token").header("content-type", "application/json; charset=utf-8");
    let body = json!({"grant_type": "refresh_token", "client_id": "app", "refresh_token": pair.refresh});
    let answer = server.send(request.body(body.to_string().into()).unwrap()).await.assert_ok();
    assert_ne!(answer.str("refresh_token"), pair.refresh);
});

on_both!(a_replay_inside_the_window_gets_the_same_successor, |server| {
    let pair = server.alice().await;
    let first = server.refresh("app", &pair.refresh).await.assert_ok();
    server.advance(Duration::from_secs(10));
    let again = server.refresh("app", &pair.refresh).await.assert_ok();
    assert_eq!(first.str("refresh_token"), again.str("refresh_token"));
    assert_ne!(first.str("access_token"), again.str("access_token"));
    assert_eq!(server.standing(&pair.sid).await.session.replays, 1);
    // The window is the rotation's, not the replay's.
    server.advance(Duration::from_millis(1));
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
});

on_both!(a_replay_after_the_window_ends_the_session, |server| {
    let pair = server.alice().await;
    let first = server.refresh("app", &pair.refresh).await.assert_ok();
    server.advance(Duration::from_millis(10_001));
    let text = server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    assert!(text.contains("presented again"), "{text}");
    let text = server.refresh("app", &first.str("refresh_token")).await.assert_error(400, "invalid_grant");
    assert!(text.contains("has ended"), "{text}");
    let answer = server.get_as("/api/profile", &first.str("access_token")).await;
    answer.assert_error(401, "invalid_token");
});

on_both!(an_older_generation_ends_the_session_at_once, |server| {
    let pair = server.alice().await;
    let r1 = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");
    let r2 = server.refresh("app", &r1).await.assert_ok().str("refresh_token");
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    server.refresh("app", &r2).await.assert_error(400, "invalid_grant");
});

on_both!(a_retry_proof_is_answered_at_any_time, |server| {
    let pair = server.alice().await;
    let first = server.refresh_with_key("app", &pair.refresh, "proof-1").await.assert_ok();
    server.advance(Duration::from_secs(3 * 86_400));
    let again = server.refresh_with_key("app", &pair.refresh, "proof-1").await.assert_ok();
    assert_eq!(first.str("refresh_token"), again.str("refresh_token"));
});

on_both!(a_rotation_with_a_proof_has_no_window, |server| {
    let pair = server.alice().await;
    server.refresh_with_key("app", &pair.refresh, "proof-1").await.assert_ok();
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
});

on_both!(another_proof_is_theft, |server| {
    let pair = server.alice().await;
    server.refresh_with_key("app", &pair.refresh, "proof-1").await.assert_ok();
    server.refresh_with_key("app", &pair.refresh, "proof-2").await.assert_error(400, "invalid_grant");
});

on_both!(a_proof_after_a_plain_rotation_may_use_the_window, |server| {
    let pair = server.alice().await;
    server.refresh("app", &pair.refresh).await.assert_ok();
    server.refresh_with_key("app", &pair.refresh, "proof-1").await.assert_ok();
});

on_both!(a_replay_once_the_successor_was_used_is_theft, |server| {
    let pair = server.alice().await;
    let r1 = server.refresh_with_key("app", &pair.refresh, "p").await.assert_ok().str("refresh_token");
    server.refresh_with_key("app", &r1, "q").await.assert_ok();
    server.refresh_with_key("app", &pair.refresh, "p").await.assert_error(400, "invalid_grant");
});

on_both!(rotate_strict_has_no_window_but_answers_proofs, |server| {
    server.user("alice").await;
    server.public_client("app").await;
    server.admin(http::Method::PATCH, "/clients/app", json!({"rotation": "rotate-strict"})).await.assert_ok();
    let with_proof = server.session("alice", "app").await;
    server.refresh_with_key("app", &with_proof.refresh, "p").await.assert_ok();
    server.refresh_with_key("app", &with_proof.refresh, "p").await.assert_ok();
    let without = server.session("alice", "app").await;
    server.refresh("app", &without.refresh).await.assert_ok();
    server.refresh("app", &without.refresh).await.assert_error(400, "invalid_grant");
});

on_both!(the_reuse_policy_keeps_the_token_and_moves_the_idle_expiry, |server| {
    server.user("alice").await;
    let more = json!({"kind": "web", "rotation": "reuse", "redirect_uris": ["https://app.example/callback"]});
    let secret = server.confidential_client("backend", more).await;
    let pair = server.session("alice", "backend").await;
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", pair.refresh.as_str())];
    let headers = [("authorization", basic("backend", &secret))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for _ in 0..3 {
        server.advance(Duration::from_secs(11 * 3_600));
        let answer = server.form_with("/oauth/token", &pairs, &headers).await.assert_ok();
        assert_eq!(answer.str("refresh_token"), pair.refresh);
        assert_eq!(answer.json()["refresh_token_expires_in"], 12 * 3_600);
    }
    assert_eq!(server.standing(&pair.sid).await.session.generation, 1);
});

on_both!(idle_expiry_moves_and_absolute_expiry_does_not, |server| {
    let pair = server.alice().await;
    let day = Duration::from_secs(86_400);
    let mut token = pair.refresh;
    for round in 1..5_u64 {
        server.advance(13 * day);
        let answer = server.refresh("app", &token).await.assert_ok();
        let left = 60 - 13 * round;
        assert_eq!(answer.json()["authorization_expires_in"], left * 86_400);
        assert_eq!(answer.json()["refresh_token_expires_in"], left.min(14) * 86_400);
        token = answer.str("refresh_token");
    }
    server.advance(8 * day);
    let text = server.refresh("app", &token).await.assert_error(400, "invalid_grant");
    assert!(text.contains("longest lifetime"), "{text}");
});

on_both!(an_unused_token_expires, |server| {
    let pair = server.alice().await;
    server.advance(Duration::from_secs(14 * 86_400));
    let text = server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    assert!(text.contains("not used"), "{text}");
});

on_both!(a_remembered_web_session_lives_longer, |server| {
    server.user("alice").await;
    let more = json!({"kind": "web", "redirect_uris": ["https://app.example/callback"]});
    server.confidential_client("web", more).await;
    let plain = server.admin_post("/sessions", json!({"user": "alice", "client": "web"})).await.json();
    let remembered = server
        .admin_post("/sessions", json!({"user": "alice", "client": "web", "remember": true}))
        .await
        .json();
    assert_eq!(plain["authorization_expires_in"], 7 * 86_400);
    assert_eq!(remembered["authorization_expires_in"], 60 * 86_400);
    assert_eq!(remembered["refresh_token_expires_in"], 14 * 86_400);
});

on_both!(scope_can_be_narrowed_and_never_grows, |server| {
    let pair = server.alice().await;
    let ask = async |token: &str, scope: &str| {
        let pairs = [
            ("grant_type", "refresh_token"),
            ("client_id", "app"),
            ("refresh_token", token),
            ("scope", scope),
        ];
        server.form("/oauth/token", &pairs).await
    };
    let narrow = ask(&pair.refresh, "read").await.assert_ok();
    assert_eq!(narrow.str("scope"), "read");
    // RFC 6749 section 6: the new refresh token has the scope of the old one.
    let r1 = narrow.str("refresh_token");
    ask(&r1, "read admin").await.assert_error(400, "invalid_scope");
    let full = server.refresh("app", &r1).await.assert_ok();
    assert_eq!(full.str("scope"), "read write");
});

on_both!(a_client_that_lost_a_scope_gets_less, |server| {
    let pair = server.alice().await;
    server.admin(http::Method::PATCH, "/clients/app", json!({"scope": "read"})).await.assert_ok();
    assert_eq!(server.refresh("app", &pair.refresh).await.assert_ok().str("scope"), "read");
});

on_both!(a_resource_must_have_been_granted, |server| {
    let pair = server.alice().await;
    let ask = async |resource: &str| {
        let pairs = [
            ("grant_type", "refresh_token"),
            ("client_id", "app"),
            ("refresh_token", pair.refresh.as_str()),
            ("resource", resource),
        ];
        server.form("/oauth/token", &pairs).await
    };
    ask("https://other.example").await.assert_error(400, "invalid_target");
    ask("relative").await.assert_error(400, "invalid_target");
    ask(AUDIENCE).await.assert_ok();
});

on_both!(another_clients_token_is_inert, |server| {
    let pair = server.alice().await;
    server.public_client("other").await;
    let r1 = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");
    let before = server.standing(&pair.sid).await;
    for token in [&pair.refresh, &r1] {
        server.refresh("other", token).await.assert_error(400, "invalid_grant");
    }
    assert_eq!(server.standing(&pair.sid).await, before);
});

on_both!(a_disabled_user_gets_nothing_and_enabling_revives_nothing, |server| {
    let pair = server.alice().await;
    server.admin_post("/users/alice/disable", json!({})).await.assert_ok();
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    server.get_as("/api/profile", &pair.access).await.assert_error(401, "invalid_token");
    server.admin_post("/users/alice/enable", json!({})).await.assert_ok();
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    server.get_as("/api/profile", &pair.access).await.assert_error(401, "invalid_token");
    let fresh = server.session("alice", "app").await;
    server.refresh("app", &fresh.refresh).await.assert_ok();
});

on_both!(a_disabled_client_gets_nothing_and_enabling_revives_nothing, |server| {
    let pair = server.alice().await;
    server.admin_post("/clients/app/disable", json!({})).await.assert_ok();
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    server.admin_post("/clients/app/enable", json!({})).await.assert_ok();
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    server.get_as("/api/profile", &pair.access).await.assert_error(401, "invalid_token");
});

on_both!(a_new_password_and_a_sign_out_end_the_sessions, |server| {
    let pair = server.alice().await;
    server.admin_post("/users/alice/password", json!({"password": "a new passphrase"})).await.assert_ok();
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    let pair = server.session("alice", "app").await;
    let answer = server.admin_post("/users/alice/sign-out", json!({})).await.assert_ok().json();
    assert_eq!(answer["receipt"]["sessions_ended"], 1);
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
});

on_both!(a_foreign_replay_in_consecutive_generations_is_theft, |server| {
    let pair = server.alice().await;
    let from = async |token: &str, agent: &str| {
        let pairs = [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", token)];
        server.form_with("/oauth/token", &pairs, &[("user-agent", agent)]).await
    };
    let mut token = pair.refresh;
    for generation in 1..=4 {
        let rotated = from(&token, "victim").await.assert_ok();
        let replayed = from(&token, "thief").await;
        if generation < 4 {
            assert_eq!(replayed.assert_ok().str("refresh_token"), rotated.str("refresh_token"));
        } else {
            let text = replayed.assert_error(400, "invalid_grant");
            assert!(text.contains("second place"), "{text}");
        }
        token = rotated.str("refresh_token");
    }
    from(&token, "victim").await.assert_error(400, "invalid_grant");
});

on_both!(replays_from_the_same_place_are_never_theft, |server| {
    let mut token = server.alice().await.refresh;
    for _ in 0..12 {
        let rotated = server.refresh("app", &token).await.assert_ok();
        let replayed = server.refresh("app", &token).await.assert_ok();
        assert_eq!(replayed.str("refresh_token"), rotated.str("refresh_token"));
        token = rotated.str("refresh_token");
    }
});

on_both!(sixty_four_at_once_get_one_successor, |server| {
    let pair = server.alice().await;
    let refreshes = (0..64).map(|_| server.refresh("app", &pair.refresh));
    let answers = futures_util::future::join_all(refreshes).await;
    let mut successors: Vec<String> =
        answers.into_iter().map(|answer| answer.assert_ok().str("refresh_token")).collect();
    successors.sort();
    successors.dedup();
    assert_eq!(successors.len(), 1);
    let session = server.standing(&pair.sid).await.session;
    assert_eq!((session.generation, session.replays), (2, 63));
    server.refresh("app", &successors[0]).await.assert_ok();
});

on_both!(a_successor_survives_a_change_of_the_refresh_key, |server| {
    let pair = server.alice().await;
    let r1 = server.refresh_with_key("app", &pair.refresh, "p").await.assert_ok().str("refresh_token");
    server.admin_post("/keys/rotate", json!({"purpose": "refresh", "immediately": true})).await.assert_ok();
    let again = server.refresh_with_key("app", &pair.refresh, "p").await.assert_ok();
    assert_eq!(again.str("refresh_token"), r1);
    let r2 = server.refresh("app", &r1).await.assert_ok().str("refresh_token");
    server.refresh("app", &r2).await.assert_ok();
});

on_both!(an_access_token_is_no_refresh_token, |server| {
    let pair = server.alice().await;
    let text = server.refresh("app", &pair.access).await.assert_error(400, "invalid_grant");
    assert!(text.contains("this is an access token"), "{text}");
});

on_both!(more_sessions_than_the_limit_end_the_oldest, |server| {
    drop(server);
    let server = TestServer::start_with(crate::support::Engine::Sqlite, &[("sessions_per_user", "3")]).await;
    let first = server.alice().await;
    let mut later = Vec::new();
    for _ in 0..3 {
        server.advance(Duration::from_secs(1));
        later.push(server.session("alice", "app").await);
    }
    let text = server.refresh("app", &first.refresh).await.assert_error(400, "invalid_grant");
    assert!(text.contains("more sessions than the limit"), "{text}");
    for pair in later {
        server.refresh("app", &pair.refresh).await.assert_ok();
    }
});
