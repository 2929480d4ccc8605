//! The sign-in and consent pages, as a browser meets them.

use std::time::Duration;

use ::http::{Method, header};
use serde_json::{Value, json};

use crate::attack_list::Probe;
use crate::browser::{Browser, ORIGIN, Page};
use crate::on_both;
use crate::relying::{CALLBACK, PASSWORD, address, request, request_with};
use crate::support::{Answer, TestServer};

/// What every page has, whatever it says.
#[track_caller]
pub(crate) fn assert_page(answer: &Answer) {
    let header =
        |name| answer.headers.get(name).map_or("", |value: &header::HeaderValue| value.to_str().unwrap());
    assert!(header("content-type").starts_with("text/html"), "{answer:?}");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-frame-options"), "DENY");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("access-control-allow-origin"), "");
    let policy = header("content-security-policy");
    for directive in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
    {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    // Nothing that the policy would not run is relied on.
    for inline in ["<script>", "<style", " style=", " onload=", " onclick=", "javascript:"] {
        assert!(!answer.text.contains(inline), "{inline}: {}", answer.text);
    }
}

/// A page that says that it goes no further, and a browser that stays here.
#[track_caller]
pub(crate) fn assert_error_page(answer: &Answer) {
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.headers.get(header::LOCATION).is_none(), "{answer:?}");
    assert_page(answer);
}

on_both!(every_page_of_signing_in_is_closed_to_other_sites, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    let page = browser.ask(&request()).await.page_at("/signin");
    assert_page(&page.answer);
    let wrong = browser.sign_in(&page, "alice", "not the password").await.page();
    assert_eq!(wrong.answer.status, 422);
    assert_page(&wrong.answer);
    let page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/consent");
    assert_page(&page.answer);
    let policy = page.answer.header(header::CONTENT_SECURITY_POLICY);
    assert!(policy.contains("form-action 'self' https://shop.example;"), "{policy}");
    let asked_with_origin =
        ::http::Request::get(address(&request())).header("origin", "https://shop.example");
    let answer = browser.send(asked_with_origin.body(axum::body::Body::empty()).unwrap()).await;
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{answer:?}");
    let preflight = ::http::Request::options("/oauth/authorize")
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "GET");
    let answer = browser.send(preflight.body(axum::body::Body::empty()).unwrap()).await;
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{answer:?}");
});

on_both!(who_is_signed_in_is_not_asked_again_until_the_session_is_over, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    browser.code().await;
    browser.ask(&request()).await.away().parameter("code");
    let answer = browser.get(&address(&request_with(&[("prompt", "none")]))).await;
    assert!(answer.header(header::LOCATION).starts_with(&format!("{CALLBACK}?code=")), "{answer:?}");
    server.advance(Duration::from_secs(400 * 86_400));
    browser.ask(&request()).await.page_at("/signin");
    let away = browser.ask(&request_with(&[("prompt", "none")])).await.away();
    assert_eq!(away.parameter("error"), "login_required");
});

on_both!(the_session_cookie_ends_with_the_browser_unless_it_is_to_be_remembered, |server| {
    server.shop().await;
    for (remember, lasts) in [(false, false), (true, true)] {
        let mut browser = Browser::new(&server);
        let page = browser.ask(&request()).await.page_at("/signin");
        let mut typed = vec![("username", "alice"), ("password", PASSWORD)];
        typed.extend(remember.then_some(("remember", "1")));
        let form = page.form();
        let answer = browser.post(&form.action, &form.with(&typed)).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        assert_eq!(answer.header(header::SET_COOKIE).contains("Max-Age="), lasts, "{answer:?}");
    }
});

on_both!(a_person_says_no, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    let page = browser.ask(&request()).await.page_at("/signin");
    let away = browser.submit(&page, &[("action", "cancel")]).await.away();
    assert_eq!(away.parameter("error"), "access_denied");
    let page = browser.ask(&request()).await.page_at("/signin");
    let page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/consent");
    let away = browser.submit(&page, &[("action", "deny")]).await.away();
    let expected = [("error", "access_denied"), ("iss", ORIGIN), ("state", "s-1")];
    let mut parameters = away.parameters();
    assert!(parameters.remove("error_description").is_some());
    assert!(parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())).eq(expected), "{parameters:?}");
    // The interaction is over, and nothing was agreed to.
    assert_error_page(&browser.open(&page.path).await.page().answer);
    browser.ask(&request()).await.page_at("/consent");
});

on_both!(prompts_ask_for_what_they_say, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    browser.code().await;
    let before = browser.session().unwrap().to_owned();
    server.advance(Duration::from_secs(1));
    let page = browser.ask(&request_with(&[("prompt", "login")])).await.page_at("/signin/confirm");
    assert_eq!(page.value("username").as_deref(), Some("alice"));
    // Nobody else signs in there, and a wrong password is one.
    let wrong = browser.submit(&page, &[("username", "bob"), ("password", "wrong password")]).await.page();
    assert_eq!((wrong.answer.status.as_u16(), wrong.value("username").as_deref()), (422, Some("alice")));
    browser.submit(&page, &[("password", PASSWORD)]).await.away().parameter("code");
    assert_ne!(browser.session(), Some(before.as_str()), "a new secret with each authentication");
    server.advance(Duration::from_secs(1));
    browser.ask(&request_with(&[("prompt", "select_account")])).await.page_at("/signin");
    browser.ask(&request_with(&[("prompt", "consent")])).await.page_at("/consent");
    browser.ask(&request_with(&[("max_age", "0")])).await.page_at("/signin/confirm");
    browser.ask(&request_with(&[("max_age", "10")])).await.away().parameter("code");
    browser.ask(&request_with(&[("scope", "openid read write")])).await.page_at("/consent");
});

on_both!(an_expired_form_keeps_what_was_typed_but_the_password, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    let page = browser.ask(&request()).await.page_at("/signin");
    let action = page.form().action;
    let typed =
        [("csrf", "an old token"), ("username", "al\"ice<"), ("password", PASSWORD), ("remember", "1")];
    let answer = browser.post(&action, &typed).await;
    let page = Page { path: action, answer };
    assert_eq!(page.answer.status, 422);
    assert_page(&page.answer);
    assert_eq!(page.value("username").as_deref(), Some("al\"ice<"));
    assert!(page.answer.text.contains(" checked"), "{}", page.answer.text);
    assert!(!page.answer.text.contains(PASSWORD));
    assert_eq!(browser.session(), None);
    // The form that came back is good.
    browser.submit(&page, &[("username", "alice"), ("password", PASSWORD)]).await.page_at("/consent");
});

on_both!(a_sign_in_that_is_over_is_a_page, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    let page = browser.ask(&request()).await.page_at("/signin");
    server.advance(Duration::from_secs(3600));
    assert_error_page(&browser.get(&page.path).await);
    let form = page.form();
    let answer =
        browser.post(&form.action, &form.with(&[("username", "alice"), ("password", PASSWORD)])).await;
    assert_error_page(&answer);
    assert_eq!(browser.session(), None);
});

on_both!(two_tabs_and_the_back_button, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    let one = browser.ask(&request_with(&[("state", "one")])).await.page_at("/signin");
    let two = browser.ask(&request_with(&[("state", "two")])).await.page_at("/signin");
    let agree = browser.sign_in(&one, "alice", PASSWORD).await.page_at("/consent");
    // The other tab's form is of before the sign-in: it goes on without asking again.
    let also = browser.sign_in(&two, "alice", "anything").await.page_at("/consent");
    assert_eq!(browser.submit(&also, &[("action", "allow")]).await.away().parameter("state"), "two");
    assert_eq!(browser.submit(&agree, &[("action", "allow")]).await.away().parameter("state"), "one");
    // Back, and the same forms again: over, and no second code.
    for (page, typed) in
        [(&agree, [("action", "allow"), ("x", "")]), (&one, [("username", "alice"), ("password", PASSWORD)])]
    {
        let again = browser.submit(page, &typed).await.page();
        assert_error_page(&again.answer);
    }
});

on_both!(case_47_hostile_words_on_pages_are_words, |server| {
    server.shop().await;
    let probe = Probe::new(&server).await.inert(&server).await;
    let evil = "\"><script>alert(1)</script>";
    let mut browser = Browser::new(&server);
    server.set_sign_in("shop", |settings| settings.name = Some(evil.to_owned())).await;
    let asked = [("login_hint", evil), ("ui_locales", "<script> de"), ("state", evil), ("nonce", evil)];
    let page = browser.ask(&request_with(&asked)).await.page_at("/signin");
    assert_page(&page.answer);
    assert_eq!(page.value("username").as_deref(), Some(evil));
    let page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/consent");
    assert_page(&page.answer);
    let away = browser.submit(&page, &[("action", "allow")]).await.away();
    assert_eq!(away.parameter("state"), evil, "unchanged, and encoded");
    probe.nothing_lost(&server).await;
});

on_both!(another_persons_sign_in_ends_the_first, |server| {
    let secret = server.shop().await;
    server.person("bob").await;
    let mut browser = Browser::new(&server);
    let code = browser.code().await;
    let pair = server.exchange(&secret, &code).await.assert_ok();
    let old = browser.cookies.clone();
    server.advance(Duration::from_secs(1));
    let page = browser.ask(&request_with(&[("prompt", "select_account")])).await.page_at("/signin");
    // What alice agreed to is not what bob agrees to.
    browser.sign_in(&page, "bob", PASSWORD).await.page_at("/consent");
    server.refresh_shop(&secret, &pair.str("refresh_token")).await.assert_error(400, "invalid_grant");
    let mut former = Browser::new(&server);
    former.cookies = old;
    former.ask(&request()).await.page_at("/signin");
});

on_both!(a_client_that_was_disabled_meanwhile_gets_nothing, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    let page = browser.ask(&request()).await.page_at("/signin");
    let page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/consent");
    server.admin_post("/clients/shop/disable", json!({})).await.assert_ok();
    assert_error_page(&browser.submit(&page, &[("action", "allow")]).await.page().answer);
});

on_both!(a_redirect_uri_that_was_taken_away_meanwhile_gets_nothing, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    let page = browser.ask(&request()).await.page_at("/signin");
    let change = json!({"redirect_uris": ["https://shop.example/other"]});
    server.admin(Method::PATCH, "/clients/shop", change).await.assert_ok();
    assert_error_page(&browser.sign_in(&page, "alice", PASSWORD).await.page().answer);
});

/// A hint says whom the client means: nobody else is answered for.
#[tokio::test]
async fn an_id_token_hint_of_somebody_else_is_answered_with_an_error() {
    let server = TestServer::start(crate::support::Engine::Sqlite).await;
    let secret = server.shop().await;
    server.person("bob").await;
    let mut browser = Browser::new(&server);
    let code = browser.code().await;
    let hint = server.exchange(&secret, &code).await.assert_ok().str("id_token");
    browser.ask(&request_with(&[("id_token_hint", &hint)])).await.away().parameter("code");

    let mut other = Browser::new(&server);
    let page = other.ask(&request_with(&[("id_token_hint", &hint)])).await.page_at("/signin");
    let stop = other.sign_in(&page, "bob", PASSWORD).await;
    assert_eq!(stop.away().parameter("error"), "login_required");
    let none = request_with(&[("id_token_hint", &hint), ("prompt", "none")]);
    assert_eq!(other.ask(&none).await.away().parameter("error"), "login_required");
}

/// OpenID Connect Core section 3.1.2.2: the issuer of a hint is validated, and what is no ID token of ours is an error.
#[tokio::test]
async fn an_id_token_hint_that_is_none_is_an_error_and_not_passed_over() {
    let server = TestServer::start(crate::support::Engine::Sqlite).await;
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let code = browser.code().await;
    let answer = server.exchange(&secret, &code).await.assert_ok();
    let (hint, access) = (answer.str("id_token"), answer.str("access_token"));
    let forged = format!("{}x", &hint[..hint.len() - 1]);
    for wrong in [forged.as_str(), "e30.e30.", "\"><script>", &access] {
        for prompt in ["", "none", "login"] {
            let asked = request_with(&[("id_token_hint", wrong), ("prompt", prompt)]);
            for browser in [&mut browser, &mut Browser::new(&server)] {
                let away = browser.ask(&asked).await.away();
                assert_eq!(away.parameter("error"), "invalid_request", "{wrong} {prompt}");
            }
        }
        let pushed: Vec<_> = request_with(&[("id_token_hint", wrong)]);
        let pushed: Vec<_> = pushed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let basic = crate::support::basic("shop", &secret);
        let answer = server.form_with("/oauth/par", &pushed, &[("authorization", &basic)]).await;
        answer.assert_error(400, "invalid_request");
    }
    // An old one is as good as a new one: it says who is meant.
    server.advance(Duration::from_secs(3600));
    let asked = request_with(&[("id_token_hint", &hint), ("prompt", "none")]);
    browser.ask(&asked).await.away().parameter("code");
}

/// A client that compares `auth_time` with what it asked for accepts what it gets, however long the person read.
#[tokio::test]
async fn a_code_is_as_young_as_the_client_asked() {
    let server = TestServer::start(crate::support::Engine::Sqlite).await;
    let secret = server.shop().await;
    for max_age in [0_u64, 60] {
        let mut browser = Browser::new(&server);
        let asked = request_with(&[("max_age", &max_age.to_string()), ("prompt", "consent")]);
        let page = browser.ask(&asked).await.page_at("/signin");
        let page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/consent");
        // Read for a while, but not for too long.
        server.advance(Duration::from_secs(max_age + 9));
        let read = browser.open(&page.path).await.page_at("/consent");
        server.advance(Duration::from_secs(20 * 60));
        let page = browser.submit(&read, &[("action", "allow")]).await.page_at("/signin/confirm");
        let page = browser.submit(&page, &[("password", PASSWORD)]).await.page_at("/consent");
        let away = browser.submit(&page, &[("action", "allow")]).await.away();
        let told = server.exchange(&secret, &away.parameter("code")).await.assert_ok();
        let told = crate::relying::claims(&told.str("id_token"));
        let age = told["iat"].as_u64().unwrap() - told["auth_time"].as_u64().unwrap();
        assert!(age <= max_age, "{told}");
    }
}

/// RFC 6797 section 7: browsers come back over TLS only, where that is what there is.
#[tokio::test]
async fn browsers_are_told_to_come_back_over_tls_where_there_is_tls() {
    for (issuer, told) in [("https://auth.example", "max-age=31536000"), ("http://localhost:8080", "")] {
        let server = TestServer::start_with(crate::support::Engine::Sqlite, &[("issuer", issuer)]).await;
        for path in ["/account", "/.well-known/openid-configuration", "/oauth/userinfo", "/nowhere"] {
            let answer = server.get(path).await;
            assert_eq!(answer.header(header::STRICT_TRANSPORT_SECURITY), told, "{issuer}{path}");
        }
        let api = server.admin(Method::GET, "/users", Value::Null).await.assert_ok();
        assert_eq!(api.header(header::STRICT_TRANSPORT_SECURITY), "", "a listener of the inside");
    }
}

on_both!(who_signs_in_again_to_be_remembered_leaves_no_old_cookie_behind, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    browser.code().await;
    let old = browser.cookies.clone();
    server.advance(Duration::from_secs(1));
    let page = browser.ask(&request_with(&[("prompt", "select_account")])).await.page_at("/signin");
    let typed = [("username", "alice"), ("password", PASSWORD), ("remember", "1")];
    browser.submit(&page, &typed).await.away().parameter("code");
    let mut former = Browser::new(&server);
    former.cookies = old;
    former.ask(&request()).await.page_at("/signin");
});

on_both!(sign_ins_are_recorded, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    browser.code().await;
    let events = server.admin(Method::GET, "/events", Value::Null).await.assert_ok();
    assert!(events.text.contains("signed in from a new device: 192.0.2.0/24"), "{}", events.text);
});

/// `sign_in.sensitive_scopes` is for who stays signed in for months.
#[tokio::test]
async fn a_sensitive_scope_wants_a_password_of_late() {
    let values = [("sign_in.sensitive_scopes", "write"), ("sign_in.sensitive_max_age", "5m")];
    let server = TestServer::start_with(crate::support::Engine::Sqlite, &values).await;
    server.shop().await;
    let mut browser = Browser::new(&server);
    let asked = request_with(&[("scope", "openid write")]);
    browser.allow(&asked).await.parameter("code");
    browser.ask(&asked).await.away().parameter("code");
    server.advance(Duration::from_secs(301));
    browser.ask(&asked).await.page_at("/signin/confirm");
    browser.code().await;
}

/// Browsers refuse the prefix, and `Secure`, over plain http: for development on one's own machine.
#[tokio::test]
async fn over_plain_http_cookies_go_without_their_prefix() {
    let values = [("issuer", "http://localhost:8080")];
    let server = TestServer::start_with(crate::support::Engine::Sqlite, &values).await;
    server.shop().await;
    let answer = server.get(&address(&request())).await;
    let cookie = answer.header(header::SET_COOKIE);
    assert!(cookie.starts_with("countersign-form=") && !cookie.contains("Secure"), "{cookie}");
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"), "{cookie}");
}
