//! The attack list, continued: forms of other sites, planted cookies, and half a sign-in.

use countersign::store::{Factor, FactorKind, UserChange};
use serde_json::json;

use crate::attack_list::Probe;
use crate::browser::{Browser, Page};
use crate::device_flow;
use crate::on_both;
use crate::relying::{PASSWORD, address, request, request_with};
use crate::second_factor::{LATER, add_app, code};
use crate::sign_in::{assert_error_page, assert_page};

on_both!(case_10_a_user_disabled_while_the_form_is_open, |server| {
    server.shop().await;
    let probe = Probe::new(&server).await;
    let mut browser = Browser::new(&server);
    let page = browser.ask(&request()).await.page_at("/signin");
    server.admin_post("/users/alice/disable", json!({})).await.assert_ok();
    assert_eq!(browser.sign_in(&page, "alice", PASSWORD).await.page().answer.status, 422);
    assert_eq!(browser.session(), None);
    server.admin_post("/users/alice/enable", json!({})).await.assert_ok();
    let page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/consent");
    server.admin_post("/users/alice/disable", json!({})).await.assert_ok();
    let stop = browser.submit(&page, &[("action", "allow")]).await;
    assert_eq!(stop.page().answer.status, 400);
    browser.ask(&request()).await.page_at("/signin");
    probe.nothing_lost(&server).await;
});

on_both!(case_40_a_password_is_never_sent_on, |server| {
    server.shop().await;
    let probe = Probe::new(&server).await;
    let mut browser = Browser::new(&server);
    let page = browser.ask(&request()).await.page_at("/signin");
    let form = page.form();
    // The browser of these tests refuses every redirect but a 303; here the whole answer is seen.
    let answer =
        browser.post(&form.action, &form.with(&[("username", "alice"), ("password", PASSWORD)])).await;
    assert_eq!(answer.status, 303);
    assert!(answer.text.is_empty() && !format!("{:?}", answer.headers).contains("horse"), "{answer:?}");
    probe.nothing_lost(&server).await;
});

on_both!(case_41_a_cookie_that_was_planted_before_the_sign_in, |server| {
    server.shop().await;
    let probe = Probe::new(&server).await;
    let mut attacker = Browser::new(&server);
    let planted = attacker.ask(&request_with(&[("state", "attacker")])).await.page_at("/signin");
    attacker.cookies.insert("__Host-countersign".to_owned(), "known-to-the-attacker".to_owned());
    let mut victim = Browser::new(&server);
    victim.cookies = attacker.cookies.clone();
    let page = victim.ask(&request()).await.page_at("/signin");
    victim.sign_in(&page, "alice", PASSWORD).await.page_at("/consent");
    assert_ne!(victim.session(), Some("known-to-the-attacker"), "unknown values are never taken over");
    // Neither the planted session nor the attacker's own sign-in has become alice's.
    attacker.ask(&request_with(&[("prompt", "none")])).await.away().parameter("error");
    attacker.open(&planted.path).await.page_at("/signin");
    let go_on = planted.path.replace("/signin", "/oauth/authorize/continue");
    attacker.open(&go_on).await.page_at("/signin");
    probe.nothing_lost(&server).await;
});

on_both!(case_41_the_handle_of_a_sign_in_alone_is_of_no_use, |server| {
    server.shop().await;
    let probe = Probe::new(&server).await.inert(&server).await;
    let mut attacker = Browser::new(&server);
    let page = attacker.ask(&request()).await.page_at("/signin");
    let mut victim = Browser::new(&server);
    victim.code().await;
    for path in ["/signin", "/signin/confirm", "/signin/factor", "/consent", "/oauth/authorize/continue"] {
        assert_error_page(&victim.get(&page.path.replace("/signin", path)).await);
    }
    let form = page.form();
    assert_error_page(
        &victim.post(&form.action, &form.with(&[("username", "alice"), ("password", PASSWORD)])).await,
    );
    probe.nothing_lost(&server).await;
});

on_both!(case_41_the_secret_of_a_session_is_new_with_each_authentication, |server| {
    server.shop().await;
    let probe = Probe::new(&server).await;
    let mut browser = Browser::new(&server);
    browser.code().await;
    let mut former = Browser::new(&server);
    former.cookies = browser.cookies.clone();
    server.advance(std::time::Duration::from_secs(1));
    browser.allow(&request_with(&[("prompt", "login")])).await.parameter("code");
    assert_ne!(browser.session(), former.session());
    former.ask(&request()).await.page_at("/signin");
    probe.nothing_lost(&server).await;
});

on_both!(case_42_another_person_in_the_same_browser, |server| {
    let secret = server.shop().await;
    server.person("bob").await;
    let probe = Probe::new(&server).await;
    let mut browser = Browser::new(&server);
    let code = browser.code().await;
    let alice = server.exchange(&secret, &code).await.assert_ok();
    browser.cookies.clear();
    let page = browser.ask(&request()).await.page_at("/signin");
    let page = browser.sign_in(&page, "bob", PASSWORD).await.page_at("/consent");
    let code = browser.submit(&page, &[("action", "allow")]).await.away().parameter("code");
    let bob = server.exchange(&secret, &code).await.assert_ok();
    let claims = |answer: &crate::support::Answer| crate::relying::claims(&answer.str("id_token"));
    assert_ne!(claims(&alice)["sub"], claims(&bob)["sub"]);
    assert_ne!(claims(&alice)["sid"], claims(&bob)["sid"]);
    probe.nothing_lost(&server).await;
});

/// A form as another site would send it: with the right fields, but not by the page it was made for.
const FOREIGN: [&[(&str, &str)]; 4] = [
    &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
    &[("sec-fetch-site", "same-site"), ("origin", "https://evil.auth.example")],
    &[("origin", "https://evil.example")],
    &[("sec-fetch-site", "cross-site"), ("origin", "null")],
];

on_both!(case_43_forms_of_other_sites, |server| {
    let secret = server.shop().await;
    server.person("mallory").await;
    let mut browser = Browser::new(&server);
    let open = browser.ask(&request()).await.page_at("/signin");
    let form = open.form();
    let typed = [("username", "mallory"), ("password", PASSWORD)];
    // To sign a victim in as the attacker.
    for headers in FOREIGN {
        let answer = browser.post_with(&form.action, &form.with(&typed), headers).await;
        assert_eq!((answer.status.as_u16(), browser.session()), (422, None), "{headers:?}");
    }
    let mut other = Browser::new(&server);
    let others = other.ask(&request()).await.page_at("/signin");
    for token in ["", "x", others.form().csrf()] {
        let fields = [typed.as_slice(), &[("csrf", token)]].concat();
        assert_eq!(browser.post(&form.action, &fields).await.status, 422);
        assert_eq!(browser.session(), None);
    }
    assert_error_page(&other.post(&form.action, &form.with(&typed)).await);

    // To have a victim agree, or signed out.
    let page = browser.sign_in(&open, "alice", PASSWORD).await.page_at("/consent");
    let session = browser.session().unwrap().to_owned();
    let probe = Probe::new(&server).await.inert(&server).await;
    let agree = page.form();
    for headers in FOREIGN {
        let answer = browser.post_with(&agree.action, &agree.with(&[("action", "allow")]), headers).await;
        let page = browser.follow(&agree.action, answer).await.page_at("/consent");
        assert_page(&page.answer);
    }
    // The token of before the sign-in is another's, too.
    let old = [("csrf", form.csrf()), ("action", "allow")];
    let answer = browser.post(&agree.action, &old).await;
    browser.follow(&agree.action, answer).await.page_at("/consent");
    let confirm = browser.open("/oauth/logout").await.page_at("/oauth/logout").form();
    for headers in FOREIGN {
        let answer = browser.post_with("/oauth/logout", &confirm.with(&[("action", "yes")]), headers).await;
        browser.follow("/oauth/logout", answer).await.page_at("/oauth/logout");
        // As browsers really send it: without cookies. None may be taken away by the answer.
        let kept = std::mem::take(&mut browser.cookies);
        let answer = browser.post_with("/oauth/logout", &[("action", "yes")], headers).await;
        assert!(answer.headers.get("set-cookie").is_none(), "{answer:?}");
        browser.cookies = kept;
    }
    assert_eq!(browser.get("/oauth/logout?action=yes").await.status, 200);
    assert_eq!(browser.get(&format!("{}&action=allow", page.path)).await.status, 200);
    assert_eq!(browser.session(), Some(session.as_str()), "the victim stays signed in");
    probe.nothing_lost(&server).await;
    let code = browser.submit(&page, &[("action", "allow")]).await.away().parameter("code");
    server.exchange(&secret, &code).await.assert_ok();
});

on_both!(case_48_pages_are_not_framed, |server| {
    device_flow::set_up(&server).await;
    server.web_client("shop", crate::relying::CALLBACK).await;
    let mut browser = Browser::new(&server);
    let page = browser.ask(&request()).await.page_at("/signin");
    assert_page(&page.answer);
    let page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/consent");
    assert_page(&page.answer);
    for path in ["/device", "/oauth/logout", "/oauth/authorize", "/signin", "/consent", "/signin/factor"] {
        assert_page(&browser.get(path).await);
    }
    let (_, code) = device_flow::begin(&server).await;
    let page = browser.open("/device").await.page_at("/device");
    let page = browser.submit(&page, &[("user_code", &code)]).await.page_at("/device");
    assert_page(&page.answer);
    assert_page(&browser.submit(&page, &[("action", "allow")]).await.page().answer);
});

on_both!(case_49_half_a_sign_in_opens_nothing, |server| {
    server.shop().await;
    let user = server.app.store.find_user_by_name("alice").await.unwrap().unwrap();
    let now = server.app.clock.now();
    let factor = Factor {
        id: uuid::Uuid::from_u128(7),
        user: user.id,
        kind: FactorKind::Totp,
        label: "phone".to_owned(),
        created_at: now,
        used_at: None,
        counter: 0,
        body: "sealed".to_owned(),
    };
    let change = UserChange::AddFactors(vec![factor]);
    server.app.store.change_user(user.id, &change, now, now).await.unwrap();
    let probe = Probe::new(&server).await.inert(&server).await;
    let mut browser = Browser::new(&server);
    let page = browser.ask(&request()).await.page_at("/signin");
    let factor: Page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/signin/factor");
    assert_eq!(browser.session(), None, "a password alone is no session here");
    assert_page(&factor.answer);
    let at = |path: &str| page.path.replace("/signin", path);
    browser.open(&at("/oauth/authorize/continue")).await.page_at("/signin");
    let form = factor.form();
    let consent = browser.post(&at("/consent"), &[("csrf", form.csrf()), ("action", "allow")]).await;
    assert_error_page(&consent);
    browser.ask(&request()).await.page_at("/signin");
    browser.open("/device").await.page_at("/signin");
    let away = browser.ask(&request_with(&[("prompt", "none")])).await.away();
    assert_eq!(away.parameter("error"), "login_required");
    // The half that is there is of this browser, and lasts ten minutes.
    assert_error_page(&Browser::new(&server).get(&factor.path).await);
    assert_eq!(browser.get(&address(&request_with(&[("prompt", "none")]))).await.status, 303);
    server.advance(std::time::Duration::from_secs(601));
    assert_error_page(&browser.get(&factor.path).await);
    probe.nothing_lost(&server).await;
});

on_both!(case_50_a_weak_sign_in_in_place_of_the_one_that_is_owed, |server| {
    server.shop().await;
    let root = json!({"username": "root", "password": PASSWORD, "roles": ["countersign-admin"]});
    server.admin_post("/users", root).await.assert_ok();
    let mut browser = Browser::new(&server);
    let page = browser.open("/account").await.page_at("/signin");
    let page = browser.sign_in(&page, "root", PASSWORD).await.page_at("/account");
    let (app, recovery) = add_app(&server, &mut browser, &page).await;
    let user = server.app.store.find_user_by_name("root").await.unwrap().unwrap();
    let authenticated = async || {
        let browsers = server.app.store.browser_sessions(user.id, server.app.clock.now()).await.unwrap();
        let session = &browsers[0].session;
        (browsers.len(), session.auth_time, session.acr.clone(), session.amr.clone())
    };
    let before = authenticated().await;
    let probe = Probe::new(&server).await.inert(&server).await;
    server.advance(std::time::Duration::from_secs(601));

    // Whoever holds the cookie and the phone, and not the password, is asked for the password.
    let mut owed = Vec::new();
    for asked in [("prompt", "login"), ("max_age", "60")] {
        owed.push(
            browser.ask(&request_with(&[asked, ("acr_values", "aal2")])).await.page_at("/signin/confirm"),
        );
    }
    for path in ["/account/totp/remove", "/console/keys/rotate"] {
        let page = browser.open("/account").await.page_at("/account");
        let answer = browser.post(path, &[("csrf", page.form().csrf())]).await;
        owed.push(browser.follow(path, answer).await.page_at("/signin/confirm"));
    }
    for page in owed {
        let factor = page.path.replace("/confirm", "/factor");
        browser.open(&factor).await.page_at("/signin/confirm");
        let csrf = page.form().csrf().to_owned();
        server.advance(LATER);
        let fresh = code(&app, server.app.clock.now());
        for (name, value) in [("code", fresh.as_str()), ("recovery_code", recovery[0].as_str())] {
            let before = browser.session().unwrap().to_owned();
            let answer = browser.post(&factor, &[("csrf", &csrf), (name, value), ("action", "verify")]).await;
            browser.follow(&factor, answer).await.page_at("/signin/confirm");
            assert_eq!(browser.session(), Some(before.as_str()), "nobody has authenticated");
        }
        let passkey = factor.replace("/factor", "/factor/passkey");
        let answer = browser.post(&passkey, &[("csrf", &csrf), ("credential", "{}")]).await;
        browser.follow(&passkey, answer).await.page_at("/signin/confirm");
    }
    // What clients are told is what was shown, and when.
    assert_eq!(authenticated().await, before);
    probe.nothing_lost(&server).await;
});
