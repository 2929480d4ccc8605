//! An honest client with one session, and the judge of what it is told: it knows what was
//! acknowledged, so whatever contradicts that is a violation.

use std::collections::HashMap;
use std::net::SocketAddr;

use countersign_wire::SessionId;
use serde::{Deserialize, Serialize};

use super::http;
use super::place::{API, API_SECRET, CLIENT};

/// What clients saw, added up.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Requests sent.
    pub(super) presentations: u64,
    /// Answered 200.
    pub(super) acknowledged: u64,
    /// 503, or a connection that failed.
    pub(super) unknown: u64,
    /// Of these, 503.
    pub(super) unavailable: u64,
    /// What must not be.
    pub(super) violations: Vec<String>,
}

impl Tally {
    /// Adds another's.
    pub(super) fn add(&mut self, other: Self) {
        self.presentations += other.presentations;
        self.acknowledged += other.acknowledged;
        self.unknown += other.unknown;
        self.unavailable += other.unavailable;
        self.violations.extend(other.violations);
    }
}

/// Whether the session was revoked, as far as its client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Revocation {
    No,
    /// Asked for, with no answer: both are possible.
    Unknown,
    Acknowledged,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// 200.
    Yes,
    /// `invalid_grant`.
    No,
    /// 503, or nothing.
    Nothing,
}

/// An acknowledgement, as the power-loss experiment finds it again in what the server sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// The session has reached this generation.
    Generation(u32),
    /// The session was revoked.
    Revoked,
}

/// A client.
pub(super) struct Honest {
    /// Its session.
    pub(super) id: SessionId,
    /// The last acknowledged token.
    current: String,
    generation: u32,
    /// The token before, while presenting it again is what an honest client may do: `current` has
    /// not been presented yet.
    previous: Option<String>,
    /// The access token that came with the last answer.
    access_token: String,
    /// Every token that was answered, and with what.
    successors: HashMap<String, String>,
    /// It sends an `Idempotency-Key`.
    has_proof: bool,
    /// It may revoke its session under load: not all do, so that the load goes on.
    pub(super) may_revoke: bool,
    revocation: Revocation,
    /// By request id.
    pub(super) acknowledgements: Vec<(String, Acknowledged)>,
}

impl Honest {
    /// Clients of new sessions: every second one has a retry proof, every fourth may revoke.
    pub(super) fn of(sessions: Vec<(SessionId, String)>) -> Vec<Self> {
        sessions.into_iter().enumerate().map(|(index, session)| Self::new(session, index)).collect()
    }

    fn new((id, token): (SessionId, String), index: usize) -> Self {
        Self {
            id,
            current: token,
            generation: 1,
            previous: None,
            access_token: String::new(),
            successors: HashMap::new(),
            has_proof: index.is_multiple_of(2),
            may_revoke: index % 4 == 3,
            revocation: Revocation::No,
            acknowledgements: Vec::new(),
        }
    }

    /// Presents the last acknowledged token.
    pub(super) fn refresh(&mut self, address: SocketAddr, tally: &mut Tally) -> Heard {
        self.previous = None;
        let token = self.current.clone();
        self.present(address, token, tally)
    }

    /// Presents the token before again, as after a lost answer, where that is allowed; otherwise
    /// the last one.
    pub(super) fn repeat(&mut self, address: SocketAddr, tally: &mut Tally) -> Heard {
        match self.previous.clone() {
            Some(token) => self.present(address, token, tally),
            None => self.refresh(address, tally),
        }
    }

    /// Revokes its own session.
    pub(super) fn revoke(&mut self, address: SocketAddr, tally: &mut Tally) -> Heard {
        tally.presentations += 1;
        let form = format!("client_id={CLIENT}&token={}", self.current);
        if self.revocation == Revocation::No {
            self.revocation = Revocation::Unknown;
        }
        let answer = http::post(address, "/oauth/revoke", &form, None);
        self.judge_revocation(answer, tally)
    }

    fn judge_revocation(&mut self, answer: std::io::Result<http::Answer>, tally: &mut Tally) -> Heard {
        match answer {
            Ok(answer) if answer.status == 200 => {
                tally.acknowledged += 1;
                self.revocation = Revocation::Acknowledged;
                self.acknowledgements.push((answer.request_id, Acknowledged::Revoked));
                Heard::Yes
            }
            other => self.heard_nothing(other, tally),
        }
    }

    fn present(&mut self, address: SocketAddr, token: String, tally: &mut Tally) -> Heard {
        tally.presentations += 1;
        let form = format!("grant_type=refresh_token&client_id={CLIENT}&refresh_token={token}");
        // The same for each try of one token, as the client library makes it; the end of the token
        // is its mac.
        let key =
            self.has_proof.then(|| format!("proof-{}", token.get(token.len() - 20..).unwrap_or(&token)));
        let answer = http::post(address, "/oauth/token", &form, key.as_deref());
        self.judge(token, answer, tally)
    }

    /// What the answer to a presented token means, and whether it may be.
    fn judge(&mut self, token: String, answer: std::io::Result<http::Answer>, tally: &mut Tally) -> Heard {
        match answer {
            Ok(answer) if answer.status == 200 => {
                let successor = answer.member("refresh_token").to_owned();
                self.judge_successor(&token, &successor, tally);
                if token == self.current {
                    self.generation += 1;
                    self.previous = Some(token.clone());
                    self.current.clone_from(&successor);
                }
                answer.member("access_token").clone_into(&mut self.access_token);
                self.acknowledgements.push((answer.request_id, Acknowledged::Generation(self.generation)));
                self.successors.insert(token, successor);
                tally.acknowledged += 1;
                Heard::Yes
            }
            Ok(answer) if answer.status == 400 && answer.member("error") == "invalid_grant" => {
                if self.revocation == Revocation::No {
                    let why = answer.member("error_description");
                    tally.violations.push(format!("{}: an honest session was ended: {why}", self.name()));
                }
                Heard::No
            }
            other => self.heard_nothing(other, tally),
        }
    }

    fn judge_successor(&self, token: &str, successor: &str, tally: &mut Tally) {
        if self.revocation == Revocation::Acknowledged {
            tally.violations.push(format!("{}: a refresh after an acknowledged revocation", self.name()));
        }
        if successor.is_empty() || successor == token {
            tally.violations.push(format!("{}: 200 without a successor", self.name()));
        }
        if self.successors.get(token).is_some_and(|known| known != successor) {
            tally.violations.push(format!("{}: one token with two successors", self.name()));
        }
    }

    /// Everything but a definite answer must be a connection that failed or an honest 503.
    fn heard_nothing(&self, answer: std::io::Result<http::Answer>, tally: &mut Tally) -> Heard {
        tally.unknown += 1;
        match answer {
            Ok(answer) if answer.status != 503 => {
                let code = answer.member("error");
                tally.violations.push(format!("{}: status {} {code}", self.name(), answer.status));
            }
            Ok(answer) if !answer.says_when_to_retry => {
                tally.violations.push(format!("{}: 503 without Retry-After", self.name()));
            }
            Ok(_) => tally.unavailable += 1,
            Err(_) => {}
        }
        Heard::Nothing
    }

    /// What an API is told of this client's last access token.
    pub(super) fn introspect(&self, address: SocketAddr) -> std::io::Result<http::Answer> {
        let form = format!("client_id={API}&client_secret={API_SECRET}&token={}", self.access_token);
        http::post(address, "/oauth/introspect", &form, None)
    }

    /// With everything well again: a live session is refreshed, a revoked one is not.
    pub(super) fn settle(&mut self, address: SocketAddr, tally: &mut Tally) {
        if self.revocation != Revocation::No {
            self.revoke(address, tally);
        }
        let heard = self.refresh(address, tally);
        self.judge_the_end(heard, tally);
    }

    fn judge_the_end(&self, heard: Heard, tally: &mut Tally) {
        let expected = if self.revocation == Revocation::No { Heard::Yes } else { Heard::No };
        if heard != expected {
            tally.violations.push(format!("{}: in the end {heard:?} and not {expected:?}", self.name()));
        }
    }

    fn name(&self) -> String {
        format!("session {}, generation {}", self.id, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client, and what it was told so far.
    struct History {
        client: Honest,
        tally: Tally,
    }

    impl History {
        fn new() -> Self {
            let id = "01a20824-536c-7aba-b6eb-c7aff7d8cbfa".parse().unwrap();
            Self { client: Honest::new((id, "t1".to_owned()), 0), tally: Tally::default() }
        }

        /// A token is presented and answered.
        fn told(mut self, token: &str, status: u16, body: serde_json::Value) -> Self {
            let answer = answer(status, body);
            self.client.judge(token.to_owned(), Ok(answer), &mut self.tally);
            self
        }

        fn granted(self, token: &str, successor: &str) -> Self {
            self.told(token, 200, serde_json::json!({"refresh_token": successor}))
        }

        fn refused(self, token: &str) -> Self {
            self.told(token, 400, serde_json::json!({"error": "invalid_grant"}))
        }

        fn lost(mut self, token: &str) -> Self {
            let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            self.client.judge(token.to_owned(), Err(broken), &mut self.tally);
            self
        }

        /// The session's revocation is asked for, with that answer or none.
        fn revoked(mut self, answered: bool) -> Self {
            self.client.revocation = Revocation::Unknown;
            if answered {
                self.client.judge_revocation(Ok(answer(200, serde_json::Value::Null)), &mut self.tally);
            }
            self
        }

        /// The checker's complaints, without the session's name.
        fn complaints(self) -> Vec<String> {
            let words = |line: String| line.split_once(": ").unwrap().1.to_owned();
            self.tally.violations.into_iter().map(words).collect()
        }
    }

    fn answer(status: u16, body: serde_json::Value) -> http::Answer {
        http::Answer { status, request_id: "r".to_owned(), says_when_to_retry: false, body }
    }

    #[test]
    fn what_may_happen_is_no_violation() {
        let history = History::new().lost("t1").granted("t1", "t2").granted("t1", "t2").granted("t2", "t3");
        assert_eq!(history.complaints(), [] as [&str; 0]);
        assert_eq!(History::new().revoked(true).refused("t1").complaints(), [] as [&str; 0]);
        // Nobody was told whether the revocation is done.
        assert_eq!(History::new().revoked(false).granted("t1", "t2").complaints(), [] as [&str; 0]);
        assert_eq!(History::new().revoked(false).refused("t1").complaints(), [] as [&str; 0]);
    }

    #[test]
    fn a_lost_rotation_that_was_acknowledged_is_seen() {
        // A store that has forgotten t2 either makes another one of t1, or does not know t2.
        let forked = History::new().granted("t1", "t2").granted("t1", "other");
        assert_eq!(forked.complaints(), ["one token with two successors"]);
        let unknown = History::new().granted("t1", "t2").refused("t2");
        assert_eq!(unknown.complaints(), ["an honest session was ended: "]);
    }

    #[test]
    fn an_honest_session_that_ends_is_seen() {
        assert_eq!(History::new().refused("t1").complaints(), ["an honest session was ended: "]);
        assert_eq!(History::new().lost("t1").refused("t1").complaints(), ["an honest session was ended: "]);
    }

    #[test]
    fn two_successors_are_seen_whenever_the_second_comes() {
        let later = History::new().granted("t1", "t2").granted("t2", "t3").granted("t1", "other");
        assert_eq!(later.complaints(), ["one token with two successors"]);
        let none = History::new().granted("t1", "");
        assert_eq!(none.complaints(), ["200 without a successor"]);
        assert_eq!(History::new().granted("t1", "t1").complaints(), ["200 without a successor"]);
    }

    #[test]
    fn a_lost_revocation_that_was_acknowledged_is_seen() {
        let revived = History::new().revoked(true).granted("t1", "t2");
        assert_eq!(revived.complaints(), ["a refresh after an acknowledged revocation"]);
    }

    #[test]
    fn an_unknown_outcome_that_does_not_look_like_one_is_seen() {
        let bare = History::new().told("t1", 503, serde_json::Value::Null);
        assert_eq!(bare.complaints(), ["503 without Retry-After"]);
        let failed = History::new().told("t1", 500, serde_json::Value::Null);
        assert_eq!(failed.complaints(), ["status 500 "]);
    }

    #[test]
    fn a_session_must_be_in_the_end_what_its_client_was_told() {
        for (revocation, heard, is_right) in [
            (Revocation::No, Heard::Yes, true),
            (Revocation::No, Heard::No, false),
            (Revocation::No, Heard::Nothing, false),
            (Revocation::Acknowledged, Heard::No, true),
            (Revocation::Acknowledged, Heard::Yes, false),
            (Revocation::Acknowledged, Heard::Nothing, false),
        ] {
            let mut history = History::new();
            history.client.revocation = revocation;
            history.client.judge_the_end(heard, &mut history.tally);
            assert_eq!(history.tally.violations.is_empty(), is_right, "{revocation:?}, {heard:?}");
        }
    }
}
