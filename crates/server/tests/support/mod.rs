//! A whole server for a test: the real routers over the real store of either engine, a clock that
//! stands still, and a canary: when the server is dropped, everything it logged, every metric and
//! its database files are searched for every secret that it handed out.

pub mod canary;
#[expect(dead_code, reason = "shared with the unit tests, which mistreat it")]
pub mod cluster;

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::Router;
use axum::body::Body;
use countersign::app::App;
use countersign::config::Settings;
use countersign::http::{self, Public};
use countersign::keys::{KeyEncryptionKey, KeySchedule, Keys};
use countersign::metrics::Metrics;
use countersign::passwords::Passwords;
use countersign::server;
use countersign::store::Store;
use countersign::store::postgres::PostgresStore;
use countersign::store::sqlite::SqliteStore;
use countersign::time::{Clock, ManualClock, Timestamp};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// When every test begins.
pub const START: Timestamp = Timestamp(1_800_000_000_000);

/// The engines that a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Runs an async test body once on each engine: `on_both!(name, |server| async move { … });`
#[macro_export]
macro_rules! on_both {
    ($(#[$attr:meta])* $name:ident, |$server:ident| $body:expr) => {
        mod $name {
            #[expect(unused_imports, reason = "not every case needs all of them")]
            use super::*;

            async fn case($server: $crate::support::TestServer) {
                $body
            }

            $(#[$attr])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                case($crate::support::TestServer::start($crate::support::Engine::Sqlite).await).await;
            }

            $(#[$attr])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                case($crate::support::TestServer::start($crate::support::Engine::Postgres).await).await;
            }
        }
    };
}

/// A server under test.
pub struct TestServer {
    pub app: Arc<App>,
    pub clock: Arc<ManualClock>,
    pub settings: Settings,
    public: Router,
    management: Router,
    canary: canary::Canary,
    dir: tempfile::TempDir,
    database: Option<String>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A string member of the body.
    pub fn str(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no {member} in {}", self.text)).to_owned()
    }

    /// Asserts an OAuth error of this status and code, and returns its description.
    #[track_caller]
    pub fn assert_error(&self, status: u16, code: &str) -> String {
        assert_eq!(
            (self.status.as_u16(), self.json()["error"].as_str()),
            (status, Some(code)),
            "{}",
            self.text
        );
        self.str("error_description")
    }

    #[track_caller]
    pub fn assert_ok(self) -> Self {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text);
        self
    }

    pub fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(&name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A token pair.
#[derive(Debug, Clone)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
    pub sid: String,
}

impl TestServer {
    pub async fn start(engine: Engine) -> Self {
        Self::start_with(engine, &[]).await
    }

    /// With settings of its own.
    pub async fn start_with(engine: Engine, values: &[(&str, &str)]) -> Self {
        let canary = canary::Canary::new();
        let dir = tempfile::tempdir().unwrap();
        let mut all = vec![("issuer", "https://auth.example")];
        all.extend_from_slice(values);
        let settings = Settings::from_values(&all).unwrap();
        let (store, database): (Arc<dyn Store>, _) = match engine {
            Engine::Sqlite => (SqliteStore::open(&dir.path().join("test.sqlite")).unwrap(), None),
            Engine::Postgres => {
                let database = cluster::shared().database().await;
                (PostgresStore::open(&database).await.unwrap(), Some(database))
            }
        };
        let clock = Arc::new(ManualClock::new(START));
        let kek = KeyEncryptionKey::from_text(&"ab".repeat(32)).unwrap();
        let keys = Keys::open(store.clone(), kek, KeySchedule::default(), clock.now()).await.unwrap();
        let app = App::new(
            store,
            keys,
            clock.clone(),
            server::policy(&settings),
            Passwords::new(2, 8),
            Arc::new(Metrics::new()),
        )
        .await
        .unwrap();
        let demo = http::demo::Demo { audience: AUDIENCE.to_owned(), scope: "read" };
        let public = Arc::new(Public::new(app.clone(), &settings));
        let public = http::router::public(public, Some(Arc::new(demo)));
        let observer = Arc::new(http::layers::Observer {
            metrics: app.metrics.clone(),
            request_timeout: settings.limits.request_timeout,
            spans: true,
        });
        let public = http::layers::observe(public, observer.clone());
        let management =
            http::layers::observe(http::router::management(app.clone(), settings.limits, None), observer);
        Self { app, clock, settings, public, management, canary, dir, database }
    }

    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// A second router over the same store, as another node has it.
    pub fn public_router(&self) -> Router {
        self.public.clone()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        read(self.public.clone(), request, &self.canary).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// `GET` with a bearer token.
    pub async fn get_as(&self, path: &str, token: &str) -> Answer {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A form to a public endpoint, with headers.
    pub async fn form_with(&self, path: &str, pairs: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mut request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub async fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.form_with(path, pairs, &[]).await
    }

    /// A refresh by a public client.
    pub async fn refresh(&self, client: &str, token: &str) -> Answer {
        let pairs = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        self.form("/oauth/token", &pairs).await
    }

    /// A refresh by a public client with a retry proof.
    pub async fn refresh_with_key(&self, client: &str, token: &str, key: &str) -> Answer {
        let pairs = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        self.form_with("/oauth/token", &pairs, &[("idempotency-key", key)]).await
    }

    /// The admin API.
    pub async fn admin(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = Request::builder().method(method).uri(format!("/admin/v1{path}"));
        let request = match body {
            Value::Null => request.body(Body::empty()),
            body => {
                request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()))
            }
        };
        read(self.management.clone(), request.unwrap(), &self.canary).await
    }

    pub async fn admin_post(&self, path: &str, body: Value) -> Answer {
        self.admin(Method::POST, path, body).await
    }

    /// A user.
    pub async fn user(&self, name: &str) -> String {
        self.admin_post("/users", json!({"username": name})).await.assert_ok().str("user_id")
    }

    /// A public native client with scope `read write` for the demo API.
    pub async fn public_client(&self, id: &str) -> String {
        let body = json!({"id": id, "kind": "native", "scope": "read write", "audience": [AUDIENCE],
            "redirect_uris": ["https://app.example/callback"]});
        self.admin_post("/clients", body).await.assert_ok();
        id.to_owned()
    }

    /// A confidential client; gives its secret.
    pub async fn confidential_client(&self, id: &str, more: Value) -> String {
        let mut body = json!({"id": id, "kind": "service", "scope": "read write", "audience": [AUDIENCE]});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.admin_post("/clients", body).await.assert_ok().str("client_secret")
    }

    /// A session of a user for a client.
    pub async fn session(&self, user: &str, client: &str) -> Pair {
        let answer = self.admin_post("/sessions", json!({"user": user, "client": client})).await.assert_ok();
        Pair {
            access: answer.str("access_token"),
            refresh: answer.str("refresh_token"),
            sid: answer.str("session_id"),
        }
    }

    /// A user `alice`, a public client `app`, and a session.
    pub async fn alice(&self) -> Pair {
        self.user("alice").await;
        self.public_client("app").await;
        self.session("alice", "app").await
    }

    /// What a session's record says now.
    pub async fn standing(&self, sid: &str) -> countersign::store::Standing {
        self.app.store.standing(sid.parse().unwrap()).await.unwrap().unwrap()
    }
}

/// The audience of the demo API.
pub const AUDIENCE: &str = "https://api.example";

/// What `Basic` credentials look like.
pub fn basic(id: &str, secret: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}")))
}

async fn read(router: Router, request: Request<Body>, canary: &canary::Canary) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    canary.learn(&text);
    Answer { status: parts.status, headers: parts.headers, text }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.canary.search("metrics", self.app.metrics.encode().as_bytes());
        for entry in std::fs::read_dir(self.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                self.canary.search(&path.display().to_string(), &std::fs::read(&path).unwrap());
            }
        }
        if let Some(database) = &self.database {
            self.canary.search("the dumped database", &cluster::shared().dump(database));
        }
        self.canary.search_logs();
    }
}
