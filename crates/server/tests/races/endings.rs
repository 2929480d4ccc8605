//! Refresh against each verb that ends a session (S6, S8): after the verb is answered no refresh
//! that starts later succeeds on any node, and what an overlapping one got is dead on arrival.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use crate::support::{AUDIENCE, Engine, Pair, TestServer, basic};
use crate::{nodes, proof, rounds};

/// Rounds on each engine in an ordinary run.
const ROUNDS: usize = 48;

/// Rounds after which nodes and store are made anew: each round adds a client, and after each change
/// of one a node reads all of them again.
const BLOCK: usize = 240;

/// The verbs, in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    ClientRevokes,
    OperatorRevokes,
    SignOut,
    UserDisabled,
    ClientDisabled,
    PasswordChanged,
}

impl Ending {
    const ALL: [Self; 6] = [
        Self::ClientRevokes,
        Self::OperatorRevokes,
        Self::SignOut,
        Self::UserDisabled,
        Self::ClientDisabled,
        Self::PasswordChanged,
    ];

    async fn run(self, node: &TestServer, user: &str, client: &str, pair: &Pair) {
        let answer = match self {
            Self::ClientRevokes => {
                node.form("/oauth/revoke", &[("client_id", client), ("token", &pair.refresh)]).await
            }
            Self::OperatorRevokes => {
                node.admin_post(&format!("/sessions/{}/revoke", pair.sid), json!({})).await
            }
            Self::SignOut => node.admin_post(&format!("/users/{user}/sign-out"), json!({})).await,
            Self::UserDisabled => node.admin_post(&format!("/users/{user}/disable"), json!({})).await,
            Self::ClientDisabled => node.admin_post(&format!("/clients/{client}/disable"), json!({})).await,
            Self::PasswordChanged => {
                let body = json!({"password": "a new passphrase"});
                node.admin_post(&format!("/users/{user}/password"), body).await
            }
        };
        answer.assert_ok();
    }
}

/// What the refreshing side got.
struct Chain {
    last: String,
    access: Vec<String>,
}

/// Refreshes as fast as it can until it is refused; a refresh that began after the ending was
/// answered must be.
async fn refresh_until_refused(
    node: Arc<TestServer>,
    client: String,
    first: String,
    answered: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
) -> Chain {
    let mut chain = Chain { last: first, access: Vec::new() };
    loop {
        let too_late = answered.load(Ordering::SeqCst);
        let answer = node.refresh(&client, &chain.last).await;
        match answer.status.as_u16() {
            200 => {
                assert!(!too_late, "a refresh began after the ending was answered, and succeeded");
                chain.last = answer.str("refresh_token");
                chain.access.push(answer.str("access_token"));
                done.fetch_add(1, Ordering::SeqCst);
            }
            503 => {}
            // A client that is disabled is not authenticated.
            401 => {
                answer.assert_error(401, "invalid_client");
                return chain;
            }
            _ => {
                answer.assert_error(400, "invalid_grant");
                return chain;
            }
        }
    }
}

async fn race(engine: Engine) {
    let all = rounds(ROUNDS);
    let mut refreshed = 0;
    for first in (0..all).step_by(BLOCK) {
        refreshed += block(engine, first..all.min(first + BLOCK)).await;
    }
    println!("{engine:?}: {refreshed} refreshes met {all} endings");
    proof(all, "rounds", None);
}

/// How many refreshes were answered.
async fn block(engine: Engine, rounds: Range<usize>) -> usize {
    let nodes = nodes(engine).await;
    let (here, there) = (&nodes[0], &nodes[nodes.len() - 1]);
    let api = here.confidential_client("api", json!({"introspects": [AUDIENCE]})).await;
    let header = basic("api", &api);
    let mut refreshed = 0;
    for round in rounds {
        let ending = Ending::ALL[round % Ending::ALL.len()];
        let (user, client) = (format!("user{round}"), format!("app{round}"));
        here.user(&user).await;
        here.public_client(&client).await;
        let pair = here.session(&user, &client).await;
        let (answered, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let chain = tokio::spawn(refresh_until_refused(
            here.clone(),
            client.clone(),
            pair.refresh.clone(),
            answered.clone(),
            done.clone(),
        ));
        // The verb meets the chain at another place in each round.
        while done.load(Ordering::SeqCst) < round / Ending::ALL.len() % 4 {
            tokio::task::yield_now().await;
        }
        ending.run(there, &user, &client, &pair).await;
        answered.store(true, Ordering::SeqCst);
        let chain = chain.await.unwrap();
        refreshed += chain.access.len();
        for node in &nodes {
            let answer = node.refresh(&client, &chain.last).await;
            assert!(matches!(answer.status.as_u16(), 400 | 401), "{ending:?}: {}", answer.text);
        }
        // Each at one of the nodes, in turn, the newest first, which the ending may have met.
        for (i, token) in chain.access.iter().rev().chain([&pair.access]).enumerate() {
            let node = &nodes[(round / Ending::ALL.len() + i) % nodes.len()];
            let pairs = [("token", token.as_str())];
            let answer = node.form_with("/oauth/introspect", &pairs, &[("authorization", &header)]).await;
            assert_eq!(answer.text, r#"{"active":false}"#, "{ending:?}");
        }
        assert!(!here.standing(&pair.sid).await.is_live(here.app.clock.now()), "{ending:?}");
    }
    refreshed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refresh_against_each_ending_on_sqlite() {
    race(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refresh_against_each_ending_on_two_nodes() {
    race(Engine::Postgres).await;
}
