//! The canary: learns every secret that a server hands out, and fails the test when one turns up
//! where it must not: whole, in pieces of eight characters, or encoded.

use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Length of the pieces that are searched for.
const PIECE: usize = 8;

/// The secrets of one server.
pub(crate) struct Canary {
    secrets: Mutex<Vec<Vec<u8>>>,
    logs_from: usize,
}

impl Canary {
    /// Starts to capture logs at TRACE, once per process.
    pub(crate) fn new() -> Self {
        let logs = logs();
        let logs_from = logs.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        Self { secrets: Mutex::default(), logs_from }
    }

    /// Learns the secrets in an answer of the server.
    pub(crate) fn learn(&self, body: &str) {
        let Ok(value) = serde_json::from_str::<serde_json::Value>(body) else { return };
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        for member in ["access_token", "refresh_token", "client_secret", "device_code", "request_uri"] {
            let Some(secret) = value[member].as_str() else { continue };
            for part in secret_parts(member, secret) {
                secrets.extend(forms(&part));
            }
        }
    }

    /// Learns what a browser is given: cookies, codes, and the handles of sign-ins.
    pub(crate) fn learn_from_headers(&self, headers: &http::HeaderMap) {
        let mut found = Vec::new();
        for cookie in headers.get_all(http::header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            found.extend(pair.split_once('=').map(|(_, value)| value.to_owned()));
        }
        let location = headers.get(http::header::LOCATION).map_or("", |value| value.to_str().unwrap());
        let query = location.split_once('?').map_or("", |(_, query)| query);
        let parameters = form_urlencoded::parse(query.as_bytes());
        found.extend(
            parameters.filter(|(name, _)| name == "code" || name == "i").map(|(_, v)| v.into_owned()),
        );
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        // All of them are 32 bytes; somebody's own words may come back too.
        let is_ours = |value: &&String| {
            value.len() == 43 && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        secrets.extend(found.iter().filter(is_ours).flat_map(|value| forms(value)));
    }

    /// Fails when any secret stands in what is given.
    pub(crate) fn search(&self, place: &str, haystack: &[u8]) {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if secrets.is_empty() {
            return;
        }
        let automaton = AhoCorasick::new(secrets.iter()).unwrap();
        if let Some(found) = automaton.find(haystack) {
            let from = found.start().saturating_sub(120);
            let to = (found.end() + 120).min(haystack.len());
            panic!(
                "a secret stands in {place}: piece {:?} in …{}…",
                String::from_utf8_lossy(&haystack[found.start()..found.end()]),
                String::from_utf8_lossy(&haystack[from..to])
            );
        }
    }

    /// Searches what was logged since the canary began.
    pub(crate) fn search_logs(&self) {
        let logs = logs().0.lock().unwrap_or_else(PoisonError::into_inner);
        self.search("the logs", &logs[self.logs_from..]);
    }

    /// How many of those lines only TRACE and DEBUG have.
    pub(crate) fn traces(&self) -> usize {
        let logs = logs().0.lock().unwrap_or_else(PoisonError::into_inner);
        let logs = &logs[self.logs_from..];
        let lines = logs.split(|byte| *byte == b'\n').map(String::from_utf8_lossy);
        lines.filter(|line| line.contains(" TRACE ") || line.contains(" DEBUG ")).count()
    }

    /// How many forms of secrets are searched for.
    pub(crate) fn len(&self) -> usize {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// The parts of a secret that nobody else may know. The head of a refresh token names its key and
/// session, and two parts of a JWT are public to its holder by design; what proves them is secret.
fn secret_parts(member: &str, secret: &str) -> Vec<String> {
    match (member, secret.split_once('_')) {
        ("refresh_token", Some((_, body))) => vec![body[32..].to_owned()],
        ("access_token", _) if secret.contains('.') => {
            vec![secret.rsplit('.').next().unwrap().to_owned()]
        }
        ("request_uri", _) => vec![secret.rsplit(':').next().unwrap().to_owned()],
        ("device_code", _) => vec![secret.to_owned()],
        (_, Some((_, body))) => vec![body[4..].to_owned()],
        _ => vec![secret.to_owned()],
    }
}

/// Pieces of a secret as text, and the whole of it in other encodings.
fn forms(part: &str) -> Vec<Vec<u8>> {
    // In a long run some piece is made of hexadecimal digits alone, and stands in some request's id.
    let pieces = part.as_bytes().chunks_exact(PIECE).filter(|piece| !piece.iter().all(u8::is_ascii_hexdigit));
    let mut forms: Vec<Vec<u8>> = pieces.map(<[u8]>::to_vec).collect();
    if let Ok(raw) = URL_SAFE_NO_PAD.decode(part) {
        forms.push(hex(&raw).into_bytes());
        forms.push(hex(&raw).to_uppercase().into_bytes());
        if raw.len() >= 16 {
            // The tail is the proof itself: a mac, a tag or a signature.
            forms.push(raw[raw.len() - 16..].to_vec());
        }
    }
    forms.push(STANDARD.encode(part).into_bytes());
    forms.push(URL_SAFE_NO_PAD.encode(part).into_bytes());
    forms
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Everything logged by this process.
struct Logs(Mutex<Vec<u8>>);

fn logs() -> &'static Logs {
    static LOGS: OnceLock<Logs> = OnceLock::new();
    static SUBSCRIBED: OnceLock<()> = OnceLock::new();
    let logs = LOGS.get_or_init(|| Logs(Mutex::default()));
    SUBSCRIBED.get_or_init(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(|| LogWriter)
            .init();
    });
    logs
}

struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        logs().0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "a secret stands in the logs")]
    fn a_logged_token_is_found() {
        let canary = Canary::new();
        let token = format!("rft_{}", "AbCdEfGhIjKlMnOpQrStUvWxYz012345".repeat(2));
        canary.learn(&serde_json::json!({ "refresh_token": token }).to_string());
        tracing::trace!(piece = &token[44..60], "a mistake");
        canary.search_logs();
    }

    #[test]
    #[should_panic(expected = "a secret stands in a file")]
    fn an_encoded_token_is_found() {
        let canary = Canary::new();
        let token = format!("rft_{}", "AbCdEfGhIjKlMnOpQrStUvWxYz012345".repeat(2));
        canary.learn(&serde_json::json!({ "refresh_token": token }).to_string());
        canary.search("a file", STANDARD.encode(&token[36..]).as_bytes());
    }
}
