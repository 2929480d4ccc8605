//! Who gets in, and that the description and the routes are the same.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use countersign::config::{Limits, Settings};
use countersign::http::peer::Peer;
use countersign::http::{admin, router};
use countersign_wire::AdminToken;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::on_both;
use crate::support::TestServer;

const TOKEN: &str = "the-admin-token-of-this-test-0123456789";

/// Every route of the management listener that needs the token.
const ROUTES: [(&str, &str); 37] = [
    ("GET", "/admin/v1/clients"),
    ("POST", "/admin/v1/clients"),
    ("GET", "/admin/v1/clients/{id}"),
    ("PATCH", "/admin/v1/clients/{id}"),
    ("DELETE", "/admin/v1/clients/{id}"),
    ("POST", "/admin/v1/clients/{id}/disable"),
    ("POST", "/admin/v1/clients/{id}/enable"),
    ("POST", "/admin/v1/clients/{id}/rotate-secret"),
    ("GET", "/admin/v1/users"),
    ("POST", "/admin/v1/users"),
    ("GET", "/admin/v1/users/{ref}"),
    ("PATCH", "/admin/v1/users/{ref}"),
    ("DELETE", "/admin/v1/users/{ref}"),
    ("POST", "/admin/v1/users/{ref}/reset-factors"),
    ("POST", "/admin/v1/users/{ref}/disable"),
    ("POST", "/admin/v1/users/{ref}/enable"),
    ("POST", "/admin/v1/users/{ref}/sign-out"),
    ("POST", "/admin/v1/users/{ref}/password"),
    ("POST", "/admin/v1/users/{ref}/roles"),
    ("GET", "/admin/v1/sessions"),
    ("POST", "/admin/v1/sessions"),
    ("GET", "/admin/v1/sessions/{sid}"),
    ("GET", "/admin/v1/sessions/{sid}/explain"),
    ("POST", "/admin/v1/sessions/{sid}/revoke"),
    ("GET", "/admin/v1/revocations"),
    ("POST", "/admin/v1/revocations"),
    ("POST", "/admin/v1/tokens/revoke"),
    ("GET", "/admin/v1/resources"),
    ("GET", "/admin/v1/resources/{audience}"),
    ("PUT", "/admin/v1/resources/{audience}"),
    ("DELETE", "/admin/v1/resources/{audience}"),
    ("GET", "/admin/v1/keys"),
    ("POST", "/admin/v1/keys/rotate"),
    ("GET", "/admin/v1/events"),
    ("GET", "/admin/v1/status"),
    ("GET", "/admin/v1/backup"),
    ("GET", "/admin/v1/openapi.json"),
];

fn limits() -> Limits {
    Settings::from_values(&[]).unwrap().limits
}

/// The management listener as it is on TCP.
fn tcp(server: &TestServer) -> Router {
    router::management(server.app.clone(), limits(), Some(AdminToken::new(TOKEN.to_owned())))
}

fn request(method: &str, path: &str, authorization: &[&str]) -> Request<Body> {
    let path = path
        .replace("{id}", "nobody")
        .replace("{ref}", "nobody")
        .replace("{sid}", "nobody")
        .replace("{audience}", "nobody");
    let mut request = Request::builder().method(method).uri(path);
    for value in authorization {
        request = request.header(header::AUTHORIZATION, *value);
    }
    request.body(Body::empty()).unwrap()
}

async fn body(response: Response<Body>) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

on_both!(no_route_answers_without_the_token, |server| {
    let router = tcp(&server);
    let bearer = format!("Bearer {TOKEN}");
    let (longer, shorter) = (format!("Bearer {TOKEN}x"), format!("Bearer {}", &TOKEN[1..]));
    let basic = crate::support::basic("admin", TOKEN);
    let wrong: [&[&str]; 9] = [
        &[],
        &["Bearer"],
        &["Bearer "],
        &["Bearer wrong"],
        &[&longer],
        &[&shorter],
        &[TOKEN],
        &[&basic],
        &[&bearer, &bearer],
    ];
    for (method, path) in
        ROUTES.iter().copied().chain([("GET", "/metrics"), ("GET", "/admin/v1/no-such-route")])
    {
        for authorization in wrong {
            let response = router.clone().oneshot(request(method, path, authorization)).await.unwrap();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{method} {path} {authorization:?}");
            let challenge = response.headers()[header::WWW_AUTHENTICATE].to_str().unwrap().to_owned();
            assert_eq!(challenge.contains("invalid_token"), !authorization.is_empty(), "RFC 6750 section 3");
            assert_eq!(body(response).await["error"], "invalid_token");
        }
        let in_query = format!("{path}?access_token={TOKEN}");
        let response = router.clone().oneshot(request(method, &in_query, &[])).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "a token in the URL is none");

        let response = router.clone().oneshot(request(method, path, &[&bearer])).await.unwrap();
        assert_ne!(response.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        assert_ne!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
    }
    for path in ["/healthz", "/readyz"] {
        let response = router.clone().oneshot(request("GET", path, &[])).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
});

on_both!(a_router_without_a_token_is_closed_to_tcp, |server| {
    let router = router::management(server.app.clone(), limits(), None);
    for (method, path) in ROUTES {
        let mut over_tcp = request(method, path, &[]);
        over_tcp.extensions_mut().insert(Peer::Tcp("127.0.0.1:1".parse().unwrap()));
        let response = router.clone().oneshot(over_tcp).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{method} {path}");

        let mut over_unix = request(method, path, &[]);
        over_unix.extensions_mut().insert(Peer::Unix { uid: None });
        let response = router.clone().oneshot(over_unix).await.unwrap();
        assert_ne!(response.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
    }
});

on_both!(an_empty_token_opens_nothing, |server| {
    let token = AdminToken::new(String::new());
    let router = router::management(server.app.clone(), limits(), Some(token));
    for authorization in [&["Bearer "][..], &["Bearer"], &[]] {
        let response =
            router.clone().oneshot(request("GET", "/admin/v1/status", authorization)).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
});

#[test]
fn the_description_has_every_route_and_no_other() {
    let description = serde_json::to_value(admin::openapi()).unwrap();
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1."), "{}", description["openapi"]);
    let mut described = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.insert((method.to_uppercase(), path.clone()));
            for status in ["400", "401", "404", "409", "413", "500", "503"] {
                let answer = &operation["responses"][status];
                assert!(answer["content"].is_object(), "{method} {path} does not describe {status}");
            }
            assert!(
                operation["operationId"].is_string() && operation["summary"].is_string(),
                "{method} {path}"
            );
        }
    }
    let routes = ROUTES.map(|(method, path)| (method.to_owned(), path.to_owned())).into();
    assert_eq!(described, routes);
    assert!(description["security"][0]["adminToken"].is_array());
    assert_eq!(description["components"]["securitySchemes"]["adminToken"]["scheme"], "bearer");
}

#[test]
fn every_reference_in_the_description_leads_somewhere() {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match member.as_str().filter(|_| name == "$ref") {
                        Some(reference) => found.push(reference.to_owned()),
                        None => walk(member, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let description = serde_json::to_value(admin::openapi()).unwrap();
    let mut references = Vec::new();
    walk(&description, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(description.pointer(pointer).is_some(), "{reference}");
    }
    let tokens = &description["components"]["schemas"]["TokenAnswer"]["properties"];
    assert!(tokens["refresh_token_expires_in"].is_object(), "{tokens}");
}

on_both!(what_does_not_exist_is_told_in_json, |server| {
    server.admin(Method::GET, "/no-such-route", Value::Null).await.assert_error(404, "not_found");
    let answer = server.admin(Method::PUT, "/clients", Value::Null).await;
    answer.assert_error(405, "invalid_request");
    assert!(answer.header(header::ALLOW).contains("POST"), "{:?}", answer.headers);
    let described = server.admin(Method::GET, "/openapi.json", Value::Null).await.assert_ok();
    assert_eq!(described.json(), serde_json::to_value(admin::openapi()).unwrap());
});
