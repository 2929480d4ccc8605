//! Client authentication (RFC 6749 section 2.3).

use std::time::Duration;

use serde_json::json;

use crate::on_both;
use crate::support::basic;

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

on_both!(basic_and_post_both_work, |server| {
    let secret = server.confidential_client("svc", json!({})).await;
    server
        .form_with("/oauth/token", &[GRANT], &[("authorization", &basic("svc", &secret))])
        .await
        .assert_ok();
    server.form("/oauth/token", &[GRANT, ("client_id", "svc"), ("client_secret", &secret)]).await.assert_ok();
    let unpadded = basic("svc", &secret).trim_end_matches('=').to_owned();
    server.form_with("/oauth/token", &[GRANT], &[("authorization", &unpadded)]).await.assert_ok();
});

on_both!(one_method_at_a_time, |server| {
    let secret = server.confidential_client("svc", json!({})).await;
    let header = basic("svc", &secret);
    let both = [GRANT, ("client_secret", secret.as_str())];
    server
        .form_with("/oauth/token", &both, &[("authorization", &header)])
        .await
        .assert_error(400, "invalid_request");
    let other = [GRANT, ("client_id", "other")];
    server
        .form_with("/oauth/token", &other, &[("authorization", &header)])
        .await
        .assert_error(400, "invalid_request");
    let same = [GRANT, ("client_id", "svc")];
    server.form_with("/oauth/token", &same, &[("authorization", &header)]).await.assert_ok();
    let twice = [("authorization", header.as_str()), ("authorization", header.as_str())];
    server.form_with("/oauth/token", &[GRANT], &twice).await.assert_error(400, "invalid_request");
});

on_both!(wrong_credentials_are_invalid_client, |server| {
    let secret = server.confidential_client("svc", json!({})).await;
    for (id, secret) in [("svc", "wrong"), ("nobody", secret.as_str()), ("a b", "x")] {
        let answer =
            server.form_with("/oauth/token", &[GRANT], &[("authorization", &basic(id, secret))]).await;
        answer.assert_error(401, "invalid_client");
        assert!(answer.header(http::header::WWW_AUTHENTICATE).starts_with("Basic "));
    }
    // RFC 6749 section 5.2: the challenge answers the header only.
    let answer =
        server.form("/oauth/token", &[GRANT, ("client_id", "svc"), ("client_secret", "wrong")]).await;
    answer.assert_error(401, "invalid_client");
    assert_eq!(answer.header(http::header::WWW_AUTHENTICATE), "");
    server.form("/oauth/token", &[GRANT, ("client_id", "svc")]).await.assert_error(401, "invalid_client");
    server.form("/oauth/token", &[GRANT]).await.assert_error(401, "invalid_client");
});

on_both!(a_malformed_header_is_a_bad_request, |server| {
    for header in ["Basic", "Basic ", "Basic !!!", "Basic c3Zj", "Bearer abc", "Basic /////w=="] {
        let answer = server.form_with("/oauth/token", &[GRANT], &[("authorization", header)]).await;
        answer.assert_error(400, "invalid_request");
    }
});

on_both!(a_public_client_must_not_send_a_secret, |server| {
    let pair = server.alice().await;
    let pairs = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("client_secret", "x"),
        ("refresh_token", &pair.refresh),
    ];
    server.form("/oauth/token", &pairs).await.assert_error(401, "invalid_client");
    server.refresh("app", &pair.refresh).await.assert_ok();
});

on_both!(a_failed_authentication_changes_nothing, |server| {
    server.user("alice").await;
    let more = json!({"kind": "web", "redirect_uris": ["https://app.example/callback"]});
    let secret = server.confidential_client("web", more).await;
    let pair = server.session("alice", "web").await;
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", pair.refresh.as_str())];
    let good = basic("web", &secret);
    server.form_with("/oauth/token", &pairs, &[("authorization", &good)]).await.assert_ok();
    server.advance(Duration::from_secs(3_600));
    let before = server.standing(&pair.sid).await;
    // A spent token, but without the client's secret: no reuse, no end.
    let bad = basic("web", "wrong");
    server
        .form_with("/oauth/token", &pairs, &[("authorization", &bad)])
        .await
        .assert_error(401, "invalid_client");
    assert_eq!(server.standing(&pair.sid).await, before);
});

on_both!(a_rotated_secret_works_beside_the_new_one_for_a_while, |server| {
    let old = server.confidential_client("svc", json!({})).await;
    let new =
        server.admin_post("/clients/svc/rotate-secret", json!({})).await.assert_ok().str("client_secret");
    let ask = async |secret: &str| {
        server.form_with("/oauth/token", &[GRANT], &[("authorization", &basic("svc", secret))]).await
    };
    ask(&old).await.assert_ok();
    ask(&new).await.assert_ok();
    server.advance(Duration::from_secs(24 * 3_600));
    ask(&old).await.assert_error(401, "invalid_client");
    ask(&new).await.assert_ok();
});

on_both!(client_assertions_are_refused_in_words, |server| {
    let pairs = [GRANT, ("client_id", "svc"), ("client_assertion", "x")];
    let text = server.form("/oauth/token", &pairs).await.assert_error(400, "invalid_request");
    assert!(text.contains("assertions"), "{text}");
});
