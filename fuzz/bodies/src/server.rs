//! A whole service in this process, and requests to its public endpoints.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::body::Body;
use countersign::app::App;
use countersign::config::Settings;
use countersign::http::layers::{Observer, observe};
use countersign::http::peer::Peer;
use countersign::http::{Public, router};
use countersign::keys::{KeyEncryptionKey, KeySchedule, KeySet, Keys};
use countersign::metrics::Metrics;
use countersign::passwords::Passwords;
use countersign::store::sqlite::SqliteStore;
use countersign::time::{Clock as _, ManualClock, Timestamp};
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::BodyExt as _;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use crate::management::add_client;

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);
pub(crate) const ISSUER: &str = "https://auth.example";
const PATHS: [&str; 4] = ["/oauth/token", "/oauth/introspect", "/oauth/revoke", "/leaked-tokens"];
const PAGES: [&str; 10] = [
    "/oauth/authorize",
    "/oauth/authorize/continue",
    "/oauth/logout",
    "/signin",
    "/signin/passkey",
    "/signin/factor",
    "/consent",
    "/device",
    "/device/qr",
    "/account",
];
pub(crate) const CALLBACK: &str = "https://app.example/cb";
pub(crate) const CONTENT_TYPES: [&str; 3] =
    ["application/x-www-form-urlencoded", "application/json", "text/plain"];

pub(crate) struct Service {
    pub(crate) runtime: Runtime,
    pub(crate) public: Router,
    pub(crate) management: Router,
    pub(crate) app: Arc<App>,
    keys: Arc<KeySet>,
    _dir: tempfile::TempDir,
}

/// The one that most targets ask: nothing that they send changes it.
pub(crate) fn service() -> &'static Mutex<Service> {
    static SERVICE: OnceLock<Mutex<Service>> = OnceLock::new();
    SERVICE.get_or_init(|| Mutex::new(start()))
}

/// A service with a client that people sign in to.
pub(crate) fn start() -> Service {
    let runtime = Runtime::new().expect("threads");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("fuzz.sqlite");
    let (public, management, app, keys) = runtime.block_on(async {
        let settings = Settings::from_values(&[("issuer", ISSUER)]).expect("settings");
        let clock = Arc::new(ManualClock::new(NOW));
        let store = SqliteStore::open(&path).expect("a store");
        let kek = KeyEncryptionKey::from_text(&"ab".repeat(32)).expect("a key");
        let keys = Keys::open(store.clone(), kek, KeySchedule::default(), clock.now()).await.expect("keys");
        let set = keys.snapshot();
        let policy = countersign::server::policy(&settings);
        let metrics = Arc::new(Metrics::new());
        let app = App::new(store, keys, clock, policy, Passwords::new(1, 1), None, metrics.clone()).await;
        let app = app.expect("an application");
        let request_timeout = settings.limits.request_timeout;
        let observed = |router, tls_only| {
            let metrics = metrics.clone();
            observe(router, Arc::new(Observer { metrics, request_timeout, spans: false, tls_only }))
        };
        let management = observed(router::management(app.clone(), settings.limits, None), false);
        add_client(&management).await;
        let public = observed(router::public(Arc::new(Public::new(app.clone(), &settings)), None), true);
        (public, management, app, set)
    });
    Service { runtime, public, management, app, keys, _dir: dir }
}

/// The keys of the service.
pub(crate) fn key_set() -> Arc<KeySet> {
    Arc::clone(&service().lock().unwrap_or_else(PoisonError::into_inner).keys)
}

/// The first byte chooses endpoint and content type; then come three lines, `Authorization`,
/// `Idempotency-Key` and `X-Forwarded-For`, each left out when empty; the rest is the body.
pub(crate) fn endpoint(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let path = PATHS[usize::from(*first) % PATHS.len()];
    let content_type = CONTENT_TYPES[usize::from(*first) / PATHS.len() % CONTENT_TYPES.len()];
    let mut request = Request::post(path).header(header::CONTENT_TYPE, content_type);
    let mut parts = rest.splitn(4, |byte| *byte == b'\n');
    for name in [
        header::AUTHORIZATION,
        HeaderName::from_static("idempotency-key"),
        HeaderName::from_static("x-forwarded-for"),
    ] {
        let line = parts.next().unwrap_or_default();
        match HeaderValue::from_bytes(line) {
            Ok(value) if !line.is_empty() => request = request.header(name, value),
            _ => {}
        }
    }
    let body = parts.next().unwrap_or_default().to_vec();
    let request = request.body(Body::from(body)).expect("a request");

    let service = service().lock().unwrap_or_else(PoisonError::into_inner);
    service.runtime.block_on(async {
        let answer = service.public.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        assert!(!status.is_server_error(), "{status} at {path}");
        assert!(
            !status.is_success() || path == "/leaked-tokens",
            "{status} at {path}, and there is no client"
        );
        assert_eq!(
            answer.headers().get(header::CACHE_CONTROL).map(HeaderValue::as_bytes),
            Some(&b"no-store"[..])
        );
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        if !body.is_empty() {
            let _: serde_json::Value = serde_json::from_slice(&body).expect("answers are JSON");
        }
    });
}

/// What must never stand in a page as it was sent.
const MARK: &str = "<q7";

/// The first byte chooses page and method; then come three lines, `Cookie`, `Sec-Fetch-Site` and
/// `Accept-Language`, each left out when empty; the rest is the query, or the form.
pub(crate) fn page(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let path = PAGES[usize::from(*first) % PAGES.len()];
    let is_form = usize::from(*first) / PAGES.len() % 2 == 1;
    let mut lines = rest.splitn(4, |byte| *byte == b'\n');
    let mut headers = Vec::new();
    let names = [header::COOKIE, HeaderName::from_static("sec-fetch-site"), header::ACCEPT_LANGUAGE];
    for name in names {
        let line = lines.next().unwrap_or_default();
        headers.extend(HeaderValue::from_bytes(line).ok().filter(|_| !line.is_empty()).map(|v| (name, v)));
    }
    let sent = lines.next().unwrap_or_default();
    let request = match is_form {
        true => {
            Request::post(path).header(header::CONTENT_TYPE, CONTENT_TYPES[0]).body(Body::from(sent.to_vec()))
        }
        false => match std::str::from_utf8(sent) {
            Ok(query) => Request::get(format!("{path}?{query}")).body(Body::empty()),
            Err(_) => return,
        },
    };
    // Not every text can be a query.
    let Ok(mut request) = request else { return };
    request.headers_mut().extend(headers);
    // Each from a network of its own: one that sends so much would soon be told to wait.
    static NETWORK: AtomicU32 = AtomicU32::new(0);
    let address = Ipv4Addr::from(NETWORK.fetch_add(1, Ordering::Relaxed) << 8);
    request.extensions_mut().insert(Peer::Tcp(SocketAddr::from((address, 50_000))));

    let service = service().lock().unwrap_or_else(PoisonError::into_inner);
    service.runtime.block_on(async {
        let answer = service.public.clone().oneshot(request).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        assert!(!status.is_server_error(), "{status} at {path}");
        let header = |name| headers.get(name).map_or("", |value: &HeaderValue| value.to_str().unwrap());
        let location = header(header::LOCATION);
        let is_ours = location.starts_with('/') && !location.starts_with("//");
        let is_the_clients = location.strip_prefix(CALLBACK).is_some_and(|rest| rest.starts_with('?'));
        assert!(location.is_empty() || is_ours || is_the_clients, "to {location}");
        assert!(!location.contains("code="), "nobody is signed in");
        assert!(headers.contains_key(header::CONTENT_SECURITY_POLICY));
        assert_eq!(header(header::CACHE_CONTROL), "no-store");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(!String::from_utf8_lossy(&body).contains(MARK), "a page repeats markup");
    });
}
