//! What an API pays for a check, and how soon it knows of a revocation.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_verify::wire::{JwkSet, Revocation, Revoked, SessionId};
use countersign_verify::{
    Checker, Credentials, Guard, Refusal, Rejection, Requirement, RevokedSet, Verifier,
};
use hdrhistogram::Histogram;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

use crate::chains::form;
use crate::client::Connection;
use crate::raw::per_second;
use crate::report::{Goal, Row, Unit};
use crate::{Outcome, procfs, seed};

const ISSUER: &str = "https://login.bench.example";
/// Raw checks and ours take turns so often, so long each time: the machine is never the same twice.
const ROUNDS: usize = 11;
const TURN: Duration = Duration::from_millis(200);
/// Tokens that are checked over and over.
const TOKENS: usize = 1000;
/// Live entries of the feed.
const ENTRIES: u64 = 1_000_000;
/// Subscribers of the feed.
const SUBSCRIBERS: usize = 100;
/// Revocations a second.
const PACE: u64 = 1000;
/// Connections that revoke.
const REVOKERS: usize = 16;
/// Time between two looks of an API that waits for a revocation.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks in memory.
pub(crate) fn checks(rows: &mut Vec<Row>) -> Outcome<()> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()).parse()?;
    let (x, y) = pair.public_key().as_ref().get(1..).ok_or("no point")?.split_at(32);
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwks: JwkSet = serde_json::from_value(json!({"keys": [{
        "kty": "EC", "kid": "bench", "alg": "ES256", "use": "sig", "crv": "P-256", "x": part(x), "y": part(y),
    }]}))?;
    let now = now_seconds();
    let tokens: Vec<String> = (0..TOKENS).map(|index| mint(&pair, index, now)).collect::<Outcome<_>>()?;
    let verifier = Verifier::new(ISSUER, seed::AUDIENCE, jwks.clone())?;

    // The same signatures over the same bytes, and nothing around them.
    let bare: Vec<(&[u8], Vec<u8>)> = tokens
        .iter()
        .map(|token| {
            let (signed, signature) = token.rsplit_once('.').ok_or("no signature")?;
            Ok((signed.as_bytes(), URL_SAFE_NO_PAD.decode(signature)?))
        })
        .collect::<Outcome<_>>()?;
    let (mut raw, mut ours, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut next = bare.iter().cycle();
        let bare = per_second(TURN, || {
            let (signed, signature) = next.next().ok_or("no token")?;
            key.verify_sig(black_box(signed), signature)?;
            Ok(1)
        })?;
        let mut next = tokens.iter().cycle();
        let full = per_second(TURN, || {
            black_box(verifier.verify(next.next().ok_or("no token")?, now)?);
            Ok(1)
        })?;
        raw.push(bare);
        ours.push(full);
        shares.push(full / bare * 100.0);
    }
    rows.push(Row::figure("ES256 signatures of tokens checked, raw, one core", median(raw), Unit::PerSecond));
    rows.push(Row::figure("the same tokens checked by countersign-verify", median(ours), Unit::PerSecond));
    let share = Row::figure("  its share of the raw rate", median(shares), Unit::Percent);
    rows.push(share.with_goal(Goal::AtLeast(95.0)));

    let before = procfs::own_bytes(std::process::id())?;
    let revoked = RevokedSet::new();
    for n in 0..ENTRIES {
        let sid = SessionId(countersign::entropy::uuid_v7(countersign::time::Timestamp(i64::try_from(n)?)));
        revoked.add(&Revocation { n, exp: now + 600, revoked: Revoked::Session { sid } });
    }
    let bytes = procfs::own_bytes(std::process::id())? - before;
    let memory = Row::figure("memory of a million live revocations", bytes, Unit::Bytes);
    rows.push(memory.with_goal(Goal::Below(f64::from(64 << 20))));

    let checker = Checker::new(verifier).with_revoked(Arc::new(revoked));
    let rates = (0..ROUNDS).map(|_| {
        let mut next = tokens.iter().cycle();
        per_second(TURN, || {
            black_box(checker.check(next.next().ok_or("no token")?, now)?);
            Ok(1)
        })
    });
    let remembered = median(rates.collect::<Outcome<_>>()?);
    let name = "remembered tokens checked against a million revocations, one core";
    rows.push(Row::figure(name, remembered, Unit::PerSecond).with_goal(Goal::AtLeast(1_000_000.0)));
    Ok(())
}

/// From `revoke` answered to refused at one of a hundred APIs, at a thousand revocations a second.
pub(crate) fn feed(rows: &mut Vec<Row>, address: SocketAddr, tokens: Vec<String>) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (delays, rate) = runtime.block_on(revoke(address, tokens))?;
    let ms = |quantile: f64| delays.value_at_quantile(quantile) as f64 / 1000.0;
    let name = format!("revocations a second, {SUBSCRIBERS} subscribers");
    rows.push(Row::figure(name, rate, Unit::PerSecond).with_goal(Goal::AtLeast(PACE as f64 * 0.95)));
    rows.push(Row::figure("  from revoked to refused, p50", ms(0.5), Unit::Milliseconds));
    let p99 = Row::figure("  from revoked to refused, p99", ms(0.99), Unit::Milliseconds);
    rows.push(p99.with_goal(Goal::Below(100.0)));
    rows.push(Row::figure("  from revoked to refused, longest", ms(1.0), Unit::Milliseconds));
    Ok(())
}

async fn revoke(address: SocketAddr, tokens: Vec<String>) -> Outcome<(Histogram<u64>, f64)> {
    let credentials = Credentials::new(seed::FEED, seed::SERVICE_SECRET);
    let mut guards = Vec::new();
    for _ in 0..SUBSCRIBERS {
        let guard = Guard::builder(format!("http://{address}"), seed::AUDIENCE).feed(credentials.clone());
        guards.push(guard.start()?);
    }
    let begun = Instant::now();
    while !guards.iter().all(|guard| guard.status().feed.is_some_and(|feed| feed.lag.is_some())) {
        if begun.elapsed() > PATIENCE {
            return Err(format!("a subscriber does not read the feed: {:?}", guards.first()).into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }

    let (delays, mut told) = mpsc::unbounded_channel();
    let free = Arc::new(Semaphore::new(REVOKERS));
    let connections = Arc::new(tokio::sync::Mutex::new(Vec::new()));
    for _ in 0..REVOKERS {
        let connection = Connection::open(address).await.map_err(|error| error.to_string())?;
        connections.lock().await.push(connection);
    }
    let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 / PACE));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let count = tokens.len();
    let begun = Instant::now();
    for (index, token) in tokens.into_iter().enumerate() {
        tick.tick().await;
        let permit = free.clone().acquire_owned().await?;
        let guard = guards.get(index % SUBSCRIBERS).ok_or("no subscriber")?.clone();
        let (connections, delays) = (connections.clone(), delays.clone());
        tokio::spawn(async move {
            let mut connection = connections.lock().await.pop();
            let outcome = match &mut connection {
                Some(connection) => one(connection, address, &token).await,
                None => Err("no connection".into()),
            };
            let answered = Instant::now();
            connections.lock().await.extend(connection);
            drop(permit);
            let outcome = match outcome {
                Ok(()) => refused(&guard, &token).await.map(|()| answered.elapsed()),
                Err(error) => Err(error),
            };
            let _ = delays.send(outcome);
        });
    }
    drop(delays);
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    let mut histogram = Histogram::new_with_bounds(1, 120_000_000, 3)?;
    while let Some(delay) = told.recv().await {
        histogram.record(u64::try_from(delay?.as_micros())?.max(1))?;
    }
    Ok((histogram, rate))
}

/// Revokes one access token (RFC 7009).
async fn one(connection: &mut Connection, address: SocketAddr, token: &str) -> Outcome<()> {
    let body = format!("client_id={}&token={token}", seed::APP);
    let answer = connection.exchange(&form(address, "/oauth/revoke", None, &body)).await;
    match answer.map_err(|error| error.to_string())?.status {
        200 => Ok(()),
        status => Err(format!("revoke answers {status}").into()),
    }
}

/// Waits until an API refuses a token as revoked.
async fn refused(guard: &Guard, token: &str) -> Outcome<()> {
    let begun = Instant::now();
    loop {
        match guard.check(token, &Requirement::none(), now_seconds()).await {
            Err(Refusal::Token(Rejection::Revoked)) => return Ok(()),
            Ok(_) if begun.elapsed() < PATIENCE => tokio::time::sleep(LOOK_EVERY).await,
            Ok(_) => return Err("a revoked token is not refused".into()),
            Err(other) => return Err(other.into()),
        }
    }
}

/// A token as the service makes them.
fn mint(pair: &EcdsaKeyPair, index: usize, now: u64) -> Outcome<String> {
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": "bench"});
    let claims = json!({
        "iss": ISSUER, "sub": "0190a0a0-0000-7000-8000-000000000001", "aud": seed::AUDIENCE, "exp": now + 600,
        "iat": now, "jti": format!("bench-token-{index:09}"), "client_id": seed::APP,
        "scope": "offline profile:read profile:write", "rev": u64::MAX / 2,
        "sid": format!("0190a0a0-0000-7000-8000-{index:012}"), "stv": 1, "auth_time": now, "roles": ["reader"],
    });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let signature = pair.sign(&SystemRandom::new(), signed.as_bytes())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "tokens of a running service expire by the machine's clock")]
fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
