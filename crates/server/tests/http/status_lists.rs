//! Status lists (draft-ietf-oauth-status-list-20): read as somebody would who knows the draft and
//! nothing of ours.

use std::io::Read as _;
use std::time::Duration;

use ::http::{Method, Request, StatusCode, header};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_verify::Verifier;
use countersign_wire::{JwkSet, StatusListClaims, StatusReference};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::support::{AUDIENCE, Answer, Engine, START, TestServer, basic};

const ON: [(&str, &str); 1] = [("tokens.status_list", "true")];
/// A list of that age is computed anew.
const RENEWED: Duration = Duration::from_millis(5_001);

/// Runs a test on each engine, with status lists.
macro_rules! with_lists {
    ($name:ident, |$server:ident| $body:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            for engine in [Engine::Sqlite, Engine::Postgres] {
                let $server = TestServer::start_with(engine, &ON).await;
                $body
            }
        }
    };
}

/// Where a token says that its status is. Nothing is checked.
fn place(token: &str) -> Option<StatusReference> {
    let claims = token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    claims.get("status").map(|status| serde_json::from_value(status["status_list"].clone()).unwrap())
}

fn path(uri: &str) -> &str {
    uri.strip_prefix("https://auth.example").unwrap()
}

async fn get(server: &TestServer, path: &str, headers: &[(header::HeaderName, &str)]) -> Answer {
    let request =
        headers.iter().fold(Request::get(path), |request, (name, value)| request.header(name, *value));
    server.send(request.body(Body::empty()).unwrap()).await
}

/// The claims of a Status List Token, with everything checked that section 8.3 has checked.
async fn read(server: &TestServer, token: &str, uri: &str) -> StatusListClaims {
    let keys: jsonwebtoken::jwk::JwkSet =
        serde_json::from_value(server.get("/.well-known/jwks.json").await.json()).unwrap();
    let head = jsonwebtoken::decode_header(token).unwrap();
    assert_eq!(head.typ.as_deref(), Some("statuslist+jwt"));
    let key = DecodingKey::from_jwk(keys.find(&head.kid.unwrap()).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.validate_aud = false;
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<StatusListClaims>(token, &key, &validation).unwrap().claims;
    assert_eq!((claims.sub.as_str(), claims.iss.as_str()), (uri, "https://auth.example"));
    assert_eq!((claims.exp - claims.iat, claims.ttl), (300, 5));
    claims
}

/// Whether a list says that the token at this place is over.
async fn is_over(server: &TestServer, place: &StatusReference) -> bool {
    let answer = get(server, path(&place.uri), &[]).await.assert_ok();
    let list = read(server, &answer.text, &place.uri).await.status_list;
    assert_eq!(list.bits, 1);
    let mut bytes = Vec::new();
    let compressed = URL_SAFE_NO_PAD.decode(list.lst).unwrap();
    flate2::read::ZlibDecoder::new(compressed.as_slice()).read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len(), 16_384);
    bytes[place.idx as usize / 8] & (1 << (place.idx % 8)) != 0
}

with_lists!(a_revoked_session_is_told_within_seconds, |server| {
    let pair = server.alice().await;
    let other = server.session("alice", "app").await;
    let (hers, others) = (place(&pair.access).unwrap(), place(&other.access).unwrap());
    assert_eq!(hers.uri, "https://auth.example/status-lists/0");
    assert_ne!(hers.idx, others.idx);
    // A refresh changes nothing about it.
    let next = server.refresh("app", &pair.refresh).await.assert_ok();
    assert_eq!(place(&next.str("access_token")), Some(hers.clone()));
    assert!(!is_over(&server, &hers).await);

    let pairs = [("client_id", "app"), ("token", &next.str("refresh_token"))];
    server.form("/oauth/revoke", &pairs).await.assert_ok();
    // What was computed a moment ago is served for five seconds more.
    assert!(!is_over(&server, &hers).await);
    server.advance(RENEWED);
    assert!(is_over(&server, &hers).await);
    assert!(!is_over(&server, &others).await);
});

with_lists!(whatever_ends_a_session_is_told, |server| {
    server.user("alice").await;
    server.user("bob").await;
    server.public_client("app").await;
    server.public_client("other").await;
    let mut places = Vec::new();
    for (user, client) in [("alice", "app"), ("alice", "other"), ("bob", "app"), ("bob", "other")] {
        places.push(place(&server.session(user, client).await.access).unwrap());
    }
    let told = async || {
        server.advance(RENEWED);
        let mut told = Vec::new();
        for place in &places {
            told.push(is_over(&server, place).await);
        }
        told
    };
    assert_eq!(told().await, [false, false, false, false]);
    server.admin_post("/users/alice/disable", json!({})).await.assert_ok();
    assert_eq!(told().await, [true, true, false, false]);
    server.admin_post("/users/alice/enable", json!({})).await.assert_ok();
    assert_eq!(told().await, [true, true, false, false]);
    let client = json!({"target": "client", "subject": "other"});
    server.admin_post("/revocations", client).await.assert_ok();
    assert_eq!(told().await, [true, true, false, true]);
    server.admin_post("/revocations", json!({"target": "everything"})).await.assert_ok();
    assert_eq!(told().await, [true, true, true, true]);
});

with_lists!(a_token_with_a_status_is_a_token_as_any_other, |server| {
    let pair = server.alice().await;
    let status = place(&pair.access).unwrap();
    let keys: JwkSet = serde_json::from_value(server.get("/.well-known/jwks.json").await.json()).unwrap();
    let verifier = Verifier::new("https://auth.example", AUDIENCE, keys).unwrap();
    let claims = verifier.verify(&pair.access, START.seconds()).unwrap();
    assert_eq!(claims.status.map(|status| status.status_list), Some(status.clone()));
    // A list is signed with the same keys, and is no access token.
    let list = get(&server, path(&status.uri), &[]).await.text;
    assert!(verifier.verify(&list, START.seconds()).is_err());
    server.get_as("/api/profile", &list).await.assert_error(401, "invalid_token");

    let secret = server.confidential_client("api", json!({"introspects": ["*"]})).await;
    let headers = [("authorization", basic("api", &secret))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let seen = server.form_with("/oauth/introspect", &[("token", &pair.access)], &headers).await.json();
    assert_eq!(seen["status"], json!({"status_list": {"idx": status.idx, "uri": status.uri}}));

    // Not in a list: what is asked about anyway, and what has no session.
    let pairs = [("grant_type", "client_credentials")];
    let own = server.form_with("/oauth/token", &pairs, &headers).await.assert_ok().str("access_token");
    assert_eq!(place(&own), None);
    let body = json!({"token_format": "opaque"});
    server.admin(Method::PATCH, "/clients/app", body).await.assert_ok();
    let opaque = server.refresh("app", &pair.refresh).await.assert_ok().str("access_token");
    let seen = server.form_with("/oauth/introspect", &[("token", &opaque)], &headers).await.json();
    assert_eq!((&seen["active"], &seen["status"]), (&json!(true), &Value::Null));
});

with_lists!(a_list_is_served_as_the_draft_says, |server| {
    let uri = place(&server.alice().await.access).unwrap().uri;
    let path = path(&uri);
    let answer = get(&server, path, &[(header::ORIGIN, "https://anyone.example")]).await.assert_ok();
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/statuslist+jwt");
    assert_eq!(answer.header(header::CACHE_CONTROL), "public, max-age=5");
    assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "*");
    let vary: Vec<_> = answer.headers.get_all(header::VARY).iter().map(|v| v.to_str().unwrap()).collect();
    assert!(vary.contains(&"accept, accept-encoding"), "{vary:?}");
    assert!(answer.headers.get(header::CONTENT_ENCODING).is_none());
    // A cache on the way keeps it until the next is made, and no longer.
    server.advance(Duration::from_millis(3_500));
    let later = get(&server, path, &[]).await.assert_ok();
    assert_eq!((later.header(header::CACHE_CONTROL), &later.text), ("public, max-age=1", &answer.text));
    server.advance(Duration::from_millis(1_500));
    let next = get(&server, path, &[]).await.assert_ok();
    let (before, after) = (read(&server, &answer.text, &uri).await, read(&server, &next.text, &uri).await);
    assert_eq!((before.iat, after.iat), (START.seconds(), START.seconds() + 5));
    assert_eq!(before.status_list, after.status_list);

    for accepted in ["application/statuslist+jwt", "*/*", "application/statuslist+cwt, application/*;q=0.5"] {
        assert_eq!(get(&server, path, &[(header::ACCEPT, accepted)]).await.status, 200, "{accepted}");
    }
    for (accept, query, status, error) in [
        ("application/statuslist+cwt", "", 406, "not_acceptable"),
        ("text/html", "", 406, "not_acceptable"),
        ("*/*", "?time=1686925000", 501, "not_implemented"),
    ] {
        let answer = get(&server, &format!("{path}{query}"), &[(header::ACCEPT, accept)]).await;
        answer.assert_error(status, error);
    }
    for other in ["1", "00", "-1", "x", "18446744073709551615", "99999999999999999999"] {
        get(&server, &format!("/status-lists/{other}"), &[]).await.assert_error(404, "not_found");
    }
    let head = Request::head(path).body(Body::empty()).unwrap();
    assert_eq!(server.send(head).await.status, 200);
    let post = Request::post(path).body(Body::empty()).unwrap();
    assert_eq!(server.send(post).await.status, StatusCode::METHOD_NOT_ALLOWED);
});

with_lists!(a_list_is_compressed_for_who_can_read_that, |server| {
    let uri = place(&server.alice().await.access).unwrap().uri;
    let plain = get(&server, path(&uri), &[]).await.text;
    let request = Request::get(path(&uri)).header(header::ACCEPT_ENCODING, "br, gzip");
    let response = server.stream(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain);
});

with_lists!(many_who_ask_at_once_get_one_list, |server| {
    let uri = place(&server.alice().await.access).unwrap().uri;
    let asked = (0..32).map(|_| get(&server, path(&uri), &[]));
    let answers = futures_util::future::join_all(asked).await;
    // A signature of ES256 is another each time it is made.
    assert!(answers.iter().all(|answer| answer.text == answers[0].text));
});

/// No claim, and no list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_none_unless_it_is_configured() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let server = TestServer::start(engine).await;
        assert_eq!(place(&server.alice().await.access), None);
        get(&server, "/status-lists/0", &[]).await.assert_error(404, "not_found");
    }
}

/// Lists that tokens name go on being served, also by a node that puts nobody into one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_lists_serves_those_of_others() {
    let server = TestServer::start_with(Engine::Postgres, &ON).await;
    let node = server.node_beside().await;
    let pair = server.alice().await;
    let hers = place(&pair.access).unwrap();
    assert!(!is_over(&node, &hers).await);
    let next = node.refresh("app", &pair.refresh).await.assert_ok();
    assert_eq!(place(&next.str("access_token")), None);
    assert_eq!(place(&node.session("alice", "app").await.access), None);
    // And what one node ends, the other tells.
    server.admin_post(&format!("/sessions/{}/revoke", pair.sid), json!({})).await.assert_ok();
    node.advance(RENEWED);
    assert!(is_over(&node, &hers).await);
}
