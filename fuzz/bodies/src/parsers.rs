//! Parsers without state. Where another implementation of the same standard is at hand, both must
//! agree on what we accept.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use countersign::backup::Checker;
use countersign::config::{MAX_REQUEST_ID_LEN, Network, Settings, duration_text, keys, parse_duration};
use countersign::flows::Refusal;
use countersign::http::form::{decode, parse_form, parse_json};
use countersign::http::peer::{ClientAddress, Peer};
use countersign::telemetry::RequestId;
use countersign_wire::{ClientId, Parameters, Scope, SessionId, TokenRequest, UserId};
use http::{HeaderMap, HeaderValue};

/// A value of this length, without spaces and with so many digits, is taken for a secret that no
/// message may repeat.
const SECRET_LEN: usize = 12;
const SECRET_DIGITS: usize = 3;

pub(crate) fn form(data: &[u8]) {
    match parse_form(data) {
        Ok(parameters) => {
            for (name, value) in form_urlencoded::parse(data).filter(|(_, value)| !value.is_empty()) {
                assert!(parameters.all(&name).any(|known| known == value), "{name:?} is not {value:?}");
            }
            token_request(&parameters, data);
        }
        Err(refusal) => says_nothing(&refusal, data),
    }
}

pub(crate) fn json(data: &[u8]) {
    match parse_json(data) {
        Ok(parameters) => {
            let value: serde_json::Value = serde_json::from_slice(data).expect("what is accepted is JSON");
            for (name, value) in value.as_object().expect("an object") {
                let text = value.as_str().filter(|text| !text.is_empty());
                if let Some(text) = text {
                    assert_eq!(parameters.get(name), Some(text), "{name:?}");
                }
            }
            token_request(&parameters, data);
        }
        Err(refusal) => says_nothing(&refusal, data),
    }
}

fn token_request(parameters: &Parameters, data: &[u8]) {
    if let Err(body) = TokenRequest::parse(parameters) {
        repeats_nothing(&body.error_description, data);
    }
}

fn says_nothing(refusal: &Refusal, data: &[u8]) {
    if let Refusal::Request(body) = refusal {
        repeats_nothing(&body.error_description, data);
    }
}

/// No message repeats a value of the request that looks like a secret. Not any value: our own words
/// can be sent as well, and libFuzzer does so.
pub(crate) fn repeats_nothing(message: &str, data: &[u8]) {
    for (_, value) in form_urlencoded::parse(data) {
        let digits = value.bytes().filter(u8::is_ascii_digit).count();
        if value.len() >= SECRET_LEN && digits >= SECRET_DIGITS && !value.contains(' ') {
            assert!(!message.contains(&*value), "{message:?} repeats what was sent");
        }
    }
}

pub(crate) fn percent(data: &[u8]) {
    if let Ok(text) = decode(data) {
        let again: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        assert_eq!(decode(again.as_bytes()).expect("what we print we read"), text);
        assert!(text.len() <= data.len());
    }
}

pub(crate) fn scope(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(scope) = text.parse::<Scope>() {
        let printed = scope.to_string();
        let again: Scope = printed.parse().expect("what we print we read");
        assert_eq!(again, scope);
        assert_eq!(again.to_string(), printed, "the printed form is the canonical one");
        assert!(again.is_subset(&scope) && scope.is_subset(&again));
    }
}

pub(crate) fn ids(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(id) = text.parse::<ClientId>() {
        assert_eq!(id.as_str(), text, "a client id is its text");
    }
    if let Ok(id) = text.parse::<SessionId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string(), text.to_ascii_lowercase(), "one form, in either case");
    }
    if let Ok(id) = text.parse::<UserId>() {
        assert_eq!(id.to_string(), text.to_ascii_lowercase(), "one form, in either case");
    }
}

/// The first line is `X-Forwarded-For`, the second `Forwarded`.
pub(crate) fn forwarded(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in ["x-forwarded-for", "forwarded"] {
        if let Some(value) = lines.next().and_then(|line| HeaderValue::from_bytes(line).ok()) {
            headers.insert(name, value);
        }
    }
    let stranger = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let peer = Peer::Tcp(SocketAddr::new(stranger, 1));
    let trusts: Network = "10.0.0.0/8".parse().expect("a network");
    let found = ClientAddress::find(peer, &headers, &[trusts]);
    assert_eq!(found, ClientAddress::Ip(stranger), "headers of strangers are not believed");
    let everyone =
        ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"].map(|net| net.parse().expect("a network"));
    let network = ClientAddress::find(peer, &headers, &everyone).network();
    assert!(network.len() <= "ffff:ffff:ffff::/48".len(), "{network}");
}

pub(crate) fn request_id(data: &[u8]) {
    let value = HeaderValue::from_bytes(data).ok();
    let id = RequestId::accept(value.as_ref());
    let text = id.as_str();
    assert!(!text.is_empty() && text.len() <= MAX_REQUEST_ID_LEN);
    assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')), "{text:?}");
}

/// The first byte chooses a key, the rest is its value.
pub(crate) fn settings(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    if let Some(duration) = parse_duration(text) {
        assert_eq!(parse_duration(&duration_text(duration)), Some(duration));
    }
    let Some(key) = keys().get(usize::from(*first) % keys().len()) else { return };
    if let Err(complaints) = Settings::from_values(&[("issuer", "https://auth.example"), (key.name, text)]) {
        assert!(complaints.to_string().contains(key.name), "{complaints}");
    }
}

/// The first byte says in what pieces the rest arrives, which must not matter.
pub(crate) fn backup(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let check = |piece: usize| {
        let mut checker = Checker::default();
        for piece in rest.chunks(piece.max(1)) {
            checker.push(piece).ok()?;
        }
        checker.finish().ok()
    };
    assert_eq!(check(usize::from(*first)), check(rest.len()));
}
