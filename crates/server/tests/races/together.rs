//! Many presentations of one token at one moment, on one node and on two (S1, S2, S3, S5, L3).

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign::store::{EventFilter, EventKind, Page, Reason};
use futures_util::future::join_all;
use tokio::sync::Barrier;

use crate::support::{Answer, Engine, TestServer};
use crate::{nodes, proof, rounds};

/// Presentations at once.
const CROWD: usize = 64;
/// Sessions of each kind in an ordinary run.
const FAMILIES: usize = 6;

/// What the presentations of one token carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proofs {
    /// No retry proof.
    None,
    /// All the same.
    Same,
    /// Two different ones, in turn: one of them is somebody else's.
    Mixed,
}

impl Proofs {
    fn of(self, i: usize) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Same => Some("proof-a"),
            Self::Mixed => Some(if i.is_multiple_of(2) { "proof-a" } else { "proof-b" }),
        }
    }
}

/// Presents the token on all nodes at one moment. Tasks go to the nodes in pairs, so that each
/// node sees each proof.
async fn present(nodes: &[Arc<TestServer>], token: &str, proofs: Proofs) -> Vec<Answer> {
    let barrier = Arc::new(Barrier::new(CROWD));
    let tasks = (0..CROWD).map(|i| {
        let (node, barrier, token) = (nodes[i / 2 % nodes.len()].clone(), barrier.clone(), token.to_owned());
        tokio::spawn(async move {
            barrier.wait().await;
            match proofs.of(i) {
                Some(proof) => node.refresh_with_key("app", &token, proof).await,
                None => node.refresh("app", &token).await,
            }
        })
    });
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

fn successors(answers: &[Answer]) -> BTreeSet<String> {
    answers.iter().filter(|a| a.status == 200).map(|a| a.str("refresh_token")).collect()
}

/// Each answer is 200 with the same successor, or 503; and the chain goes on from there.
async fn honest(engine: Engine, proofs: Proofs) {
    let nodes = nodes(engine).await;
    let server = &nodes[0];
    server.user("alice").await;
    server.public_client("app").await;
    for _ in 0..rounds(FAMILIES) {
        let pair = server.session("alice", "app").await;
        let mut token = pair.refresh.clone();
        for generation in 2..4 {
            let answers = present(&nodes, &token, proofs).await;
            for answer in &answers {
                assert!(matches!(answer.status.as_u16(), 200 | 503), "{}: {}", answer.status, answer.text);
            }
            let successors = successors(&answers);
            assert_eq!(successors.len(), 1, "a fork, or no answer at all: {successors:?}");
            let standing = server.standing(&pair.sid).await;
            assert_eq!(standing.session.generation, generation, "consumed more than once");
            assert_eq!(standing.session.ended, None);
            token = successors.into_iter().next().unwrap();
        }
    }
    proof(2 * rounds(FAMILIES), "crowds", None);
}

/// A token that two parties present with proofs of their own: whoever came second ends the
/// session, once, and there is one successor all the same.
async fn foreign(engine: Engine) {
    let nodes = nodes(engine).await;
    let server = &nodes[0];
    server.user("alice").await;
    server.public_client("app").await;
    for _ in 0..rounds(FAMILIES) {
        let pair = server.session("alice", "app").await;
        let before = server.app.store.position().await.unwrap();
        let answers = present(&nodes, &pair.refresh, Proofs::Mixed).await;
        for answer in &answers {
            match answer.status.as_u16() {
                200 | 503 => {}
                _ => drop(answer.assert_error(400, "invalid_grant")),
            }
        }
        let successors = successors(&answers);
        assert_eq!(successors.len(), 1, "{successors:?}");
        for i in [0, 1] {
            let winners = |answer: &(usize, &Answer)| answer.0 % 2 == i && answer.1.status == 200;
            let other = |answer: &(usize, &Answer)| answer.0 % 2 != i && answer.1.status == 200;
            assert!(
                !(answers.iter().enumerate().any(|a| winners(&a))
                    && answers.iter().enumerate().any(|a| other(&a))),
                "two proofs were answered"
            );
        }
        let standing = server.standing(&pair.sid).await;
        assert_eq!(standing.session.generation, 2);
        assert_eq!(standing.session.ended.map(|ended| ended.reason), Some(Reason::Reuse));
        assert_eq!(server.app.store.position().await.unwrap(), before + 1, "ended more than once");
        let filter = EventFilter { session: Some(pair.sid.parse().unwrap()), ..EventFilter::default() };
        let events = server.app.store.events(&filter, &Page { after: None, limit: 1000 }).await.unwrap();
        assert_eq!(events.iter().filter(|event| event.kind == EventKind::Reuse).count(), 1);
        for node in &nodes {
            for token in successors.iter().chain([&pair.refresh]) {
                node.refresh_with_key("app", token, "proof-a").await.assert_error(400, "invalid_grant");
            }
        }
    }
    proof(rounds(FAMILIES), "crowds", None);
}

macro_rules! on_each {
    ($($name:ident: $run:ident $(, $proofs:expr)?;)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn one_sqlite_server() {
                $run(Engine::Sqlite $(, $proofs)?).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn two_nodes_on_postgres() {
                $run(Engine::Postgres $(, $proofs)?).await;
            }
        }
    )*};
}

on_each! {
    without_a_proof: honest, Proofs::None;
    with_one_proof: honest, Proofs::Same;
    with_a_foreign_proof: foreign;
}
