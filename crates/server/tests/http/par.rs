//! Pushed authorization requests (RFC 9126).

use std::time::Duration;

use serde_json::json;

use crate::browser::Browser;
use crate::on_both;
use crate::relying::{CALLBACK, address, request, request_with};
use crate::sign_in::assert_error_page;
use crate::support::{Answer, TestServer, basic};

async fn push(server: &TestServer, secret: &str, pairs: &[(&'static str, String)]) -> Answer {
    let pairs: Vec<_> = pairs.iter().map(|(n, v)| (*n, v.as_str())).collect();
    server.form_with("/oauth/par", &pairs, &[("authorization", &basic("shop", secret))]).await
}

fn by_handle(handle: &str) -> Vec<(&'static str, String)> {
    vec![("client_id", "shop".to_owned()), ("request_uri", handle.to_owned())]
}

on_both!(a_pushed_request_is_answered_as_if_it_had_come_by_the_browser, |server| {
    let secret = server.shop().await;
    let answer = push(&server, &secret, &request()).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.header(http::header::CACHE_CONTROL), "no-store");
    assert_eq!(answer.json()["expires_in"], 90);
    let handle = answer.str("request_uri");
    assert!(handle.starts_with("urn:ietf:params:oauth:request_uri:"), "{handle}");
    let mut browser = Browser::new(&server);
    // What else the browser brings does not count.
    let mut asked = by_handle(&handle);
    asked.extend([("scope", "admin".to_owned()), ("redirect_uri", "https://evil.example".to_owned())]);
    let away = browser.allow(&asked).await;
    assert!(away.url.starts_with(CALLBACK), "{}", away.url);
    assert_eq!(away.parameter("state"), "s-1");
    let tokens = server.exchange(&secret, &away.parameter("code")).await.assert_ok();
    assert_eq!(tokens.json()["scope"], "openid read");
});

on_both!(a_handle_is_good_once_for_a_while_and_for_its_client, |server| {
    let secret = server.shop().await;
    server.web_client("other", "https://other.example/cb").await;
    let mut browser = Browser::new(&server);
    let handle = push(&server, &secret, &request()).await.str("request_uri");
    // Another client's attempt does not use it up.
    let others = [("client_id", "other".to_owned()), ("request_uri", handle.clone())];
    assert_error_page(&browser.get(&address(&others)).await);
    browser.ask(&by_handle(&handle)).await.page_at("/signin");
    assert_error_page(&browser.get(&address(&by_handle(&handle))).await);
    let late = push(&server, &secret, &request()).await.str("request_uri");
    server.advance(Duration::from_secs(90));
    assert_error_page(&browser.get(&address(&by_handle(&late))).await);
    let longer = format!("{late}x");
    let asked = |bad: &str| {
        [("client_id", "shop".to_owned()), ("request_uri", bad.to_owned()), ("x", "y".repeat(10_000))]
    };
    for bad in ["urn:ietf:params:oauth:request_uri:", &longer] {
        assert_error_page(&browser.get(&address(&asked(bad))).await);
    }
    for bad in ["\"><script>", "https://evil.example/r"] {
        let away = browser.ask(&asked(bad)).await.away();
        assert!(away.url.starts_with(CALLBACK) && !away.url.contains("evil"), "{}", away.url);
        assert_eq!(away.parameter("error"), "request_uri_not_supported");
    }
});

on_both!(what_is_wrong_with_a_pushed_request_is_told_at_once, |server| {
    let secret = server.shop().await;
    let long = "x".repeat(10_000);
    for (changes, error) in [
        ([("redirect_uri", "https://evil.example/cb")], "invalid_request"),
        ([("redirect_uri", &long)], "invalid_request"),
        ([("response_type", "")], "invalid_request"),
        ([("response_type", "token")], "unsupported_response_type"),
        ([("scope", "admin")], "invalid_scope"),
        ([("scope", "\"><script>")], "invalid_scope"),
        ([("code_challenge_method", "plain")], "invalid_request"),
        ([("code_challenge", "")], "invalid_request"),
        ([("resource", "https://other.example")], "invalid_target"),
        ([("request_uri", "urn:ietf:params:oauth:request_uri:x")], "invalid_request"),
        ([("request", "e30.e30.")], "request_not_supported"),
        ([("nonce", &long)], "invalid_request"),
    ] {
        let text = push(&server, &secret, &request_with(&changes)).await.assert_error(400, error);
        assert!(!text.contains(['<', '"', '\\']), "{text}");
    }
    let mut twice = request();
    twice.push(("state", "again".to_owned()));
    push(&server, &secret, &twice).await.assert_error(400, "invalid_request");
    push(&server, "wrong", &request()).await.assert_error(401, "invalid_client");
    let anonymous: Vec<_> = request();
    let anonymous: Vec<_> = anonymous.iter().map(|(n, v)| (*n, v.as_str())).collect();
    server.form("/oauth/par", &anonymous).await.assert_error(401, "invalid_client");
    server.admin_post("/clients/shop/disable", json!({})).await.assert_ok();
    push(&server, &secret, &request()).await.assert_error(401, "invalid_client");
});

on_both!(a_client_that_must_push_is_told_so, |server| {
    let secret = server.shop().await;
    server.set_sign_in("shop", |settings| settings.require_pushed_requests = true).await;
    let mut browser = Browser::new(&server);
    let away = browser.ask(&request()).await.away();
    assert_eq!(away.parameter("error"), "invalid_request");
    assert_eq!(away.parameter("state"), "s-1");
    let handle = push(&server, &secret, &request()).await.str("request_uri");
    browser.allow(&by_handle(&handle)).await.parameter("code");
});

on_both!(the_clients_secret_is_not_kept_with_the_request, |server| {
    let secret = server.shop().await;
    let mut pairs = request();
    pairs.push(("client_secret", secret.clone()));
    let pairs: Vec<_> = pairs.iter().map(|(n, v)| (*n, v.as_str())).collect();
    // The search of the database for secrets, when the server ends, is the assertion.
    assert_eq!(server.form("/oauth/par", &pairs).await.status, 201);
});

on_both!(what_was_pushed_is_checked_again_when_it_is_used, |server| {
    let secret = server.shop().await;
    let handle = push(&server, &secret, &request()).await.str("request_uri");
    let change = json!({"redirect_uris": ["https://shop.example/other"]});
    server.admin(http::Method::PATCH, "/clients/shop", change).await.assert_ok();
    let mut browser = Browser::new(&server);
    assert_error_page(&browser.get(&address(&by_handle(&handle))).await);
});
