//! The simulator against our own service, whose every promise must be kept, and against servers
//! that are wrong on purpose, which the scoreboard must tell apart: else it could not fail.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the scoreboard of a test that failed")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The window that the wrong servers are measured by.
const OVERLAP: Duration = Duration::from_secs(1);
/// What the wrong server's client is registered with.
const SECRET: &str = "a secret: with a colon";

/// The scoreboard, and whether the program called it good.
fn simulate(arguments: &[&str]) -> (Value, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-prove"));
    command.args(["simulate", "--json"]).args(arguments);
    let output = command.env("SIMULATED_SECRET", SECRET).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let board: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{errors}"));
    println!("{board:#}");
    (board, output.status.success())
}

fn kept(board: &Value, name: &str) -> Option<bool> {
    board["verdicts"][name]["kept"].as_bool()
}

fn assert_all_kept(board: &Value, good: bool, restarts: u64) {
    for name in ["L1", "L2", "L3", "S2", "S5", "S6"] {
        assert_eq!(kept(board, name), Some(true), "{name}");
    }
    assert!(good);
    assert_eq!(board["restarts"], restarts);
    assert_eq!(board["honest"]["ended"], Value::Array(Vec::new()));
    assert_eq!(board["honest"]["unusable"], 0);
    let thieves = board["thieves"].as_array().unwrap();
    assert_eq!(thieves.len(), 11, "each kind of thief, for each kind of victim");
    for thief in thieves.iter().filter(|thief| thief["promised"] == true) {
        assert!(thief["thieves"].as_u64().unwrap() > 0, "{thief}");
        assert_eq!(thief["caught"], thief["thieves"], "{thief}");
        assert_eq!(thief["victims_ended"], thief["thieves"], "{thief}");
    }
    // Whoever holds a spent token alone, and is late or meets a victim with a proof, gets nothing.
    let gets_nothing = |thief: &&Value| {
        let proves = thief["victim_proves"] == true;
        match thief["kind"].as_str().unwrap() {
            "leaked token, later" => true,
            "rides every window" | "leaked token, in the window" => proves,
            _ => false,
        }
    };
    for thief in thieves.iter().filter(gets_nothing) {
        assert_eq!(thief["access_tokens"][3], 0.0, "{thief}");
    }
}

#[test]
fn our_service_keeps_every_promise_on_sqlite() {
    let (board, good) = simulate(&[
        "--seed",
        "20261123",
        "--honest",
        "120",
        "--refreshes",
        "1500",
        "--rate",
        "2",
        "--restarts",
        "2",
        "--thieves",
        "2",
        "--thief-patience",
        "25",
    ]);
    assert_all_kept(&board, good, 2);
}

#[test]
fn our_service_keeps_every_promise_with_two_nodes_on_postgresql() {
    let (board, good) = simulate(&[
        "--engine",
        "postgres",
        "--nodes",
        "2",
        "--seed",
        "20261124",
        "--honest",
        "80",
        "--refreshes",
        "800",
        "--rate",
        "2",
        "--restarts",
        "1",
        "--thieves",
        "1",
        "--thief-patience",
        "25",
    ]);
    assert_all_kept(&board, good, 1);
}

#[test]
fn a_server_that_forks_is_found() {
    let board = against(Wrong::ForksOnReplay);
    assert_eq!(kept(&board, "S2"), Some(false));
    assert_eq!(kept(&board, "L3"), Some(false));
    assert!(board["live_chain_pairs"].as_u64().unwrap() > 0, "thief and victim each went on");
}

#[test]
fn a_server_that_ends_sessions_on_lost_answers_is_found() {
    let board = against(Wrong::HasNoGrace);
    assert_eq!(kept(&board, "L1"), Some(false));
    assert_eq!(kept(&board, "L2"), Some(false));
    // It answers nothing twice, so it cannot be said not to fork.
    assert_eq!(kept(&board, "S2"), None);
    assert!(!board["honest"]["ended"].as_array().unwrap().is_empty());
}

#[test]
fn a_server_that_never_detects_is_found() {
    let board = against(Wrong::NeverDetects);
    assert_eq!(kept(&board, "L2"), Some(true));
    assert_eq!(kept(&board, "S5"), Some(false));
    assert_eq!(kept(&board, "S6"), Some(false));
}

#[test]
fn a_server_that_refuses_the_thief_and_spares_the_session_is_found() {
    let board = against(Wrong::SparesTheSession);
    assert_eq!(kept(&board, "L2"), Some(true));
    assert_eq!(kept(&board, "S5"), Some(true));
    assert_eq!(kept(&board, "S6"), Some(false));
    let outlived = |thief: &Value| thief["sessions_outlived"].as_u64().unwrap();
    assert!(board["thieves"].as_array().unwrap().iter().map(outlived).sum::<u64>() > 0);
}

fn against(wrong: Wrong) -> Value {
    let server = FakeServer::start(wrong);
    let directory = tempfile::tempdir().unwrap();
    let sessions = directory.path().join("sessions");
    // Both forms of a line.
    let lines = (0..25).map(|n| match n % 2 {
        0 => format!("token-{n}\n"),
        _ => format!("{{\"refresh_token\": \"token-{n}\", \"scope\": \"a\"}}\n"),
    });
    std::fs::write(&sessions, lines.collect::<String>()).unwrap();
    let endpoint = format!("http://{}/token", server.address);
    let (board, good) = simulate(&[
        "--token-endpoint",
        &endpoint,
        "--client-id",
        "app",
        "--client-secret-env",
        "SIMULATED_SECRET",
        "--sessions",
        sessions.to_str().unwrap(),
        "--overlap",
        "1",
        "--rate",
        "4",
        "--seed",
        "7",
        "--refreshes",
        "150",
        "--thieves",
        "1",
        "--thief-patience",
        "3",
    ]);
    assert!(!good);
    assert!(board["refusals"].get("401 invalid_client").is_none());
    board
}

/// What is wrong with a server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// A replay inside the window gets a successor of its own.
    ForksOnReplay,
    /// Any replay ends the session.
    HasNoGrace,
    /// A spent token gets its successor for ever.
    NeverDetects,
    /// A late replay is refused, and that is all.
    SparesTheSession,
}

struct FakeServer {
    address: SocketAddr,
}

#[derive(Default)]
struct Tokens {
    count: u64,
    /// By token: its session, and its successor since when.
    known: HashMap<String, (String, Option<(String, Instant)>)>,
    ended: Vec<String>,
}

impl FakeServer {
    fn start(wrong: Wrong) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let tokens = Arc::new(Mutex::new(Tokens::default()));
        // It ends with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let tokens = tokens.clone();
                std::thread::spawn(move || answer(&stream, wrong, &tokens));
            }
        });
        Self { address }
    }
}

/// Answers one request; a connection that broke is the simulator's doing.
fn answer(stream: &TcpStream, wrong: Wrong, tokens: &Mutex<Tokens>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut authorized) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            // app:a+secret%3A+with+a+colon, as RFC 6749 section 2.3.1 wants it.
            "authorization" => authorized = value == "Basic YXBwOmErc2VjcmV0JTNBK3dpdGgrYStjb2xvbg==",
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let token = form_urlencoded::parse(&body).find(|(name, _)| name == "refresh_token")?.1.into_owned();
    let (status, body) = match authorized {
        true => match tokens.lock().unwrap().refresh(&token, wrong) {
            Some(next) => (
                "200 OK",
                format!(r#"{{"access_token":"a","token_type":"Bearer","refresh_token":"{next}"}}"#),
            ),
            None => ("400 Bad Request", r#"{"error":"invalid_grant"}"#.to_owned()),
        },
        false => ("401 Unauthorized", r#"{"error":"invalid_client"}"#.to_owned()),
    };
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    (&*stream).write_all((head + &body).as_bytes()).ok()
}

impl Tokens {
    fn refresh(&mut self, token: &str, wrong: Wrong) -> Option<String> {
        let (session, successor) =
            self.known.entry(token.to_owned()).or_insert((token.to_owned(), None)).clone();
        if self.ended.contains(&session) {
            return None;
        }
        let now = Instant::now();
        let Some((successor, since)) = successor else { return Some(self.rotate(token, &session, now)) };
        let used = self.known[&successor].1.is_some();
        let in_window = now.duration_since(since) <= OVERLAP && !used;
        match wrong {
            Wrong::ForksOnReplay if in_window => return Some(self.rotate(token, &session, since)),
            Wrong::NeverDetects => return Some(successor),
            Wrong::SparesTheSession => return in_window.then_some(successor),
            Wrong::ForksOnReplay | Wrong::HasNoGrace => self.ended.push(session),
        }
        None
    }

    fn rotate(&mut self, token: &str, session: &str, since: Instant) -> String {
        self.count += 1;
        let next = format!("{session}.{}", self.count);
        self.known.insert(token.to_owned(), (session.to_owned(), Some((next.clone(), since))));
        self.known.insert(next.clone(), (session.to_owned(), None));
        next
    }
}
