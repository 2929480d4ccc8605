//! A device without a browser (RFC 8628).

use std::time::Duration;

use axum::body::Body;
use http::{Request, header};
use serde_json::json;

use crate::attack_list::Probe;
use crate::browser::{Browser, Page};
use crate::on_both;
use crate::relying::{PASSWORD, claims};
use crate::sign_in::assert_page;
use crate::support::{Answer, Engine, TestServer};

pub(crate) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A user `alice`, and a public client `tv`.
pub(crate) async fn set_up(server: &TestServer) {
    server.person("alice").await;
    server.native_client("tv", "https://tv.example/cb").await;
}

/// The device code and the user code of a new request.
pub(crate) async fn begin(server: &TestServer) -> (String, String) {
    let answer =
        server.form("/oauth/device_authorization", &[("client_id", "tv"), ("scope", "openid read")]).await;
    let answer = answer.assert_ok();
    (answer.str("device_code"), answer.str("user_code"))
}

pub(crate) async fn poll(server: &TestServer, client: &str, code: &str) -> Answer {
    server.form("/oauth/token", &[("grant_type", GRANT), ("client_id", client), ("device_code", code)]).await
}

/// The page where a code is typed, with alice signed in.
pub(crate) async fn device_page(browser: &mut Browser<'_>) -> Page {
    let page = browser.open("/device").await.page_at("/signin");
    browser.sign_in(&page, "alice", PASSWORD).await.page_at("/device")
}

/// Types a code and decides.
pub(crate) async fn decide(browser: &mut Browser<'_>, page: &Page, code: &str, action: &str) -> Page {
    let page = browser.submit(page, &[("user_code", code)]).await.page_at("/device");
    browser.submit(&page, &[("action", action)]).await.page_at("/device")
}

on_both!(a_device_is_connected, |server| {
    set_up(&server).await;
    let begun = server
        .form("/oauth/device_authorization", &[("client_id", "tv"), ("scope", "openid read")])
        .await
        .assert_ok();
    assert_eq!(begun.header(header::CACHE_CONTROL), "no-store");
    let body = begun.json();
    assert_eq!((&body["expires_in"], &body["interval"]), (&json!(600), &json!(5)));
    assert_eq!(body["verification_uri"], "https://auth.example/device");
    let complete = begun.str("verification_uri_complete");
    let (device, user) = (begun.str("device_code"), begun.str("user_code"));
    poll(&server, "tv", &device).await.assert_error(400, "authorization_pending");

    // By the address with the code in it, in a browser where nobody is signed in.
    let mut browser = Browser::new(&server);
    let page = browser.open(complete.strip_prefix("https://auth.example").unwrap()).await.page_at("/signin");
    let page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/device");
    assert_page(&page.answer);
    assert_eq!(page.value("user_code").as_deref(), Some(user.as_str()), "filled in, and not yet sent");
    let page = browser
        .submit(&page, &[("user_code", &user.to_lowercase().replace('-', " "))])
        .await
        .page_at("/device");
    assert_page(&page.answer);
    assert!(page.answer.text.contains("tv"), "{}", page.answer.text);
    server.advance(Duration::from_secs(5));
    poll(&server, "tv", &device).await.assert_error(400, "authorization_pending");
    browser.submit(&page, &[("action", "allow")]).await.page_at("/device");

    server.advance(Duration::from_secs(5));
    let answer = poll(&server, "tv", &device).await.assert_ok();
    assert_eq!(answer.json()["scope"], "openid read");
    assert_eq!(claims(&answer.str("id_token"))["aud"], "tv");
    server.get_as("/oauth/userinfo", &answer.str("access_token")).await.assert_ok();
    let next = server.refresh("tv", &answer.str("refresh_token")).await.assert_ok();
    // The device is elsewhere: signing out here leaves it connected.
    let page = browser.open("/oauth/logout").await.page_at("/oauth/logout");
    browser.submit(&page, &[("action", "yes")]).await.page();
    server.refresh("tv", &next.str("refresh_token")).await.assert_ok();
});

on_both!(a_device_shows_a_picture_of_the_address, |server| {
    set_up(&server).await;
    let (_, user) = begin(&server).await;
    let path = format!("/device/qr?user_code={user}");
    let picture = server.get(&path).await.assert_ok();
    assert_eq!(picture.header(header::CONTENT_TYPE), "image/svg+xml");
    assert_eq!(picture.header(header::CACHE_CONTROL), "no-store");
    assert_eq!(picture.header(http::HeaderName::from_static("cross-origin-resource-policy")), "cross-origin");
    assert!(picture.text.starts_with("<svg xmlns=") && !picture.text.contains(&user));
    let request = Request::get(&path).header(header::ACCEPT, "text/plain").body(Body::empty()).unwrap();
    let lines = server.send(request).await.assert_ok();
    assert_eq!(lines.header(header::CONTENT_TYPE), "text/plain; charset=utf-8");
    assert!(lines.text.contains('█'));
    // A code that nobody has looks the same: nothing is to be found out here.
    server.get("/device/qr?user_code=bcdf%20ghjk").await.assert_ok();
    for bad in [
        "",
        "?user_code=",
        "?user_code=AAAA-AAAA",
        "?user_code=%3Csvg%3E",
        "?x=1",
        "?user_code=BCDF-GHJK&user_code=BCDF-GHJK",
    ] {
        assert_eq!(server.get(&format!("/device/qr{bad}")).await.status, 404, "{bad}");
    }
});

on_both!(a_device_that_asks_too_often_is_slowed_down, |server| {
    set_up(&server).await;
    let (device, _) = begin(&server).await;
    poll(&server, "tv", &device).await.assert_error(400, "authorization_pending");
    server.advance(Duration::from_secs(4));
    poll(&server, "tv", &device).await.assert_error(400, "slow_down");
    // Five seconds more from now on.
    server.advance(Duration::from_secs(9));
    poll(&server, "tv", &device).await.assert_error(400, "slow_down");
    server.advance(Duration::from_secs(15));
    poll(&server, "tv", &device).await.assert_error(400, "authorization_pending");
});

on_both!(a_person_who_says_no_is_final, |server| {
    set_up(&server).await;
    let (device, user) = begin(&server).await;
    let mut browser = Browser::new(&server);
    let page = device_page(&mut browser).await;
    decide(&mut browser, &page, &user, "deny").await;
    for _ in 0..2 {
        poll(&server, "tv", &device).await.assert_error(400, "access_denied");
    }
    let again = browser.submit(&page, &[("user_code", &user)]).await.page();
    assert_eq!(again.answer.status, 422);
});

on_both!(a_device_code_expires_and_is_then_forgotten, |server| {
    set_up(&server).await;
    let (device, user) = begin(&server).await;
    server.advance(Duration::from_secs(600));
    poll(&server, "tv", &device).await.assert_error(400, "expired_token");
    let mut browser = Browser::new(&server);
    let page = device_page(&mut browser).await;
    assert_eq!(browser.submit(&page, &[("user_code", &user)]).await.page().answer.status, 422);
});

on_both!(case_54_a_device_code_is_of_one_client_and_good_once, |server| {
    set_up(&server).await;
    let probe = Probe::new(&server).await;
    server.native_client("other", "https://other.example/cb").await;
    let (device, user) = begin(&server).await;
    let mut browser = Browser::new(&server);
    let page = device_page(&mut browser).await;
    decide(&mut browser, &page, &user, "allow").await;
    poll(&server, "other", &device).await.assert_error(400, "invalid_grant");
    poll(&server, "tv", &device).await.assert_ok();
    poll(&server, "tv", &device).await.assert_error(400, "invalid_grant");
    probe.nothing_lost(&server).await;
});

on_both!(a_decision_needs_the_form_that_this_browser_was_given, |server| {
    set_up(&server).await;
    let (device, user) = begin(&server).await;
    let mut browser = Browser::new(&server);
    let page = device_page(&mut browser).await;
    let typed = [("user_code", user.as_str()), ("action", "allow")];
    for (token, site) in [("", "same-origin"), ("x", "same-origin"), (page.form().csrf(), "cross-site")] {
        let fields = [typed.as_slice(), &[("csrf", token)]].concat();
        let answer = browser.post_with("/device", &fields, &[("sec-fetch-site", site)]).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        let page = Page { path: "/device".to_owned(), answer };
        assert_eq!(page.value("user_code").as_deref(), Some(user.as_str()), "nothing typed is lost");
    }
    assert_eq!(browser.get(&format!("/device?user_code={user}&action=allow")).await.status, 200);
    poll(&server, "tv", &device).await.assert_error(400, "authorization_pending");
});

on_both!(what_a_device_asks_is_checked, |server| {
    set_up(&server).await;
    server.confidential_client("job", json!({})).await;
    let long = "x".repeat(10_000);
    for (pairs, status, error) in [
        (vec![], 401, "invalid_client"),
        (vec![("client_id", "nobody")], 401, "invalid_client"),
        (vec![("client_id", "\"><script>")], 401, "invalid_client"),
        (vec![("client_id", "job")], 401, "invalid_client"),
        (vec![("client_id", "tv"), ("client_id", "tv")], 400, "invalid_request"),
        (vec![("client_id", "tv"), ("scope", "admin")], 400, "invalid_scope"),
        (vec![("client_id", "tv"), ("scope", "\"><script>")], 400, "invalid_scope"),
        (vec![("client_id", "tv"), ("scope", long.as_str())], 400, "invalid_scope"),
        (vec![("client_id", "tv"), ("scope", "read"), ("scope", "read")], 400, "invalid_request"),
        (vec![("client_id", "tv"), ("resource", "https://other.example")], 400, "invalid_target"),
    ] {
        let text = server.form("/oauth/device_authorization", &pairs).await.assert_error(status, error);
        assert!(!text.contains(['<', '"', '\\']), "{text}");
    }
    for code in ["x", "", &long, "\0"] {
        let answer = poll(&server, "tv", code).await;
        let error = if ["", "\0"].contains(&code) { "invalid_request" } else { "invalid_grant" };
        answer.assert_error(400, error);
    }
    let mut browser = Browser::new(&server);
    let page = device_page(&mut browser).await;
    for typed in ["", "x", "BCDF-GHJK", "\"><script>alert(1)</script>", &long, "B\0\r\nCDFGHJK"] {
        let answer = browser.submit(&page, &[("user_code", typed)]).await.page().answer;
        let expected = if typed.contains('\0') { 400 } else { 422 };
        assert_eq!(answer.status, expected, "{}", answer.text);
        assert_page(&answer);
        server.advance(Duration::from_secs(3600));
    }
});

/// Asks for a confirmation, confirms, and is where the code is typed, with the code.
async fn confirm(browser: &mut Browser<'_>, page: Page, code: &str) -> Page {
    assert_page(&page.answer);
    let page = browser.submit(&page, &[("password", PASSWORD)]).await.page_at("/device");
    assert_eq!(page.value("user_code").as_deref(), Some(code), "back with the code");
    page
}

async fn what_is_sensitive_wants_a_recent_authentication(server: TestServer) {
    set_up(&server).await;
    let mut browser = Browser::new(&server);
    let typing = device_page(&mut browser).await;
    server.advance(Duration::from_secs(11 * 60));

    // What is not sensitive, and what is denied, is decided as it is.
    let answer = server.form("/oauth/device_authorization", &[("client_id", "tv"), ("scope", "read")]).await;
    decide(&mut browser, &typing, &answer.str("user_code"), "allow").await;
    let (device, code) = begin_sensitive(&server).await;
    browser.submit(&typing, &[("user_code", &code), ("action", "deny")]).await.page_at("/device");
    poll(&server, "tv", &device).await.assert_error(400, "access_denied");

    // With or without the page in between.
    let (device, code) = begin_sensitive(&server).await;
    for action in ["", "allow"] {
        let typed = [("user_code", code.as_str()), ("action", action)];
        browser.submit(&typing, &typed).await.page_at("/signin/confirm");
        poll(&server, "tv", &device).await.assert_error(400, "authorization_pending");
        server.advance(Duration::from_secs(30));
    }
    let page = browser.submit(&typing, &[("user_code", &code)]).await.page_at("/signin/confirm");
    let page = confirm(&mut browser, page, &code).await;
    let page = browser.submit(&page, &[("user_code", &code)]).await.page_at("/device");
    // The page was left open.
    server.advance(Duration::from_secs(61));
    let page = browser.submit(&page, &[("action", "allow")]).await.page_at("/signin/confirm");
    let page = confirm(&mut browser, page, &code).await;
    decide(&mut browser, &page, &code, "allow").await;
    let answer = poll(&server, "tv", &device).await.assert_ok();
    assert_eq!(answer.json()["scope"], "openid write");
    let age =
        server.app.clock.now().seconds() - claims(&answer.str("id_token"))["auth_time"].as_u64().unwrap();
    assert!(age <= 60, "{age}");
}

async fn begin_sensitive(server: &TestServer) -> (String, String) {
    let pairs = [("client_id", "tv"), ("scope", "openid write")];
    let answer = server.form("/oauth/device_authorization", &pairs).await.assert_ok();
    (answer.str("device_code"), answer.str("user_code"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sensitive_wants_a_recent_authentication_on_each_engine() {
    let settings = [("sign_in.sensitive_scopes", "write"), ("sign_in.sensitive_max_age", "1m")];
    for engine in [Engine::Sqlite, Engine::Postgres] {
        what_is_sensitive_wants_a_recent_authentication(TestServer::start_with(engine, &settings).await)
            .await;
    }
}

on_both!(what_a_person_allowed_a_device_can_be_taken_back, |server| {
    set_up(&server).await;
    let mut browser = Browser::new(&server);
    let page = device_page(&mut browser).await;
    let (denied, code) = begin(&server).await;
    decide(&mut browser, &page, &code, "deny").await;
    poll(&server, "tv", &denied).await.assert_error(400, "access_denied");
    let account = browser.open("/account").await.page_at("/account");
    assert!(!account.answer.text.contains("/account/permissions/withdraw"), "nothing was allowed");

    let (device, code) = begin(&server).await;
    decide(&mut browser, &page, &code, "allow").await;
    let tokens = poll(&server, "tv", &device).await.assert_ok();
    // Approved, and not yet fetched.
    let (waiting, code) = begin(&server).await;
    decide(&mut browser, &page, &code, "allow").await;
    let account = browser.open("/account").await.page_at("/account");
    assert!(account.answer.text.contains("/account/permissions/withdraw"), "{}", account.answer.text);
    let form = page.form();
    let fields = [("csrf", form.csrf()), ("id", "tv")];
    assert_eq!(browser.post("/account/permissions/withdraw", &fields).await.status, 303);
    server.refresh("tv", &tokens.str("refresh_token")).await.assert_error(400, "invalid_grant");
    let text = poll(&server, "tv", &waiting).await.assert_error(400, "invalid_grant");
    assert!(text.contains("consent"), "{text}");

    // Allowed anew, it works anew; more than before is added to what was allowed.
    let answer = server.form("/oauth/device_authorization", &[("client_id", "tv"), ("scope", "read")]).await;
    decide(&mut browser, &page, &answer.str("user_code"), "allow").await;
    let first = poll(&server, "tv", &answer.str("device_code")).await.assert_ok();
    let answer = server.form("/oauth/device_authorization", &[("client_id", "tv"), ("scope", "write")]).await;
    decide(&mut browser, &page, &answer.str("user_code"), "allow").await;
    poll(&server, "tv", &answer.str("device_code")).await.assert_ok();
    server.refresh("tv", &first.str("refresh_token")).await.assert_ok();
    let user = server.app.store.find_user_by_name("alice").await.unwrap().unwrap();
    let consent = server.app.store.consent(user.id, &"tv".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(consent.scope.to_string(), "read write");
});
