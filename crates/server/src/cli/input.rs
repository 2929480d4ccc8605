//! Secrets and tokens as a person or a pipe hands them over. None has to stand on the command
//! line, where every process of the machine can read it.

use std::io::Read;

use countersign_wire::Password;
use zeroize::Zeroizing;

use super::failure::Failure;

/// Longest input that is taken for a token or a password, in bytes.
pub(crate) const MAX_INPUT: u64 = 64 * 1024;

/// The argument itself, or standard input for `-`.
pub(crate) fn token(argument: Option<&str>) -> Result<Zeroizing<String>, Failure> {
    let text = match argument {
        None | Some("-") => standard_input("a token")?,
        Some(text) => Zeroizing::new(text.to_owned()),
    };
    let text = text.trim();
    // People copy the header along with the token (RFC 6750 section 2.1).
    let text = strip_scheme(text);
    if text.is_empty() {
        return Err(Failure::Usage("no token was given: name one, or send one to standard input".to_owned()));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// A password from standard input: everything but the end of the last line.
pub(crate) fn password() -> Result<Password, Failure> {
    let text = standard_input("a password")?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Failure::Usage("no password came from standard input".to_owned()));
    }
    Ok(Password::new(text.to_owned()))
}

/// A document from a file, or from standard input for `-`. It may hold what it should not, so it is
/// wiped like a secret.
pub(crate) fn document(place: &str) -> Result<Zeroizing<String>, Failure> {
    if place == "-" {
        return standard_input("a document");
    }
    let unreadable = |error| Failure::refused(format!("{place} cannot be read: {error}"));
    read(&mut std::fs::File::open(place).map_err(unreadable)?, place, "a document")
}

fn strip_scheme(text: &str) -> &str {
    let text = match text.get(..14) {
        Some(start) if start.eq_ignore_ascii_case("authorization:") => text.get(14..).unwrap_or_default(),
        _ => text,
    }
    .trim_start();
    match text.get(..7) {
        Some(start) if start.eq_ignore_ascii_case("bearer ") => {
            text.get(7..).unwrap_or_default().trim_start()
        }
        _ => text,
    }
}

fn standard_input(what: &str) -> Result<Zeroizing<String>, Failure> {
    read(&mut std::io::stdin().lock(), "standard input", what)
}

fn read(from: &mut impl Read, place: &str, what: &str) -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(MAX_INPUT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::refused(format!("{place} cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(Failure::refused(format!("{place} is too long for {what}")));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(Failure::refused(format!("{place} is not UTF-8"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_may_come_along() {
        assert_eq!(strip_scheme("abc"), "abc");
        assert_eq!(strip_scheme("Bearer abc"), "abc");
        assert_eq!(strip_scheme("authorization: bearer  abc"), "abc");
        assert_eq!(strip_scheme("é"), "é");
    }
}
