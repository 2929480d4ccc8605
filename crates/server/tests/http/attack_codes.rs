//! The attack list, continued: authorization codes, redirects, and what an application is told.

use std::time::Duration;

use serde_json::{Value, json};

use crate::attack_list::Probe;
use crate::browser::{Browser, ORIGIN};
use crate::device_flow::{begin, decide, poll};
use crate::on_both;
use crate::relying::{CALLBACK, CHALLENGE, PASSWORD, SCOPE, VERIFIER, address, request, request_with};
use crate::sign_in::assert_error_page;
use crate::support::{AUDIENCE, TestServer, basic};

async fn sessions(server: &TestServer) -> usize {
    let list = server.admin(http::Method::GET, "/sessions?limit=100", Value::Null).await.assert_ok().json();
    list["items"].as_array().unwrap().len()
}

on_both!(case_09_a_user_disabled_between_the_code_and_its_exchange, |server| {
    let probe = Probe::new(&server).await;
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let code = browser.code().await;
    server.native_client("tv", "https://tv.example/cb").await;
    let (device, typed) = begin(&server).await;
    let page = browser.open("/device").await.page_at("/device");
    decide(&mut browser, &page, &typed, "allow").await;
    server.admin_post("/users/alice/disable", json!({})).await.assert_ok();
    let before = sessions(&server).await;
    server.exchange(&secret, &code).await.assert_error(400, "invalid_grant");
    assert_eq!(
        browser.ask(&request_with(&[("prompt", "none")])).await.away().parameter("error"),
        "login_required"
    );
    // Nor a device that alice had allowed.
    poll(&server, "tv", &device).await.assert_error(400, "invalid_grant");
    // Enabling revives nothing.
    server.admin_post("/users/alice/enable", json!({})).await.assert_ok();
    server.exchange(&secret, &code).await.assert_error(400, "invalid_grant");
    poll(&server, "tv", &device).await.assert_error(400, "invalid_grant");
    browser.ask(&request()).await.page_at("/signin");
    assert_eq!(sessions(&server).await, before);
    probe.nothing_lost(&server).await;
});

on_both!(case_12_a_new_password_or_a_sign_out_between_the_code_and_its_exchange, |server| {
    let probe = Probe::new(&server).await;
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let code = browser.code().await;
    server.admin_post("/users/alice/password", json!({"password": PASSWORD})).await.assert_ok();
    server.exchange(&secret, &code).await.assert_error(400, "invalid_grant");
    let code = browser.code().await;
    let page = browser.open("/oauth/logout").await.page_at("/oauth/logout");
    browser.submit(&page, &[("action", "yes")]).await.page();
    let before = sessions(&server).await;
    server.exchange(&secret, &code).await.assert_error(400, "invalid_grant");
    assert_eq!(sessions(&server).await, before);
    probe.nothing_lost(&server).await;
});

on_both!(case_25_sixty_four_exchanges_of_one_code, |server| {
    let probe = Probe::new(&server).await;
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let code = browser.code().await;
    let before = sessions(&server).await;
    let exchanges = (0..64).map(|_| server.exchange(&secret, &code));
    let answers = futures_util::future::join_all(exchanges).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(good.len(), 1);
    for answer in bad {
        answer.assert_error(400, "invalid_grant");
    }
    assert_eq!(sessions(&server).await, before + 1, "one family, ended by the second use");
    server.refresh_shop(&secret, &good[0].str("refresh_token")).await.assert_error(400, "invalid_grant");
    probe.nothing_lost(&server).await;
});

on_both!(case_25_a_code_used_again_ends_what_it_began, |server| {
    let probe = Probe::new(&server).await;
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let other = browser.code().await;
    let other = server.exchange(&secret, &other).await.assert_ok();
    let code = browser.code().await;
    let pair = server.exchange(&secret, &code).await.assert_ok();
    let pair = server.refresh_shop(&secret, &pair.str("refresh_token")).await.assert_ok();
    // Also long after the code has expired.
    server.advance(Duration::from_secs(300));
    let text = server.exchange(&secret, &code).await.assert_error(400, "invalid_grant");
    assert!(text.contains("used before"), "{text}");
    server.refresh_shop(&secret, &pair.str("refresh_token")).await.assert_error(400, "invalid_grant");
    server.get_as("/api/profile", &pair.str("access_token")).await.assert_error(401, "invalid_token");
    // And nothing else: the person is still signed in, there and here.
    server.refresh_shop(&secret, &other.str("refresh_token")).await.assert_ok();
    browser.ask(&request()).await.away().parameter("code");
    probe.nothing_lost(&server).await;
});

on_both!(case_25_whoever_only_saw_a_code_cannot_use_or_spoil_it, |server| {
    let secret = server.shop().await;
    let evil = server.web_client("evil", "https://evil.example/cb").await;
    let probe = Probe::new(&server).await;
    let mut browser = Browser::new(&server);
    let code = browser.code().await;
    let steal = async || {
        let pairs =
            [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK)];
        let with_verifier = [pairs.as_slice(), &[("code_verifier", VERIFIER)]].concat();
        let as_evil = [("authorization", &*basic("evil", &evil))];
        server.form_with("/oauth/token", &with_verifier, &as_evil).await.assert_error(400, "invalid_grant");
        let wrong = [("code", code.as_str()), ("redirect_uri", CALLBACK), ("code_verifier", &"w".repeat(43))];
        server.exchange_with(&secret, &wrong).await.assert_error(400, "invalid_grant");
        let elsewhere = [
            ("code", code.as_str()),
            ("redirect_uri", "https://evil.example/cb"),
            ("code_verifier", VERIFIER),
        ];
        server.exchange_with(&secret, &elsewhere).await.assert_error(400, "invalid_grant");
    };
    let probe = probe.inert(&server).await;
    steal().await;
    probe.nothing_lost(&server).await;
    let pair = server.exchange(&secret, &code).await.assert_ok();
    // After its use, too: nothing ends.
    steal().await;
    server.refresh_shop(&secret, &pair.str("refresh_token")).await.assert_ok();
});

on_both!(case_25_an_expired_code, |server| {
    let secret = server.shop().await;
    let probe = Probe::new(&server).await.inert(&server).await;
    let mut browser = Browser::new(&server);
    let code = browser.code().await;
    server.advance(Duration::from_millis(60_000));
    let text = server.exchange(&secret, &code).await.assert_error(400, "invalid_grant");
    assert!(text.contains("expired"), "{text}");
    probe.nothing_lost(&server).await;
});

on_both!(case_27_a_downgrade_of_pkce, |server| {
    let secret = server.shop().await;
    server.set_sign_in("shop", |settings| settings.allow_missing_pkce = true).await;
    let probe = Probe::new(&server).await.inert(&server).await;
    let mut browser = Browser::new(&server);
    // The attacker took the challenge out of the request on its way.
    let bare = request_with(&[("code_challenge", ""), ("code_challenge_method", "")]);
    let code = browser.allow(&bare).await.parameter("code");
    server.exchange(&secret, &code).await.assert_error(400, "invalid_grant");
    // A challenge and no verifier, or the challenge itself as with `plain`.
    let code = browser.code().await;
    let pairs = [("code", code.as_str()), ("redirect_uri", CALLBACK)];
    server.exchange_with(&secret, &pairs).await.assert_error(400, "invalid_grant");
    let plain = [pairs[0], pairs[1], ("code_verifier", CHALLENGE)];
    server.exchange_with(&secret, &plain).await.assert_error(400, "invalid_grant");
    let plain = request_with(&[("code_challenge", VERIFIER), ("code_challenge_method", "plain")]);
    assert_eq!(browser.ask(&plain).await.away().parameter("error"), "invalid_request");
    probe.nothing_lost(&server).await;
});

on_both!(case_29_redirect_uris_that_look_alike, |server| {
    server.shop().await;
    let probe = Probe::new(&server).await.inert(&server).await;
    let mut browser = Browser::new(&server);
    browser.code().await;
    for uri in [
        "https://shop.example@evil.example/cb",
        "https://shop.example/cb@evil.example",
        "https://shop.example\\@evil.example/cb",
        "https://evil.example\\@shop.example/cb",
        "https://a@b@shop.example/cb",
        "//evil.example/cb",
        "/cb",
        "https:shop.example/cb",
        "https:///shop.example/cb",
        "https://shop.example.evil.example/cb",
        "https://shop.example./cb",
        "https://SHOP.example/cb",
        "HTTPS://shop.example/cb",
        "https://shop.example:443/cb",
        "https://shop.example/CB",
        "https://shop.example/cb/",
        "https://shop.example/cb/..;/x",
        "https://shop.example/x/../cb",
        "https://shop.example/%63b",
        "https://shop.example/%2e%2e/cb",
        "https://shop.example/cb%00",
        "https://shop.example/cb\0",
        "https://shop.example/cb#",
        "https://shop.example/cb?x=1",
        " https://shop.example/cb",
        "https://shop.example/cb\n",
        "https://ѕhop.example/cb",
        "https://xn--hop-9cd.example/cb",
        "http://shop.example/cb",
        "javascript:alert(1)",
        "data:text/html,x",
    ] {
        let answer = browser.get(&address(&request_with(&[("redirect_uri", uri)]))).await;
        assert_error_page(&answer);
        assert!(!answer.text.contains("evil"), "{}", answer.text);
    }
    probe.nothing_lost(&server).await;
});

on_both!(case_30_only_the_port_of_loopback_may_vary, |server| {
    let probe = Probe::new(&server).await;
    server.person("alice").await;
    server.native_client("cli", "http://127.0.0.1/cb").await;
    let ask = |uri: &str| address(&request_with(&[("client_id", "cli"), ("redirect_uri", uri)]));
    let mut browser = Browser::new(&server);
    for uri in [
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1:80@evil.example/cb",
        "http://127.0.0.1:80.evil.example/cb",
        "http://127.0.0.1:80/other",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:99999/cb",
        "http://127.1/cb",
        "http://2130706433/cb",
        "http://localhost/cb",
        "http://[::1]/cb",
        "https://127.0.0.1/cb",
    ] {
        assert_error_page(&browser.get(&ask(uri)).await);
    }
    // Another program on the device can have the port tomorrow: asked each time.
    for _ in 0..2 {
        let asked = request_with(&[("client_id", "cli"), ("redirect_uri", "http://127.0.0.1:51234/cb")]);
        let page = match browser.ask(&asked).await.page() {
            page if page.path.starts_with("/signin?") => {
                browser.sign_in(&page, "alice", PASSWORD).await.page()
            }
            page => page,
        };
        assert!(page.path.starts_with("/consent?"), "{}", page.path);
        let away = browser.submit(&page, &[("action", "allow")]).await.away();
        assert!(away.url.starts_with("http://127.0.0.1:51234/cb?code="), "{}", away.url);
    }
    probe.nothing_lost(&server).await;
});

on_both!(case_32_a_redirect_uri_with_the_parameters_of_an_answer, |server| {
    let probe = Probe::new(&server).await;
    server.person("alice").await;
    for query in ["code=1", "a=1&state=2", "iss=https://evil.example", "error=x", "%63ode=1"] {
        let uri = format!("{CALLBACK}?{query}");
        let body = json!({"id": "shop", "kind": "web", "scope": SCOPE, "audience": [AUDIENCE], "redirect_uris": [uri]});
        server.admin_post("/clients", body).await.assert_error(400, "invalid_request");
    }
    let uri = format!("{CALLBACK}?tenant=1");
    server.web_client("shop", &uri).await;
    let mut browser = Browser::new(&server);
    let away = browser.allow(&request_with(&[("redirect_uri", &uri)])).await;
    assert!(away.url.starts_with(&format!("{uri}&code=")), "{}", away.url);
    assert_eq!(away.parameters().len(), 4);
    probe.nothing_lost(&server).await;
});

on_both!(case_35_places_to_return_to_stay_here, |server| {
    server.shop().await;
    let probe = Probe::new(&server).await.inert(&server).await;
    let mut browser = Browser::new(&server);
    for place in [
        "//evil.example",
        "/\\evil.example",
        "/%09/evil.example",
        "https:evil.example",
        "https://evil.example",
    ] {
        let encoded: String = form_urlencoded::byte_serialize(place.as_bytes()).collect();
        for name in ["return_to", "next", "redirect", "RelayState"] {
            let page = browser.open(&format!("/device?{name}={encoded}")).await.page_at("/signin");
            let page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/device");
            assert!(!page.answer.text.contains("evil.example"), "{}", page.answer.text);
            browser.cookies.clear();
        }
        let page = browser.open(&format!("/device?user_code={encoded}")).await.page_at("/signin");
        browser.sign_in(&page, "alice", PASSWORD).await.page_at("/device");
        browser.cookies.clear();
    }
    probe.nothing_lost(&server).await;
});

on_both!(case_37_a_request_uri_is_fetched_from_nowhere, |server| {
    server.shop().await;
    let probe = Probe::new(&server).await.inert(&server).await;
    let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/request", trap.local_addr().unwrap());
    let mut browser = Browser::new(&server);
    for name in ["request_uri", "jwks_uri", "logo_uri", "sector_identifier_uri", "client_id"] {
        browser.get(&address(&request_with(&[(name, &url)]))).await;
    }
    // All that was going to be asked for has been by now: the answers are there.
    assert!(futures_util::FutureExt::now_or_never(trap.accept()).is_none(), "somebody came");
    probe.nothing_lost(&server).await;
});

on_both!(case_39_every_answer_names_its_issuer, |server| {
    server.shop().await;
    let probe = Probe::new(&server).await.inert(&server).await;
    let mut browser = Browser::new(&server);
    // What an attacker's server would have the client believe does not come through.
    let mixed = request_with(&[("iss", "https://evil.example"), ("scope", "openid read")]);
    for away in [
        browser.allow(&mixed).await,
        browser
            .ask(&request_with(&[("prompt", "none"), ("max_age", "0"), ("iss", "https://evil.example")]))
            .await
            .away(),
        browser.ask(&request_with(&[("scope", "admin")])).await.away(),
    ] {
        assert_eq!(away.parameter("iss"), ORIGIN);
        assert!(!away.url.contains("evil"), "{}", away.url);
    }
    probe.nothing_lost(&server).await;
});
