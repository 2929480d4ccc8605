//! What the OpenID Foundation's conformance plans check and no other test here does. Which module is
//! covered by which test: `docs/conformance.md`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_wire::Algorithm;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::on_both;
use crate::relying::{CALLBACK, claims, request_with};
use crate::sign_in::assert_error_page;
use crate::support::TestServer;

async fn signed_in(
    server: &TestServer,
    secret: &str,
    browser: &mut Browser<'_>,
    with: &[(&'static str, &str)],
) -> Value {
    let code = browser.allow(&request_with(with)).await.parameter("code");
    server.exchange(secret, &code).await.assert_ok().json()
}

fn id_token(answer: &Value) -> Value {
    claims(answer["id_token"].as_str().unwrap())
}

// oidcc-display-page, -display-popup, -ui-locales, -claims-locales, -login-hint, -claims-essential,
// -ensure-request-with-acr-values-succeeds, -ensure-request-with-unknown-parameter-succeeds,
// -ensure-other-scope-order-succeeds, -ensure-request-without-nonce-succeeds-for-code-flow
on_both!(what_is_optional_or_unknown_stops_nobody, |server| {
    let secret = server.shop().await;
    let essential = r#"{"userinfo":{"name":{"essential":true}}}"#;
    for with in [
        ("display", "page"),
        ("display", "popup"),
        ("ui_locales", "se de-AT"),
        ("claims_locales", "se"),
        ("login_hint", "bob"),
        ("claims", essential),
        ("acr_values", "1 2"),
        ("extra", "foobar"),
        ("scope", "read profile openid"),
        ("nonce", ""),
    ] {
        let mut browser = Browser::new(&server);
        let answer = signed_in(&server, &secret, &mut browser, &[with]).await;
        let nonce = id_token(&answer).get("nonce").cloned();
        assert_eq!(nonce, (with.0 != "nonce").then(|| json!("n-1")), "{with:?}");
    }
});

// oidcc-id-token-signature: a client that was registered with RS256, as the suite's is.
on_both!(an_id_token_can_be_signed_as_every_library_knows, |server| {
    let secret = server.shop().await;
    server.set_sign_in("shop", |settings| settings.id_token_alg = Some(Algorithm::RS256)).await;
    let answer = signed_in(&server, &secret, &mut Browser::new(&server), &[]).await;
    let head = jsonwebtoken::decode_header(answer["id_token"].as_str().unwrap()).unwrap();
    assert_eq!((head.alg, head.kid.is_some()), (jsonwebtoken::Algorithm::RS256, true));
});

// oidcc-prompt-login, -max-age-1
on_both!(whoever_has_to_sign_in_again_has_a_later_time, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let first = id_token(&signed_in(&server, &secret, &mut browser, &[]).await);
    let mut before = first["auth_time"].as_u64().unwrap();
    for with in [("prompt", "login"), ("max_age", "1")] {
        server.advance(Duration::from_secs(2));
        let again = id_token(&signed_in(&server, &secret, &mut browser, &[with]).await);
        let after = again["auth_time"].as_u64().unwrap();
        assert!(after > before, "{with:?}");
        assert_eq!(again["sub"], first["sub"]);
        before = after;
    }
});

// oidcc-prompt-none-logged-in, -max-age-10000, -id-token-hint
on_both!(whoever_is_signed_in_stays_so, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let first = signed_in(&server, &secret, &mut browser, &[]).await;
    server.advance(Duration::from_secs(2));
    let hint = first["id_token"].as_str().unwrap();
    for with in [
        vec![("prompt", "none")],
        vec![("max_age", "10000")],
        vec![("prompt", "none"), ("id_token_hint", hint)],
    ] {
        let away = browser.ask(&request_with(&with)).await.away();
        let answer = server.exchange(&secret, &away.parameter("code")).await.assert_ok().json();
        for claim in ["sub", "auth_time"] {
            assert_eq!(id_token(&answer)[claim], id_token(&first)[claim], "{claim} {with:?}");
        }
    }
});

// oidcc-ensure-request-object-with-redirect-uri, -unsigned-request-object-supported-correctly-or-rejected-as-unsupported
on_both!(a_request_object_is_refused_at_the_registered_place_only, |server| {
    server.shop().await;
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let object = format!(
        "{}.{}.",
        part(json!({"alg": "none"})),
        part(json!({"redirect_uri": CALLBACK, "client_id": "shop"}))
    );
    let mut browser = Browser::new(&server);
    let refused = browser.ask(&request_with(&[("request", &object)])).await.away();
    assert_eq!(refused.parameter("error"), "request_not_supported");
    let by_reference =
        browser.ask(&request_with(&[("request_uri", "https://shop.example/request.jwt")])).await.away();
    assert_eq!(by_reference.parameter("error"), "request_uri_not_supported");
    let elsewhere = [("request", object.as_str()), ("redirect_uri", "https://shop.example/cb/other")];
    let answer = browser.get(&crate::relying::address(&request_with(&elsewhere))).await;
    assert_error_page(&answer);
});

// oidcc-rp-initiated-logout-modified-id-token-hint
on_both!(a_hint_without_a_signature_is_refused, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let answer = signed_in(&server, &secret, &mut browser, &[]).await;
    let body = answer["id_token"].as_str().unwrap().split('.').nth(1).unwrap();
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    assert_error_page(&browser.get(&format!("/oauth/logout?id_token_hint={head}.{body}.")).await);
    assert!(browser.session().is_some());
});

// oidcc-rp-initiated-logout-no-params, -only-state, -no-post-logout-redirect-uri
on_both!(whoever_signs_out_without_a_place_to_go_reads_that_it_is_done, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    for query in ["", "?state=s"] {
        signed_in(&server, &secret, &mut browser, &[]).await;
        let page = browser.open(&format!("/oauth/logout{query}")).await.page_at("/oauth/logout");
        let done = browser.submit(&page, &[("action", "yes")]).await.page();
        assert!(done.answer.text.contains("signed out"), "{}", done.answer.text);
        assert_eq!(browser.session(), None);
    }
    let answer = signed_in(&server, &secret, &mut browser, &[]).await;
    let hint = answer["id_token"].as_str().unwrap();
    let done = browser.open(&format!("/oauth/logout?id_token_hint={hint}&state=s")).await.page();
    assert!(done.answer.text.contains("signed out"), "{}", done.answer.text);
    assert_eq!(browser.session(), None);
});

// oidcc-discovery-endpoint-verification and those of both logout plans
on_both!(discovery_has_what_the_plans_look_for, |server| {
    let answer = server.get("/.well-known/openid-configuration").await.assert_ok();
    assert!(answer.header(::http::header::CONTENT_TYPE).starts_with("application/json"));
    let document = answer.json();
    let has = |member: &str, value: &str| document[member].as_array().unwrap().contains(&json!(value));
    assert!(has("response_types_supported", "code"));
    assert!(has("grant_types_supported", "authorization_code"));
    assert!(has("id_token_signing_alg_values_supported", "RS256"));
    assert!(has("scopes_supported", "openid"));
    for member in
        ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint"]
    {
        assert!(document[member].as_str().unwrap().starts_with("https://"), "{member}");
    }
    for member in ["backchannel_logout_supported", "backchannel_logout_session_supported"] {
        assert_eq!(document[member], true);
    }
    for member in
        ["claims_parameter_supported", "request_parameter_supported", "request_uri_parameter_supported"]
    {
        assert_eq!(document[member], false);
    }
});
