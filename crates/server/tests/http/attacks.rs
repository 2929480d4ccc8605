//! Attacks on refresh rotation and account state that are on no list, each named after what it tries.

use std::time::Duration;

use serde_json::json;

use crate::on_both;

on_both!(a_user_disabled_while_refreshing, |server| {
    server.public_client("app").await;
    for round in 0..30 {
        let name = format!("user{round}");
        server.user(&name).await;
        let pair = server.session(&name, "app").await;
        let disable = format!("/users/{name}/disable");
        let (refreshed, disabled) =
            tokio::join!(server.refresh("app", &pair.refresh), server.admin_post(&disable, json!({})));
        disabled.assert_ok();
        if refreshed.status == 200 {
            server.refresh("app", &refreshed.str("refresh_token")).await.assert_error(400, "invalid_grant");
            let api = server.get_as("/api/profile", &refreshed.str("access_token")).await;
            api.assert_error(401, "invalid_token");
        }
    }
});

on_both!(a_clock_that_goes_backwards, |server| {
    let pair = server.alice().await;
    let year = Duration::from_secs(365 * 86_400);
    let r1 = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");
    server.clock.set(server.app.clock.now().minus(year));
    // Spent stays spent, and the window is not open for a year.
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    server.refresh("app", &r1).await.assert_error(400, "invalid_grant");
});

on_both!(a_clock_that_goes_backwards_does_not_log_out, |server| {
    let pair = server.alice().await;
    let mut token = pair.refresh;
    for seconds in [5, 300, 86_400] {
        server.clock.set(server.app.clock.now().minus(Duration::from_secs(seconds)));
        let before = server.standing(&pair.sid).await.session;
        token = server.refresh("app", &token).await.assert_ok().str("refresh_token");
        let after = server.standing(&pair.sid).await.session;
        assert_eq!(after.expires_at, before.expires_at);
        assert!(after.rotated_at >= before.rotated_at && after.idle_expires_at >= before.idle_expires_at);
    }
});

on_both!(a_thief_with_a_leaked_spent_token_cannot_use_a_window, |server| {
    // The honest client sends retry proofs, so that the token alone opens nothing.
    let pair = server.alice().await;
    server.refresh_with_key("app", &pair.refresh, "installation-proof").await.assert_ok();
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
});

on_both!(a_replay_with_more_scope, |server| {
    let pair = server.alice().await;
    server.refresh("app", &pair.refresh).await.assert_ok();
    let pairs = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("refresh_token", pair.refresh.as_str()),
        ("scope", "read admin"),
    ];
    server.form("/oauth/token", &pairs).await.assert_error(400, "invalid_scope");
    assert!(server.standing(&pair.sid).await.session.ended.is_none());
});

on_both!(a_newer_generation_than_the_store_has, |server| {
    // As after an old backup without the epoch rule: refused, nothing ended, and loudly told.
    let pair = server.alice().await;
    let keys = server.app.keys.snapshot();
    let presented = keys.open_refresh(&pair.refresh).unwrap();
    let future = keys.refresh_token(presented.key_number, presented.session, 9, &presented.nonce).unwrap();
    server.refresh("app", future.expose()).await.assert_error(400, "invalid_grant");
    server.refresh("app", &pair.refresh).await.assert_ok();
    let events = server.admin(http::Method::GET, "/events?kind=refused", json!(null)).await.assert_ok();
    assert!(events.text.contains("old backup"), "{}", events.text);
});

on_both!(a_restored_backup_revives_nothing, |server| {
    let pair = server.alice().await;
    let now = server.app.clock.now();
    server.app.store.begin_epoch(now, now.plus(Duration::from_secs(3_600))).await.unwrap();
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    server.get_as("/api/profile", &pair.access).await.assert_error(401, "invalid_token");
    let fresh = server.session("alice", "app").await;
    server.refresh("app", &fresh.refresh).await.assert_ok();
    assert_eq!(server.get_as("/api/profile", &fresh.access).await.status, 200);
});
