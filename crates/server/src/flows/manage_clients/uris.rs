//! Redirect URIs and audiences: what a client may register. Exact texts, never patterns.

use url::{Host, Url};

/// Most redirect URIs of a client.
pub const MAX_REDIRECT_URIS: usize = 32;
/// Longest redirect URI, in bytes.
pub const MAX_REDIRECT_URI: usize = 2048;
/// Most audiences of a client.
pub const MAX_AUDIENCES: usize = 16;
/// Most bytes of all audiences of a client.
pub const MAX_AUDIENCE_BYTES: usize = 1024;

/// The parameters of an answer (OAuth 2.1 section 4.1.2, RFC 9207 section 2).
const ANSWERED: [&str; 6] = ["code", "state", "iss", "error", "error_description", "error_uri"];

/// Checks a redirect URI (RFC 9700 section 2.1, RFC 8252 section 7, OAuth 2.1 section 2.3.1).
/// Returns a warning for one that works but could be better.
pub(super) fn redirect_uri(text: &str) -> Result<Option<&'static str>, &'static str> {
    if text.len() > MAX_REDIRECT_URI {
        return Err("is longer than 2048 bytes");
    }
    // RFC 3986 section 2: anything else is repaired by some parsers and not by others, and a
    // comparison by exact text would then compare two different things.
    if !text.bytes().all(is_uri_byte) {
        return Err("must consist of the characters of RFC 3986: percent-encode all others");
    }
    if text.contains('#') {
        return Err("must not have a fragment");
    }
    if text.contains('*') {
        return Err("must not have a wildcard: redirect URIs are compared as exact text, so list each one");
    }
    let url = Url::parse(text).map_err(|_| "must be an absolute URI such as https://app.example/callback")?;
    // OAuth 2.1 section 4.1.2: the answer is added to the query, and each parameter comes once.
    if url.query_pairs().any(|(name, _)| ANSWERED.contains(&name.as_ref())) {
        return Err("must not have a parameter in its query that the answer has: code, state, iss, error");
    }
    let Some((scheme, rest)) = text.split_once(':') else { return Err("must be an absolute URI") };
    match url.scheme() {
        "https" | "http" if !rest.starts_with("//") => Err("must have // after its scheme"),
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err("must not have a user name or password")
        }
        "https" => Ok(None),
        // RFC 8252 section 7.3: on loopback nobody listens in, and no certificate is to be had.
        "http" => match url.host() {
            Some(Host::Ipv4(address)) if address.is_loopback() => Ok(None),
            Some(Host::Ipv6(address)) if address.is_loopback() => Ok(None),
            // RFC 8252 section 8.3.
            Some(Host::Domain("localhost")) => {
                Ok(Some("localhost can be resolved to another machine: prefer 127.0.0.1 or [::1]"))
            }
            _ => Err("must be https; http is for loopback addresses (127.0.0.1, [::1]) only"),
        },
        // RFC 8252 section 7.1: a domain that the developer owns, reversed. It also keeps
        // javascript:, data: and their like out.
        _ if !scheme.contains('.') => Err(
            "has a private-use scheme without a dot: use a reversed domain name that you own, such as com.example.app:/callback",
        ),
        _ => Ok(None),
    }
}

/// Checks where a client is told that a session has ended (OpenID Connect Back-Channel Logout 1.0
/// section 2.2). It is called from here, so unlike a redirect URI it has no scheme of its own.
pub(super) fn backchannel_logout_uri(text: &str) -> Result<(), &'static str> {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !scheme.is_some_and(|scheme| scheme == "https" || scheme == "http") {
        return Err("must be https; http is for loopback addresses (127.0.0.1, [::1]) only");
    }
    redirect_uri(text).map(|_| ())
}

/// Checks an audience: an absolute URI without a fragment (RFC 8707 section 2), or a plain name.
pub(in crate::flows) fn audience(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\')) {
        return Err(
            "must be an absolute URI or a name, of printable ASCII without spaces, quotes or backslashes",
        );
    }
    if text.contains('#') {
        return Err("must not have a fragment");
    }
    if text.contains("://") && Url::parse(text).is_err() {
        return Err("is not a valid URI");
    }
    Ok(())
}

fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_redirect_uris() {
        for good in [
            "https://app.example/callback",
            "https://app.example:8443/callback?tenant=1",
            "https://app.example/callback?country_code=1",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:51234/callback",
            "http://[::1]:8080/",
            "com.example.app:/oauth",
            "com.example.app://callback",
        ] {
            assert_eq!(redirect_uri(good), Ok(None), "{good}");
        }
        assert!(matches!(redirect_uri("http://localhost:3000/cb"), Ok(Some(_))));
    }

    #[test]
    fn bad_redirect_uris() {
        for bad in [
            "",
            "/callback",
            "app.example/callback",
            "https:app.example/callback",
            "https://",
            "https://app.example/#fragment",
            "https://app.example/cb#",
            "https://*.app.example/callback",
            "https://user@app.example/callback",
            "https://app.example\\@evil.example/",
            "https://app.example/a b",
            "https://\u{e4}pp.example/",
            "http://app.example/callback",
            "http://127.0.0.1.evil.example/",
            "http://0.0.0.0/callback",
            "http://192.168.0.1/callback",
            "javascript:alert(1)",
            "data:text/html,x",
            "myapp:/callback",
            "https://app.example/callback?code=1",
            "https://app.example/callback?a=1&%73tate=x",
            "https://app.example/callback?iss=https://evil.example",
            &format!("https://app.example/{}", "x".repeat(MAX_REDIRECT_URI)),
        ] {
            assert!(redirect_uri(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn backchannel_logout_uris() {
        for good in ["https://app.example/out?tenant=1", "http://127.0.0.1:3000/out", "http://[::1]/out"] {
            assert_eq!(backchannel_logout_uri(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "/out",
            "com.example.app:/out",
            "http://app.example/out",
            "https://app.example/#out",
            "https:app.example/out",
            "https://user@app.example/out",
            "file:///out",
        ] {
            assert!(backchannel_logout_uri(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn audiences() {
        for good in ["https://api.example", "https://api.example/v1?x=1", "urn:example:api", "billing-api"] {
            assert_eq!(audience(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "https://api.example/#x", "https://", "\u{e4}pi", "a\"b", "a\\b", "a\n"] {
            assert!(audience(bad).is_err(), "{bad}");
        }
    }
}
