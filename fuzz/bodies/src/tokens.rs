//! Tokens. The bytes are taken for a token, and for edits of one that is good: nothing may be
//! accepted but the very token that was made.

use std::sync::OnceLock;

use countersign::keys::{KeySet, RefreshNonce};
use countersign_verify::Verifier;
use countersign_wire::{AccessClaims, Algorithm, Audience, SessionId};

use crate::server::{ISSUER, NOW, key_set};

struct Good {
    keys: std::sync::Arc<KeySet>,
    verifier: Verifier,
    refresh: String,
    opaque: String,
    jwts: Vec<String>,
}

fn good() -> &'static Good {
    static GOOD: OnceLock<Good> = OnceLock::new();
    GOOD.get_or_init(|| {
        let keys = key_set();
        let session: SessionId = "0190a0a0-0000-7000-8000-000000000002".parse().expect("an id");
        let number = keys.newest_refresh_key(NOW);
        let refresh = keys.refresh_token(number, session, 7, &RefreshNonce::random()).expect("a token");
        let claims = claims(session);
        let opaque = keys.seal_opaque(&claims, NOW).expect("a token").expose().to_owned();
        let sign = |algorithm| keys.sign(algorithm, &claims, NOW).expect("a token").expose().to_owned();
        let jwts = vec![sign(Algorithm::ES256), sign(Algorithm::EdDSA), sign(Algorithm::RS256)];
        let published = keys.jwks().clone();
        let verifier = Verifier::new(ISSUER, "https://api.example", published).expect("a verifier");
        Good { refresh: refresh.expose().to_owned(), opaque, jwts, verifier, keys }
    })
}

fn claims(session: SessionId) -> AccessClaims {
    AccessClaims {
        iss: ISSUER.to_owned(),
        sub: "0190a0a0-0000-7000-8000-000000000001".to_owned(),
        aud: Audience::One("https://api.example".to_owned()),
        exp: NOW.seconds() + 600,
        iat: NOW.seconds(),
        jti: "j".to_owned(),
        client_id: "web".parse().expect("an id"),
        scope: "read write".parse().expect("a scope"),
        rev: 7,
        sid: Some(session),
        stv: Some(2),
        tenant: None,
        auth_time: None,
        acr: None,
        amr: Vec::new(),
        roles: Vec::new(),
        username: None,
        email: None,
        status: None,
    }
}

/// The token with edits: of each pair of bytes the first says where, the second what to do there.
fn edited(token: &str, edits: &[u8]) -> Option<String> {
    let mut bytes = token.as_bytes().to_vec();
    for pair in edits.chunks_exact(2).take(8) {
        let &[place, what] = pair else { continue };
        let at = usize::from(place) * bytes.len() / 256;
        match what {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, b'='),
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            3 if at + 1 < bytes.len() => bytes.swap(at, at + 1),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = what;
                }
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// The bytes as a token, and each good token with the bytes as edits.
fn candidates<'a>(data: &'a [u8], good: &'a [String]) -> impl Iterator<Item = String> + 'a {
    let raw = std::str::from_utf8(data).ok().map(str::to_owned);
    raw.into_iter().chain(good.iter().filter_map(|token| edited(token, data)))
}

pub(crate) fn refresh(data: &[u8]) {
    let good = good();
    for token in candidates(data, std::slice::from_ref(&good.refresh)) {
        assert_eq!(good.keys.open_refresh(&token).is_ok(), token == good.refresh, "{token:?}");
    }
}

pub(crate) fn opaque(data: &[u8]) {
    let good = good();
    for token in candidates(data, std::slice::from_ref(&good.opaque)) {
        assert_eq!(good.keys.open_opaque(&token).is_ok(), token == good.opaque, "{token:?}");
        let cursor = good.keys.seal_cursor("users", "name");
        assert_eq!(good.keys.open_cursor("users", &token).is_some(), token == cursor, "{token:?}");
        assert_eq!(good.keys.open_cursor("sessions", &cursor), None, "a cursor of another list");
        if let Some(edited) = edited(&cursor, data) {
            assert_eq!(good.keys.open_cursor("users", &edited).is_some(), edited == cursor, "{edited:?}");
        }
    }
}

pub(crate) fn jwt(data: &[u8]) {
    let good = good();
    for token in candidates(data, &good.jwts) {
        let ours = good.jwts.contains(&token);
        assert_eq!(good.keys.open_jwt(&token, ISSUER).is_ok(), ours, "{token:?}");
        assert_eq!(good.verifier.verify(&token, NOW.seconds()).is_ok(), ours, "{token:?}");
    }
}
