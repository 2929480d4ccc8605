//! Keys as operators give them, and envelopes that the published library opens.

use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use countersign_verify::{DecryptionKey, Rejection, Verifier};
use countersign_wire::{AccessClaims, Algorithm, Audience};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::keys::testing::key_set;
use crate::time::Timestamp;

const ISSUER: &str = "https://login.example";
const API: &str = "https://api.example";
const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// A private JWK on P-256, as an API's developer makes one.
fn private_jwk() -> Value {
    let key = PrivateKey::generate(&ECDH_P256).unwrap();
    let public = key.compute_public_key().unwrap();
    let (x, y) = public.as_ref()[1..].split_at(32);
    let d: EcPrivateKeyBin<'_> = key.as_be_bytes().unwrap();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y), "d": encode(d.as_ref())})
}

fn public_half(private: &Value) -> Value {
    let mut public = private.clone();
    public.as_object_mut().unwrap().remove("d");
    public
}

fn claims(roles: Vec<String>) -> AccessClaims {
    AccessClaims {
        iss: ISSUER.to_owned(),
        sub: "ada".to_owned(),
        aud: Audience::One(API.to_owned()),
        exp: NOW.seconds() + 600,
        iat: NOW.seconds(),
        nbf: None,
        jti: "j".to_owned(),
        client_id: "web".parse().unwrap(),
        scope: "read write".parse().unwrap(),
        rev: 7,
        sid: None,
        stv: None,
        tenant: None,
        auth_time: None,
        acr: None,
        amr: Vec::new(),
        roles,
        username: None,
        email: None,
        status: None,
    }
}

fn verifier(private: &Value) -> Verifier {
    Verifier::new(ISSUER, API, key_set().jwks().clone())
        .unwrap()
        .with_decryption_key(DecryptionKey::from_jwk(&private.to_string()).unwrap())
        .unwrap()
}

#[test]
fn what_is_sealed_here_opens_there() {
    let private = private_jwk();
    let key = RecipientKey::new(&public_jwk(&public_half(&private)).unwrap()).unwrap();
    for algorithm in Algorithm::ALL {
        let signed = key_set().sign(algorithm, &claims(Vec::new()), NOW).unwrap();
        let sealed = key.seal(&signed).unwrap();
        let opened = verifier(&private).verify(sealed.expose(), NOW.seconds()).unwrap();
        assert_eq!(opened, claims(Vec::new()));
        let other = verifier(&private_jwk()).verify(sealed.expose(), NOW.seconds());
        assert_eq!(other.unwrap_err(), Rejection::UnknownDecryptionKey);
        // RFC 7516 section 3.1: nothing of what is in it can be read.
        assert_eq!(key_set().open_jwt(sealed.expose(), ISSUER), Err(Rejection::Encrypted));
        assert_ne!(key.seal(&signed).unwrap().expose(), sealed.expose());
    }
}

#[test]
fn the_header_says_how_and_to_whom() {
    let mut public = public_half(&private_jwk());
    public["kid"] = json!("api 2026/1");
    let key = RecipientKey::new(&public_jwk(&public).unwrap()).unwrap();
    let signed = key_set().sign(Algorithm::ES256, &claims(Vec::new()), NOW).unwrap();
    let sealed = key.seal(&signed).unwrap();
    let parts: Vec<&str> = sealed.expose().split('.').collect();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
    assert_eq!(
        header,
        json!({
            "alg": "ECDH-ES", "enc": "A256GCM", "typ": "at+jwt", "cty": "JWT", "kid": "api 2026/1",
            "epk": {"kty": "EC", "crv": "P-256", "x": header["epk"]["x"], "y": header["epk"]["y"]},
        })
    );
    assert_eq!((parts.len(), parts[1]), (5, ""));
    // Each token has an ephemeral key of its own (RFC 7518 section 4.6).
    let again = key.seal(&signed).unwrap();
    assert_ne!(again.expose().split('.').next(), Some(parts[0]));
}

#[test]
fn a_key_without_a_name_gets_its_thumbprint() {
    let private = private_jwk();
    let jwk = public_jwk(&public_half(&private)).unwrap();
    assert_eq!(DecryptionKey::from_jwk(&private.to_string()).unwrap().kid(), jwk.kid);
    let theirs: jsonwebtoken::jwk::Jwk = serde_json::from_value(public_half(&private)).unwrap();
    assert_eq!(jwk.kid, theirs.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap());
    // What it is registered as says all that its developer has to know, and no more.
    let mut written = public_half(&private);
    written["x5c"] = json!(["a certificate"]);
    written["key_ops"] = json!([]);
    assert_eq!(public_jwk(&written).unwrap(), jwk);
}

#[test]
fn private_keys_are_refused_for_what_they_are() {
    for (member, key) in [
        ("d", private_jwk()),
        ("d", json!({"kty": "OKP", "crv": "X25519", "x": "AA", "d": "AA"})),
        ("d", json!({"kty": "RSA", "n": "AA", "e": "AQAB", "d": "AA", "p": "AA"})),
        ("q", json!({"kty": "RSA", "n": "AA", "e": "AQAB", "q": "AA"})),
        ("k", json!({"kty": "oct", "k": "AA"})),
    ] {
        assert_eq!(public_jwk(&key).unwrap_err(), RecipientKeyError::Private(member));
    }
    let text = RecipientKeyError::Private("d").to_string();
    assert!(text.contains("do not use it any more") && text.contains("Make a new key pair"), "{text}");
}

#[test]
fn what_is_no_key_of_ours_is_refused() {
    use RecipientKeyError as Error;
    let good = public_half(&private_jwk());
    assert!(public_jwk(&good).is_ok());
    for none in [json!(null), json!("x"), json!([]), json!(1)] {
        assert_eq!(public_jwk(&none).unwrap_err(), Error::NotAJwk);
    }
    assert_eq!(public_jwk(&json!({"keys": [good]})).unwrap_err(), Error::Set);
    let one = URL_SAFE_NO_PAD.encode([[0; 31].as_slice(), &[1]].concat());
    let zero = URL_SAFE_NO_PAD.encode([0; 32]);
    let short = URL_SAFE_NO_PAD.encode([1; 31]);
    let long = "k".repeat(257);
    for (name, value, error) in [
        ("kty", json!("RSA"), Error::Curve),
        ("kty", json!(1), Error::Curve),
        ("crv", json!("P-384"), Error::Curve),
        ("crv", json!("secp256k1"), Error::Curve),
        ("use", json!("sig"), Error::Use),
        ("use", json!(null), Error::Use),
        ("alg", json!("ES256"), Error::Algorithm),
        ("alg", json!("ECDH-ES+A256KW"), Error::Algorithm),
        ("kid", json!(""), Error::KeyId),
        ("kid", json!(7), Error::KeyId),
        ("kid", json!("a\"b"), Error::KeyId),
        ("kid", json!("a\nb"), Error::KeyId),
        ("kid", json!(long), Error::KeyId),
        ("x", json!(null), Error::Coordinates),
        ("x", json!(short), Error::Coordinates),
        ("y", json!(format!("{zero}=")), Error::Coordinates),
        ("y", json!("+/"), Error::Coordinates),
        ("y", json!(one), Error::Point),
        ("x", json!(zero), Error::Point),
    ] {
        let mut key = good.clone();
        key[name] = value;
        assert_eq!(public_jwk(&key).unwrap_err(), error, "{name} {}", key[name]);
    }
    assert_eq!(public_jwk(&json!({})).unwrap_err(), Error::Curve);
}

#[test]
fn a_token_that_gets_too_long_is_not_made() {
    let key = RecipientKey::new(&public_jwk(&public_half(&private_jwk())).unwrap()).unwrap();
    let long = AccessToken::new("x".repeat(crate::keys::MAX_ACCESS_TOKEN - 1));
    assert_eq!(key.seal(&long).unwrap_err(), IssueError::TooLong);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn any_claims_make_the_round_trip(roles in prop::collection::vec("\\PC{0,20}", 0..20)) {
        let private = private_jwk();
        let key = RecipientKey::new(&public_jwk(&public_half(&private)).unwrap()).unwrap();
        let signed = key_set().sign(Algorithm::ES256, &claims(roles.clone()), NOW).unwrap();
        let sealed = key.seal(&signed).unwrap();
        let opened = verifier(&private).verify(sealed.expose(), NOW.seconds()).unwrap();
        prop_assert_eq!(opened, claims(roles));
    }
}
