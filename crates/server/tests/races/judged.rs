//! Several clients at once on one session, and the history of what they saw judged (S1 to S8,
//! L4).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::Barrier;

use crate::history::{Call, Op, Saw, is_linearisable};
use crate::support::{Answer, Engine, TestServer};
use crate::{nodes, proof, rounds, seed};

/// Histories on each engine in an ordinary run.
const HISTORIES: usize = 40;
/// Clients of a history, and what each does in a row.
const CLIENTS: usize = 4;
const CALLS: usize = 5;
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
        Op::Revoke | Op::MoveStamp => {
            let path = match op {
                Op::Revoke => format!("/sessions/{sid}/revoke"),
                _ => format!("/users/{user}/sign-out"),
            };
            let answer = node.admin_post(&path, json!({})).await;
            if answer.status == 503 {
                return Saw::Unknown;
            }
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
            for _ in 0..CALLS {
                let known = tokens.lock().unwrap().len() as u32;
                let op = match random.below(24) {
                    0 => Op::Revoke,
                    1 => Op::MoveStamp,
                    2..6 => Op::Introspect,
                    // The one before the newest: a replay, with a proof or without.
                    6..10 => Op::Refresh(known.saturating_sub(1).max(1), None),
                    10..12 => Op::Refresh(known, Some(random.below(2) as u8)),
                    12 => Op::Refresh(1, None),
                    _ => Op::Refresh(known, None),
                };
                let called = stamps.fetch_add(1, Ordering::SeqCst);
                let saw = perform(&node, op, &user, &pair.access, &pair.sid, &tokens).await;
                let answered = stamps.fetch_add(1, Ordering::SeqCst);
                calls.push(Call { op, saw, called, answered });
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
    println!("{engine:?}: {} histories: {kinds:?}", rounds(HISTORIES));
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
