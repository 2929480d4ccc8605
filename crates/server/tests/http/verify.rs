//! `/verify`, which gateways ask.

use std::time::Duration;

use ::http::{HeaderName, Method, Request, header};
use axum::body::Body;
use serde_json::json;

use crate::browser::Browser;
use crate::on_both;
use crate::relying::request_with;
use crate::support::{AUDIENCE, Answer};

fn path(more: &str) -> String {
    let audience: String = form_urlencoded::byte_serialize(AUDIENCE.as_bytes()).collect();
    format!("/verify?audience={audience}{more}")
}

fn named(answer: &Answer, name: &'static str) -> String {
    assert!(answer.headers.contains_key(name), "{name} must always come");
    answer.header(HeaderName::from_static(name)).to_owned()
}

fn challenge(answer: &Answer) -> &str {
    answer.header(header::WWW_AUTHENTICATE)
}

on_both!(a_good_token_says_whose_it_is, |server| {
    let body = json!({"username": "ana", "tenant": "acme", "roles": ["reader", "a b,c", "\u{fc}ber"]});
    let user = server.admin_post("/users", body).await.assert_ok().str("user_id");
    let app = server.public_client("app").await;
    let pair = server.session("ana", &app).await;
    // Whatever the client's method is, Envoy asks with it.
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let request = Request::builder().method(method).uri(path("&scope=read+write&role=reader"));
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", pair.access));
        let answer = server.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
        assert_eq!(named(&answer, "countersign-subject"), user);
        assert_eq!(named(&answer, "countersign-client"), app);
        assert_eq!(named(&answer, "countersign-session"), pair.sid);
        assert_eq!(named(&answer, "countersign-scope"), "read write");
        assert_eq!(named(&answer, "countersign-tenant"), "acme");
        assert_eq!(named(&answer, "countersign-roles"), "a%20b%2Cc,reader,%C3%BCber");
        assert!(named(&answer, "countersign-expires").parse::<u64>().is_ok());
    }
    let refused = server.get_as(&path("&role=writer"), &pair.access).await;
    assert_eq!(refused.status, 403);
    assert!(challenge(&refused).contains("insufficient_scope") && !challenge(&refused).contains("scope="));

    // A client that acts for itself has no session, no tenant, no roles, and cannot pass for a user.
    let secret = server.confidential_client("worker", json!({})).await;
    let basic = crate::support::basic("worker", &secret);
    let grant = [("grant_type", "client_credentials")];
    let token = server.form_with("/oauth/token", &grant, &[("authorization", &basic)]).await.assert_ok();
    let answer = server.get_as(&path("&scope=read"), &token.str("access_token")).await.assert_ok();
    assert_eq!(named(&answer, "countersign-subject"), "worker");
    for empty in ["countersign-session", "countersign-tenant", "countersign-roles", "countersign-acr"] {
        assert_eq!(named(&answer, empty), "");
    }
    for wanted in ["&role=reader", "&max_age=60", "&acr=x"] {
        assert!(matches!(
            server.get_as(&path(wanted), &token.str("access_token")).await.status.as_u16(),
            401 | 403
        ));
    }
});

on_both!(whoever_should_authenticate_anew_is_told_how, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let code = browser.allow(&request_with(&[])).await.parameter("code");
    let answer = server.exchange(&secret, &code).await.assert_ok();
    let token = answer.str("access_token");
    server.get_as(&path("&max_age=60"), &token).await.assert_ok();
    server.advance(Duration::from_secs(61));
    let refused = server.get_as(&path("&max_age=60"), &token).await;
    assert_eq!(refused.status, 401);
    assert!(challenge(&refused).contains("error=\"insufficient_user_authentication\""), "{refused:?}");
    assert!(challenge(&refused).contains("max_age=\"60\""), "{refused:?}");
    let refused = server.get_as(&path("&acr=aal2"), &token).await;
    assert!(challenge(&refused).contains("acr_values=\"aal2\""), "{refused:?}");
    server.get_as(&path("&acr=aal1"), &token).await.assert_ok();
    // A refreshed token is as old as the authentication (RFC 9470 section 5).
    let fresh = server.refresh_shop(&secret, &answer.str("refresh_token")).await.assert_ok();
    assert_eq!(server.get_as(&path("&max_age=60"), &fresh.str("access_token")).await.status, 401);
});

on_both!(a_gateway_configured_wrongly_lets_nothing_pass, |server| {
    server.user("ana").await;
    let app = server.public_client("app").await;
    let pair = server.session("ana", &app).await;
    for bad in [
        "/verify".to_owned(),
        "/verify?scope=read".to_owned(),
        path("&scope="),
        path("&scop=read"),
        path("&scope=a&scope=b"),
    ] {
        let answer = server.get_as(&bad, &pair.access).await;
        answer.assert_error(400, "invalid_request");
    }
    // What a client of Envoy's sends is no part of what is wanted.
    for trick in ["/x", "/x?a=1&scope=none", "/&audience=other", ""] {
        server.get_as(&path(&format!("&scope=read&path={trick}")), &pair.access).await.assert_ok();
        let strict = path(&format!("&scope=admin&path={trick}"));
        assert_eq!(server.get_as(&strict, &pair.access).await.status, 403, "{trick}");
    }
    let mut request = Request::get(path("")).body(Body::empty()).unwrap();
    for value in ["Bearer x", "Bearer y"] {
        request.headers_mut().append(header::AUTHORIZATION, value.parse().unwrap());
    }
    assert_eq!(server.send(request).await.status, 400);
});

on_both!(what_is_over_does_not_pass, |server| {
    server.user("ana").await;
    let app = server.public_client("app").await;
    let (pair, other) = (server.session("ana", &app).await, server.session("ana", &app).await);
    server.get_as(&path(""), &pair.access).await.assert_ok();
    server.admin_post(&format!("/sessions/{}/revoke", pair.sid), serde_json::Value::Null).await.assert_ok();
    let refused = server.get_as(&path(""), &pair.access).await;
    assert!(refused.status == 401 && challenge(&refused).contains("was revoked"), "{refused:?}");
    let refused = server.get_as(&path(""), &other.refresh).await;
    assert!(refused.status == 401 && challenge(&refused).contains("this is a refresh token"), "{refused:?}");
    server.advance(Duration::from_secs(60 * 60));
    let refused = server.get_as(&path(""), &other.access).await;
    assert!(refused.status == 401 && challenge(&refused).contains("expired"), "{refused:?}");
    assert_eq!(server.get(&path("")).await.status, 401);
});
