use std::sync::Mutex;

use axum::{
    Extension,
    routing::{get, post},
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;

fn router(metrics: &Arc<Metrics>, tls_only: bool) -> Router {
    let router = Router::new()
        .route(
            "/things/{id}",
            get(|Extension(id): Extension<RequestId>| async move { id.as_str().to_owned() }),
        )
        .route("/panic", post(fails))
        .route("/slow", get(std::future::pending::<()>))
        .route("/own", get(|| async { [(header::CACHE_CONTROL, "public, max-age=600")] }));
    let request_timeout = Duration::from_secs(15);
    let metrics = Arc::clone(metrics);
    observe(router, Arc::new(Observer { metrics, request_timeout, spans: false, tls_only }))
}

async fn fails() -> StatusCode {
    panic!("s3cret")
}

async fn call(
    metrics: &Arc<Metrics>,
    method: &str,
    path: &str,
    id: Option<&[u8]>,
) -> (StatusCode, HeaderMap, String) {
    let mut request = http::Request::builder().method(method).uri(path);
    if let Some(id) = id {
        request = request.header("x-request-id", HeaderValue::from_bytes(id).unwrap());
    }
    let response = router(metrics, true).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_safe_request_id_is_echoed_and_any_other_replaced() {
    let metrics = Arc::new(Metrics::new());
    let (_, headers, body) = call(&metrics, "GET", "/things/1", Some(b"abc-123")).await;
    assert_eq!((headers["x-request-id"].as_bytes(), body.as_str()), (&b"abc-123"[..], "abc-123"));
    for bad in [&b"a b"[..], b"\x1b[2J\xff", &[b'x'; 65]] {
        if let Ok(value) = HeaderValue::from_bytes(bad) {
            let (_, headers, body) = call(&metrics, "GET", "/things/1", Some(value.as_bytes())).await;
            assert_eq!(headers["x-request-id"].as_bytes(), body.as_bytes());
            assert_ne!(body.as_bytes(), bad);
        }
    }
    let (_, headers, _) = call(&metrics, "GET", "/nowhere", None).await;
    assert!(!headers["x-request-id"].is_empty());
}

#[tokio::test]
async fn every_answer_has_security_headers() {
    let metrics = Arc::new(Metrics::new());
    for path in ["/things/1", "/nowhere", "/panic"] {
        let (_, headers, _) = call(&metrics, "GET", path, None).await;
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'");
        assert_eq!(headers["strict-transport-security"], "max-age=31536000");
    }
    let plain = router(&metrics, false).oneshot(http::Request::get("/things/1").body(Body::empty()).unwrap());
    assert!(plain.await.unwrap().headers().get("strict-transport-security").is_none());
    let (_, headers, _) = call(&metrics, "GET", "/own", None).await;
    assert_eq!(headers["cache-control"], "public, max-age=600");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_503() {
    let metrics = Arc::new(Metrics::new());
    let (status, headers, body) = call(&metrics, "GET", "/slow", None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(headers["retry-after"], "1");
    assert!(body.starts_with(r#"{"error":"temporarily_unavailable""#), "{body}");
}

#[tokio::test]
async fn a_panic_is_a_500_without_detail() {
    let metrics = Arc::new(Metrics::new());
    let (status, headers, body) = call(&metrics, "POST", "/panic", None).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(body, r#"{"error":"server_error","error_description":"the server failed"}"#);
}

#[tokio::test]
async fn requests_are_counted_by_pattern_and_not_by_path() {
    let metrics = Arc::new(Metrics::new());
    call(&metrics, "GET", "/things/s3cret?token=s3cret", None).await;
    call(&metrics, "GET", "/s3cret", None).await;
    call(&metrics, "S3CRET", "/things/1", None).await;
    let text = metrics.encode();
    assert!(text.contains(r#"{route="/things/{id}",method="GET",status="200"} 1"#), "{text}");
    assert!(text.contains(r#"{route="(none)",method="GET",status="404"} 1"#), "{text}");
    assert!(text.contains(r#"{route="/things/{id}",method="other",status="405"} 1"#), "{text}");
    assert!(!text.to_lowercase().contains("s3cret"));
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged, at a level, of a request that goes well and one to nowhere.
async fn logged_at(level: &str) -> String {
    let lines = Lines::default();
    let log = crate::config::LogSettings { format: crate::config::LogFormat::Json, level: level.to_owned() };
    let writer = lines.clone();
    let guard = tracing::subscriber::set_default(crate::telemetry::log_to(&log, move || writer.clone()));
    let metrics = Arc::new(Metrics::new());
    call(&metrics, "GET", "/things/s3cret?token=s3cret", Some(b"id-1")).await;
    call(&metrics, "GET", "/s3cret", Some(b"id-2")).await;
    drop(guard);
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

#[tokio::test]
async fn a_request_is_one_line_with_its_id_and_no_url() {
    let text = logged_at("info,countersign::http=debug").await;
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    let line = &lines[0];
    assert_eq!(line["message"], "request");
    assert_eq!(line["method"], "GET");
    assert_eq!(line["route"], "/things/{id}");
    assert_eq!(line["status"], 200);
    assert_eq!(line["request_id"], "id-1");
    assert!(line["duration_us"].is_u64());
    assert!(!text.contains("s3cret"));
}

#[tokio::test]
async fn what_goes_well_has_no_line_at_the_usual_level() {
    let text = logged_at("info").await;
    let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!((&line["level"], &line["status"]), (&"INFO".into(), &404.into()));
}
