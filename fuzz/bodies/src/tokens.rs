//! Tokens. The bytes are taken for a token, and for edits of one that is good: nothing may be
//! accepted but the very token that was made.

use std::sync::{Arc, OnceLock};

use countersign::keys::{KeySet, RecipientKey, RefreshNonce, public_jwk};
use countersign_verify::{DecryptionKey, FeedReader, FeedStep, RevokedSet, Verifier, VerifyingKeys};
use countersign_wire::{AccessClaims, Algorithm, Audience, JwkSet, SessionId};
use serde_json::Value;

use crate::server::{ISSUER, NOW, key_set};

struct Good {
    keys: Arc<KeySet>,
    verifier: Verifier,
    refresh: String,
    opaque: String,
    jwts: Vec<String>,
    encrypted: String,
}

/// The key of an API: Bob's of RFC 7518 appendix C.
const PUBLIC_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
    "y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"}"#;
/// Its private half, the member that is missing above.
const PRIVATE_HALF: &str = r#"{"d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw","#;

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
        let public = serde_json::from_str(PUBLIC_KEY).expect("JSON");
        let public = RecipientKey::new(&public_jwk(&public).expect("a key")).expect("a key");
        let signed = keys.sign(Algorithm::ES256, &claims, NOW).expect("a token");
        let encrypted = public.seal(&signed).expect("a token").expose().to_owned();
        let private = DecryptionKey::from_jwk(&PUBLIC_KEY.replacen('{', PRIVATE_HALF, 1)).expect("a key");
        let verifier = Verifier::new(ISSUER, "https://api.example", published)
            .and_then(|verifier| verifier.with_decryption_key(private))
            .expect("a verifier");
        Good { refresh: refresh.expose().to_owned(), opaque, jwts, encrypted, verifier, keys }
    })
}

fn claims(session: SessionId) -> AccessClaims {
    AccessClaims {
        iss: ISSUER.to_owned(),
        sub: "0190a0a0-0000-7000-8000-000000000001".to_owned(),
        aud: Audience::One("https://api.example".to_owned()),
        exp: NOW.seconds() + 600,
        iat: NOW.seconds(),
        nbf: None,
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
    if let Some(token) = edited(&good.encrypted, data) {
        assert!(good.keys.open_jwt(&token, ISSUER).is_err(), "{token:?}");
        let ours = token == good.encrypted;
        assert_eq!(good.verifier.verify(&token, NOW.seconds()).is_ok(), ours, "{token:?}");
    }
}

/// What a feed sends: cut in two anywhere it means the same, and what is refused changes nothing that
/// was not told.
pub(crate) fn feed(data: &[u8]) {
    let read = |chunks: &[&[u8]]| {
        let revoked = Arc::new(RevokedSet::new());
        let mut reader = FeedReader::new(revoked.clone(), 64);
        let mut told = Vec::new();
        let pushed = chunks.iter().try_for_each(|chunk| reader.push(chunk, |step| told.push(step)));
        (pushed.is_ok(), reader.cursor(), revoked.len(), told)
    };
    let whole = read(&[data]);
    assert!(whole.2 <= 64, "more entries than may be kept");
    let resets = whole.3.iter().filter(|step| **step == FeedStep::Reset).count();
    assert!(resets > 0 || whole.1 > 0 || whole.2 == 0, "entries that are not up to the cursor");
    if whole.0 {
        let (first, second) = data.split_at(data.len() / 2);
        assert_eq!(read(&[first, second]), whole);
    }
}

/// Keys that others give: an API's public key, its private half, and a set that a server publishes.
pub(crate) fn jwk(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(given) = serde_json::from_str::<Value>(text) {
        match public_jwk(&given) {
            Ok(jwk) => {
                let printed = serde_json::to_value(&jwk).expect("JSON");
                assert!(given.get("d").is_none() && printed.get("d").is_none(), "a private key was taken");
                assert_eq!(public_jwk(&printed).expect("what we print we read"), jwk);
                assert!(RecipientKey::new(&jwk).is_ok(), "what is taken can be encrypted to");
            }
            Err(error) => says_nothing_of(&given, &error.to_string()),
        }
        if let Err(error) = DecryptionKey::from_jwk(text) {
            says_nothing_of(&given, &error.to_string());
        }
    }
    if let Ok(set) = serde_json::from_str::<JwkSet>(text) {
        let printed = serde_json::to_string(&set).expect("JSON");
        assert_eq!(serde_json::from_str::<JwkSet>(&printed).expect("what we print we read"), set);
        let _ = VerifyingKeys::new(&set);
    }
}

/// No message repeats the private part of a key.
fn says_nothing_of(given: &Value, message: &str) {
    // Our own words are shorter.
    let private = given.get("d").and_then(Value::as_str).filter(|d| d.len() >= 24);
    assert!(private.is_none_or(|d| !message.contains(d)), "{message:?}");
}
