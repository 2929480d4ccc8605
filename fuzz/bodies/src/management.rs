//! The management API: bodies, queries and names of things, from whoever may ask.

use std::sync::{Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::server::{CALLBACK, CONTENT_TYPES, Service, start};

/// Method, what stands before the line of input, and what stands behind it. Not among them are a
/// new key, which takes long to make, and the backup, which is no small answer.
const ROUTES: [(&str, &str, &str); 27] = [
    ("POST", "/clients", ""),
    ("PATCH", "/clients/", ""),
    ("POST", "/users", ""),
    ("PATCH", "/users/", ""),
    ("POST", "/users/", "/password"),
    ("POST", "/users/", "/roles"),
    ("POST", "/sessions", ""),
    ("POST", "/revocations", ""),
    ("POST", "/tokens/revoke", ""),
    ("PUT", "/resources/", ""),
    ("GET", "/clients?", ""),
    ("GET", "/users?", ""),
    ("GET", "/sessions?", ""),
    ("GET", "/revocations?", ""),
    ("GET", "/resources?", ""),
    ("GET", "/events?", ""),
    ("GET", "/clients/", ""),
    ("GET", "/users/", ""),
    ("GET", "/sessions/", ""),
    ("GET", "/sessions/", "/explain"),
    ("GET", "/resources/", ""),
    ("POST", "/users/", "/disable"),
    ("POST", "/users/", "/enable"),
    ("POST", "/users/", "/sign-out"),
    ("POST", "/users/", "/reset-factors"),
    ("POST", "/clients/", "/rotate-secret"),
    ("POST", "/sessions/", "/revoke"),
];
/// The place of `application/json` among the content types.
const JSON: usize = 1;
/// Members of a body that no message may repeat.
const SECRETS: [&str; 5] = ["password", "token", "d", "k", "p"];
/// What is sure to be no word of ours.
const SECRET_LEN: usize = 8;

/// A service with a user and a client, which stay.
struct Stage {
    service: Service,
    user: String,
    known: Everything,
}

const CLIENT: &str = "app";

fn stage() -> &'static Mutex<Stage> {
    static STAGE: OnceLock<Mutex<Stage>> = OnceLock::new();
    STAGE.get_or_init(|| {
        let service = start();
        let user = json!({"username": "ana"}).to_string();
        let (_, answer) =
            service.runtime.block_on(ask(&service.management, "POST", "/users", JSON, user.into()));
        let user = answer["user_id"].as_str().expect("an id").to_owned();
        let known = service.runtime.block_on(everything(&service));
        Mutex::new(Stage { service, user, known })
    })
}

async fn ask(
    management: &Router,
    method: &str,
    path: &str,
    content_type: usize,
    body: Vec<u8>,
) -> (StatusCode, Value) {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = Request::builder().method(method).uri(format!("/admin/v1{path}"));
    if !body.is_empty() {
        let kind = CONTENT_TYPES[content_type % CONTENT_TYPES.len()];
        request = request.header(header::CONTENT_TYPE, kind);
    }
    // Not every text can be an address.
    let Ok(request) = request.body(Body::from(body)) else { return (StatusCode::BAD_REQUEST, Value::Null) };
    let answer = management.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    assert_eq!(
        answer.headers().get(header::CACHE_CONTROL).map(HeaderValue::as_bytes),
        Some(&b"no-store"[..]),
        "{status} at {path}"
    );
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("JSON") };
    (status, value)
}

/// All clients, users and resources, and how far the log of revocations is.
type Everything = (Vec<Value>, u64);

async fn everything(service: &Service) -> Everything {
    let mut lists = Vec::new();
    for list in ["/clients", "/users", "/resources"] {
        lists.push(ask(&service.management, "GET", list, JSON, Vec::new()).await.1);
    }
    (lists, service.app.store.position().await.unwrap())
}

/// The first byte chooses the route, the second the content type; the first line is an id, a name
/// or a query, where an empty one is the client or the user that is there; the rest is the body.
pub(crate) fn management(data: &[u8]) {
    let [route, content_type, rest @ ..] = data else { return };
    let (method, before, after) = ROUTES[usize::from(*route) % ROUTES.len()];
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let Ok(line) = std::str::from_utf8(parts.next().unwrap_or_default()) else { return };
    let body = parts.next().unwrap_or_default();
    let mut stage = stage().lock().unwrap_or_else(PoisonError::into_inner);
    let Stage { service, user, known } = &mut *stage;
    let named = match (before, line) {
        ("/users/", "") => user.as_str(),
        ("/clients/", "") => CLIENT,
        ("/clients" | "/users" | "/sessions" | "/revocations" | "/tokens/revoke", _) => "",
        (_, line) => line,
    };
    let path = format!("{before}{named}{after}");
    let asked = (method, path.as_str());
    service.runtime.block_on(async {
        let content_type = usize::from(*content_type);
        let (status, answer) = ask(&service.management, method, &path, content_type, body.to_vec()).await;
        assert!(!status.is_server_error(), "{status} at {asked:?}: {answer}");
        if !status.is_success() {
            repeats_no_secret(&answer, body);
        }
        if status.is_success() && method != "GET" {
            remove_again(&service.management, asked, status, &answer).await;
            *known = everything(service).await;
        } else {
            assert_eq!(everything(service).await, *known, "{status} at {asked:?}, and something changed");
        }
    });
}

/// What was added can be read and removed, so that the store stays small.
async fn remove_again(management: &Router, asked: (&str, &str), status: StatusCode, answer: &Value) {
    let added = match (status, asked) {
        (StatusCode::CREATED, ("POST", "/clients")) => format!("/clients/{}", text(answer, "client_id")),
        (StatusCode::CREATED, ("POST", "/users")) => format!("/users/{}", text(answer, "user_id")),
        (StatusCode::CREATED, ("PUT", path)) => path.to_owned(),
        _ => return,
    };
    for method in ["GET", "DELETE"] {
        let (status, answer) = ask(management, method, &added, JSON, Vec::new()).await;
        assert!(status.is_success(), "{status} at {method} {added}: {answer}");
    }
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().expect("what was added has a name")
}

fn repeats_no_secret(answer: &Value, body: &[u8]) {
    let message = answer["error_description"].as_str().unwrap_or_default();
    let Ok(sent) = serde_json::from_slice::<Value>(body) else { return };
    for members in [Some(&sent), sent.get("encryption_key")].into_iter().flatten() {
        let secrets = SECRETS.iter().filter_map(|name| members.get(name)?.as_str());
        for secret in
            secrets.filter(|text| text.len() >= SECRET_LEN && text.bytes().any(|b| b.is_ascii_digit()))
        {
            assert!(!message.contains(secret), "{message:?} repeats what was sent");
        }
    }
}

/// The same client that people sign in to at the other targets.
pub(crate) async fn add_client(management: &Router) {
    let client = json!({"id": CLIENT, "kind": "spa", "scope": "openid read", "redirect_uris": [CALLBACK],
        "audience": [crate::gateway::AUDIENCE]});
    let (status, answer) = ask(management, "POST", "/clients", JSON, client.to_string().into()).await;
    assert!(status.is_success(), "{status}: {answer}");
}

/// A user with a role, and the access token of a session.
pub(crate) async fn add_session(management: &Router) -> (String, String) {
    let user = json!({"username": "ana", "roles": ["reader"], "tenant": "acme"}).to_string();
    let (_, user) = ask(management, "POST", "/users", JSON, user.into()).await;
    let session = json!({"user": "ana", "client": CLIENT}).to_string();
    let (status, answer) = ask(management, "POST", "/sessions", JSON, session.into()).await;
    assert!(status.is_success(), "{status}: {answer}");
    (text(&user, "user_id").to_owned(), text(&answer, "access_token").to_owned())
}
