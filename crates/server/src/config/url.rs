//! The URLs of the configuration: issuer, collector, origins.

use std::net::SocketAddr;

use url::{Host, Url};

/// The issuer of a server that was not told one.
pub(super) fn default_issuer(listen: SocketAddr) -> String {
    format!("http://{listen}")
}

/// What is wrong with an issuer (RFC 8414 section 2: no query, no fragment), and what to do.
/// Issuers are compared as exact text, so only the form that every URL library prints is taken.
pub(super) fn check_issuer(text: &str, allow_insecure: bool) -> Result<(), (String, String)> {
    // A text with an @ is not repeated, well formed or not: what stands before it can be a password.
    let shown = if text.contains('@') { "the value".to_owned() } else { format!("{text:?}") };
    let wrong = |problem: &str, fix: &str| Err((format!("{shown} {problem}"), fix.to_owned()));
    let Some(url) = absolute(text) else {
        return wrong("is not an absolute http or https URL", "write it as https://login.example.com");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(("holds a user or password".to_owned(), "take the part before the @ out".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("has a query or fragment", "leave out everything from the ? or # on");
    }
    if text.ends_with('/') {
        return wrong("ends with a slash", "leave the last slash out");
    }
    let canonical = url.as_str().trim_end_matches('/');
    if canonical != text {
        return wrong("is not in its canonical form", &format!("write it as {canonical}"));
    }
    if url.scheme() == "http" && !allow_insecure && !is_loopback(&url) {
        return wrong(
            "is plain http on a host that is not loopback",
            "use https (a reverse proxy can end TLS), or set allow_insecure_issuer on a closed test network",
        );
    }
    Ok(())
}

/// Whether the text is an exact origin as browsers send it (RFC 6454 section 6.2).
pub(super) fn is_origin(text: &str) -> bool {
    absolute(text).is_some_and(|url| url.origin().ascii_serialization() == text)
}

/// Whether the text can be a collector's base URL. Plain http only: the exporter's client has no
/// TLS, a collector runs beside the program.
pub(super) fn is_collector(text: &str) -> bool {
    absolute(text).is_some_and(|url| {
        url.scheme() == "http"
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

fn absolute(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    // The parser forgives `https:host` and white space; a configuration file need not.
    let written_out = text.starts_with("https://") || text.starts_with("http://");
    (written_out && url.has_host() && !text.contains(char::is_whitespace)).then_some(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_absolute_exact_and_safe() {
        for good in [
            "https://login.example.com",
            "https://example.com/auth",
            "https://example.com:8443",
            "http://127.0.0.1:8420",
            "http://[::1]:8420",
            "http://localhost:8420",
        ] {
            assert_eq!(check_issuer(good, false), Ok(()), "{good}");
        }
        for bad in [
            "",
            "login.example.com",
            "https:login.example.com",
            "ftp://login.example.com",
            "https://login.example.com/",
            "https://login.example.com?x",
            "https://login.example.com#x",
            "https://joe:s3cret@login.example.com",
            "https://LOGIN.example.com",
            "https://login.example.com:443",
            "https://login.example.com/a/../b",
            "http://login.example.com",
            "http://0.0.0.0:8420",
            " https://login.example.com",
        ] {
            let (problem, fix) = check_issuer(bad, false).unwrap_err();
            assert!(!problem.contains("s3cret") && !fix.contains("s3cret"));
        }
        assert_eq!(check_issuer("http://login.example.com", true), Ok(()));
    }

    #[test]
    fn origins_are_as_browsers_send_them() {
        assert!(is_origin("https://app.example"));
        assert!(is_origin("http://localhost:3000"));
        for bad in
            ["*", "null", "https://app.example/", "https://app.example:443", "https://APP.example", "app"]
        {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn collectors_are_plain_http() {
        assert!(is_collector("http://127.0.0.1:4318"));
        assert!(is_collector("http://otel:4318/base"));
        assert!(!is_collector("https://otel:4318"));
        assert!(!is_collector("otel:4318"));
    }
}
