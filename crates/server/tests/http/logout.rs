//! Signing out (OpenID Connect RP-Initiated Logout 1.0).

use crate::browser::{Browser, Page};
use crate::on_both;
use crate::relying::{request, request_with};
use crate::sign_in::{assert_error_page, assert_page};
use crate::support::TestServer;

const AFTER: &str = "https://shop.example/after";

/// A browser in which alice is signed in for `shop`; the client's secret, its refresh token and ID
/// token.
async fn signed_in(server: &TestServer) -> (Browser<'_>, [String; 3]) {
    let secret = server.shop().await;
    server.set_sign_in("shop", |settings| settings.post_logout_redirect_uris = vec![AFTER.to_owned()]).await;
    let mut browser = Browser::new(server);
    let code = browser.code().await;
    let answer = server.exchange(&secret, &code).await.assert_ok();
    let (refresh, id) = (answer.str("refresh_token"), answer.str("id_token"));
    (browser, [secret, refresh, id])
}

fn logout(pairs: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("/oauth/logout?{query}")
}

on_both!(with_an_id_token_the_person_is_signed_out_and_sent_back, |server| {
    let (mut browser, [secret, refresh, id]) = signed_in(&server).await;
    let state = "a&b=\"><script>\r\n";
    let pairs = [("id_token_hint", id.as_str()), ("post_logout_redirect_uri", AFTER), ("state", state)];
    let answer = browser.get(&logout(&pairs)).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let away = browser.follow("/oauth/logout", answer).await.away();
    assert!(away.url.starts_with(&format!("{AFTER}?state=")), "{}", away.url);
    assert_eq!(away.parameter("state"), state);
    assert_eq!(browser.session(), None);
    server.refresh_shop(&secret, &refresh).await.assert_error(400, "invalid_grant");
    browser.ask(&request()).await.page_at("/signin");
    // Again, with nobody here: nothing is left to do, and the person still gets back.
    assert_eq!(browser.open(&logout(&pairs[..2])).await.away().url, AFTER);
});

on_both!(without_a_hint_the_person_is_asked, |server| {
    let (mut browser, [secret, refresh, _]) = signed_in(&server).await;
    let pairs = [("client_id", "shop"), ("post_logout_redirect_uri", AFTER), ("state", "s")];
    for pairs in [&pairs[..0], &pairs] {
        let page = browser.open(&logout(pairs)).await.page_at("/oauth/logout");
        assert_page(&page.answer);
        assert!(browser.session().is_some(), "a link alone signs nobody out");
        let no = browser.submit(&page, &[("action", "no")]).await.page();
        assert_eq!(no.path, "/account");
        assert!(browser.session().is_some());
    }
    let refresh = server.refresh_shop(&secret, &refresh).await.assert_ok().str("refresh_token");
    let page = browser.open(&logout(&pairs)).await.page_at("/oauth/logout");
    let away = browser.submit(&page, &[("action", "yes")]).await.away();
    assert_eq!(away.url, format!("{AFTER}?state=s"));
    assert_eq!(browser.session(), None);
    server.refresh_shop(&secret, &refresh).await.assert_error(400, "invalid_grant");
});

on_both!(a_hint_of_somebody_else_is_no_wish_of_who_is_here, |server| {
    let (mut alice, [secret, refresh, id]) = signed_in(&server).await;
    server.person("bob").await;
    let mut other = Browser::new(&server);
    let page = other.ask(&request()).await.page_at("/signin");
    other.sign_in(&page, "bob", crate::relying::PASSWORD).await.page_at("/consent");
    let page = other.open(&logout(&[("id_token_hint", &id)])).await.page_at("/oauth/logout");
    assert!(page.answer.text.contains("name=\"action\" value=\"yes\""), "{}", page.answer.text);
    assert!(other.session().is_some());
    // Bob may sign himself out, and nobody else.
    other.submit(&page, &[("action", "yes")]).await.page();
    assert_eq!(other.session(), None);
    let refreshed = server.refresh_shop(&secret, &refresh).await.assert_ok();
    assert!(alice.session().is_some());
    // Nor does the hint alone, in a browser in which nobody is signed in.
    assert_eq!(other.get(&logout(&[("id_token_hint", &id)])).await.status, 200);
    server.refresh_shop(&secret, &refreshed.str("refresh_token")).await.assert_ok();
    alice.open("/account").await.page_at("/account");
});

on_both!(a_hint_of_a_session_of_another_browser_is_no_wish_of_this_one, |server| {
    let (_, [secret, refresh, id]) = signed_in(&server).await;
    let mut other = Browser::new(&server);
    other.code().await;
    let pairs = [("id_token_hint", id.as_str()), ("post_logout_redirect_uri", AFTER)];
    let page = other.open(&logout(&pairs)).await.page_at("/oauth/logout");
    assert!(other.session().is_some());
    let away = other.submit(&page, &[("action", "yes")]).await.away();
    assert_eq!((away.url.as_str(), other.session()), (AFTER, None));
    server.refresh_shop(&secret, &refresh).await.assert_ok();
});

on_both!(nobody_is_sent_to_a_client_that_was_disabled, |server| {
    let (mut browser, [_, _, id]) = signed_in(&server).await;
    server.admin_post("/clients/shop/disable", serde_json::json!({})).await.assert_ok();
    for pairs in [
        [("id_token_hint", id.as_str()), ("post_logout_redirect_uri", AFTER)],
        [("client_id", "shop"), ("post_logout_redirect_uri", AFTER)],
    ] {
        assert_error_page(&browser.get(&logout(&pairs)).await);
    }
    assert!(browser.session().is_some());
});

on_both!(a_request_that_is_wrong_is_a_page_and_nobody_is_signed_out, |server| {
    let (mut browser, [secret, refresh, id]) = signed_in(&server).await;
    server.web_client("other", "https://other.example/cb").await;
    let long = format!("{AFTER}{}", "x".repeat(10_000));
    let forged = format!("{}x", &id[..id.len() - 1]);
    for pairs in [
        vec![("id_token_hint", id.as_str()), ("post_logout_redirect_uri", "https://evil.example/")],
        vec![("id_token_hint", id.as_str()), ("post_logout_redirect_uri", "https://shop.example/after/")],
        vec![("id_token_hint", id.as_str()), ("post_logout_redirect_uri", "https://shop.example/after?x=1")],
        vec![("id_token_hint", id.as_str()), ("post_logout_redirect_uri", "javascript:alert(1)")],
        vec![("id_token_hint", id.as_str()), ("post_logout_redirect_uri", &long)],
        vec![("id_token_hint", id.as_str()), ("post_logout_redirect_uri", "\"><script>")],
        vec![("id_token_hint", id.as_str()), ("client_id", "other"), ("post_logout_redirect_uri", AFTER)],
        vec![("id_token_hint", forged.as_str())],
        vec![("id_token_hint", "e30.e30.")],
        vec![("client_id", "nobody")],
        vec![("client_id", "\"><script>")],
        // Nobody knows whose place it is.
        vec![("post_logout_redirect_uri", AFTER)],
        vec![("client_id", "other"), ("post_logout_redirect_uri", AFTER)],
        vec![("state", "a"), ("state", "b")],
        vec![("id_token_hint", id.as_str()), ("id_token_hint", id.as_str())],
    ] {
        let answer = browser.get(&logout(&pairs)).await;
        assert_error_page(&answer);
        assert!(!answer.text.contains("evil.example"), "{}", answer.text);
    }
    assert_error_page(&browser.get("/oauth/logout?state=%ff").await);
    assert!(browser.session().is_some());
    server.refresh_shop(&secret, &refresh).await.assert_ok();
});

on_both!(an_access_token_is_no_id_token_hint, |server| {
    let (mut browser, [secret, refresh, _]) = signed_in(&server).await;
    let access = server.refresh_shop(&secret, &refresh).await.assert_ok().str("access_token");
    assert_error_page(&browser.get(&logout(&[("id_token_hint", &access)])).await);
    assert!(browser.session().is_some());
});

on_both!(an_application_may_ask_with_a_form, |server| {
    let (mut browser, [secret, refresh, id]) = signed_in(&server).await;
    // From the application's site it comes without cookies.
    let kept = std::mem::take(&mut browser.cookies);
    let pairs = [("id_token_hint", id.as_str()), ("post_logout_redirect_uri", AFTER)];
    let headers = [("sec-fetch-site", "cross-site"), ("origin", "https://shop.example")];
    let answer = browser.post_with("/oauth/logout", &pairs, &headers).await;
    assert!(answer.headers.get("set-cookie").is_none(), "{answer:?}");
    browser.cookies = kept;
    assert_eq!(browser.follow("/oauth/logout", answer).await.away().url, AFTER);
    assert_eq!(browser.session(), None);
    server.refresh_shop(&secret, &refresh).await.assert_error(400, "invalid_grant");
});

on_both!(access_while_away_outlives_signing_out_unless_its_client_asks, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let asked = request_with(&[("scope", "openid read offline_access")]);
    let code = browser.allow(&asked).await.parameter("code");
    let answer = server.exchange(&secret, &code).await.assert_ok();
    let page = browser.open("/oauth/logout").await.page_at("/oauth/logout");
    browser.submit(&page, &[("action", "yes")]).await.page();
    let answer = server.refresh_shop(&secret, &answer.str("refresh_token")).await.assert_ok();
    let id = answer.str("id_token");
    // Nobody is here whose wish it could be: who found an old ID token ends nothing with it.
    let done: Page = browser.open(&logout(&[("id_token_hint", &id)])).await.page_at("/oauth/logout");
    assert_page(&done.answer);
    let answer = server.refresh_shop(&secret, &answer.str("refresh_token")).await.assert_ok();
    browser.code().await;
    let done: Page = browser.open(&logout(&[("id_token_hint", &id)])).await.page_at("/oauth/logout");
    assert_page(&done.answer);
    assert_eq!(browser.session(), None);
    server.refresh_shop(&secret, &answer.str("refresh_token")).await.assert_error(400, "invalid_grant");
});
