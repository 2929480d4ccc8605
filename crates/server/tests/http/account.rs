//! The account page from outside, and addresses that lead nowhere.

use ::http::{Request, header};
use axum::body::Body;
use serde_json::json;

use crate::browser::Browser;
use crate::on_both;
use crate::relying::PASSWORD;
use crate::sign_in::assert_page;
use crate::support::Answer;

/// A page as somebody gets it who prefers a language.
async fn in_language(browser: &mut Browser<'_>, language: &str, path: &str) -> Answer {
    let request = Request::get(path).header("accept", "text/html").header("accept-language", language);
    browser.send(request.body(Body::empty()).unwrap()).await
}

on_both!(what_is_over_is_told_as_over_and_why_in_the_persons_language, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let code = browser.code().await;
    server.exchange(&secret, &code).await.assert_ok();
    let live = in_language(&mut browser, "de", "/account").await.text;
    assert!(live.contains("/account/sessions/end") && !live.contains("class=\"why"), "{live}");

    // It ends with everything that alice has, and no row of its own says so.
    server.admin_post("/users/alice/sign-out", json!({})).await.assert_ok();
    let page = browser.open("/account").await.page_at("/signin");
    browser.sign_in(&page, "alice", PASSWORD).await.page_at("/account");
    for (language, why) in
        [("en", "You signed out everywhere, or"), ("de", "Sie haben sich überall abgemeldet, oder")]
    {
        let over = in_language(&mut browser, language, "/account").await.text;
        assert!(over.contains(why) && !over.contains("/account/sessions/end"), "{over}");
    }
});

on_both!(whoever_loads_a_page_again_where_only_a_form_leads_is_on_the_account_page, |server| {
    server.person("alice").await;
    let mut browser = Browser::new(&server);
    let page = browser.open("/account").await.page_at("/signin");
    browser.sign_in(&page, "alice", PASSWORD).await.page_at("/account");
    for path in ["/account/recovery-codes", "/account/password", "/account/passkeys/add"] {
        browser.open(path).await.page_at("/account");
    }
});

on_both!(a_mistyped_address_is_a_page_for_people_and_nothing_for_programs, |server| {
    let mut browser = Browser::new(&server);
    let page = in_language(&mut browser, "de", "/acount").await;
    assert_eq!(page.status, 404);
    assert_page(&page);
    assert!(page.text.contains("Hier ist nichts"), "{}", page.text);
    let answer = server.get("/oauth/tokens").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (404, ""));
    assert!(answer.headers.get(header::SET_COOKIE).is_none());
});

on_both!(only_operators_are_shown_the_way_to_the_console, |server| {
    server.person("alice").await;
    let root = json!({"username": "root", "password": PASSWORD, "roles": ["countersign-admin"]});
    server.admin_post("/users", root).await.assert_ok();
    for (name, is_operator) in [("alice", false), ("root", true)] {
        let mut browser = Browser::new(&server);
        let page = browser.open("/account").await.page_at("/signin");
        let page = browser.sign_in(&page, name, PASSWORD).await.page_at("/account");
        assert_eq!(page.answer.text.contains("href=\"/console\""), is_operator, "{name}");
    }
});

/// A new cookie would take the place of one that is there, and void the forms that are open.
#[tokio::test]
async fn a_form_of_another_site_gives_the_browser_no_cookie() {
    let server = crate::support::TestServer::start(crate::support::Engine::Sqlite).await;
    for path in ["/account/password", "/device", "/oauth/logout", "/console/revoke", "/signin"] {
        let answer = Browser::new(&server)
            .post_with(path, &[("csrf", "x")], &[("sec-fetch-site", "cross-site")])
            .await;
        assert!(answer.headers.get(header::SET_COOKIE).is_none(), "{path}: {answer:?}");
    }
}
