use std::sync::{Arc, Mutex};

use http::HeaderValue;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is written while `f` runs.
fn logged(format: LogFormat, level: &str, f: impl FnOnce()) -> String {
    let sink = Sink::default();
    let writer = sink.clone();
    let log = LogSettings { format, level: level.to_owned() };
    tracing::subscriber::with_default(log_to(&log, move || writer.clone()), f);
    sink.text()
}

const HOSTILE: &str = "a\nERROR forged\r\x1b[2J\u{9b}31m\u{7f}\u{2028}\u{202e}b\0";

fn hostile_event() {
    tracing::info!(text = HOSTILE, shown = %HOSTILE, debugged = ?HOSTILE, "said {HOSTILE}");
}

#[test]
fn an_event_is_one_harmless_line() {
    for format in [LogFormat::Pretty, LogFormat::Json] {
        let text = logged(format, "info", hostile_event);
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        let unsafe_character = |c: char| c != '\n' && (c.is_control() || c == '\u{2028}' || c == '\u{202e}');
        assert!(!text.contains(unsafe_character), "{text:?}");
    }
}

#[test]
fn pretty_lines_are_readable() {
    let text = logged(LogFormat::Pretty, "info", || {
        tracing::info!(route = "/oauth/token", status = 200, words = "two words", "request");
    });
    let (time, rest) = text.split_once(' ').unwrap();
    assert_eq!(time.len(), "2026-01-01T00:00:00.000Z".len(), "{time}");
    let target = concat!(module_path!(), ": request");
    assert_eq!(rest, format!(" INFO {target} route=/oauth/token status=200 words=\"two words\"\n"));
}

#[test]
fn json_lines_are_objects_with_numbers() {
    let text = logged(LogFormat::Json, "info", || {
        tracing::info_span!("outer", sid = "s1")
            .in_scope(|| tracing::warn!(status = 200, ok = true, "request"));
    });
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "request");
    assert_eq!(line["status"], 200);
    assert_eq!(line["ok"], true);
    assert_eq!(line["spans"], "outer{sid=s1}");
}

#[tokio::test]
async fn the_request_id_is_on_every_line_of_its_request() {
    let sink = Sink::default();
    let writer = sink.clone();
    let log = LogSettings { format: LogFormat::Pretty, level: "info".to_owned() };
    let guard = tracing::subscriber::set_default(log_to(&log, move || writer.clone()));
    let id = RequestId::accept(Some(&HeaderValue::from_static("id-1")));
    id.scope(async {
        tracing::info!("one");
        tokio::task::yield_now().await;
        tracing::info!("two");
    })
    .await;
    tracing::info!("outside");
    drop(guard);
    let text = sink.text();
    let ids: Vec<bool> = text.lines().map(|line| line.ends_with(" request_id=id-1")).collect();
    assert_eq!(ids, [true, true, false], "{text}");
}

#[test]
fn libraries_never_log_below_info() {
    let text = logged(LogFormat::Pretty, "trace", || {
        tracing::trace!(target: "tokio_postgres::query", "parameters: s3cret");
        tracing::debug!(target: "hyper", "s3cret");
        tracing::info!(target: "hyper", "from hyper");
        tracing::trace!(target: "countersign::flows", "ours");
        tracing::trace!(target: "countersign_verify", "ours too");
    });
    assert!(!text.contains("s3cret"), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn records_of_other_log_libraries_show_their_own_target() {
    for format in [LogFormat::Pretty, LogFormat::Json] {
        let text = logged(format, "info", || {
            tracing::info!(target: "log", { log.target = "rustls::conn", log.file = "x.rs" }, "said");
        });
        assert!(text.contains("rustls::conn") && !text.contains("x.rs"), "{text}");
    }
}

#[test]
fn the_level_is_obeyed() {
    let text = logged(LogFormat::Pretty, "warn,countersign::a=debug", || {
        tracing::info!(target: "countersign::b", "no");
        tracing::debug!(target: "countersign::a", "yes");
        tracing::warn!(target: "countersign::b", "yes");
    });
    assert_eq!(text.matches("yes").count(), 2, "{text}");
    assert!(!text.contains("no\n"));
}

/// Takes one HTTP request and answers 200; returns its head and body.
async fn collector(listener: TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..length]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let declared = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if bytes.len() - end - 4 >= declared.unwrap().parse::<usize>().unwrap() {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            return (head, bytes[end + 4..].to_vec());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_reach_a_collector_when_telemetry_stops() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let received = tokio::spawn(collector(listener));
    let spans = otlp::Spans::to(&endpoint).unwrap();
    let subscriber = Registry::default().with(spans.layer().with_filter(filter_fn(otlp::is_exported)));
    tracing::subscriber::with_default(subscriber, || {
        let span =
            tracing::info_span!("request", otel.name = "POST /oauth/token", http.route = "/oauth/token");
        span.in_scope(|| tracing::info!(target: "hyper", s3cret = 1, "not ours"));
    });
    Telemetry { spans: Some(spans) }.stop().await;
    let (head, body) = received.await.unwrap();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    let body = String::from_utf8_lossy(&body);
    assert!(body.contains("POST /oauth/token") && body.contains("countersign"), "{body}");
    assert!(!body.contains("s3cret"), "{body}");
}

#[tokio::test]
async fn a_collector_that_is_away_does_not_hold_the_server_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let spans = otlp::Spans::to(&endpoint).unwrap();
    let subscriber = Registry::default().with(spans.layer());
    tracing::subscriber::with_default(subscriber, || drop(tracing::info_span!("request")));
    let stop = Telemetry { spans: Some(spans) }.stop();
    tokio::time::timeout(2 * crate::config::FLUSH_TIMEOUT, stop).await.unwrap();
}
