//! Several clients at once on one session, and the history of what they saw judged (S1 to S8,
//! L4).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::history::{Call, Op, Saw, Verb, is_linearisable};
use crate::support::{Answer, Engine, TestServer};
use crate::{nodes, proof, rounds, seed};

/// Histories on each engine in an ordinary run.
const HISTORIES: usize = 100;
/// Clients of a history, and what each does in a row.
const CLIENTS: usize = 4;
const CALLS: usize = 10;
/// How often a client hears that the session is over, before it believes it.
const REFUSALS: usize = 3;
/// The seed of the first history in an ordinary run; the others follow.
const SEED: u64 = 0x5EED;

/// A small generator (splitmix64), so that a history can be run again from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// The tokens that anybody has seen, by generation.
type Tokens = Arc<Mutex<Vec<String>>>;

/// The generation of the successor, which nobody may have got another of.
fn successor(answer: &Answer, generation: u32, tokens: &Tokens) -> Saw {
    let token = answer.str("refresh_token");
    let mut tokens = tokens.lock().unwrap();
    let place = generation as usize;
    if tokens.len() == place {
        tokens.push(token.clone());
    }
    assert_eq!(tokens[place], token, "S2: two successors of generation {generation}");
    Saw::Token(generation + 1)
}

async fn perform(node: &TestServer, op: Op, user: &str, access: &str, sid: &str, tokens: &Tokens) -> Saw {
    match op {
        Op::Refresh(generation, proof) => {
            let token = tokens.lock().unwrap()[generation as usize - 1].clone();
            let answer = match proof {
                Some(proof) => node.refresh_with_key("app", &token, &format!("proof-{proof}")).await,
                None => node.refresh("app", &token).await,
            };
            match answer.status.as_u16() {
                200 => successor(&answer, generation, tokens),
                503 => Saw::Unknown,
                _ => {
                    answer.assert_error(400, "invalid_grant");
                    Saw::Refused
                }
            }
        }
        Op::Introspect => match node.get_as("/api/profile", access).await.status.as_u16() {
            200 => Saw::Active(true),
            401 => Saw::Active(false),
            503 => Saw::Unknown,
            other => panic!("{other}"),
        },
        Op::Revoke => ended(node.admin_post(&format!("/sessions/{sid}/revoke"), json!({})).await),
        Op::End(verb) => {
            let (path, body) = match verb {
                Verb::SignOut => ("sign-out", json!({})),
                Verb::Disable => ("disable", json!({})),
                Verb::Password => ("password", json!({"password": "a new passphrase"})),
            };
            ended(node.admin_post(&format!("/users/{user}/{path}"), body).await)
        }
        Op::Remove => ended(node.admin(Method::DELETE, &format!("/users/{user}"), Value::Null).await),
    }
}

fn ended(answer: Answer) -> Saw {
    match answer.status.as_u16() {
        404 => Saw::Missing,
        503 => Saw::Unknown,
        _ => {
            answer.assert_ok();
            Saw::Done
        }
    }
}

async fn one_history(nodes: &[Arc<TestServer>], seed: u64, number: u64) -> Vec<Call> {
    let user = format!("user{number}");
    nodes[0].user(&user).await;
    let pair = nodes[0].session(&user, "app").await;
    let tokens: Tokens = Arc::new(Mutex::new(vec![pair.refresh.clone()]));
    let (stamps, barrier) = (Arc::new(AtomicU64::new(0)), Arc::new(Barrier::new(CLIENTS)));
    let clients = (0..CLIENTS).map(|client| {
        let node = nodes[client % nodes.len()].clone();
        let (tokens, stamps, barrier) = (tokens.clone(), stamps.clone(), barrier.clone());
        let (pair, user) = (pair.clone(), user.clone());
        tokio::spawn(async move {
            let mut random = Random(seed.wrapping_add(number * 1_000 + client as u64));
            let mut calls = Vec::new();
            barrier.wait().await;
            let mut refused = 0;
            while calls.len() < CALLS && refused < REFUSALS {
                let known = tokens.lock().unwrap().len() as u32;
                let op = match random.below(64) {
                    0 => Op::Revoke,
                    1 => Op::End(Verb::SignOut),
                    2 => Op::End(Verb::Disable),
                    3 => Op::End(Verb::Password),
                    4 => Op::Remove,
                    5..14 => Op::Introspect,
                    // The one before the newest: a replay, with a proof or without.
                    14..25 => Op::Refresh(known.saturating_sub(1).max(1), None),
                    25..31 => Op::Refresh(known, Some(random.below(2) as u8)),
                    31 => Op::Refresh(1, None),
                    _ => Op::Refresh(known, None),
                };
                let called = stamps.fetch_add(1, Ordering::SeqCst);
                let saw = perform(&node, op, &user, &pair.access, &pair.sid, &tokens).await;
                let answered = stamps.fetch_add(1, Ordering::SeqCst);
                calls.push(Call { op, saw, called, answered });
                refused += usize::from(matches!(saw, Saw::Refused | Saw::Active(false)));
            }
            calls
        })
    });
    join_all(clients).await.into_iter().flat_map(Result::unwrap).collect()
}

async fn histories(engine: Engine) {
    let nodes = nodes(engine).await;
    nodes[0].public_client("app").await;
    let seed = seed().unwrap_or(SEED);
    let mut kinds: HashMap<Saw, usize> = HashMap::new();
    for number in 0..rounds(HISTORIES) as u64 {
        let mut history = one_history(&nodes, seed, number).await;
        history.sort_by_key(|call| call.called);
        for call in &history {
            *kinds.entry(call.saw).or_default() += 1;
        }
        assert!(is_linearisable(&history), "seed {seed}, history {number}: {history:#?}");
    }
    let calls: usize = kinds.values().sum();
    println!("{engine:?}: {} histories of {calls} operations: {kinds:?}", rounds(HISTORIES));
    proof(rounds(HISTORIES), "histories", Some(seed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_clients_saw_on_sqlite_has_an_order() {
    histories(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_clients_saw_on_two_nodes_has_an_order() {
    histories(Engine::Postgres).await;
}
