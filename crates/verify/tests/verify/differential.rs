//! A second library as the judge: what we accept, it accepts; where it checks what we check, the
//! two agree.

use std::sync::OnceLock;

use crate::issuer::{AUDIENCE, ISSUER, Issuer, claims, header, issuer};
use countersign_verify::Verifier;
use countersign_wire::{AccessClaims, Algorithm};
use jsonwebtoken::jwk::Jwk as TheirJwk;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

fn theirs(token: &str, alg: Algorithm) -> bool {
    let jwk: TheirJwk = serde_json::from_value(serde_json::to_value(issuer().jwk(alg)).unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(alg.as_str().parse().unwrap());
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.validate_nbf = true;
    validation.leeway = 0;
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    jsonwebtoken::decode::<AccessClaims>(token, &key, &validation).is_ok()
}

fn ours(token: &str, now: u64) -> bool {
    let verifier = Verifier::new(ISSUER, AUDIENCE, issuer().jwks()).unwrap();
    verifier.verify(token, now).is_ok()
}

/// An issuer whose keys nobody knows.
fn stranger() -> &'static Issuer {
    static STRANGER: OnceLock<Issuer> = OnceLock::new();
    STRANGER.get_or_init(Issuer::new)
}

/// A claim and another value for it; both libraries check these.
fn changes(now: u64) -> Vec<(&'static str, Value)> {
    vec![
        ("exp", json!(now - 100)),
        ("exp", json!(now + 100)),
        ("exp", json!("soon")),
        ("nbf", json!(now - 100)),
        ("nbf", json!(now + 100)),
        ("iss", json!("https://evil.example")),
        ("iss", json!(ISSUER)),
        ("aud", json!("https://evil.example")),
        ("aud", json!([AUDIENCE, "https://evil.example"])),
        ("aud", json!([])),
        ("scope", json!("a  b")),
        ("client_id", json!("no spaces please")),
        ("sub", json!(1)),
        ("jti", json!("other")),
        ("unknown", json!({"deep": [1, 2, 3]})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_two_agree_on_claims(
        alg in select(Algorithm::ALL.to_vec()),
        chosen in prop::collection::vec(any::<Index>(), 0..4),
        foreign_key in prop::bool::weighted(0.1),
    ) {
        let now = jsonwebtoken::get_current_timestamp();
        let mut claims = claims(now);
        let changes = changes(now);
        for index in chosen {
            let (name, value) = index.get(&changes);
            claims[*name] = value.clone();
        }
        let signer = if foreign_key { stranger() } else { issuer() };
        let token = signer.mint(alg, &header(alg), &claims);
        prop_assert_eq!(ours(&token, now), theirs(&token, alg));
    }

    #[test]
    fn what_we_accept_they_accept(
        alg in select(Algorithm::ALL.to_vec()),
        edits in prop::collection::vec((any::<Index>(), any::<u8>(), 0..3_u8), 0..3),
    ) {
        let now = jsonwebtoken::get_current_timestamp();
        let mut token = issuer().mint(alg, &header(alg), &claims(now)).into_bytes();
        for (at, byte, how) in edits {
            let at = at.index(token.len());
            let byte = byte & 0x7f;
            match how {
                0 => token[at] = byte,
                1 => token.insert(at, byte),
                _ => { token.remove(at); }
            }
        }
        let token = String::from_utf8(token).unwrap();
        if ours(&token, now) {
            prop_assert!(theirs(&token, alg), "{}", token);
        }
    }

    #[test]
    fn no_text_is_a_token(text in ".{0,200}", dots in "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,90}") {
        prop_assert!(!ours(&text, 0));
        prop_assert!(!ours(&dots, 0));
    }
}

#[test]
fn what_they_sign_we_accept() {
    use jsonwebtoken::EncodingKey;
    let now = jsonwebtoken::get_current_timestamp();
    for alg in Algorithm::ALL {
        let mut header = jsonwebtoken::Header::new(alg.as_str().parse().unwrap());
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(format!("key-{}", alg.as_str()));
        let der = issuer().pkcs8(alg);
        let key = match alg {
            Algorithm::EdDSA => EncodingKey::from_ed_der(&der),
            Algorithm::ES256 => EncodingKey::from_ec_der(&der),
            Algorithm::RS256 => EncodingKey::from_rsa_der(&der),
        };
        let token = jsonwebtoken::encode(&header, &claims(now), &key).unwrap();
        assert!(ours(&token, now), "{alg:?}");
    }
}
