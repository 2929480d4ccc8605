//! Random sequences of commands against the real server, beside a model of one session that was
//! written from `docs/refresh.md`. What the server answers, with its error codes, and what it
//! stores must be what the model says. A sequence that fails shrinks to its shortest, and its seed
//! is kept in `proptest-regressions`.

use std::time::Duration;

use countersign::time::{Clock as _, Timestamp};
use http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use crate::support::{Engine, TestServer};
use crate::{proof, rounds, seed};

/// Sequences in an ordinary run, and the longest.
const SEQUENCES_SQLITE: usize = 60;
const SEQUENCES_POSTGRES: usize = 20;
const LONGEST: usize = 30;

const DAY: u64 = 86_400_000;
/// A native client's lifetimes and window, from the documentation.
const WINDOW: i64 = 10_000;
const IDLE: i64 = 14 * DAY as i64;
const ABSOLUTE: i64 = 60 * DAY as i64;
const ACCESS: i64 = 900_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Current,
    /// So many generations ago.
    Old(u8),
    /// The current one with a letter changed.
    Garbled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Refresh(Token, Option<u8>),
    /// By a client that it was not issued to.
    RefreshByAnother(Token),
    Advance(u64),
    UseAccessToken,
    RevokeByClient,
    RevokeByOperator,
    RevokeClientsSessions,
    RevokeEverything,
    SignOut,
    NewPassword,
    UserEnabled(bool),
    ClientEnabled(bool),
    NewSession,
    RotateKeys,
    Purge,
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let token = prop_oneof![
        5 => Just(Token::Current),
        4 => (1..4_u8).prop_map(Token::Old),
        1 => Just(Token::Garbled),
    ];
    let proof = prop_oneof![3 => Just(None), 2 => (0..2_u8).prop_map(Some)];
    let times = prop::sample::select(vec![1, 5_000, 10_000, 10_001, 600_000, DAY, 10 * DAY, 15 * DAY]);
    let command = prop_oneof![
        24 => (token.clone(), proof).prop_map(|(token, proof)| Command::Refresh(token, proof)),
        2 => token.prop_map(Command::RefreshByAnother),
        7 => times.prop_map(Command::Advance),
        4 => Just(Command::UseAccessToken),
        1 => Just(Command::RevokeByClient),
        1 => Just(Command::RevokeByOperator),
        1 => Just(Command::RevokeClientsSessions),
        1 => Just(Command::RevokeEverything),
        1 => Just(Command::SignOut),
        1 => Just(Command::NewPassword),
        2 => any::<bool>().prop_map(Command::UserEnabled),
        2 => any::<bool>().prop_map(Command::ClientEnabled),
        5 => Just(Command::NewSession),
        1 => Just(Command::RotateKeys),
        1 => Just(Command::Purge),
    ];
    prop::collection::vec(command, 1..LONGEST)
}

/// What the documentation says of one session.
#[derive(Debug)]
struct Model {
    now: i64,
    user_enabled: bool,
    client_enabled: bool,
    /// Never true again.
    alive: bool,
    generation: u32,
    proof: Option<u8>,
    rotated_at: i64,
    idle_expires_at: i64,
    expires_at: i64,
    access_issued_at: i64,
}

#[derive(Debug, PartialEq, Eq)]
enum Expected {
    /// The token of this generation.
    Token(u32),
    Error(u16, &'static str),
}

const INVALID_GRANT: Expected = Expected::Error(400, "invalid_grant");

impl Model {
    fn new(now: i64) -> Self {
        Self {
            now,
            user_enabled: true,
            client_enabled: true,
            alive: true,
            generation: 1,
            proof: None,
            rotated_at: now,
            idle_expires_at: now + IDLE,
            expires_at: now + ABSOLUTE,
            access_issued_at: now,
        }
    }

    fn is_live(&self) -> bool {
        self.alive && self.now < self.idle_expires_at && self.now < self.expires_at
    }

    fn refresh(&mut self, generation: u32, proof: Option<u8>) -> Expected {
        // A disabled client's session has ended with it (the table's third row).
        if !self.is_live() {
            return INVALID_GRANT;
        }
        if generation == self.generation {
            self.generation += 1;
            self.proof = proof;
            self.rotated_at = self.now;
            self.idle_expires_at = (self.now + IDLE).min(self.expires_at);
        } else {
            let same_proof = self.proof.is_some() && self.proof == proof;
            let in_window = self.proof.is_none() && self.now - self.rotated_at <= WINDOW;
            if generation + 1 != self.generation || !(same_proof || in_window) {
                self.alive = false;
                return INVALID_GRANT;
            }
        }
        self.access_issued_at = self.now;
        Expected::Token(self.generation)
    }
}

/// The server's side of a sequence.
struct Real<'a> {
    server: &'a TestServer,
    user: String,
    client: String,
    stranger: String,
    sid: String,
    /// The chain: the token of generation `i + 1`.
    chain: Vec<String>,
    access: String,
}

impl Real<'_> {
    async fn start(&mut self) {
        let pair = self.server.session(&self.user, &self.client).await;
        (self.sid, self.chain, self.access) = (pair.sid, vec![pair.refresh], pair.access);
    }

    fn token(&self, token: Token) -> (u32, String) {
        let newest = self.chain.len();
        match token {
            Token::Old(ago) => {
                let generation = newest.saturating_sub(usize::from(ago)).max(1);
                (generation as u32, self.chain[generation - 1].clone())
            }
            Token::Current => (newest as u32, self.chain[newest - 1].clone()),
            Token::Garbled => {
                let mut text = self.chain[newest - 1].clone();
                let letter = if text.as_bytes()[40] == b'A' { "B" } else { "A" };
                text.replace_range(40..41, letter);
                (newest as u32, text)
            }
        }
    }

    async fn ok(&self, path: &str, body: serde_json::Value) {
        self.server.admin_post(path, body).await.assert_ok();
    }
}

async fn step(model: &mut Model, real: &mut Real<'_>, command: Command) {
    let server = real.server;
    match command {
        Command::Refresh(token, proof) => {
            let (generation, text) = real.token(token);
            let answer = match proof {
                Some(proof) => server.refresh_with_key(&real.client, &text, &format!("p{proof}")).await,
                None => server.refresh(&real.client, &text).await,
            };
            let expected = match token {
                Token::Garbled => INVALID_GRANT,
                _ => model.refresh(generation, proof),
            };
            match expected {
                Expected::Token(generation) => {
                    let answer = answer.assert_ok();
                    let text = answer.str("refresh_token");
                    if real.chain.len() < generation as usize {
                        real.chain.push(text.clone());
                    }
                    assert_eq!(real.chain[generation as usize - 1], text, "another successor");
                    real.access = answer.str("access_token");
                }
                Expected::Error(status, code) => drop(answer.assert_error(status, code)),
            }
        }
        Command::RefreshByAnother(token) => {
            let (_, text) = real.token(token);
            server.refresh(&real.stranger, &text).await.assert_error(400, "invalid_grant");
        }
        Command::Advance(ms) => {
            server.advance(Duration::from_millis(ms));
            model.now += ms as i64;
        }
        Command::UseAccessToken => {
            let good = model.alive && model.now - model.access_issued_at < ACCESS;
            let status = server.get_as("/api/profile", &real.access).await.status;
            assert_eq!(status == 200, good, "an access token: {status}");
        }
        Command::RevokeByClient => {
            let (_, text) = real.token(Token::Current);
            let pairs = [("client_id", real.client.as_str()), ("token", text.as_str())];
            let answer = server.form("/oauth/revoke", &pairs).await;
            if model.client_enabled {
                answer.assert_ok();
                model.alive = false;
            } else {
                answer.assert_error(401, "invalid_client");
            }
        }
        Command::RevokeByOperator => {
            server.admin_post(&format!("/sessions/{}/revoke", real.sid), json!({})).await;
            model.alive = false;
        }
        Command::RevokeClientsSessions => {
            real.ok("/revocations", json!({"target": "client", "subject": real.client})).await;
            model.alive = false;
        }
        Command::RevokeEverything => {
            real.ok("/revocations", json!({"target": "everything"})).await;
            model.alive = false;
        }
        Command::SignOut => {
            real.ok(&format!("/users/{}/sign-out", real.user), json!({})).await;
            model.alive = false;
        }
        Command::NewPassword => {
            let body = json!({"password": "a new passphrase"});
            real.ok(&format!("/users/{}/password", real.user), body).await;
            model.alive = false;
        }
        Command::UserEnabled(enabled) => {
            let verb = if enabled { "enable" } else { "disable" };
            real.ok(&format!("/users/{}/{verb}", real.user), json!({})).await;
            model.alive &= enabled;
            model.user_enabled = enabled;
        }
        Command::ClientEnabled(enabled) => {
            let verb = if enabled { "enable" } else { "disable" };
            real.ok(&format!("/clients/{}/{verb}", real.client), json!({})).await;
            model.alive &= enabled;
            model.client_enabled = enabled;
        }
        Command::NewSession if model.user_enabled && model.client_enabled => {
            real.start().await;
            *model = Model::new(model.now);
        }
        Command::NewSession => {
            let body = json!({"user": real.user, "client": real.client});
            let status = server.admin_post("/sessions", body).await.status;
            assert!(status.is_client_error(), "{status}");
        }
        Command::RotateKeys => {
            server.admin(Method::POST, "/keys/rotate", json!({"purpose": "refresh"})).await;
        }
        Command::Purge => {
            server.app.store.purge(Timestamp(model.now), Timestamp(0), 1_000).await.unwrap();
        }
    }
    let standing = server.app.store.standing(real.sid.parse().unwrap()).await.unwrap();
    // What has expired may have been purged; nothing else.
    match standing {
        Some(standing) => {
            assert_eq!(standing.session.generation, model.generation, "after {command:?}");
            assert_eq!(standing.is_live(Timestamp(model.now)), model.is_live(), "after {command:?}");
            assert_eq!(standing.session.expires_at, Timestamp(model.expires_at));
        }
        None => {
            assert!(model.now >= model.expires_at, "purged while it could live");
            model.alive = false;
        }
    }
}

async fn sequence(server: &TestServer, number: usize, commands: &[Command]) {
    let name = |what: &str| format!("{what}{number}");
    let mut real = Real {
        server,
        user: name("user"),
        client: name("app"),
        stranger: name("stranger"),
        sid: String::new(),
        chain: Vec::new(),
        access: String::new(),
    };
    server.user(&real.user).await;
    server.public_client(&real.client).await;
    server.public_client(&real.stranger).await;
    real.start().await;
    let mut model = Model::new(server.clock.now().0);
    for command in commands {
        step(&mut model, &mut real, *command).await;
    }
}

fn sequences(engine: Engine, cases: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = runtime.block_on(TestServer::start(engine));
    let number = std::cell::Cell::new(0);
    let config = Config {
        cases: cases as u32,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/proptest-regressions/model.txt"
        )))),
        ..Config::default()
    };
    let seed = seed().unwrap_or_else(|| u64::from_le_bytes(countersign::entropy::bytes()));
    let mut long_seed = [0; 32];
    long_seed[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &long_seed);
    let outcome = TestRunner::new_with_rng(config, rng).run(&commands(), |commands| {
        number.set(number.get() + 1);
        runtime.block_on(sequence(&server, number.get(), &commands));
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("seed {seed}: {failure}");
    }
    proof(cases, "sequences", Some(seed));
    let _inside = runtime.enter();
    drop(server);
}

#[test]
fn sequences_on_sqlite() {
    sequences(Engine::Sqlite, rounds(SEQUENCES_SQLITE));
}

#[test]
fn sequences_on_postgres() {
    sequences(Engine::Postgres, rounds(SEQUENCES_POSTGRES));
}
