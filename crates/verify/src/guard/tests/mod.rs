//! A guard and an issuer that is broken, late, lying or absent: each has a stated outcome.

mod feed;
mod introspection;
mod keys;
mod stub;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::stub::{Key, Stub};
use super::{Credentials, Guard, GuardBuilder};
use crate::remote::Pace;
use crate::{Refusal, Rejection, Requirement, Undecided, Verified};

const AUDIENCE: &str = "https://api.example";
/// Beyond every clock, so that the guard's own forgets nothing.
const NOW: u64 = 4_000_000_000;
/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);
/// Shorter than anything here waits for in earnest.
const QUICK: Pace = Pace {
    fetch_every: Duration::from_millis(50),
    wait: Duration::from_secs(20),
    retry: Duration::from_millis(10),
    retry_at_most: Duration::from_millis(40),
    silence: Duration::from_millis(500),
};

fn builder(stub: &Stub) -> GuardBuilder {
    let mut builder = Guard::builder(&stub.url, AUDIENCE);
    builder.pace = QUICK;
    builder
}

fn me() -> Credentials {
    Credentials::new("profile-api", "s3cret/=")
}

fn claims(stub: &Stub, jti: &str) -> Value {
    json!({
        "iss": stub.url, "sub": "u1", "aud": AUDIENCE, "exp": NOW + 600, "iat": NOW, "jti": jti,
        "client_id": "web", "scope": "read", "rev": 3, "stv": 1,
        "sid": "0190a0a0-0000-7000-8000-000000000002",
    })
}

async fn check(guard: &Guard, token: &str) -> Result<Verified, Refusal> {
    guard.check(token, &Requirement::none(), NOW).await
}

fn undecided(why: Undecided) -> Refusal {
    Refusal::Undecided(why)
}

/// Waits for something that comes by itself.
async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < LIMIT, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_guard_that_is_let_go_asks_nobody_any_more() {
    let key = Key::new("k");
    let stub = Stub::new(&key).await;
    stub.script("/jwks", stub::Script::Close);
    let guard = builder(&stub).start().unwrap();
    let other = guard.clone();
    drop(guard);
    let before = stub.count("/jwks");
    until("the other still asks", async || stub.count("/jwks") > before + 2).await;
    drop(other);
    // A request that was under way may still come.
    let at_most = stub.count("/jwks") + 1;
    tokio::time::sleep(10 * QUICK.retry_at_most).await;
    assert!(stub.count("/jwks") <= at_most);
}

#[test]
fn settings_are_checked_before_anything_is_asked() {
    for (issuer, audience, leeway) in
        [("", AUDIENCE, 0), ("https://a.example", "", 0), ("https://a", "b", 61)]
    {
        let builder = Guard::builder(issuer, audience).leeway(Duration::from_secs(leeway));
        assert!(builder.start().is_err());
    }
    let shown = format!("{:?}", Guard::builder("https://a.example", "b").feed(me()));
    assert!(!shown.contains("s3cret"), "{shown}");
}
