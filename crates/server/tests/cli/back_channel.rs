//! A client that is told of ended sessions (OpenID Connect Back-Channel Logout 1.0), as a server of
//! its own that is away at first.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use crate::program::{Place, Server};

/// Longer than a notice takes after one failure.
const LIMIT: Duration = Duration::from_secs(60);

/// A logout token as it was sent, and what it says.
struct Received {
    token: String,
    header: Value,
    claims: Value,
}

/// Waits for one notice and answers it with this status.
fn receive(listener: &TcpListener, status: &str) -> Received {
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
    let (header, claims) = (json(), json());
    Received { token, header, claims }
}

/// The server's key set.
fn key_set(server: &Server) -> JwkSet {
    let mut stream = TcpStream::connect(server.public.strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "GET /.well-known/jwks.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// What a receiver checks (Back-Channel Logout 1.0 section 2.6), by a library that is not ours.
#[track_caller]
fn assert_valid(received: &Received, server: &Server, user: &str, session: &str) {
    let Received { token, header, claims } = received;
    assert_eq!(header["typ"], "logout+jwt");
    let key = key_set(server).find(header["kid"].as_str().unwrap()).unwrap().clone();
    // The key says with what it signs, not the token.
    let algorithm: Algorithm = key.common.key_algorithm.unwrap().to_string().parse().unwrap();
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&["app"]);
    validation.set_issuer(&[&server.public]);
    validation.set_required_spec_claims(&["iss", "aud", "exp"]);
    validation.leeway = 0;
    let checked = jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(&key).unwrap(), &validation);
    assert_eq!(checked.unwrap().claims, *claims);
    let number = |claim: &str| claims[claim].as_u64().unwrap();
    let lifetime = number("exp") - number("iat");
    assert!((1..=120).contains(&lifetime), "{claims}: section 2.4 wants it short");
    assert!(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs().abs_diff(number("iat")) < 60, "{claims}");
    assert_eq!((claims["sub"].as_str(), claims["sid"].as_str()), (Some(user), Some(session)));
    assert!(!claims["jti"].as_str().unwrap().is_empty());
    let event = serde_json::json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    assert_eq!(claims["events"], event);
    assert!(claims.get("nonce").is_none(), "it must not be taken for an ID token");
}

#[test]
fn a_client_is_told_of_ended_sessions_until_it_has_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/told", listener.local_addr().unwrap());
    let place = Place::new();
    let user = place.json(&["user", "add", "ana"])["user_id"].as_str().unwrap().to_owned();
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
    let refused = receive(&listener, "500 Internal Server Error");
    assert_valid(&refused, &server, &user, &first);
    let again = receive(&listener, "200 OK");
    assert_valid(&again, &server, &user, &first);
    place.run(&["user", "disable", "ana"]).assert_ok();
    let other = receive(&listener, "204 No Content");
    assert_valid(&other, &server, &user, &second);
    let ids: BTreeSet<_> =
        [&refused, &again, &other].map(|received| received.claims["jti"].to_string()).into();
    assert_eq!(ids.len(), 3, "each token has an id of its own");
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
    assert_eq!(receive(&good, "200 OK").claims["sid"], last);
    // One after the other they would all have been waited for first.
    assert!(asked.load(Ordering::SeqCst) < SESSIONS / 2, "{asked:?} of the silent one's came first");
}
