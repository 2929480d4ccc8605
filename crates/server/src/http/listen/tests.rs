use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use axum::{Extension, body::Body, routing::post};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
    task::JoinHandle,
};

use super::*;
use crate::{config::Settings, http::body};

fn limits() -> Limits {
    let mut limits = Settings::from_values(&[]).unwrap().limits;
    limits.headers = 8192;
    limits
}

struct Running {
    address: std::net::SocketAddr,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

async fn start(router: Router, limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let task = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { serve(Listener::Tcp(listener), router, &limits, &shutdown).await }
    });
    Running { address, shutdown, task }
}

/// Answers with the request's body.
fn echo(limits: Limits) -> Router {
    Router::new().route(
        "/",
        post(move |body: Body| async move {
            match body::read(body, &limits).await {
                Ok(bytes) => (StatusCode::OK, bytes),
                Err(error) => (error.status(), error.to_string().into()),
            }
        })
        .get(|| async { "hello" }),
    )
}

use axum::http::StatusCode;

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Everything until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset is a close too: the server may close with our bytes unread.
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8(text).unwrap()
}

/// What there is after a read or several, up to the given end.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.ends_with(end) {
        let length = stream.read(&mut buffer).await.unwrap();
        assert!(length > 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    text
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn requests_follow_each_other_on_one_connection() {
    let running = start(echo(limits()), limits()).await;
    let mut stream = running.connect().await;
    for _ in 0..3 {
        stream.write_all(GET).await.unwrap();
        let answer = until(&mut stream, "hello").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc").await.unwrap();
    until(&mut stream, "abc").await;
}

#[tokio::test]
async fn the_peer_is_an_extension() {
    let router = Router::new().route(
        "/",
        post(|| async {}).get(|Extension(peer): Extension<Peer>| async move { format!("{peer:?}") }),
    );
    let running = start(router.clone(), limits()).await;
    let mut stream = running.connect().await;
    stream.write_all(GET).await.unwrap();
    let local = stream.local_addr().unwrap();
    until(&mut stream, &format!("Tcp({local})")).await;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let listener = Listener::Unix(UnixListener::bind(&path).unwrap());
    let shutdown = Shutdown::new();
    tokio::spawn(async move { serve(listener, router, &limits(), &shutdown).await });
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("Unix { uid: Some("), "{answer}");
}

#[tokio::test]
async fn slow_headers_are_given_up() {
    let mut limits = limits();
    limits.header_timeout = Duration::from_millis(400);
    let running = start(echo(limits), limits).await;

    let mut first = running.connect().await;
    first.write_all(b"GET / HT").await.unwrap();
    assert!(rest(&mut first).await.starts_with("HTTP/1.1 408 "));

    let mut second = running.connect().await;
    second.write_all(GET).await.unwrap();
    until(&mut second, "hello").await;
    // An idle connection stays, an incomplete request does not.
    second.write_all(GET).await.unwrap();
    until(&mut second, "hello").await;
    second.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    assert!(rest(&mut second).await.starts_with("HTTP/1.1 408 "));

    let mut silent = running.connect().await;
    assert_eq!(rest(&mut silent).await, "");
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let mut limits = limits();
    limits.keep_alive = Duration::from_millis(400);
    let running = start(echo(limits), limits).await;
    let mut stream = running.connect().await;
    stream.write_all(GET).await.unwrap();
    assert!(rest(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn large_headers_and_many_headers_are_refused() {
    let running = start(echo(limits()), limits()).await;
    let large = format!("x: {}\r\n", "y".repeat(9000));
    let many = "x: y\r\n".repeat(crate::config::MAX_HEADER_FIELDS);
    for headers in [large, many] {
        let mut stream = running.connect().await;
        stream.write_all(format!("GET / HTTP/1.1\r\nhost: a\r\n{headers}\r\n").as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[tokio::test]
async fn nothing_but_http_1_is_spoken() {
    let running = start(echo(limits()), limits()).await;
    for hello in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = running.connect().await;
        stream.write_all(hello).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[tokio::test]
async fn large_bodies_are_refused_unread() {
    let mut limits = limits();
    limits.body = 100;
    let running = start(echo(limits), limits).await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\n";

    let mut declared = running.connect().await;
    declared.write_all(format!("{head}content-length: 1000000000\r\n\r\n").as_bytes()).await.unwrap();
    let answer = rest(&mut declared).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");

    let mut chunked = running.connect().await;
    let chunks = format!("40\r\n{}\r\n", "x".repeat(64)).repeat(2);
    chunked.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}").as_bytes()).await.unwrap();
    let answer = until(&mut chunked, "too large").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");

    // RFC 9112 section 6.3: both framings at once are smuggling.
    let mut both = running.connect().await;
    let framing = "content-length: 5\r\ncontent-length: 6\r\n";
    both.write_all(format!("{head}{framing}\r\nhello").as_bytes()).await.unwrap();
    assert!(rest(&mut both).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn slow_bodies_are_given_up() {
    let mut limits = limits();
    limits.body_timeout = Duration::from_millis(50);
    let running = start(echo(limits), limits).await;
    let mut stream = running.connect().await;
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe").await.unwrap();
    let answer = until(&mut stream, "in time").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

/// A handler that says that it was entered, and goes on when it is told to.
fn gated() -> (Router, Arc<AtomicUsize>, Arc<Notify>) {
    let (entered, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let router = Router::new().route(
        "/",
        axum::routing::get({
            let (entered, gate) = (Arc::clone(&entered), Arc::clone(&gate));
            move || async move {
                entered.fetch_add(1, Ordering::SeqCst);
                gate.notified().await;
                "done"
            }
        }),
    );
    (router, entered, gate)
}

async fn wait_for(counter: &AtomicUsize, value: usize) {
    let start = Instant::now();
    while counter.load(Ordering::SeqCst) < value {
        assert!(start.elapsed() < Duration::from_secs(20), "the handler was not entered");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let mut limits = limits();
    limits.connections = 1;
    let (router, entered, gate) = gated();
    let running = start(router, limits).await;
    let mut first = running.connect().await;
    first.write_all(GET).await.unwrap();
    wait_for(&entered, 1).await;
    let mut second = running.connect().await;
    second.write_all(GET).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(50), second.read_u8()).await;
    assert!(early.is_err(), "the second connection was served beside the first");
    assert_eq!(entered.load(Ordering::SeqCst), 1);

    gate.notify_one();
    // While the limit is reached, an answer ends its connection and so makes room.
    let answer = rest(&mut first).await;
    assert!(answer.contains("connection: close") && answer.ends_with("done"), "{answer}");
    wait_for(&entered, 2).await;
    gate.notify_one();
    assert!(rest(&mut second).await.ends_with("done"));
}

#[tokio::test]
async fn a_shutdown_lets_requests_in_flight_finish() {
    let (router, entered, gate) = gated();
    let running = start(router, limits()).await;
    let mut idle = running.connect().await;
    let mut busy = running.connect().await;
    busy.write_all(GET).await.unwrap();
    wait_for(&entered, 1).await;

    running.shutdown.begin();
    assert_eq!(rest(&mut idle).await, "", "an idle connection is closed at once");
    assert!(!running.task.is_finished());
    gate.notify_one();
    let answer = rest(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"), "{answer}");
    running.task.await.unwrap();
    assert!(!running.shutdown.is_cut());
    assert!(TcpStream::connect(running.address).await.is_err(), "the listener is closed");
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let mut limits = limits();
    limits.shutdown_grace = Duration::from_millis(50);
    let (router, entered, _gate) = gated();
    let running = start(router, limits).await;
    let mut busy = running.connect().await;
    busy.write_all(GET).await.unwrap();
    wait_for(&entered, 1).await;
    running.shutdown.begin();
    running.task.await.unwrap();
    assert!(running.shutdown.is_cut());
    assert_eq!(rest(&mut busy).await, "");
}
