//! The example of an API, against the real program: what its users copy does what it says.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use countersign_verify::{Credentials, Guard, ResourceMetadata};
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::program::{Place, Server};

const AUDIENCE: &str = "https://api.example";
/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

struct Stage {
    place: Place,
    server: Option<Server>,
    guard: Guard,
    app: Router,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    challenge: String,
    retry_after: bool,
    body: Value,
}

impl Stage {
    async fn new() -> Self {
        let place = Place::new();
        let add = |arguments: &[&str]| place.json(arguments);
        add(&["user", "add", "ana", "--role", "reader"]);
        add(&["user", "add", "tim", "--tenant", "acme"]);
        for (id, scope, format) in [
            ("shop", "profile:read profile:write", "jwt"),
            ("sealed", "profile:read profile:write", "opaque"),
            ("poor", "other", "jwt"),
        ] {
            let kind = ["--kind", "native", "--scope", scope, "--token-format", format];
            add(&[&["client", "add", id, "--audience", AUDIENCE], &kind[..]].concat());
        }
        let me = ["--kind", "service", "--scope", "revocations", "--introspects", AUDIENCE];
        let me = add(&[&["client", "add", "profile-api"], &me[..]].concat());
        let server = Server::start(&place, &[]);
        let credentials = Credentials::new("profile-api", me["client_secret"].as_str().unwrap());
        let guard = Guard::builder(&server.public, AUDIENCE)
            .feed(credentials.clone())
            .introspection(credentials, Duration::from_millis(200))
            // One sign of life that did not come.
            .behind_after(Duration::from_secs(6))
            .start()
            .unwrap();
        guard.ready().await.unwrap();
        let about = ResourceMetadata::new(AUDIENCE, &server.public);
        let app = profile_api::app(&guard, about).unwrap();
        let stage = Self { place, server: Some(server), guard, app };
        stage.until("the feed is read", || stage.lag().is_some()).await;
        stage
    }

    /// A pair of a new session: session, access token, refresh token.
    fn pair(&self, user: &str, client: &str) -> [String; 3] {
        let pair = self.place.json(&["session", "add", "--user", user, "--client", client]);
        ["session_id", "access_token", "refresh_token"].map(|name| pair[name].as_str().unwrap().to_owned())
    }

    async fn ask(&self, method: &str, path: &str, token: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, challenge) = (response.status(), header(header::WWW_AUTHENTICATE).unwrap_or_default());
        let retry_after = header(header::RETRY_AFTER).is_some();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Answer { status, challenge, retry_after, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask("GET", path, Some(token)).await
    }

    async fn until(&self, what: &str, done: impl Fn() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < LIMIT, "{what}: {:?}", self.guard);
            tokio::task::yield_now().await;
        }
    }

    async fn until_answered(&self, status: StatusCode, path: &str, token: &str) -> Answer {
        let begun = Instant::now();
        loop {
            let answer = self.get(path, token).await;
            if answer.status == status {
                return answer;
            }
            assert!(begun.elapsed() < LIMIT, "{status}: {answer:?}, {:?}", self.guard);
            tokio::task::yield_now().await;
        }
    }

    fn lag(&self) -> Option<Duration> {
        self.guard.status().feed.unwrap().lag
    }
}

#[tokio::test]
async fn the_example_answers_as_the_standards_say() {
    let stage = Stage::new().await;
    let [_, access, refresh] = stage.pair("ana", "shop");
    let answer = stage.get("/api/profile", &access).await;
    assert_eq!((answer.status, &answer.body["roles"]), (StatusCode::OK, &json!(["reader"])));

    let none = stage.ask("GET", "/api/profile", None).await;
    assert_eq!((none.status, none.body), (StatusCode::UNAUTHORIZED, Value::Null));
    let about = "resource_metadata=\"https://api.example/.well-known/oauth-protected-resource\"";
    assert_eq!(none.challenge, format!("Bearer realm=\"profile\", {about}"));
    let document = stage.ask("GET", "/.well-known/oauth-protected-resource", None).await;
    let issuer = &stage.server.as_ref().unwrap().public;
    assert_eq!(document.body["authorization_servers"], json!([issuer]));

    let refreshing = stage.get("/api/profile", &refresh).await;
    assert_eq!(refreshing.status, StatusCode::UNAUTHORIZED);
    let said = refreshing.body["error_description"].as_str().unwrap();
    assert!(said.contains("refresh token") && !refreshing.challenge.contains(&refresh), "{said}");
    let in_query = stage.ask("GET", &format!("/api/profile?access_token={access}"), None).await;
    assert_eq!(in_query.status, StatusCode::BAD_REQUEST);

    let [_, poor, _] = stage.pair("ana", "poor");
    let denied = stage.get("/api/profile", &poor).await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
    assert!(denied.challenge.contains("scope=\"profile:read\""), "{denied:?}");

    // What a back end has vouched for has no `acr`: the route with money behind it wants more.
    let step_up = stage.ask("POST", "/api/payout", Some(&access)).await;
    assert_eq!(step_up.status, StatusCode::UNAUTHORIZED);
    assert_eq!(step_up.body["error"], "insufficient_user_authentication");
    assert!(step_up.challenge.contains("acr_values=\"aal2\", max_age=\"300\""), "{step_up:?}");

    let [_, tim, _] = stage.pair("tim", "shop");
    assert_eq!(stage.get("/api/tenants/acme/notes", &tim).await.status, StatusCode::OK);
    assert_eq!(stage.get("/api/tenants/acme/notes", &access).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.get("/api/tenants/other/notes", &tim).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_was_revoked_is_refused_in_both_formats_and_by_every_verb() {
    let stage = Stage::new().await;
    for client in ["shop", "sealed"] {
        let [sid, access, _] = stage.pair("ana", client);
        let [_, other, _] = stage.pair("ana", client);
        assert_eq!(stage.get("/api/profile", &access).await.status, StatusCode::OK);
        stage.place.run(&["session", "revoke", &sid]).assert_ok();
        let refused = stage.until_answered(StatusCode::UNAUTHORIZED, "/api/profile", &access).await;
        assert_eq!(refused.body["error"], "invalid_token");
        assert_eq!(stage.get("/api/profile", &other).await.status, StatusCode::OK);
        stage.place.run(&["user", "sign-out", "ana"]).assert_ok();
        stage.until_answered(StatusCode::UNAUTHORIZED, "/api/profile", &other).await;
        // Who signs in anew has a new stamp.
        let [_, again, _] = stage.pair("ana", client);
        assert_eq!(stage.get("/api/profile", &again).await.status, StatusCode::OK);
        stage.place.run(&["client", "disable", client]).assert_ok();
        stage.until_answered(StatusCode::UNAUTHORIZED, "/api/profile", &again).await;
    }
}

#[tokio::test]
async fn an_issuer_that_is_away_is_noticed_and_nothing_is_missed() {
    let mut stage = Stage::new().await;
    let [sid, access, _] = stage.pair("ana", "shop");
    let [_, other, _] = stage.pair("ana", "shop");
    let [_, sealed, _] = stage.pair("ana", "sealed");
    assert_eq!(stage.get("/api/profile", &access).await.status, StatusCode::OK);
    let server = stage.server.take().unwrap();
    let ports = server.ports();
    drop(server);
    // Opaque tokens cannot be told any more, and soon neither can others: never a 401.
    let undecided = stage.until_answered(StatusCode::SERVICE_UNAVAILABLE, "/api/profile", &sealed).await;
    assert!(undecided.retry_after && undecided.challenge.is_empty(), "{undecided:?}");
    let undecided = stage.until_answered(StatusCode::SERVICE_UNAVAILABLE, "/api/profile", &access).await;
    assert!(undecided.retry_after && undecided.challenge.is_empty(), "{undecided:?}");
    // Revoked while nobody could be told.
    stage.place.run(&["session", "revoke", &sid]).assert_ok();
    stage.server = Some(Server::start_on("127.0.0.1", ports, &stage.place, &[]));
    stage.until_answered(StatusCode::OK, "/api/profile", &other).await;
    assert_eq!(stage.get("/api/profile", &access).await.status, StatusCode::UNAUTHORIZED);
    stage.until_answered(StatusCode::OK, "/api/profile", &sealed).await;
}
