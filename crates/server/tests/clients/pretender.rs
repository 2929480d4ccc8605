//! The guides' APIs beside a server that only plays Countersign: what a real one does seldom or never
//! (keys that cannot be had, a lag, a gap, a restored backup, silence) is done on purpose.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::time::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::guides::{Api, Guide, until};
use crate::program::Place;

/// Longer than the guides' APIs bear silence, and wait before they connect again.
const LIMIT: Duration = Duration::from_secs(60);
const API: &str = "https://api.example";
const SECRET: &str = "a secret: 100%";

/// The server that is played.
struct Pretender {
    /// With a path: the metadata are then found elsewhere (RFC 8414 section 3.1).
    issuer: String,
    key: Ed25519KeyPair,
    has_keys: AtomicBool,
    asked_for_keys: AtomicUsize,
    asked_for_token: AtomicUsize,
}

/// Somebody who reads the feed.
struct Reader {
    after: u64,
    line: Arc<Line>,
}

/// A connection to a reader. A busy machine takes its time between two steps of a test, so what is
/// not meant as silence is broken by comments, which mean nothing.
struct Line {
    stream: Mutex<TcpStream>,
    is_silent: AtomicBool,
}

impl Line {
    /// Until the reader, or who sends to it, is gone.
    fn keep(line: &Weak<Self>) {
        while let Some(line) = line.upgrade() {
            if !line.is_silent.load(Ordering::SeqCst) && line.send(&[": still here\n\n"]).is_err() {
                return;
            }
            drop(line);
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    fn send(&self, chunks: &[&str]) -> std::io::Result<()> {
        let mut stream = self.stream.lock().unwrap();
        chunks.iter().try_for_each(|chunk| write!(stream, "{:x}\r\n{chunk}\r\n", chunk.len()))
    }
}

impl Reader {
    /// Sends an event, in two halves.
    fn send(&self, name: &str, data: &Value) {
        let event = format!("event: {name}\ndata: {data}\n\n");
        let (one, other) = event.split_at(event.len() / 2);
        self.line.send(&[one, other]).unwrap();
    }

    fn beat(&self, cursor: u64, age_ms: u64) {
        self.send("heartbeat", &json!({"cursor": cursor, "age_ms": age_ms}));
    }
}

impl Pretender {
    /// Listens; whoever connects to the feed is handed on.
    fn start() -> (Arc<Self>, Receiver<Reader>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pretender = Arc::new(Self {
            issuer: format!("http://{}/a/path", listener.local_addr().unwrap()),
            key: Ed25519KeyPair::generate().unwrap(),
            has_keys: AtomicBool::new(false),
            asked_for_keys: AtomicUsize::new(0),
            asked_for_token: AtomicUsize::new(0),
        });
        let (send, receive) = mpsc::channel();
        let served = pretender.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (pretender, readers) = (served.clone(), send.clone());
                std::thread::spawn(move || pretender.serve(stream.unwrap(), &readers));
            }
        });
        (pretender, receive)
    }

    /// Answers one request.
    fn serve(&self, stream: TcpStream, readers: &Sender<Reader>) {
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            // A connection that was opened and not used.
            if stream.read_line(&mut head).unwrap_or_default() == 0 {
                return;
            }
        }
        let header = |wanted: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map_or("", |(_, value)| value)
        };
        let mut body = vec![0; header("content-length").parse().unwrap_or_default()];
        stream.read_exact(&mut body).unwrap();
        let mut stream = stream.into_inner();
        let (status, answer) = match head.split(' ').nth(1).unwrap() {
            "/.well-known/oauth-authorization-server/a/path" => {
                let at = |path: &str| format!("{}{path}", self.issuer);
                let metadata = json!({
                    "issuer": self.issuer,
                    "token_endpoint": at("/token"),
                    "jwks_uri": at("/keys"),
                    "countersign_revocation_feed_uri": at("/feed"),
                });
                ("200 OK", metadata)
            }
            "/a/path/keys" => {
                self.asked_for_keys.fetch_add(1, Ordering::SeqCst);
                match self.has_keys.load(Ordering::SeqCst) {
                    true => ("200 OK", self.keys()),
                    false => ("503 Service Unavailable", json!({})),
                }
            }
            "/a/path/token" => {
                // RFC 6749 section 2.3.1: both parts are form-encoded before they are put together.
                let sent = STANDARD.decode(header("authorization").strip_prefix("Basic ").unwrap()).unwrap();
                assert_eq!(String::from_utf8(sent).unwrap(), "my-api:a%20secret%3A%20100%25");
                assert_eq!(body, b"grant_type=client_credentials&scope=revocations");
                let number = self.asked_for_token.fetch_add(1, Ordering::SeqCst) + 1;
                ("200 OK", json!({"access_token": format!("token-{number}"), "token_type": "Bearer"}))
            }
            feed => {
                let after = feed.strip_prefix("/a/path/feed?after=").unwrap().parse().unwrap();
                assert_eq!(header("accept"), "text/event-stream");
                let newest = self.asked_for_token.load(Ordering::SeqCst);
                assert_eq!(header("authorization"), format!("Bearer token-{newest}"));
                let kind = "content-type: text/event-stream\r\ntransfer-encoding: chunked";
                write!(stream, "HTTP/1.1 200 OK\r\n{kind}\r\n\r\n").unwrap();
                let line = Arc::new(Line { stream: Mutex::new(stream), is_silent: AtomicBool::new(false) });
                let kept = Arc::downgrade(&line);
                let _ = readers.send(Reader { after, line });
                Line::keep(&kept);
                return;
            }
        };
        let answer = answer.to_string();
        let kind = "content-type: application/json\r\nconnection: close";
        let length = answer.len();
        write!(stream, "HTTP/1.1 {status}\r\n{kind}\r\ncontent-length: {length}\r\n\r\n{answer}").unwrap();
    }

    fn keys(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.public_key());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "k1", "x": x}]})
    }

    /// A session's access token, which says that it is of this type and names this key.
    fn token(&self, sid: &str, typ: &str, kid: &str) -> String {
        let now = SystemClock.now().seconds();
        let header = json!({"alg": "EdDSA", "typ": typ, "kid": kid});
        let claims = json!({
            "iss": self.issuer, "sub": "ana", "aud": ["https://other.example", API], "exp": now + 600,
            "iat": now, "jti": format!("jti-{sid}"), "client_id": "app", "scope": "read", "rev": 4,
            "sid": sid, "stv": 1,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// A piece of the log.
fn piece(after: u64, cursor: u64, entries: &Value) -> Value {
    json!({"after": after, "cursor": cursor, "more": false, "entries": entries})
}

/// Runs a guide's API through what can go wrong with keys and feed.
pub(crate) fn endured(guide: Guide) {
    let place = Place::new();
    let (pretender, readers) = Pretender::start();
    let environment = [
        ("ISSUER", pretender.issuer.as_str()),
        ("AUDIENCE", API),
        ("CLIENT_ID", "my-api"),
        ("CLIENT_SECRET", SECRET),
        ("FEED_LIMIT", "500"),
    ];
    let api = Api::start(guide, &place, &environment);
    let connected = |after: u64| {
        let reader = readers.recv_timeout(LIMIT).unwrap();
        assert_eq!(reader.after, after, "it asks from its own cursor");
        reader
    };
    let status = |token: &str| api.ask("GET /profile", &[&format!("Bearer {token}")]).status;
    let [first, second, third] = ["s1", "s2", "s3"].map(|sid| pretender.token(sid, "at+jwt", "k1"));

    // Before it knows what was revoked it lets nothing pass, and asks for no keys.
    let reader = connected(0);
    assert_eq!(status(&first), 503);
    let later = SystemClock.now().seconds() + 600;
    let entries = json!([
        {"n": 2, "exp": later, "kind": "planet", "planet": "Earth"},
        {"n": 3, "exp": later, "kind": "session", "sid": "s1"},
        // None of these is of any of the tokens: other users, versions and numbers that are not lower.
        {"n": 4, "exp": later, "kind": "user", "sub": "ana", "stv": 1},
        {"n": 4, "exp": later, "kind": "client", "client_id": "app"},
        {"n": 4, "exp": later, "kind": "tenant", "tenant": "acme"},
        {"n": 4, "exp": later, "kind": "everything"},
        {"n": 5, "exp": later, "kind": "token", "jti": "s2"},
    ]);
    reader.send("revocations", &piece(0, 5, &entries));
    assert_eq!((status(&first), pretender.asked_for_keys.load(Ordering::SeqCst)), (503, 0));
    reader.send("weather", &json!({"rain": true}));
    reader.beat(5, 0);

    // Without keys nobody knows.
    until("the API asks for keys", || {
        assert_eq!(status(&second), 503);
        pretender.asked_for_keys.load(Ordering::SeqCst) > 0
    });
    pretender.has_keys.store(true, Ordering::SeqCst);
    api.accepts(&second);
    api.refuses(&first, "was revoked");
    for other in ["JWT", "logout+jwt", ""] {
        api.refuses(&pretender.token("s2", other, "k1"), "not an access token");
    }
    // A key that is not there is asked for once in a while, however often it is named.
    let before = pretender.asked_for_keys.load(Ordering::SeqCst);
    for _ in 0..20 {
        api.refuses(&pretender.token("s2", "at+jwt", "k2"), "not an access token");
    }
    assert!(pretender.asked_for_keys.load(Ordering::SeqCst) <= before + 1);

    // The server itself is behind, and says so.
    reader.beat(5, 600_000);
    until("the API stops deciding", || status(&second) == 503);
    reader.beat(5, 1_000);
    api.accepts(&second);
    // Up to date at another cursor than ours is not up to date. Once it asks again, it has read that.
    reader.beat(5, 600_000);
    reader.beat(9, 0);
    reader.send("over", &json!({"reason": "enough"}));
    let reader = connected(5);
    assert_eq!(status(&second), 503);
    reader.beat(5, 0);
    api.accepts(&second);

    // A gap: what comes after it is not taken in.
    let ended = json!([{"n": 8, "exp": later, "kind": "session", "sid": "s2"}]);
    reader.send("revocations", &piece(7, 8, &ended));
    let reader = connected(5);
    reader.beat(5, 0);
    api.accepts(&second);
    // What comes twice changes nothing; an entry is forgotten once its tokens have expired.
    let entries = json!([
        {"n": 6, "exp": later, "kind": "session", "sid": "s2"},
        {"n": 7, "exp": later - 1200, "kind": "session", "sid": "s3"},
        {"n": 8, "exp": later - 1200, "kind": "session", "sid": "s2"},
    ]);
    reader.send("revocations", &piece(5, 8, &entries));
    until("the API hears of it", || status(&third) == 401);
    reader.beat(8, 0);
    until("the API forgets", || status(&third) == 200);
    api.refuses(&second, "was revoked");

    // Silence: the connection is given up, though nobody closed it.
    reader.line.is_silent.store(true, Ordering::SeqCst);
    let _silent = reader;
    let reader = connected(8);
    // A backup was restored: what was known is of another log.
    reader.send("reset", &json!({}));
    reader
        .send("revocations", &piece(0, 2, &json!([{"n": 2, "exp": later, "kind": "session", "sid": "s3"}])));
    until("the API stops deciding", || status(&third) == 503);
    reader.beat(2, 0);
    api.refuses(&third, "was revoked");
    api.accepts(&first);
    assert_eq!(
        pretender.asked_for_token.load(Ordering::SeqCst),
        4,
        "each connection with a token of its own"
    );
}
