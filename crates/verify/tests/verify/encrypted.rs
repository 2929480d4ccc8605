//! Encrypted tokens: what opens, and what attackers send around a good token or in its place.

use std::sync::OnceLock;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use countersign_verify::{InvalidVerifier, Rejection, Verifier};
use countersign_wire::Algorithm;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::envelope::{Api, public_jwk};
use crate::issuer::{AUDIENCE, ISSUER, Issuer, claims, encode, header, issuer};

const NOW: u64 = 1_800_000_000;

fn api() -> &'static Api {
    static API: OnceLock<Api> = OnceLock::new();
    API.get_or_init(|| Api::new("api-1"))
}

fn plain_verifier() -> Verifier {
    Verifier::new(ISSUER, AUDIENCE, issuer().jwks()).unwrap()
}

fn verifier() -> Verifier {
    plain_verifier().with_decryption_key(api().private_key()).unwrap()
}

fn refused(token: &str) -> Rejection {
    verifier().verify(token, NOW).unwrap_err()
}

fn signed() -> String {
    issuer().mint(Algorithm::ES256, &header(Algorithm::ES256), &claims(NOW))
}

fn with_claims(change: impl FnOnce(&mut Value)) -> String {
    let mut claims = claims(NOW);
    change(&mut claims);
    issuer().mint(Algorithm::ES256, &header(Algorithm::ES256), &claims)
}

/// A good token whose envelope's header was changed before it was sealed.
fn with_header(change: impl FnOnce(&mut Value)) -> Rejection {
    refused(&api().envelope(signed().as_bytes(), change))
}

fn with_part(token: &str, number: usize, part: &str) -> String {
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[number] = part;
    parts.join(".")
}

#[test]
fn what_is_encrypted_to_us_is_checked_like_any_other() {
    for alg in Algorithm::ALL {
        let token = issuer().mint(alg, &header(alg), &claims(NOW));
        let plain = plain_verifier().verify(&token, NOW).unwrap();
        assert_eq!(verifier().verify(&api().seal(&token), NOW).unwrap(), plain);
    }
    for (token, rejection) in [
        (with_claims(|c| c["exp"] = json!(NOW)), Rejection::Expired),
        (with_claims(|c| c["nbf"] = json!(NOW + 1)), Rejection::NotYetValid),
        (with_claims(|c| c["iss"] = json!("https://evil.example")), Rejection::Issuer),
        (with_claims(|c| c["aud"] = json!("https://other.example")), Rejection::Audience),
        (Issuer::new().mint(Algorithm::ES256, &header(Algorithm::ES256), &claims(NOW)), Rejection::Signature),
    ] {
        assert_eq!(refused(&api().seal(&token)), rejection);
    }
}

#[test]
fn a_key_is_found_by_its_kid_while_one_follows_another() {
    let next = Api::new("api-2");
    let both = verifier().with_decryption_key(next.private_key()).unwrap();
    for api in [api(), &next] {
        assert!(both.verify(&api.seal(&signed()), NOW).is_ok());
    }
    assert_eq!(refused(&next.seal(&signed())), Rejection::UnknownDecryptionKey);
    // Another key under a name that we know.
    assert_eq!(refused(&Api::new("api-1").seal(&signed())), Rejection::Decryption);
    let twice = verifier().with_decryption_key(api().private_key()).unwrap_err();
    assert_eq!(twice, InvalidVerifier::SameDecryptionKey("api-1".to_owned()));
}

#[test]
fn encryption_is_accepted_or_required_as_the_verifier_says() {
    let (plain, sealed) = (signed(), api().seal(&signed()));
    assert_eq!(plain_verifier().verify(&sealed, NOW).unwrap_err(), Rejection::Encrypted);
    assert!(verifier().verify(&plain, NOW).is_ok());
    let strict = verifier().require_encrypted();
    assert_eq!(strict.verify(&plain, NOW).unwrap_err(), Rejection::NotEncrypted);
    assert!(strict.verify(&sealed, NOW).is_ok());
    // What is wrong with a token is said first, so that nobody looks in the wrong place.
    assert_eq!(strict.verify("rft_x", NOW).unwrap_err(), Rejection::RefreshToken);
}

#[test]
fn algorithms_are_ours_to_choose() {
    let others = [
        "none",
        "dir",
        "RSA1_5",
        "RSA-OAEP",
        "RSA-OAEP-256",
        "A256KW",
        "A256GCMKW",
        "PBES2-HS256+A128KW",
        "ES256",
        "ECDH-ES+A128KW",
        "ECDH-ES+A256KW",
        "ecdh-es",
        "",
    ];
    for alg in others {
        assert_eq!(with_header(|h| h["alg"] = json!(alg)), Rejection::KeyManagement, "{alg}");
    }
    assert_eq!(with_header(|h| drop(h.as_object_mut().unwrap().remove("alg"))), Rejection::KeyManagement);
    for enc in ["none", "A128GCM", "A192GCM", "A128CBC-HS256", "A256CBC-HS512", "a256gcm", ""] {
        assert_eq!(with_header(|h| h["enc"] = json!(enc)), Rejection::ContentEncryption, "{enc}");
    }
    assert_eq!(with_header(|h| drop(h.as_object_mut().unwrap().remove("enc"))), Rejection::ContentEncryption);
    // RFC 7518 section 4.6.1.3 of the key wrapped: with ECDH-ES there is none.
    let token = api().seal(&signed());
    assert_eq!(refused(&with_part(&token, 1, &encode([0; 40]))), Rejection::EncryptedKey);
}

#[test]
fn what_the_header_demands_is_not_done() {
    for zip in [json!("DEF"), json!(""), json!(null)] {
        assert_eq!(with_header(|h| h["zip"] = zip), Rejection::Compressed);
    }
    assert_eq!(with_header(|h| h["crit"] = json!(["exp"])), Rejection::Critical);
    assert_eq!(with_header(|h| h["cty"] = json!("text/plain")), Rejection::ContentType);
    assert_eq!(with_header(|h| drop(h.as_object_mut().unwrap().remove("cty"))), Rejection::ContentType);
    assert_eq!(with_header(|h| drop(h.as_object_mut().unwrap().remove("kid"))), Rejection::MissingKeyId);
    assert_eq!(with_header(|h| h["kid"] = json!("../../api-1")), Rejection::UnknownDecryptionKey);
    assert_eq!(with_header(|h| h["kid"] = json!(1)), Rejection::Header);
    assert_eq!(with_header(|h| h["apu"] = json!("a b")), Rejection::PartyInfo);
    assert_eq!(with_header(|h| h["apv"] = json!("=")), Rejection::PartyInfo);
    // RFC 7518 sections 4.6.1.2 and 4.6.1.3: understood and processed.
    let party = |h: &mut Value| (h["apu"], h["apv"]) = (json!("QWxpY2U"), json!("Qm9i"));
    assert!(verifier().verify(&api().envelope(signed().as_bytes(), party), NOW).is_ok());
    // Keys, places of keys and claims (RFC 7519 section 5.3) in the header are nobody's.
    let foreign = |h: &mut Value| {
        h["jku"] = json!("https://evil.example/keys");
        h["jwk"] = public_jwk(&PrivateKey::generate(&ECDH_P256).unwrap());
        h["aud"] = json!("https://other.example");
        h["exp"] = json!(1);
        h["typ"] = json!("anything");
    };
    assert!(verifier().verify(&api().envelope(signed().as_bytes(), foreign), NOW).is_ok());
    let many = |h: &mut Value| (0..20).for_each(|n| h[format!("m{n}")] = json!(n));
    assert_eq!(with_header(many), Rejection::Header);
    let ephemeral = PrivateKey::generate(&ECDH_P256).unwrap();
    let raw = |header: &str| refused(&api().envelope_raw(&ephemeral, header, signed().as_bytes()));
    let epk = public_jwk(&ephemeral);
    let header =
        json!({"alg": "ECDH-ES", "enc": "A256GCM", "cty": "JWT", "kid": "api-1", "epk": epk}).to_string();
    assert_eq!(raw(&header.replacen('{', "{\"kid\":\"x\",", 1)), Rejection::DuplicateHeader);
    assert_eq!(
        raw(&header.replacen('{', "{\"zip\":\"DEF\",\"zip\":\"DEF\",", 1)),
        Rejection::DuplicateHeader
    );
    for bad in ["", "[]", "null", "{", "{\"epk\":\"x\"}", "{\"alg\":{}}"] {
        assert_eq!(raw(bad), Rejection::Header, "{bad}");
    }
    let deep = format!("{{\"epk\":{}{}}}", "[".repeat(200), "]".repeat(200));
    assert_eq!(raw(&deep), Rejection::Header);
}

#[test]
fn the_ephemeral_key_is_a_point_of_our_curve() {
    assert_eq!(with_header(|h| drop(h.as_object_mut().unwrap().remove("epk"))), Rejection::EphemeralKey);
    for (name, value) in [
        ("crv", "P-384"),
        ("crv", "secp256k1"),
        ("crv", "X25519"),
        ("kty", "OKP"),
        ("kty", "RSA"),
        ("crv", ""),
    ] {
        assert_eq!(with_header(|h| h["epk"][name] = json!(value)), Rejection::EphemeralCurve, "{value}");
    }
    assert_eq!(with_header(|h| h["epk"] = json!({})), Rejection::EphemeralCurve);
    // The invalid-curve attack of RFC 8725 section 3.4, the point at infinity, and no point at all.
    let one = encode([[0; 31].as_slice(), &[1]].concat());
    for (x, y) in [
        (Some(one.as_str()), None),
        (None, Some(one.as_str())),
        (Some(&encode([0; 32])), Some(&encode([0; 32]))),
        (Some(&encode([0xff; 32])), Some(&encode([0xff; 32]))),
        (Some(&encode([1; 31])), None),
        (Some(&encode([1; 66])), None),
        (Some("not base64url!"), None),
        (Some(""), Some("")),
    ] {
        let change = |h: &mut Value| {
            for (name, value) in [("x", x), ("y", y)] {
                if let Some(value) = value {
                    h["epk"][name] = json!(value);
                }
            }
        };
        assert_eq!(with_header(change), Rejection::EphemeralKey, "{x:?} {y:?}");
    }
    // Another good point: not the one that the content was sealed with.
    let other = public_jwk(&PrivateKey::generate(&ECDH_P256).unwrap());
    assert_eq!(with_header(|h| h["epk"] = other), Rejection::Decryption);
    // RFC 7518 section 4.6.1.1: other members of it can be ignored.
    let extra = |h: &mut Value| h["epk"]["kid"] = json!("x");
    assert!(verifier().verify(&api().envelope(signed().as_bytes(), extra), NOW).is_ok());
}

#[test]
fn every_part_is_authenticated() {
    let token = api().seal(&signed());
    let parts: Vec<&str> = token.split('.').collect();
    // The same header, written otherwise.
    let header = String::from_utf8(
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, parts[0]).unwrap(),
    );
    let spaced = header.unwrap().replacen('{', "{ ", 1);
    assert_eq!(refused(&with_part(&token, 0, &encode(spaced))), Rejection::Decryption);
    assert_eq!(refused(&with_part(&token, 2, &encode([8; 12]))), Rejection::Decryption);
    assert_eq!(refused(&with_part(&token, 2, &encode([7; 16]))), Rejection::Decryption);
    assert_eq!(refused(&with_part(&token, 3, "")), Rejection::Decryption);
    let other = api().seal(&signed());
    let others: Vec<&str> = other.split('.').collect();
    for number in [0, 3, 4] {
        assert_eq!(refused(&with_part(&token, number, others[number])), Rejection::Decryption, "{number}");
    }
    // A shorter tag would be easier to guess.
    for length in [0, 4, 12, 15, 17] {
        assert_eq!(refused(&with_part(&token, 4, &encode(vec![0; length]))), Rejection::Decryption);
    }
    for number in [0, 2, 3, 4] {
        for bad in ["!", "AA==", "AB", "A A"] {
            assert_eq!(refused(&with_part(&token, number, bad)), Rejection::Encoding, "{number} {bad}");
        }
    }
    for (shape, rejection) in [
        ("....", Rejection::Header),
        (".....", Rejection::NotThreeParts),
        ("...", Rejection::NotThreeParts),
        ("a.b.c.d.e.f", Rejection::NotThreeParts),
    ] {
        assert_eq!(refused(shape), rejection, "{shape}");
    }
    assert_eq!(refused(&api().seal(&"x".repeat(Verifier::MAX_TOKEN_LEN))), Rejection::TooLong);
}

#[test]
fn in_the_envelope_there_is_a_signed_token_and_nothing_else() {
    let sealed = |content: &[u8]| refused(&api().envelope(content, |_| {}));
    assert_eq!(sealed(api().seal(&signed()).as_bytes()), Rejection::EncryptedTwice);
    // Claims without a signature; the dots in them make three parts of it.
    assert_eq!(sealed(claims(NOW).to_string().as_bytes()), Rejection::Encoding);
    assert_eq!(sealed(b""), Rejection::NotThreeParts);
    assert_eq!(sealed(&[0xff; 40]), Rejection::NotThreeParts);
    assert_eq!(sealed(b"rft_x"), Rejection::RefreshToken);
    assert_eq!(sealed(b"oat_x"), Rejection::OpaqueToken);
    let header = json!({"alg": "none", "kid": "key-ES256", "typ": "at+jwt"}).to_string();
    let unsecured = format!("{}.{}.", encode(header), encode(claims(NOW).to_string()));
    assert_eq!(sealed(unsecured.as_bytes()), Rejection::Algorithm);
    let (header, _) = signed().split_once('.').map(|(h, r)| (h.to_owned(), r.to_owned())).unwrap();
    let unsigned = format!("{header}.{}.", encode(claims(NOW).to_string()));
    assert_eq!(sealed(unsigned.as_bytes()), Rejection::Signature);
    let id_token = issuer().mint(
        Algorithm::ES256,
        &json!({"alg": "ES256", "kid": "key-ES256", "typ": "JWT"}),
        &claims(NOW),
    );
    assert_eq!(sealed(id_token.as_bytes()), Rejection::Type);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_was_edited_is_not_accepted(at in any::<Index>(), byte in any::<u8>(), how in 0..3_u8) {
        let token = api().seal(&signed());
        let mut edited = token.clone().into_bytes();
        let at = at.index(edited.len());
        match how {
            0 => edited[at] = byte & 0x7f,
            1 => edited.insert(at, byte & 0x7f),
            _ => { edited.remove(at); }
        }
        let edited = String::from_utf8(edited).unwrap();
        prop_assert!(edited == token || verifier().verify(&edited, NOW).is_err(), "{}", edited);
    }

    #[test]
    fn any_content_comes_out_as_it_went_in(content in prop::collection::vec(any::<u8>(), 0..300)) {
        // Whatever is in it, the check of what is in it answers, and not that of the envelope.
        let rejection = refused(&api().envelope(&content, |_| {}));
        prop_assert_ne!(rejection, Rejection::Decryption);
    }
}
