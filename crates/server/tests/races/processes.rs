//! Many presentations of one token at one moment to two processes of the real program, which share
//! a PostgreSQL and nothing else (S1, S2, S3, S5, L3).

use std::collections::BTreeSet;
use std::sync::Barrier;

use serde_json::{Value, json};

use crate::ask::{Answer, ask};
use crate::program::{Place, Server, free_port};
use crate::support::AUDIENCE;
use crate::{proof, rounds};

/// Sessions in an ordinary run.
const FAMILIES: usize = 32;
/// Presentations at once, in turn.
const CROWDS: [usize; 6] = [2, 4, 8, 16, 32, 64];

/// Two processes, and the credential of their admin API.
struct Two {
    servers: [Server; 2],
    admin: String,
    _place: Place,
}

impl Two {
    fn start(database: &str) -> Self {
        let place = Place::new();
        let node = |data: &str| {
            let more = ["--data-dir", data, "--database", database];
            Server::start_on("127.0.0.1", (free_port(), free_port()), &place, &more)
        };
        let first = node("one");
        // All nodes of one store have one key.
        std::fs::create_dir(place.path("two")).unwrap();
        std::fs::copy(place.path("one/kek"), place.path("two/kek")).unwrap();
        let second = node("two");
        let token = std::fs::read_to_string(place.path("one/admin-token")).unwrap();
        Self { servers: [first, second], admin: format!("Bearer {}", token.trim()), _place: place }
    }

    fn admin(&self, method: &str, path: &str, body: &Value) -> Value {
        let headers = [("authorization", self.admin.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = ask(self.servers[0].ports().1, method, &format!("/admin/v1{path}"), &headers, &body);
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Presents the token so often at one moment, to each process in turn.
    fn present(&self, token: &str, crowd: usize, proof: Option<&str>) -> Vec<Answer> {
        let body = format!("grant_type=refresh_token&client_id=app&refresh_token={token}");
        let barrier = Barrier::new(crowd);
        let one = |i: usize| {
            let (port, _) = self.servers[i % 2].ports();
            let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
            headers.extend(proof.map(|proof| ("idempotency-key", proof)));
            barrier.wait();
            ask(port, "POST", "/oauth/token", &headers, &body)
        };
        let one = &one;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..crowd).map(|i| scope.spawn(move || one(i))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }
}

/// Each answer is 200 with the same successor, or 503; and the chain goes on from there.
#[tokio::test]
async fn two_processes_give_one_successor() {
    let two = Two::start(&crate::support::cluster::shared().database().await);
    two.admin("POST", "/users", &json!({"username": "alice"}));
    let client = json!({"id": "app", "kind": "native", "scope": "read write", "audience": [AUDIENCE],
        "redirect_uris": ["https://app.example/callback"]});
    two.admin("POST", "/clients", &client);
    let (mut presented, mut unknown) = (0, 0);
    for family in 0..rounds(FAMILIES) {
        let crowd = CROWDS[family % CROWDS.len()];
        let proof = (family / CROWDS.len() % 2 == 1).then_some("proof-a");
        let session = two.admin("POST", "/sessions", &json!({"user": "alice", "client": "app"}));
        let mut token = session["refresh_token"].as_str().unwrap().to_owned();
        for generation in 2..4 {
            let answers = two.present(&token, crowd, proof);
            let mut successors = BTreeSet::new();
            for answer in &answers {
                match answer.status {
                    200 => {
                        let body: Value = serde_json::from_str(&answer.body).unwrap();
                        successors.insert(body["refresh_token"].as_str().unwrap().to_owned());
                    }
                    status => assert_eq!(status, 503, "{answer:?}"),
                }
            }
            presented += answers.len();
            unknown += answers.iter().filter(|answer| answer.status == 503).count();
            assert_eq!(successors.len(), 1, "a fork, or no answer at all: {successors:?}");
            let path = format!("/sessions/{}", session["session_id"].as_str().unwrap());
            let now = two.admin("GET", &path, &Value::Null);
            assert_eq!((&now["status"], &now["generation"]), (&json!("live"), &json!(generation)), "{now}");
            token = successors.into_iter().next().unwrap();
        }
    }
    println!("two processes: {presented} presentations, {unknown} of them answered 503");
    proof(2 * rounds(FAMILIES), "crowds", None);
}
