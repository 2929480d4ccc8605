//! Whether an answer may go to a redirect URI: exact text (RFC 9700 section 2.1), but that a
//! program on loopback may listen on any port (RFC 8252 section 7.3).

/// Loopback addresses as they are registered. `localhost` is not among them: it can be resolved to
/// another machine (RFC 8252 section 8.3), so its port is part of the exact text.
const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

/// Whether what was sent is what was registered.
pub fn matches(registered: &str, sent: &str) -> bool {
    if registered == sent {
        return true;
    }
    LOOPBACK.iter().any(|host| match (without_port(registered, host), without_port(sent, host)) {
        (Some(registered), Some(sent)) => registered == sent,
        _ => false,
    })
}

/// What follows a loopback host and its port. Nothing is parsed or repaired: the text after the
/// host is a port and a path, or it is not a loopback address.
fn without_port<'a>(uri: &'a str, host: &str) -> Option<&'a str> {
    let rest = uri.strip_prefix(host)?;
    let rest = match rest.strip_prefix(':') {
        None => rest,
        Some(rest) => {
            let end = rest.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
            let (port, rest) = rest.split_at(end);
            port.parse::<u16>().ok().filter(|port| *port != 0)?;
            rest
        }
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use url::{Host, Url};

    use super::*;

    #[test]
    fn the_port_of_loopback_may_vary_and_nothing_else() {
        for (registered, sent) in [
            ("https://app.example/cb", "https://app.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:51234/cb"),
            ("http://127.0.0.1:8000/cb", "http://127.0.0.1:9000/cb"),
            ("http://127.0.0.1:8000/cb", "http://127.0.0.1/cb"),
            ("http://[::1]/cb?x=1", "http://[::1]:5/cb?x=1"),
            ("com.example.app:/cb", "com.example.app:/cb"),
        ] {
            assert!(matches(registered, sent), "{registered} {sent}");
        }
    }

    #[test]
    fn tricks_do_not_match() {
        let https = "https://app.example/cb";
        for sent in [
            "",
            "https://app.example/cb/",
            "https://app.example/cb?x=1",
            "https://app.example/cb#x",
            "https://app.example:443/cb",
            "https://APP.example/cb",
            "HTTPS://app.example/cb",
            "https://app.example.evil.example/cb",
            "https://app.example@evil.example/cb",
            "https://app.example\\@evil.example/cb",
            "https://app.example/%63b",
            "https://app.example/x/../cb",
            "https://app.example/cb%00",
            " https://app.example/cb",
            "https://app.example/cb\n",
            "http://app.example/cb",
            "https:/app.example/cb",
            "https:\\\\app.example/cb",
            "https://app.example./cb",
            "https://app.example/cb\t",
            "https://app\n.example/cb",
            "https://app.example%2fcb",
            "https://app.example/cb/..;/cb",
            "https://\u{430}pp.example/cb",
        ] {
            assert!(!matches(https, sent), "{sent}");
        }
        let loopback = "http://127.0.0.1/cb";
        for sent in [
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1:80@evil.example/cb",
            "http://127.0.0.1:80.evil.example/cb",
            "http://127.0.0.1@evil.example/cb",
            "http://127.1/cb",
            "http://127.0.0.2/cb",
            "http://localhost/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:+80/cb",
            "http://127.0.0.1:80\\cb",
            "http://127.0.0.1:80/other",
            "https://127.0.0.1:80/cb",
            "http://[::1]/cb",
            "http://127.0.0.1./cb",
            "http://127.0.0.1\\@evil.example/cb",
            "http://127.0.0.1#@evil.example/cb",
            "http://127.0.0.1?@evil.example/cb",
            "http://127.0.0.1:80#/cb",
            "http://2130706433/cb",
            "http://0x7f.0.0.1/cb",
            "http://[::ffff:127.0.0.1]/cb",
            "http://[0:0:0:0:0:0:0:1]/cb",
            "http://127.0.0.1:80/cb#x",
            "http://127.0.0.1:80/cb/../cb",
            "http://127.0.0.1:\u{661}/cb",
            "HTTP://127.0.0.1/cb",
            "http:127.0.0.1/cb",
        ] {
            assert!(!matches(loopback, sent), "{sent}");
        }
        assert!(!matches("http://localhost:3000/cb", "http://localhost:4000/cb"));
    }

    /// Registered URIs with something done to them.
    fn edited() -> impl Strategy<Value = (String, String)> {
        let registered = select(&[
            "https://app.example/cb",
            "https://127.0.0.1/cb",
            "http://localhost/cb",
            "http://127.0.0.1",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:8000/cb?x=1",
            "http://[::1]:8000/cb",
            "com.example.app:/cb",
        ]);
        let junk = prop_oneof![
            select(&[
                ":80",
                ":",
                "@",
                "@evil.example",
                ".evil.example",
                "\\",
                "/",
                "//",
                "/..",
                "%2f",
                "%00",
                "#",
                "?"
            ]),
            select(&[
                "\t",
                "\n",
                " ",
                ".",
                "0",
                "1",
                ":1@",
                ":99999",
                ":00",
                "localhost",
                "\u{ff0f}",
                "\u{3002}"
            ]),
        ];
        let edits = vec((any::<Index>(), 0_usize..4, junk), 1..4);
        (registered, edits).prop_map(|(registered, edits)| {
            let mut sent = registered.to_owned();
            for (at, removed, junk) in edits {
                let mut chars: Vec<char> = sent.chars().collect();
                let at = at.index(chars.len() + 1);
                chars.splice(at..(at + removed).min(chars.len()), junk.chars());
                sent = chars.into_iter().collect();
            }
            (registered.to_owned(), sent)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn away_from_loopback_only_equal_bytes_match(a in "https?://[a-z0-9.:@/]{1,20}", b in "\\PC{0,30}") {
            prop_assume!(!LOOPBACK.iter().any(|host| a.starts_with(host)));
            prop_assert!(matches(&a, &a));
            prop_assert_eq!(matches(&a, &b), a == b);
        }

        /// What browsers make of it: they parse as the url crate does.
        #[test]
        fn what_matches_differs_in_the_port_of_loopback_at_most((registered, sent) in edited()) {
            if sent != registered && matches(&registered, &sent) {
                let (mut a, mut b) = (Url::parse(&registered).unwrap(), Url::parse(&sent).unwrap());
                let is_loopback = match b.host() {
                    Some(Host::Ipv4(address)) => address.is_loopback(),
                    Some(Host::Ipv6(address)) => address.is_loopback(),
                    _ => false,
                };
                prop_assert!(is_loopback && b.scheme() == "http" && b.port() != Some(0), "{sent}");
                a.set_port(None).unwrap();
                b.set_port(None).unwrap();
                prop_assert_eq!(a, b, "{}", sent);
            }
        }
    }
}
