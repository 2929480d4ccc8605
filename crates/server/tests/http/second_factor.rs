//! Second factors from outside: an authenticator app is set up, asked for, and used once; recovery
//! codes stand in for it; a client can have it shown.

use std::time::Duration;

use aws_lc_rs::hmac;
use countersign::time::Timestamp;

use crate::browser::{Browser, Page, Stop};
use crate::on_both;
use crate::relying::{PASSWORD, claims, request, request_with};
use crate::sign_in::assert_page;
use crate::support::TestServer;

/// Twice the step of a code: the next one is another.
pub(crate) const LATER: Duration = Duration::from_secs(60);

/// The app on a person's phone (RFC 6238), written apart from the server's.
pub(crate) fn code(secret: &str, now: Timestamp) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String =
        secret.chars().map(|letter| format!("{:05b}", LETTERS.find(letter).unwrap())).collect();
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let tag = hmac::sign(&key, &(now.seconds() / 30).to_be_bytes());
    let offset = usize::from(tag.as_ref()[19] & 15);
    let word: [u8; 4] = tag.as_ref()[offset..offset + 4].try_into().unwrap();
    format!("{:06}", (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000)
}

/// The texts between two marks.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Vec<&'t str> {
    text.split(before).skip(1).filter_map(|rest| rest.split_once(after)).map(|(found, _)| found).collect()
}

/// Signs `alice` in and sets her app up; gives its secret and her recovery codes.
async fn set_up(server: &TestServer, browser: &mut Browser<'_>) -> (String, Vec<String>) {
    let page = browser.open("/account").await.page_at("/signin");
    let page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/account");
    add_app(server, browser, &page).await
}

/// The same from the account page of who is signed in.
pub(crate) async fn add_app(
    server: &TestServer,
    browser: &mut Browser<'_>,
    page: &Page,
) -> (String, Vec<String>) {
    assert_page(&page.answer);
    let csrf = page.form().csrf().to_owned();
    let answer = browser.post("/account/totp/add", &[("csrf", &csrf)]).await;
    let page = browser.follow("/account/totp/add", answer).await.page_at("/account/totp");
    assert_page(&page.answer);
    let secret = between(&page.answer.text, "<p class=\"secret\">", "</p>")[0];
    let secret = between(secret, "<span>", "</span>").concat();
    assert_eq!(secret.len(), 32, "{secret}");
    let wrong = browser.submit(&page, &[("code", "000000")]).await.page();
    assert_eq!(wrong.answer.status, 422);
    let right = code(&secret, server.app.clock.now());
    let page = browser.submit(&wrong, &[("code", &right)]).await.page();
    assert!(page.answer.status.is_success(), "{}", page.answer.text);
    let codes = between(&page.answer.text, "<code>", "</code>").into_iter().map(str::to_owned).collect();
    (secret, codes)
}

/// As far as the page that asks for a second factor.
async fn with_password(browser: &mut Browser<'_>) -> Page {
    let page = browser.ask(&request()).await.page_at("/signin");
    browser.sign_in(&page, "alice", PASSWORD).await.page_at("/signin/factor")
}

on_both!(an_authenticator_app_is_asked_for_and_a_code_is_good_once, |server| {
    let secret = server.shop().await;
    let mut phone_owner = Browser::new(&server);
    let before = server.app.clock.now();
    let (app, recovery) = set_up(&server, &mut phone_owner).await;
    assert_eq!(recovery.len(), 10, "{recovery:?}");
    assert!(phone_owner.open("/account").await.page_at("/account").answer.text.contains("alice"));

    let mut browser = Browser::new(&server);
    let page = with_password(&mut browser).await;
    assert_page(&page.answer);
    assert!(browser.session().is_none(), "a password alone signs nobody in");
    let used = browser.submit(&page, &[("code", &code(&app, before)), ("action", "verify")]).await.page();
    assert_eq!(used.answer.status, 422, "the code of the set-up is used up");
    server.advance(LATER);
    let fresh = code(&app, server.app.clock.now());
    let page = browser.submit(&page, &[("code", &fresh), ("action", "verify")]).await.page_at("/consent");
    let away = browser.submit(&page, &[("action", "allow")]).await.away();
    let pair = server.exchange(&secret, &away.parameter("code")).await.assert_ok();
    let told = claims(&pair.str("id_token"));
    assert_eq!(told["acr"], "aal2");
    assert_eq!(told["amr"], serde_json::json!(["pwd", "otp", "mfa"]));

    let mut thief = Browser::new(&server);
    let page = with_password(&mut thief).await;
    let again = thief.submit(&page, &[("code", &fresh), ("action", "verify")]).await.page();
    assert_eq!(again.answer.status, 422, "the same code a second time");
});

on_both!(a_recovery_code_signs_in_once, |server| {
    server.shop().await;
    let (_, recovery) = set_up(&server, &mut Browser::new(&server)).await;
    for expected in [true, false] {
        let mut browser = Browser::new(&server);
        let page = with_password(&mut browser).await;
        let page = browser.open(&format!("{}&method=recovery", page.path)).await.page_at("/signin/factor");
        let typed = recovery[0].to_lowercase().replace('-', " ");
        let stop = browser.submit(&page, &[("recovery_code", &typed), ("action", "verify")]).await.page();
        assert_eq!(stop.answer.status.is_success(), expected, "{}", stop.answer.text);
        assert_eq!(browser.session().is_some(), expected);
    }
});

on_both!(a_client_can_have_a_second_factor_shown, |server| {
    server.shop().await;
    let two = request_with(&[("acr_values", "aal2")]);
    // Who has none cannot show one.
    let refused = Browser::new(&server).allow(&two).await;
    assert_eq!(refused.parameter("error"), "unmet_authentication_requirements");

    let mut browser = Browser::new(&server);
    let (app, _) = set_up(&server, &mut browser).await;
    let silent = browser.ask(&request_with(&[("acr_values", "aal2"), ("prompt", "none")])).await.away();
    assert_eq!(silent.parameter("error"), "interaction_required");
    server.advance(LATER);
    let page = browser.ask(&two).await.page_at("/signin/factor");
    let fresh = code(&app, server.app.clock.now());
    let stop = browser.submit(&page, &[("code", &fresh), ("action", "verify")]).await;
    let Stop::Page(page) = stop else { panic!("consent was not asked for") };
    assert_eq!(page.path.split('?').next(), Some("/consent"), "{}", page.answer.text);
});

on_both!(a_factor_ends_what_was_signed_in_without_it, |server| {
    let secret = server.shop().await;
    let mut elsewhere = Browser::new(&server);
    let old = elsewhere.code().await;
    let pair = server.exchange(&secret, &old).await.assert_ok();
    let mut browser = Browser::new(&server);
    set_up(&server, &mut browser).await;
    server.refresh_shop(&secret, &pair.str("refresh_token")).await.assert_error(400, "invalid_grant");
    elsewhere.open("/account").await.page_at("/signin");
    browser.open("/account").await.page_at("/account");
});
