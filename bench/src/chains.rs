//! What the connections send: refresh after refresh of many sessions, or requests out of a pool.

use std::net::SocketAddr;
use std::rc::Rc;

use serde::Deserialize;

use crate::load::Chain;

/// What the load calls itself. Sessions are seeded with the same name: the first request from an
/// agent that a session has not seen is an event, and no ordinary refresh.
pub(crate) const AGENT: &str = "countersign-bench";

/// A whole form request.
pub(crate) fn form(address: SocketAddr, path: &str, authorization: Option<&str>, body: &str) -> Vec<u8> {
    let mut request = head(address, path, authorization, body.len());
    request.extend_from_slice(body.as_bytes());
    request
}

/// A whole request for a document.
pub(crate) fn get(address: SocketAddr, path: &str, authorization: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nuser-agent: {AGENT}\r\nauthorization: {authorization}\r\n\r\n"
    )
    .into_bytes()
}

fn head(address: SocketAddr, path: &str, authorization: Option<&str>, length: usize) -> Vec<u8> {
    let authorization = authorization.map(|value| format!("authorization: {value}\r\n")).unwrap_or_default();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nuser-agent: {AGENT}\r\naccept: application/json\r\n\
         {authorization}content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes()
}

/// Refresh tokens of one length, one after the other: a million strings would take twice the room.
#[derive(Default)]
pub(crate) struct Tokens {
    bytes: Vec<u8>,
    length: usize,
}

impl Tokens {
    /// Adds one; all must have one length.
    pub(crate) fn push(&mut self, token: &[u8]) -> Result<(), String> {
        if self.bytes.is_empty() {
            self.length = token.len();
        }
        if token.is_empty() || token.len() != self.length {
            return Err("refresh tokens have different lengths".to_owned());
        }
        self.bytes.extend_from_slice(token);
        Ok(())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.bytes.len().checked_div(self.length).unwrap_or(0)
    }

    /// One a line.
    pub(crate) fn to_lines(&self) -> Vec<u8> {
        self.bytes.chunks(self.length.max(1)).flat_map(|token| token.iter().copied().chain([b'\n'])).collect()
    }

    fn at(&self, index: usize) -> &[u8] {
        self.bytes.get(index * self.length..(index + 1) * self.length).unwrap_or_default()
    }

    fn replace(&mut self, index: usize, token: &[u8]) -> bool {
        let place = self.bytes.get_mut(index * self.length..(index + 1) * self.length);
        match place.filter(|place| place.len() == token.len()) {
            Some(place) => {
                place.copy_from_slice(token);
                true
            }
            None => false,
        }
    }

    /// Deals the tokens out to so many hands in a random order that is the same each time.
    pub(crate) fn deal(&self, hands: usize) -> Vec<Self> {
        let mut order: Vec<usize> = (0..self.count()).collect();
        fastrand::Rng::with_seed(1).shuffle(&mut order);
        (0..hands)
            .map(|hand| {
                let mut tokens = Self { bytes: Vec::new(), length: self.length };
                for index in order.iter().skip(hand).step_by(hands) {
                    tokens.bytes.extend_from_slice(self.at(*index));
                }
                tokens
            })
            .collect()
    }
}

#[derive(Deserialize)]
struct ErrorAnswer<'a> {
    error: &'a str,
}

/// A member of a token answer that is a string without escapes, as tokens are. Looked for from the end,
/// where the refresh token stands: the load shares the processors with what it measures, and reading
/// the answer whole takes it longer than sending the request.
fn member<'a>(body: &'a [u8], opening: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.rsplit_once(opening)?;
    let (value, _) = rest.split_once('"')?;
    Some(value)
}

/// What is wrong with an answer that is not 200: never more of it than the code, since it may
/// hold what was sent.
fn refused(status: u16, body: &[u8]) -> String {
    let code = serde_json::from_slice::<ErrorAnswer<'_>>(body).map_or("no error code", |answer| answer.error);
    format!("status {status}, {code}")
}

/// Walks over its sessions again and again and keeps the newest refresh token of each.
pub(crate) struct Refreshes {
    head: Vec<u8>,
    body: String,
    tokens: Tokens,
    at: usize,
    /// The newest access token of each session in turn, where they are wanted.
    access: Option<Vec<String>>,
}

impl Refreshes {
    /// A chain for each hand of tokens.
    pub(crate) fn chains(address: SocketAddr, client: &str, hands: Vec<Tokens>) -> Vec<Self> {
        let body = format!("grant_type=refresh_token&client_id={client}&refresh_token=");
        hands
            .into_iter()
            .filter(|tokens| tokens.count() > 0)
            .map(|tokens| Self {
                head: head(address, "/oauth/token", None, body.len() + tokens.length),
                body: body.clone(),
                tokens,
                at: 0,
                access: None,
            })
            .collect()
    }

    /// As `chains`, and each keeps the access tokens that it gets.
    pub(crate) fn keeping_access_tokens(mut self) -> Self {
        self.access = Some(Vec::new());
        self
    }

    /// The access tokens that were kept.
    pub(crate) fn into_access_tokens(self) -> Vec<String> {
        self.access.unwrap_or_default()
    }
}

impl Chain for Refreshes {
    fn request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(self.body.as_bytes());
        out.extend_from_slice(self.tokens.at(self.at));
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Result<(), String> {
        let index = self.at;
        self.at = (index + 1) % self.tokens.count();
        if status != 200 {
            return Err(refused(status, body));
        }
        let token = member(body, "\"refresh_token\":\"").ok_or("200 without a token pair")?.as_bytes();
        if self.tokens.at(index) == token {
            return Err("200 with the refresh token that was sent".to_owned());
        }
        if !self.tokens.replace(index, token) {
            return Err("200 with a refresh token of another length".to_owned());
        }
        if let Some(access) = &mut self.access {
            let token = member(body, "\"access_token\":\"").ok_or("200 without an access token")?;
            access.push(token.to_owned());
        }
        Ok(())
    }
}

/// Sends requests of a pool in turn and looks for a mark in each answer.
pub(crate) struct Pool {
    requests: Rc<Vec<Vec<u8>>>,
    at: usize,
    mark: &'static str,
}

impl Pool {
    /// A chain for each connection; each begins elsewhere.
    pub(crate) fn chains(requests: Vec<Vec<u8>>, connections: usize, mark: &'static str) -> Vec<Self> {
        let requests = Rc::new(requests);
        let step = requests.len().div_ceil(connections.max(1));
        (0..connections).map(|n| Self { requests: requests.clone(), at: n * step, mark }).collect()
    }
}

impl Chain for Pool {
    fn request(&mut self, out: &mut Vec<u8>) {
        if let Some(request) = self.requests.get(self.at % self.requests.len().max(1)) {
            out.extend_from_slice(request);
        }
        self.at += 1;
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Result<(), String> {
        let mark = self.mark.as_bytes();
        let marked = || mark.is_empty() || body.windows(mark.len()).any(|window| window == mark);
        match status {
            200 if marked() => Ok(()),
            200 => Err(format!("200 without {}", self.mark)),
            _ => Err(refused(status, body)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(of: &[&str]) -> Tokens {
        let mut tokens = Tokens::default();
        of.iter().for_each(|token| tokens.push(token.as_bytes()).unwrap());
        tokens
    }

    #[test]
    fn every_token_is_dealt_once() {
        let hands = tokens(&["aa", "bb", "cc", "dd", "ee"]).deal(2);
        let mut all: Vec<_> =
            hands.iter().flat_map(|hand| (0..hand.count()).map(|i| hand.at(i).to_vec())).collect();
        all.sort();
        assert_eq!(all, [b"aa", b"bb", b"cc", b"dd", b"ee"]);
        assert_eq!(hands[0].count(), 3);
        assert!(tokens(&["aa"]).push(b"b").is_err());
    }

    #[test]
    fn a_chain_keeps_the_newest_token_of_each_session() {
        let address = "127.0.0.1:1".parse().unwrap();
        let mut chain = Refreshes::chains(address, "app", vec![tokens(&["r1", "s1"])]).remove(0);
        let sent = |chain: &mut Refreshes| {
            let mut out = Vec::new();
            chain.request(&mut out);
            String::from_utf8(out).unwrap()
        };
        let first = sent(&mut chain);
        assert!(
            first.ends_with("\r\n\r\ngrant_type=refresh_token&client_id=app&refresh_token=r1"),
            "{first}"
        );
        assert!(first.contains("content-length: 55\r\n"), "{first}");
        chain.answer(200, br#"{"access_token":"a","refresh_token":"r2"}"#).unwrap();
        assert!(sent(&mut chain).ends_with("=s1"));
        assert_eq!(chain.answer(503, br#"{"error":"busy"}"#).unwrap_err(), "status 503, busy");
        assert!(sent(&mut chain).ends_with("=r2"));
        assert!(chain.answer(200, br#"{"access_token":"a","refresh_token":"r2"}"#).is_err());
        assert!(sent(&mut chain).ends_with("=s1"), "what failed is sent again");
        assert!(chain.answer(200, b"{}").is_err());
    }

    #[test]
    fn a_pool_wants_its_mark() {
        let mut chains = Pool::chains(vec![b"one".to_vec(), b"two".to_vec()], 2, "\"active\":true");
        let mut out = Vec::new();
        chains[1].request(&mut out);
        assert_eq!(out, b"two");
        assert!(chains[0].answer(200, br#"{"active":true,"x":1}"#).is_ok());
        assert!(chains[0].answer(200, br#"{"active":false}"#).is_err());
        assert!(chains[0].answer(500, b"").is_err());
    }
}
