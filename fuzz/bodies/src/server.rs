//! A whole service in this process, and requests to its public endpoints.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::body::Body;
use countersign::app::App;
use countersign::config::Settings;
use countersign::http::layers::{Observer, observe};
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

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);
pub(crate) const ISSUER: &str = "https://auth.example";
const PATHS: [&str; 4] = ["/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/leaked"];
const CONTENT_TYPES: [&str; 3] = ["application/x-www-form-urlencoded", "application/json", "text/plain"];

struct Service {
    runtime: Runtime,
    public: Router,
    keys: Arc<KeySet>,
    _dir: tempfile::TempDir,
}

fn service() -> &'static Mutex<Service> {
    static SERVICE: OnceLock<Mutex<Service>> = OnceLock::new();
    SERVICE.get_or_init(|| Mutex::new(start()))
}

fn start() -> Service {
    let runtime = Runtime::new().expect("threads");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("fuzz.sqlite");
    let (public, keys) = runtime.block_on(async {
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
        let public = router::public(Arc::new(Public::new(app, &settings)), None);
        let request_timeout = settings.limits.request_timeout;
        (observe(public, Arc::new(Observer { metrics, request_timeout, spans: false })), set)
    });
    Service { runtime, public, keys, _dir: dir }
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
            !status.is_success() || path == "/oauth/leaked",
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
