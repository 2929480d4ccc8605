//! A client that is told of ended sessions (OpenID Connect Back-Channel Logout 1.0), as a server of
//! its own that is away at first.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::program::{Place, Server};

/// Longer than a notice takes after one failure.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits for one notice, answers it with this status, and gives the token's header and claims.
fn receive(listener: &TcpListener, status: &str) -> (Value, Value) {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut request = String::new();
    let mut buffer = [0; 4096];
    let token = loop {
        let read = stream.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "the request broke off: {request}");
        request.push_str(std::str::from_utf8(buffer.get(..read).unwrap()).unwrap());
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let length = head.to_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            assert!(head.starts_with("POST /told HTTP/1.1"), "{head}");
            assert!(head.to_lowercase().contains("application/x-www-form-urlencoded"), "{head}");
            break body.strip_prefix("logout_token=").unwrap().to_owned();
        }
    };
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let mut json = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (json(), json())
}

#[test]
fn a_client_is_told_of_ended_sessions_until_it_has_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/told", listener.local_addr().unwrap());
    let place = Place::new();
    place.run(&["user", "add", "ana"]).assert_ok();
    place
        .run(&[
            "client",
            "add",
            "app",
            "--kind",
            "web",
            "--scope",
            "openid",
            "--backchannel-logout-uri",
            &uri,
        ])
        .assert_ok();
    let start = || {
        let pair = place.json(&["session", "add", "--user", "ana", "--client", "app"]);
        pair["session_id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (start(), start());
    // Ended while no server runs: the notice waits in the store.
    place.run(&["session", "revoke", &first]).assert_ok();
    let server = Server::start(&place, &[]);
    receive(&listener, "500 Internal Server Error");
    let (header, claims) = receive(&listener, "200 OK");
    assert_eq!(header["typ"], "logout+jwt");
    assert_eq!(claims["sid"], first);
    assert_eq!(claims["aud"], "app");
    assert_eq!(claims["iss"], server.public);
    assert!(claims["events"]["http://schemas.openid.net/event/backchannel-logout"].is_object(), "{claims}");
    assert!(claims.get("nonce").is_none(), "it must not be taken for an ID token");
    place.run(&["user", "disable", "ana"]).assert_ok();
    let (_, claims) = receive(&listener, "204 No Content");
    assert_eq!(claims["sid"], second);
}

/// Two clients, of which one accepts what is sent to it and never answers.
#[test]
fn a_receiver_that_never_answers_holds_up_nobody_else() {
    const SESSIONS: usize = 24;
    let (silent, good) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let place = Place::new();
    place.run(&["user", "add", "ana"]).assert_ok();
    for (client, listener) in [("silent", &silent), ("good", &good)] {
        let uri = format!("http://{}/told", listener.local_addr().unwrap());
        let of =
            ["client", "add", client, "--kind", "web", "--scope", "openid", "--backchannel-logout-uri", &uri];
        place.run(&of).assert_ok();
    }
    let start = |client| {
        let pair = place.json(&["session", "add", "--user", "ana", "--client", client]);
        pair["session_id"].as_str().unwrap().to_owned()
    };
    for _ in 0..SESSIONS {
        start("silent");
    }
    place.run(&["user", "sign-out", "ana"]).assert_ok();
    let last = start("good");
    place.run(&["session", "revoke", &last]).assert_ok();

    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = silent.accept() {
            kept.push(stream);
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    let _server = Server::start(&place, &[]);
    let (_, claims) = receive(&good, "200 OK");
    assert_eq!(claims["sid"], last);
    // One after the other they would all have been waited for first.
    assert!(asked.load(Ordering::SeqCst) < SESSIONS / 2, "{asked:?} of the silent one's came first");
}
