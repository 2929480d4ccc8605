//! A whole server for a test: the real routers over the real store of either engine, a clock that
//! stands still, and a canary: when the server is dropped, everything it logged, every metric and
//! its database files are searched for every secret that it handed out.

pub(crate) mod canary;
#[expect(dead_code, reason = "stopping and crashing is for the engine's own tests")]
pub(crate) mod cluster;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::Router;
use axum::body::Body;
use countersign::app::App;
use countersign::config::{Limits, Settings};
use countersign::http::listen::Listener;
use countersign::http::shutdown::Shutdown;
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
pub(crate) const START: Timestamp = Timestamp(1_800_000_000_000);

/// The engines that a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// Runs an async test body once on each engine: `on_both!(name, |server| async move { … });`
#[macro_export]
macro_rules! on_both {
    ($(#[$attr:meta])* $name:ident, |$server:ident| $body:expr) => {
        async fn $name($server: $crate::support::TestServer) {
            $body
        }

        mod $name {
            $(#[$attr])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name($crate::support::TestServer::start($crate::support::Engine::Sqlite).await).await;
            }

            $(#[$attr])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name($crate::support::TestServer::start($crate::support::Engine::Postgres).await).await;
            }
        }
    };
}

/// A server under test.
pub(crate) struct TestServer {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<ManualClock>,
    public: Router,
    management: Router,
    canary: canary::Canary,
    dir: tempfile::TempDir,
    database: Option<(&'static cluster::Cluster, String)>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A string member of the body.
    pub(crate) fn str(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no {member} in {}", self.text)).to_owned()
    }

    /// Asserts an OAuth error of this status and code, and returns its description.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, code: &str) -> String {
        assert_eq!(
            (self.status.as_u16(), self.json()["error"].as_str()),
            (status, Some(code)),
            "{}",
            self.text
        );
        self.str("error_description")
    }

    #[track_caller]
    pub(crate) fn assert_ok(self) -> Self {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text);
        self
    }

    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(&name).map_or("", |value| value.to_str().unwrap())
    }
}

/// How much was searched for how much.
#[derive(Debug)]
pub(crate) struct Searched {
    /// Pieces and forms of secrets.
    pub(crate) secrets: usize,
    /// Lines of the log that only TRACE and DEBUG have.
    pub(crate) traces: usize,
    /// Bytes of the database.
    pub(crate) stored: usize,
}

/// A token pair.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) sid: String,
}

impl TestServer {
    pub(crate) async fn start(engine: Engine) -> Self {
        Self::start_with(engine, &[]).await
    }

    /// With settings of its own.
    pub(crate) async fn start_with(engine: Engine, values: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        match engine {
            Engine::Sqlite => {
                let store = SqliteStore::open(&dir.path().join("test.sqlite")).unwrap();
                Self::over(store, dir, None, values).await
            }
            Engine::Postgres => Self::start_on(cluster::shared(), dir, values).await,
        }
    }

    /// On a cluster that the test is going to mistreat.
    pub(crate) async fn start_on_own(cluster: &'static cluster::Cluster) -> Self {
        Self::start_on(cluster, tempfile::tempdir().unwrap(), &[]).await
    }

    /// A second node on this server's database, with a clock of its own.
    pub(crate) async fn node_beside(&self) -> Self {
        let (_, url) = self.database.as_ref().unwrap();
        let store = PostgresStore::open(url).await.unwrap();
        Self::over(store, tempfile::tempdir().unwrap(), None, &[]).await
    }

    /// The same, where the store can have more than one node.
    pub(crate) async fn another_node(&self) -> Option<Self> {
        match self.database {
            Some(_) => Some(self.node_beside().await),
            None => None,
        }
    }

    /// Listens on a port of this machine for as long as the test runs.
    pub(crate) async fn listen(&self, limits: Limits) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.public.clone();
        tokio::spawn(async move {
            http::listen::serve(Listener::Tcp(listener), router, &limits, &Shutdown::new()).await;
        });
        address
    }

    /// The same store with nothing in memory: as after a restart.
    pub(crate) async fn restarted(&self) -> Self {
        let server = Self::over(self.app.store.clone(), tempfile::tempdir().unwrap(), None, &[]).await;
        server.clock.set(self.app.clock.now());
        server
    }

    async fn start_on(
        cluster: &'static cluster::Cluster,
        dir: tempfile::TempDir,
        values: &[(&str, &str)],
    ) -> Self {
        let url = cluster.database().await;
        let store = PostgresStore::open(&url).await.unwrap();
        Self::over(store, dir, Some((cluster, url)), values).await
    }

    async fn over(
        store: Arc<dyn Store>,
        dir: tempfile::TempDir,
        database: Option<(&'static cluster::Cluster, String)>,
        values: &[(&str, &str)],
    ) -> Self {
        let canary = canary::Canary::new();
        let mut all = values.to_vec();
        if !all.iter().any(|(key, _)| *key == "issuer") {
            all.push(("issuer", "https://auth.example"));
        }
        let settings = Settings::from_values(&all).unwrap();
        let clock = Arc::new(ManualClock::new(START));
        let kek = KeyEncryptionKey::from_text(&"ab".repeat(32)).unwrap();
        let keys = Keys::open(store.clone(), kek, KeySchedule::default(), clock.now()).await.unwrap();
        let app = App::new(
            store,
            keys,
            clock.clone(),
            server::policy(&settings),
            Passwords::new(2, 8),
            None,
            Arc::new(Metrics::new()),
        )
        .await
        .unwrap();
        let demo = http::demo::Demo::new(
            AUDIENCE.to_owned(),
            "read",
            http::demo::WebClient {
                id: "demo-web".parse().unwrap(),
                secret: countersign_wire::ClientSecret::new("cs_demo".to_owned()),
            },
            ("demo", "demo-demo"),
        );
        let public = Arc::new(Public::new(app.clone(), &settings));
        let public = http::router::public(public, Some(Arc::new(demo)));
        let observer = |tls_only| {
            Arc::new(http::layers::Observer {
                metrics: app.metrics.clone(),
                request_timeout: settings.limits.request_timeout,
                spans: true,
                tls_only,
            })
        };
        let public = http::layers::observe(public, observer(settings.issuer.starts_with("https:")));
        let management = http::router::management(app.clone(), settings.limits, None);
        let management = http::layers::observe(management, observer(false));
        Self { app, clock, public, management, canary, dir, database }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        read(self.public.clone(), request, &self.canary).await
    }

    /// An answer whose body is yet to come.
    pub(crate) async fn stream(&self, request: Request<Body>) -> axum::response::Response {
        self.public.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// `GET` with a bearer token.
    pub(crate) async fn get_as(&self, path: &str, token: &str) -> Answer {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A form to a public endpoint, with headers.
    pub(crate) async fn form_with(
        &self,
        path: &str,
        pairs: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mut request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.form_with(path, pairs, &[]).await
    }

    /// A refresh by a public client.
    pub(crate) async fn refresh(&self, client: &str, token: &str) -> Answer {
        let pairs = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        self.form("/oauth/token", &pairs).await
    }

    /// A refresh by a public client with a retry proof.
    pub(crate) async fn refresh_with_key(&self, client: &str, token: &str, key: &str) -> Answer {
        let pairs = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        self.form_with("/oauth/token", &pairs, &[("idempotency-key", key)]).await
    }

    /// The admin API.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = Request::builder().method(method).uri(format!("/admin/v1{path}"));
        let request = match body {
            Value::Null => request.body(Body::empty()),
            body => {
                request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()))
            }
        };
        read(self.management.clone(), request.unwrap(), &self.canary).await
    }

    pub(crate) async fn admin_post(&self, path: &str, body: Value) -> Answer {
        self.admin(Method::POST, path, body).await
    }

    /// A user.
    pub(crate) async fn user(&self, name: &str) -> String {
        self.admin_post("/users", json!({"username": name})).await.assert_ok().str("user_id")
    }

    /// A public native client with scope `read write` for the demo API.
    pub(crate) async fn public_client(&self, id: &str) -> String {
        let body = json!({"id": id, "kind": "native", "scope": "read write", "audience": [AUDIENCE],
            "redirect_uris": ["https://app.example/callback"]});
        self.admin_post("/clients", body).await.assert_ok();
        id.to_owned()
    }

    /// A confidential client; gives its secret.
    pub(crate) async fn confidential_client(&self, id: &str, more: Value) -> String {
        let mut body = json!({"id": id, "kind": "service", "scope": "read write", "audience": [AUDIENCE]});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.admin_post("/clients", body).await.assert_ok().str("client_secret")
    }

    /// A session of a user for a client.
    pub(crate) async fn session(&self, user: &str, client: &str) -> Pair {
        let answer = self.admin_post("/sessions", json!({"user": user, "client": client})).await.assert_ok();
        Pair {
            access: answer.str("access_token"),
            refresh: answer.str("refresh_token"),
            sid: answer.str("session_id"),
        }
    }

    /// A user `alice`, a public client `app`, and a session.
    pub(crate) async fn alice(&self) -> Pair {
        self.user("alice").await;
        self.public_client("app").await;
        self.session("alice", "app").await
    }

    /// All that is stored, as the files of the one engine and a dump of the other have it.
    pub(crate) fn stored(&self) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(self.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                all.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
        if let Some((cluster, url)) = &self.database {
            all.push(("the dumped database".to_owned(), cluster.dump(url)));
        }
        all
    }

    /// Searches everything that was logged, counted and stored for every secret that was handed out.
    /// Gives the size of what is stored.
    fn search(&self) -> usize {
        self.canary.search("metrics", self.app.metrics.encode().as_bytes());
        let stored = self.stored();
        for (place, bytes) in &stored {
            self.canary.search(place, bytes);
        }
        self.canary.search_logs();
        stored.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// The same, as is done at the end of each test, and how much that was.
    pub(crate) fn searched(&self) -> Searched {
        let stored = self.search();
        Searched { secrets: self.canary.len(), traces: self.canary.traces(), stored }
    }

    /// What a session's record says now, but for the place in words, which is noted beside requests.
    pub(crate) async fn standing(&self, sid: &str) -> countersign::store::Standing {
        let mut standing = self.app.store.standing(sid.parse().unwrap()).await.unwrap().unwrap();
        (standing.session.network, standing.session.agent) = (None, None);
        standing
    }
}

/// The audience of the demo API.
pub(crate) const AUDIENCE: &str = "https://api.example";

/// What `Basic` credentials look like.
pub(crate) fn basic(id: &str, secret: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}")))
}

async fn read(router: Router, request: Request<Body>, canary: &canary::Canary) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    canary.learn(&text);
    canary.learn_from_headers(&parts.headers);
    Answer { status: parts.status, headers: parts.headers, text }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.search();
    }
}
