//! What wants a recent authentication gets one, and no other: neither a change of one's own user nor a second factor
//! that is shown alone makes an old sign-in young.

use std::time::Duration;

use countersign::flows::account;
use countersign::flows::enrol;
use countersign::store::{BrowserStanding, FactorKind, UserChange};
use countersign_wire::Password;
use serde_json::json;

use crate::browser::{Browser, Page, Stop};
use crate::on_both;
use crate::relying::{PASSWORD, claims, request_with};
use crate::second_factor::{LATER, add_app, code};
use crate::support::TestServer;

/// Longer than an authentication is recent on the account page and in the console.
const STALE: Duration = Duration::from_secs(601);

/// Signs `alice` in; gives her account page.
async fn signed_in(browser: &mut Browser<'_>) -> Page {
    let page = browser.open("/account").await.page_at("/signin");
    browser.sign_in(&page, "alice", PASSWORD).await.page_at("/account")
}

/// Sends a form of the account page.
async fn account(browser: &mut Browser<'_>, path: &str, fields: &[(&str, &str)]) -> Stop {
    let page = browser.open("/account").await.page_at("/account");
    let csrf = page.form().csrf().to_owned();
    let fields = [&[("csrf", csrf.as_str())], fields].concat();
    let answer = browser.post(path, &fields).await;
    browser.follow(path, answer).await
}

/// Alice's one browser session.
async fn standing(server: &TestServer) -> BrowserStanding {
    let user = server.app.store.find_user_by_name("alice").await.unwrap().unwrap();
    let mut all = server.app.store.browser_sessions(user.id, server.app.clock.now()).await.unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

on_both!(a_change_of_ones_own_is_no_authentication, |server| {
    server.person("alice").await;
    let mut browser = Browser::new(&server);
    signed_in(&mut browser).await;
    let new_password = "another correct horse battery";
    let changes: [(&str, &[(&str, &str)]); 2] = [
        ("/account/end-others", &[]),
        ("/account/password", &[("current_password", PASSWORD), ("new_password", new_password)]),
    ];
    server.advance(STALE);
    let before = standing(&server).await.session;
    for (path, fields) in changes {
        server.advance(Duration::from_secs(1));
        let cookie = browser.session().unwrap().to_owned();
        account(&mut browser, path, fields).await.page_at("/account");
        assert_ne!(browser.session(), Some(cookie.as_str()), "{path}: a new cookie");
        let after = standing(&server).await.session;
        assert_eq!((after.auth_time, after.expires_at), (before.auth_time, before.expires_at), "{path}");
        assert_eq!((&after.acr, &after.amr, after.created_at), (&before.acr, &before.amr, before.created_at));
        // So what wants a recent authentication asks for one.
        account(&mut browser, "/account/totp/add", &[]).await.page_at("/signin/confirm");
    }
    // And however often somebody goes on in this way, it ends when it was to end.
    server.advance(before.expires_at.since(server.app.clock.now()));
    browser.open("/account").await.page_at("/signin");
});

/// What another browser, or an operator, ended while a request was under way has no say any more.
async fn is_over(server: &TestServer, before: &BrowserStanding) {
    let now = server.app.clock.now();
    let user = server.app.store.user(before.user.id).await.unwrap().unwrap();
    assert!(account::end_all(&server.app, before, now).await.unwrap().is_none());
    let passwords = (Password::new(PASSWORD.to_owned()), Password::new("a hostile password".to_owned()));
    let origin = countersign::flows::Origin::default();
    let changed = enrol::change_password(&server.app, before, passwords, &origin, now).await.unwrap();
    assert!(matches!(changed, enrol::PasswordChanged::Over));
    assert!(enrol::new_recovery_codes(&server.app, before, now).await.unwrap().is_none());
    let is_app = |factor: &countersign::store::Factor| factor.kind == FactorKind::Totp;
    assert!(enrol::remove(&server.app, before, is_app, now).await.unwrap().is_none());
    // Nothing of that has changed anything.
    assert_eq!(server.app.store.user(before.user.id).await.unwrap().unwrap(), user);
    assert!(server.app.store.browser_sessions(user.id, now).await.unwrap().is_empty());
}

on_both!(what_ended_a_browser_session_meanwhile_ends_what_it_was_about_to_do, |server| {
    server.person("alice").await;
    let mut browser = Browser::new(&server);
    let page = signed_in(&mut browser).await;
    add_app(&server, &mut browser, &page).await;
    let user = standing(&server).await.user.id;
    let now = server.app.clock.now();
    let forget = UserChange::RemoveFactors(
        server.app.store.factors(user).await.unwrap().iter().map(|factor| factor.id).collect(),
    );

    let before = standing(&server).await;
    server.admin_post("/users/alice/password", json!({"password": PASSWORD})).await.assert_ok();
    is_over(&server, &before).await;
    server.app.store.change_user(user, &forget, now, now).await.unwrap();

    for path in ["/account/browsers/end", "everything"] {
        signed_in(&mut browser).await;
        let before = standing(&server).await;
        match path {
            "everything" => {
                let everything = json!({"target": "everything"});
                server.admin_post("/revocations", everything).await.assert_ok();
            }
            path => {
                let id = before.session.id.to_string();
                account(&mut browser, path, &[("id", &id)]).await.page_at("/signin");
            }
        }
        is_over(&server, &before).await;
    }
});

on_both!(a_second_factor_alone_steps_up_and_makes_nothing_young, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let page = signed_in(&mut browser).await;
    let (app, _) = add_app(&server, &mut browser, &page).await;
    let password_at = standing(&server).await.session.auth_time;
    server.advance(STALE);
    let page = browser.ask(&request_with(&[("acr_values", "aal2")])).await.page_at("/signin/factor");
    let fresh = code(&app, server.app.clock.now());
    let page = browser.submit(&page, &[("code", &fresh), ("action", "verify")]).await.page_at("/consent");
    let away = browser.submit(&page, &[("action", "allow")]).await.away();
    let told = claims(&server.exchange(&secret, &away.parameter("code")).await.assert_ok().str("id_token"));
    assert_eq!((&told["acr"], &told["amr"]), (&json!("aal2"), &json!(["pwd", "otp", "mfa"])));
    assert_eq!(told["auth_time"], password_at.seconds(), "the password was typed then, and not since");
    account(&mut browser, "/account/totp/remove", &[]).await.page_at("/signin/confirm");
});

on_both!(a_browser_session_that_ended_is_not_stepped_up, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    let page = signed_in(&mut browser).await;
    let (app, _) = add_app(&server, &mut browser, &page).await;
    server.advance(LATER);
    let page = browser.ask(&request_with(&[("acr_values", "aal2")])).await.page_at("/signin/factor");
    let mut other = Browser::new(&server);
    other.cookies = browser.cookies.clone();
    let sign_out = other.open("/oauth/logout").await.page_at("/oauth/logout");
    other.submit(&sign_out, &[("action", "yes")]).await.page();
    let fresh = code(&app, server.app.clock.now());
    let stop = browser.submit(&page, &[("code", &fresh), ("action", "verify")]).await;
    assert_eq!(stop.page().answer.status, 400);
    browser.open("/account").await.page_at("/signin");
});
