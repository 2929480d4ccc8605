//! An issuer that does whatever a test tells it to: a socket, scripted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is answered at a path.
#[derive(Clone)]
pub(super) enum Script {
    /// A status and a body.
    Say(u16, String),
    /// A stream of events: all that is in the text, and what is added to it.
    Stream(watch::Receiver<String>),
    /// Nothing, ever.
    Hang,
    /// The connection is closed.
    Close,
}

/// The issuer.
#[derive(Clone)]
pub(super) struct Stub {
    pub(super) url: String,
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct World {
    scripts: HashMap<String, Script>,
    /// Method, path and body of each request.
    asked: Vec<String>,
}

impl Stub {
    /// An issuer with metadata and this key, and nothing else.
    pub(super) async fn new(key: &Key) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stub = Self { url: url.clone(), world: Arc::default() };
        stub.say("/.well-known/oauth-authorization-server", stub.metadata());
        stub.say("/jwks", json!({ "keys": [key.jwk()] }));
        stub.say("/token", json!({ "access_token": "for-the-feed", "token_type": "Bearer" }));
        let world = stub.world.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, world.clone()));
            }
        });
        stub
    }

    pub(super) fn metadata(&self) -> Value {
        let url = &self.url;
        json!({
            "issuer": url, "jwks_uri": format!("{url}/jwks"), "token_endpoint": format!("{url}/token"),
            "introspection_endpoint": format!("{url}/introspect"),
            "countersign_revocation_feed_uri": format!("{url}/revocations"),
        })
    }

    pub(super) fn script(&self, path: &str, script: Script) {
        self.world.lock().unwrap().scripts.insert(path.to_owned(), script);
    }

    pub(super) fn say(&self, path: &str, body: Value) {
        self.script(path, Script::Say(200, body.to_string()));
    }

    /// A stream of events to write into.
    pub(super) fn stream(&self, text: &str) -> watch::Sender<String> {
        let (sender, receiver) = watch::channel(text.to_owned());
        self.script("/revocations", Script::Stream(receiver));
        sender
    }

    /// How often a path was asked for.
    pub(super) fn count(&self, path: &str) -> usize {
        self.asked(path).len()
    }

    /// What was asked at a path.
    pub(super) fn asked(&self, path: &str) -> Vec<String> {
        let is_path = |line: &&String| {
            let target = line.split(' ').nth(1).unwrap_or_default();
            target.split('?').next() == Some(path)
        };
        self.world.lock().unwrap().asked.iter().filter(is_path).cloned().collect()
    }
}

async fn answer(mut stream: TcpStream, world: Arc<Mutex<World>>) {
    let mut request = Vec::new();
    let (head, length) = loop {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(n) => request.extend_from_slice(&chunk[..n]),
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse::<usize>().unwrap()) {
                break (head.to_owned(), body.to_owned());
            }
        }
    };
    let line = head.lines().next().unwrap().to_owned();
    let path = line.split([' ', '?']).nth(1).unwrap().to_owned();
    let script = {
        let mut world = world.lock().unwrap();
        world.asked.push(format!("{line} {length}"));
        world.scripts.get(&path).cloned()
    };
    match script.unwrap_or(Script::Say(404, String::new())) {
        Script::Say(status, body) => {
            let head =
                format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
        Script::Stream(mut text) => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            if stream.write_all(head.as_bytes()).await.is_err() {
                return;
            }
            let mut sent = 0;
            loop {
                let now = text.borrow_and_update().clone();
                let rest = now.as_bytes().get(sent..).unwrap_or_default();
                if stream.write_all(rest).await.is_err() {
                    return;
                }
                sent = now.len();
                if text.changed().await.is_err() {
                    return;
                }
            }
        }
        Script::Hang => std::future::pending().await,
        Script::Close => {}
    }
}

/// A key of the issuer's.
pub(super) struct Key {
    kid: &'static str,
    pair: EcdsaKeyPair,
}

impl Key {
    pub(super) fn new(kid: &'static str) -> Self {
        Self { kid, pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap() }
    }

    pub(super) fn jwk(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "kid": self.kid, "alg": "ES256", "use": "sig", "crv": "P-256", "x": part(x), "y": part(y)})
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "kid": self.kid, "typ": "at+jwt"});
        let [header, payload] = [header, claims.clone()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{payload}");
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
