//! Who is calling: the other end of the connection, and the client behind a trusted proxy.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;
use tokio::net::UnixStream;

use crate::config::{MAX_FORWARDED_HOPS, Network};

/// The other end of a connection: an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// An address and port.
    Tcp(SocketAddr),
    /// A process of this machine, by the Unix socket.
    Unix {
        /// Its user id; `None` when the system does not tell.
        uid: Option<u32>,
    },
}

impl Peer {
    pub(super) fn of_unix(stream: &UnixStream) -> Self {
        Self::Unix { uid: stream.peer_cred().ok().map(|credentials| credentials.uid()) }
    }
}

/// The address of a client, as far as it can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAddress {
    /// An address; never IPv4 in IPv6 form.
    Ip(IpAddr),
    /// This machine, by the Unix socket.
    Unix,
}

impl ClientAddress {
    /// The connection's own address; or, when that is a trusted proxy's, the rightmost address of
    /// `X-Forwarded-For` that is not one, else of `Forwarded` (RFC 7239 section 4).
    ///
    /// Each proxy appends what it saw, so only what stands right of the first untrusted address was
    /// written by someone we trust. Text that is no address ends the walk: names are never resolved.
    /// A proxy must take the header out that it does not write itself.
    pub fn find(peer: Peer, headers: &HeaderMap, trusted: &[Network]) -> Self {
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        let Peer::Tcp(socket) = peer else { return Self::Unix };
        let mut client = socket.ip().to_canonical();
        if !is_trusted(client) {
            return Self::Ip(client);
        }
        let hops =
            if headers.contains_key(X_FORWARDED_FOR) { forwarded_for(headers) } else { forwarded(headers) };
        for hop in hops.into_iter().rev().take(MAX_FORWARDED_HOPS) {
            let Some(address) = hop else { break };
            client = address;
            if !is_trusted(client) {
                break;
            }
        }
        Self::Ip(client)
    }

    /// The network in words: `192.0.2.0/24`, `2001:db8:7::/48`, `unix`. Near enough to tell places
    /// apart, too coarse to name a person.
    pub fn network(self) -> String {
        match self {
            Self::Unix => "unix".to_owned(),
            Self::Ip(IpAddr::V4(address)) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.0/24")
            }
            Self::Ip(IpAddr::V6(address)) => {
                let [a, b, c, ..] = address.segments();
                format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
            }
        }
    }
}

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The hops of `X-Forwarded-For`, left to right; `None` for what is no address.
fn forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    headers
        .get_all(X_FORWARDED_FOR)
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|b| *b == b','))
        .map(|hop| std::str::from_utf8(hop).ok().and_then(|hop| address(hop.trim())))
        .collect()
}

/// The `for` parameters of `Forwarded`, left to right; `None` for an element that names no address.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    headers
        .get_all(http::header::FORWARDED)
        .into_iter()
        .flat_map(|line| match line.to_str() {
            Ok(line) => split_unquoted(line, ',').into_iter().map(element).collect(),
            Err(_) => vec![None],
        })
        .collect()
}

fn element(element: &str) -> Option<IpAddr> {
    let value = split_unquoted(element, ';').into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    })?;
    // An address needs no escapes, so a quoted one can be taken by its quotes alone.
    address(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// An address, with or without a port; IPv6 with a port in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

/// Splits where the separator stands outside of quotes (RFC 9110 section 5.6.4).
fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|c| {
        if escaped {
            escaped = false;
        } else if quoted && c == '\\' {
            escaped = true;
        } else if c == '"' {
            quoted = !quoted;
        }
        !quoted && c == separator
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(peer: &str, headers: &[(&'static str, &'static str)]) -> String {
        let trusted: Vec<Network> =
            ["10.0.0.0/8", "fd00::/8", "127.0.0.1"].iter().map(|n| n.parse().unwrap()).collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        match ClientAddress::find(Peer::Tcp(peer.parse().unwrap()), &map, &trusted) {
            ClientAddress::Ip(address) => address.to_string(),
            ClientAddress::Unix => unreachable!(),
        }
    }

    #[test]
    fn headers_of_strangers_are_not_believed() {
        let forged = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=1.1.1.1")];
        assert_eq!(find("192.0.2.1:1", &forged), "192.0.2.1");
        assert_eq!(find("[::ffff:192.0.2.1]:1", &forged), "192.0.2.1");
    }

    #[test]
    fn the_rightmost_untrusted_hop_is_the_client() {
        let hops = |text| find("10.0.0.1:1", &[("x-forwarded-for", text)]);
        assert_eq!(hops("192.0.2.1"), "192.0.2.1");
        assert_eq!(hops("6.6.6.6, 192.0.2.1"), "192.0.2.1");
        assert_eq!(hops("6.6.6.6, 192.0.2.1, 10.0.0.2,fd00::2"), "192.0.2.1");
        assert_eq!(hops("10.0.0.3, 10.0.0.2"), "10.0.0.3");
        assert_eq!(hops("192.0.2.1:5555, 10.0.0.2:80"), "192.0.2.1");
        assert_eq!(hops("[2001:db8::1]:5555"), "2001:db8::1");
        assert_eq!(hops("::ffff:192.0.2.1"), "192.0.2.1");
        let lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.1, 10.0.0.2")];
        assert_eq!(find("10.0.0.1:1", &lines), "192.0.2.1");
        assert_eq!(find("[::ffff:10.0.0.1]:1", &lines), "192.0.2.1");
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        let hops = |text| find("10.0.0.1:1", &[("x-forwarded-for", text)]);
        assert_eq!(hops(""), "10.0.0.1");
        assert_eq!(hops("localhost"), "10.0.0.1");
        assert_eq!(hops("192.0.2.1, unknown, 10.0.0.2"), "10.0.0.2");
        assert_eq!(find("10.0.0.1:1", &[("x_forwarded_for", "192.0.2.1")]), "10.0.0.1");
    }

    #[test]
    fn forwarded_is_read_when_it_is_alone() {
        let hops = |text| find("10.0.0.1:1", &[("forwarded", text)]);
        assert_eq!(hops("for=192.0.2.43;proto=http;by=203.0.113.43"), "192.0.2.43");
        assert_eq!(hops("For=\"[2001:db8:cafe::17]:4711\""), "2001:db8:cafe::17");
        assert_eq!(hops("for=6.6.6.6, for=192.0.2.1, FOR=10.0.0.2"), "192.0.2.1");
        assert_eq!(hops("for=_hidden, for=10.0.0.2"), "10.0.0.2");
        assert_eq!(hops("for=192.0.2.1, by=10.0.0.2"), "10.0.0.1");
        assert_eq!(hops("host=\"a, for=6.6.6.6\";for=192.0.2.1"), "192.0.2.1");
        let both = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=6.6.6.6")];
        assert_eq!(find("10.0.0.1:1", &both), "192.0.2.1");
    }

    #[test]
    fn networks_are_coarse() {
        let network = |text: &str| ClientAddress::Ip(text.parse().unwrap()).network();
        assert_eq!(network("192.0.2.77"), "192.0.2.0/24");
        assert_eq!(network("2001:db8:7:8::1"), "2001:db8:7::/48");
        assert_eq!(ClientAddress::Unix.network(), "unix");
    }
}
