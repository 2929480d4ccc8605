//! One request to a server that may die at any byte of it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer is waited for. The server's own deadlines are shorter.
const PATIENCE: Duration = Duration::from_secs(8);

/// A whole answer; one that was cut short is an error.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) request_id: String,
    pub(super) says_when_to_retry: bool,
    pub(super) body: serde_json::Value,
}

impl Answer {
    /// A member of the JSON body.
    pub(super) fn member(&self, name: &str) -> &str {
        self.body.get(name).and_then(serde_json::Value::as_str).unwrap_or_default()
    }
}

/// Posts a form, with an `Idempotency-Key` where there is one.
pub(super) fn post(address: SocketAddr, path: &str, form: &str, key: Option<&str>) -> io::Result<Answer> {
    let key = key.map(|key| format!("idempotency-key: {key}\r\n")).unwrap_or_default();
    exchange(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nuser-agent: crash\r\nconnection: close\r\n{key}\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            form.len()
        ),
    )
}

/// Asks for a path.
pub(super) fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"))
}

fn exchange(address: SocketAddr, request: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&bytes).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
    let header = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| *v);
    if header("content-length").is_some_and(|length| length.parse() != Ok(body.len())) {
        return None;
    }
    Some(Answer {
        status,
        request_id: header("x-request-id").unwrap_or_default().to_owned(),
        says_when_to_retry: header("retry-after").is_some(),
        body: serde_json::from_str(body).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_cut_is_none() {
        let whole = b"HTTP/1.1 200 OK\r\nx-request-id: 1\r\ncontent-length: 7\r\n\r\n{\"a\":1}";
        assert_eq!(parse(whole).unwrap().status, 200);
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_none(), "{end}");
        }
    }
}
