//! The content security policy of the pages (CSP level 3).

use url::{Host, Url};

/// The `Content-Security-Policy` header of a page. Forms may go to this server and to `targets`: the addresses
/// that a form's answer can redirect to, for some browsers hold the redirect against `form-action` as well. So
/// the pages from which a person goes back to an application (sign-in, second factor, consent, form post,
/// signing out) are given its redirect URI.
pub fn content_security_policy(targets: &[&str]) -> String {
    let mut policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
         connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
        .to_owned();
    for source in targets.iter().filter_map(|target| source(target)) {
        policy.push(' ');
        policy.push_str(&source);
    }
    policy
}

/// An address as a source expression: its origin, or its scheme alone where an application has one of its own
/// (RFC 8252, section 7.1), and where the grammar has no words for the host: IPv6. None for what is no address:
/// nothing from outside is copied into the header.
fn source(target: &str) -> Option<String> {
    let url = Url::parse(target).ok()?;
    match (url.scheme(), url.host()) {
        ("javascript" | "data" | "blob", _) => None,
        ("http" | "https", Some(Host::Domain(_) | Host::Ipv4(_))) => Some(url.origin().ascii_serialization()),
        (scheme, _) => Some(format!("{scheme}:")),
    }
}

#[cfg(test)]
mod tests {
    use super::{content_security_policy, source};

    #[test]
    fn nothing_is_allowed_but_what_the_pages_need() {
        assert_eq!(
            content_security_policy(&["https://app.example/cb?x=1", "no address"]),
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
             frame-ancestors 'none'; base-uri 'none'; form-action 'self' https://app.example"
        );
    }

    #[test]
    fn an_address_becomes_its_origin_or_its_scheme() {
        let cases = [
            ("http://127.0.0.1:49152/cb", Some("http://127.0.0.1:49152")),
            ("http://[::1]:49152/cb", Some("http:")),
            ("com.example.app:/cb", Some("com.example.app:")),
            ("https://user@app.example:443/", Some("https://app.example")),
            ("javascript:alert(1)", None),
            ("data:text/html,x", None),
            ("https://a.example;script-src *", None),
            ("/relative", None),
        ];
        for (target, expected) in cases {
            assert_eq!(source(target).as_deref(), expected, "{target}");
        }
    }
}
