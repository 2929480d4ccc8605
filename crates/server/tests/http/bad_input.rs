//! Bad input: each kind gets its standard's error, and nothing changes.

use axum::body::Body;
use http::{Request, StatusCode, header};
use serde_json::json;

use crate::on_both;
use crate::support::{Answer, Pair, TestServer, basic};

const FORM: &str = "application/x-www-form-urlencoded";

async fn post(server: &TestServer, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header(header::CONTENT_TYPE, content_type);
    server.send(request.body(body.into()).unwrap()).await
}

/// Nothing lost: the session is as it was, and still refreshes.
async fn assert_unharmed(server: &TestServer, pair: &Pair, before: &countersign::store::Standing) {
    assert_eq!(server.standing(&pair.sid).await, *before);
    server.refresh("app", &pair.refresh).await.assert_ok();
    assert_eq!(server.get("/healthz").await.status, 200);
}

on_both!(malformed_token_requests_change_nothing, |server| {
    let pair = server.alice().await;
    let before = server.standing(&pair.sid).await;
    let good = format!("grant_type=refresh_token&client_id=app&refresh_token={}", pair.refresh);
    let cases: Vec<(String, &str)> = vec![
        (String::new(), "invalid_client"),
        ("client_id=app".to_owned(), "invalid_request"),
        ("client_id=app&grant_type=".to_owned(), "invalid_request"),
        ("client_id=app&grant_type=password".to_owned(), "unsupported_grant_type"),
        ("client_id=app&grant_type=refresh_token".to_owned(), "invalid_request"),
        (format!("{good}&refresh_token={}", pair.refresh), "invalid_request"),
        (format!("{good}&grant_type=refresh_token"), "invalid_request"),
        (format!("{good}&client_id=app"), "invalid_request"),
        (format!("{good}&scope=read&scope=read"), "invalid_request"),
        (format!("{good}&unknown=1&unknown=2"), "invalid_request"),
        (format!("{good}&x=%"), "invalid_request"),
        (format!("{good}&x=%zz"), "invalid_request"),
        (format!("{good}&x=%ff%fe"), "invalid_request"),
        (format!("{good}&scope=a%22b"), "invalid_scope"),
        (format!("{good}&scope=a++b"), "invalid_scope"),
        (format!("{good}&scope={}", "s%20".repeat(5_000)), "invalid_scope"),
        (
            format!("{good}&scope={}", (0..5_000).map(|n| format!("s{n}+")).collect::<String>()),
            "invalid_scope",
        ),
        (format!("{good}&{}", (0..200).map(|n| format!("p{n}=x&")).collect::<String>()), "invalid_request"),
        (format!("{good}&resource=not-a-uri"), "invalid_target"),
        (format!("{good}&resource=https://api.example%23frag"), "invalid_target"),
    ];
    for (body, code) in cases {
        let answer = post(&server, "/oauth/token", FORM, body.clone()).await;
        assert_eq!(answer.json()["error"], code, "{}: {}", &body[..body.len().min(90)], answer.text);
        assert!(!answer.text.contains("5000"), "echoed input");
    }
    assert_unharmed(&server, &pair, &before).await;
});

on_both!(wrong_content_types_are_refused, |server| {
    let pair = server.alice().await;
    let before = server.standing(&pair.sid).await;
    let form = format!("grant_type=refresh_token&client_id=app&refresh_token={}", pair.refresh);
    for kind in [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/xml",
        "",
        "application/x-www-form-urlencoded; charset=utf-16",
    ] {
        post(&server, "/oauth/token", kind, form.clone()).await.assert_error(400, "invalid_request");
    }
    let no_type = Request::post("/oauth/token").body(Body::from(form.clone())).unwrap();
    server.send(no_type).await.assert_error(400, "invalid_request");
    let twice =
        Request::post("/oauth/token").header(header::CONTENT_TYPE, FORM).header(header::CONTENT_TYPE, FORM);
    server.send(twice.body(Body::from(form)).unwrap()).await.assert_error(400, "invalid_request");
    let json = json!({"client_id": "app", "token": pair.refresh}).to_string();
    post(&server, "/oauth/revoke", "application/json", json).await.assert_error(400, "invalid_request");
    assert_unharmed(&server, &pair, &before).await;
});

on_both!(malformed_json_is_refused, |server| {
    let pair = server.alice().await;
    let before = server.standing(&pair.sid).await;
    let token = &pair.refresh;
    let bodies = [
        "{".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        format!(r#"{{"grant_type":"refresh_token","client_id":"app","refresh_token":["{token}"]}}"#),
        format!(
            r#"{{"grant_type":"refresh_token","client_id":"app","refresh_token":"{token}","refresh_token":"{token}"}}"#
        ),
        r#"{"grant_type":1,"client_id":"app"}"#.to_owned(),
        format!(r#"{{"a":{}"#, "[".repeat(20_000)),
    ];
    for body in bodies {
        post(&server, "/oauth/token", "application/json", body).await.assert_error(400, "invalid_request");
    }
    assert_unharmed(&server, &pair, &before).await;
});

on_both!(edited_and_foreign_refresh_tokens_are_inert, |server| {
    let pair = server.alice().await;
    let before = server.standing(&pair.sid).await;
    let token = &pair.refresh;
    let mut bad: Vec<String> = vec![
        "x".to_owned(),
        "rft_".to_owned(),
        format!("{token}A"),
        format!("{token}="),
        format!(" {token}"),
        token[..token.len() - 1].to_owned(),
        token.replace("rft_", "oat_"),
        token[4..].to_owned(),
        format!("rft_{}", "A".repeat(token.len() - 4)),
        "a".repeat(60_000),
    ];
    // Every single character changed: the mac covers all of it.
    for at in 4..token.len() {
        let mut edited = token.clone().into_bytes();
        edited[at] = if edited[at] == b'A' { b'B' } else { b'A' };
        bad.push(String::from_utf8(edited).unwrap());
    }
    for token in bad {
        let answer = server.refresh("app", &token).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{token}");
        assert!(matches!(answer.json()["error"].as_str(), Some("invalid_grant" | "invalid_request")));
    }
    assert_unharmed(&server, &pair, &before).await;
});

on_both!(another_servers_token_is_inert, |server| {
    let pair = server.alice().await;
    let before = server.standing(&pair.sid).await;
    let other = TestServer::start(crate::support::Engine::Sqlite).await;
    let foreign = other.alice().await;
    server.refresh("app", &foreign.refresh).await.assert_error(400, "invalid_grant");
    server.get_as("/api/profile", &foreign.access).await.assert_error(401, "invalid_token");
    assert_eq!(
        server.form("/oauth/revoke", &[("client_id", "app"), ("token", &foreign.refresh)]).await.status,
        200
    );
    assert_unharmed(&server, &pair, &before).await;
});

on_both!(parameters_in_the_url_are_refused, |server| {
    let pair = server.alice().await;
    let before = server.standing(&pair.sid).await;
    let query = format!("grant_type=refresh_token&client_id=app&refresh_token={}", pair.refresh);
    post(&server, &format!("/oauth/token?{query}"), FORM, "").await.assert_error(400, "invalid_request");
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect", "/leaked-tokens"] {
        assert_eq!(server.get(&format!("{path}?{query}")).await.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_unharmed(&server, &pair, &before).await;
});

on_both!(a_retry_proof_must_be_well_formed, |server| {
    let pair = server.alice().await;
    let before = server.standing(&pair.sid).await;
    let long = "k".repeat(129);
    for key in ["", "a b", long.as_str(), "\u{e9}"] {
        let pairs =
            [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", pair.refresh.as_str())];
        let answer = server.form_with("/oauth/token", &pairs, &[("idempotency-key", key)]).await;
        answer.assert_error(400, "invalid_request");
    }
    assert_unharmed(&server, &pair, &before).await;
});

on_both!(oversized_bodies_are_refused, |server| {
    let pair = server.alice().await;
    let before = server.standing(&pair.sid).await;
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect", "/leaked-tokens"] {
        let answer = post(&server, path, FORM, "x".repeat(65_537)).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
    assert_unharmed(&server, &pair, &before).await;
});

on_both!(an_error_never_echoes_what_was_sent, |server| {
    let secret = server.confidential_client("svc", json!({})).await;
    let evil = "<script>alert(1)</script>\r\nSet-Cookie: a=b";
    let pairs = [("grant_type", evil), ("scope", evil), ("client_id", evil), ("token", evil), (evil, evil)];
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect", "/leaked-tokens"] {
        let answer = server.form(path, &pairs).await;
        assert!(!answer.text.contains("<script") && !answer.text.contains("Set-Cookie"), "{}", answer.text);
    }
    let header = basic("svc", &secret);
    let answer = server.form_with("/oauth/token", &pairs, &[("authorization", &header)]).await;
    assert!(!answer.text.contains("<script"), "{}", answer.text);
});

on_both!(every_answer_is_safe_to_handle, |server| {
    for path in ["/oauth/token", "/nowhere", "/docs/lifetimes", "/.well-known/jwks.json", "/healthz"] {
        let answer = server.get(path).await;
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(answer.headers[header::REFERRER_POLICY], "no-referrer", "{path}");
        assert!(answer.headers.contains_key(header::CONTENT_SECURITY_POLICY), "{path}");
        assert!(answer.headers.contains_key(header::CACHE_CONTROL), "{path}");
    }
});
