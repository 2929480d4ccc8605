//! What attackers send (RFC 8725 and the CVEs behind it), and what each gets.

use std::time::Duration;

use crate::issuer::{AUDIENCE, ISSUER, Issuer, claims, empty_jwk, encode, header, issuer};
use base64::Engine as _;
use countersign_verify::{InvalidVerifier, Rejection, Verifier, VerifyingKeys, danger};
use countersign_wire::{Algorithm, ClaimsKind, JwkSet};
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000;

fn verifier() -> Verifier {
    Verifier::new(ISSUER, AUDIENCE, issuer().jwks()).unwrap()
}

fn refused(token: &str) -> Rejection {
    verifier().verify(token, NOW).unwrap_err()
}

/// A good token with the header changed.
fn with_header(change: impl FnOnce(&mut Value)) -> String {
    let mut header = header(Algorithm::ES256);
    change(&mut header);
    issuer().mint(Algorithm::ES256, &header, &claims(NOW))
}

/// A good token with the claims changed.
fn with_claims(change: impl FnOnce(&mut Value)) -> String {
    let mut claims = claims(NOW);
    change(&mut claims);
    issuer().mint(Algorithm::ES256, &header(Algorithm::ES256), &claims)
}

fn remove(object: &mut Value, name: &str) {
    object.as_object_mut().unwrap().remove(name);
}

#[test]
fn good_tokens_of_each_algorithm_are_accepted() {
    for alg in Algorithm::ALL {
        let token = issuer().mint(alg, &header(alg), &claims(NOW));
        let claims = verifier().verify(&token, NOW).unwrap();
        assert_eq!(claims.client_id.as_str(), "web");
        assert_eq!(claims.kind(), ClaimsKind::User);
    }
}

#[test]
fn none_and_unknown_algorithms_are_refused() {
    for alg in
        ["none", "None", "nOnE", "NONE", "", "HS256", "HS512", "RS1", "PS256", "ES256K", "es256", "ES384"]
    {
        assert_eq!(refused(&with_header(|h| h["alg"] = json!(alg))), Rejection::Algorithm, "{alg}");
    }
    assert_eq!(refused(&with_header(|h| remove(h, "alg"))), Rejection::Algorithm);
    // Unsecured: no signature at all (RFC 7518 section 3.6).
    let header = json!({"alg": "none", "kid": "key-ES256", "typ": "at+jwt"}).to_string();
    let unsecured = format!("{}.{}.", encode(header), encode(claims(NOW).to_string()));
    assert_eq!(refused(&unsecured), Rejection::Algorithm);
}

#[test]
fn an_empty_or_cut_signature_is_refused() {
    for alg in Algorithm::ALL {
        let token = issuer().mint(alg, &header(alg), &claims(NOW));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        assert_eq!(refused(&format!("{signed}.")), Rejection::Signature);
        assert_eq!(refused(signed), Rejection::NotThreeParts);
        for cut in [4, 40] {
            let cut = format!("{signed}.{}", &signature[..signature.len() - signature.len() % 4 - cut]);
            assert_eq!(refused(&cut), Rejection::Signature);
        }
        assert_eq!(refused(&format!("{token}AAAA")), Rejection::Signature);
    }
    // The all-zero ECDSA signature (CVE-2022-21449).
    let token = issuer().mint(Algorithm::ES256, &header(Algorithm::ES256), &claims(NOW));
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_eq!(refused(&format!("{signed}.{}", encode([0; 64]))), Rejection::Signature);
}

#[test]
fn an_ecdsa_signature_in_der_is_refused() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    let der_signer = EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_ASN1_SIGNING,
        issuer().p256.to_pkcs8v1().unwrap().as_ref(),
    );
    let signed =
        format!("{}.{}", encode(header(Algorithm::ES256).to_string()), encode(claims(NOW).to_string()));
    let random = aws_lc_rs::rand::SystemRandom::new();
    let signature = der_signer.unwrap().sign(&random, signed.as_bytes()).unwrap();
    // RFC 7518 section 3.4: the two integers, 64 octets, and no DER.
    assert_eq!(refused(&format!("{signed}.{}", encode(signature.as_ref()))), Rejection::Signature);
}

#[test]
fn a_key_is_for_one_algorithm() {
    // Signed with the ES256 key, and so named, but with the kid of another key, and the reverse.
    assert_eq!(refused(&with_header(|h| h["kid"] = json!("key-RS256"))), Rejection::AlgorithmMismatch);
    assert_eq!(refused(&with_header(|h| h["alg"] = json!("EdDSA"))), Rejection::AlgorithmMismatch);
    // HMAC with the public key as its secret (CVE-2016-10555): there is no HMAC to be confused with.
    let signed = format!(
        "{}.{}",
        encode(json!({"alg": "HS256", "kid": "key-RS256", "typ": "at+jwt"}).to_string()),
        encode(claims(NOW).to_string())
    );
    let public = serde_json::to_vec(&issuer().jwk(Algorithm::RS256)).unwrap();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &public);
    let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
    assert_eq!(refused(&format!("{signed}.{}", encode(tag))), Rejection::Algorithm);
}

#[test]
fn the_kid_is_data_and_nothing_else() {
    for kid in ["", "../../dev/null", "' OR 1=1 --", "key-es256", "key-ES256\0", "https://evil.example/jwks"]
    {
        assert_eq!(refused(&with_header(|h| h["kid"] = json!(kid))), Rejection::UnknownKey, "{kid}");
    }
    assert_eq!(refused(&with_header(|h| remove(h, "kid"))), Rejection::MissingKeyId);
    assert_eq!(refused(&with_header(|h| h["kid"] = json!("k".repeat(1 << 20)))), Rejection::TooLong);
    for kid in [json!(1), json!(null), json!(["key-ES256"]), json!({"kid": "key-ES256"})] {
        assert_eq!(refused(&with_header(|h| h["kid"] = kid)), Rejection::Header);
    }
}

#[test]
fn keys_and_links_in_the_header_are_not_looked_at() {
    // CVE-2018-0114: the attacker's own key, sent along.
    let attacker = Issuer::new();
    let mut header = header(Algorithm::ES256);
    header["jwk"] = serde_json::to_value(attacker.jwk(Algorithm::ES256)).unwrap();
    header["jku"] = json!("https://evil.example/jwks.json");
    header["x5u"] = json!("https://evil.example/cert.pem");
    header["x5c"] = json!(["MIIB"]);
    let forged = attacker.mint(Algorithm::ES256, &header, &claims(NOW));
    assert_eq!(refused(&forged), Rejection::Signature);
    // The same members on a token of ours change nothing.
    assert!(verifier().verify(&issuer().mint(Algorithm::ES256, &header, &claims(NOW)), NOW).is_ok());
}

#[test]
fn only_access_tokens_are_access_tokens() {
    for typ in
        ["JWT", "jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "id_token", "", "at+jwt ", "text/at+jwt"]
    {
        assert_eq!(refused(&with_header(|h| h["typ"] = json!(typ))), Rejection::Type, "{typ}");
    }
    assert_eq!(refused(&with_header(|h| remove(h, "typ"))), Rejection::Type);
    for typ in ["AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert!(verifier().verify(&with_header(|h| h["typ"] = json!(typ)), NOW).is_ok(), "{typ}");
    }
}

#[test]
fn extensions_are_refused() {
    assert_eq!(refused(&with_header(|h| h["crit"] = json!(["exp"]))), Rejection::Critical);
    assert_eq!(refused(&with_header(|h| h["crit"] = json!([]))), Rejection::Critical);
    assert_eq!(refused(&with_header(|h| h["crit"] = json!(null))), Rejection::Critical);
    assert_eq!(refused(&with_header(|h| h["b64"] = json!(false))), Rejection::UnencodedPayload);
    assert_eq!(refused(&with_header(|h| h["b64"] = json!(true))), Rejection::UnencodedPayload);
    let both = with_header(|h| {
        h["b64"] = json!(false);
        h["crit"] = json!(["b64"]);
    });
    assert_eq!(refused(&both), Rejection::Critical);
}

#[test]
fn a_header_with_a_member_twice_is_refused() {
    let mint = |header: &str| issuer().mint_raw(Algorithm::ES256, header, &claims(NOW).to_string());
    for header in [
        r#"{"alg":"none","alg":"ES256","kid":"key-ES256","typ":"at+jwt"}"#,
        r#"{"alg":"ES256","kid":"other","kid":"key-ES256","typ":"at+jwt"}"#,
        r#"{"alg":"ES256","kid":"key-ES256","typ":"at+jwt","x":1,"x":2}"#,
        // Written with an escape, the name is the same.
        r#"{"alg":"none","\u0061lg":"ES256","kid":"key-ES256","typ":"at+jwt"}"#,
    ] {
        assert_eq!(refused(&mint(header)), Rejection::DuplicateHeader, "{header}");
    }
    let many: Vec<String> = (0..2000).map(|n| format!("\"m{n}\":0")).collect();
    let many = format!("{{\"alg\":\"ES256\",{}}}", many.join(",").get(..3000).unwrap());
    for header in ["[]", "1", "\"x\"", "", "{", "{}x", "null", "{\"alg\":1}", &many, &"[".repeat(3000)] {
        assert_eq!(refused(&mint(header)), Rejection::Header, "{header}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let good = encode(claims(NOW).to_string());
    let bad = encode(b"{\"alg\":\"ES256\",\"kid\":\"\xff\",\"typ\":\"at+jwt\"}");
    assert_eq!(refused(&format!("{bad}.{good}.AAAA")), Rejection::Header);

    let payload = [b"{\"iss\":\"\xff\"}".as_slice()].concat();
    let signed = format!("{}.{}", encode(header(Algorithm::ES256).to_string()), encode(payload));
    let signature = issuer().signature(Algorithm::ES256, signed.as_bytes());
    assert_eq!(refused(&format!("{signed}.{}", encode(signature))), Rejection::Claims);
}

#[test]
fn a_token_has_three_canonical_parts_and_an_end() {
    let token = with_claims(|_| {});
    for broken in
        [token.replace('.', ""), format!("{token}."), format!(".{token}"), String::new(), "..".to_owned()]
    {
        let rejection = refused(&broken);
        assert!(matches!(rejection, Rejection::NotThreeParts | Rejection::Header), "{rejection:?}");
    }
    for broken in [
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{token}="),
        token.replacen('.', "=.", 1),
        token.replacen("eyJ", "eyJ+", 1),
    ] {
        assert_eq!(refused(&broken), Rejection::Encoding, "{broken:?}");
    }
    // Every bit that is left over at the end of the signature must be zero (64 bytes leave four).
    let (rest, last) = token.split_at(token.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = alphabet.find(last).unwrap();
    for twin in 1..16 {
        let twin = &alphabet[value + twin..=value + twin];
        assert_eq!(refused(&format!("{rest}{twin}")), Rejection::Encoding);
    }
    let jwe = format!("{}.{}.{}.{}.{}", encode("{}"), "a", "b", "c", "d");
    assert_eq!(refused(&jwe), Rejection::Encrypted);
    assert_eq!(refused(&"a".repeat(Verifier::MAX_TOKEN_LEN + 1)), Rejection::TooLong);
    assert_eq!(refused(&format!("{}.", "a.".repeat(2000))), Rejection::NotThreeParts);
}

#[test]
fn refresh_and_opaque_tokens_are_named_as_what_they_are() {
    assert_eq!(refused("rft_AAAA"), Rejection::RefreshToken);
    assert_eq!(refused("oat_AAAA"), Rejection::OpaqueToken);
    assert_eq!(
        Rejection::RefreshToken.www_authenticate(),
        "Bearer error=\"invalid_token\", error_description=\"this is a refresh token: it goes to the token endpoint only\""
    );
}

#[test]
fn any_edit_of_the_token_is_noticed() {
    for alg in Algorithm::ALL {
        let token = issuer().mint(alg, &header(alg), &claims(NOW));
        for at in 0..token.len() {
            let mut edited = token.clone().into_bytes();
            edited[at] = if edited[at] == b'A' { b'B' } else { b'A' };
            assert!(
                verifier().verify(std::str::from_utf8(&edited).unwrap(), NOW).is_err(),
                "{alg:?} at {at}"
            );
        }
    }
}

#[test]
fn issuer_and_audience_are_exact() {
    for iss in ["https://login.example/", "HTTPS://login.example", "https://login.example.evil", ""] {
        assert_eq!(refused(&with_claims(|c| c["iss"] = json!(iss))), Rejection::Issuer, "{iss}");
    }
    assert_eq!(refused(&with_claims(|c| c["iss"] = json!([ISSUER]))), Rejection::ClaimForm("iss"));
    for aud in [json!("https://api.example/"), json!("https://api"), json!(""), json!([]), json!(["x"])] {
        assert_eq!(refused(&with_claims(|c| c["aud"] = aud)), Rejection::Audience);
    }
    assert_eq!(refused(&with_claims(|c| remove(c, "aud"))), Rejection::MissingClaim("aud"));
    assert_eq!(refused(&with_claims(|c| c["aud"] = json!({"a": 1}))), Rejection::ClaimForm("aud"));
    assert_eq!(refused(&with_claims(|c| c["aud"] = json!([AUDIENCE, 1]))), Rejection::ClaimForm("aud"));
    let several = with_claims(|c| c["aud"] = json!(["https://other.example", AUDIENCE]));
    assert!(verifier().verify(&several, NOW).is_ok());
}

#[test]
fn each_required_claim_is_required_in_its_form() {
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "rev"] {
        assert_eq!(refused(&with_claims(|c| remove(c, name))), Rejection::MissingClaim(name));
        assert_eq!(refused(&with_claims(|c| c[name] = json!(null))), Rejection::ClaimForm(name));
        assert_eq!(refused(&with_claims(|c| c[name] = json!({}))), Rejection::ClaimForm(name));
    }
    // CVE-2026-25537: a time of the wrong type must not count as no time.
    for name in ["exp", "iat", "nbf"] {
        for value in
            [json!("1900000000"), json!(true), json!(-1), json!(1.5), json!([1_900_000_000]), json!(1e300)]
        {
            assert_eq!(refused(&with_claims(|c| c[name] = value)), Rejection::ClaimForm(name), "{name}");
        }
    }
    assert_eq!(refused(&with_claims(|c| c["nbf"] = json!(null))), Rejection::ClaimForm("nbf"));
    assert_eq!(refused(&with_claims(|c| c["roles"] = json!("admin"))), Rejection::Claims);
    let mint =
        |payload: &str| issuer().mint_raw(Algorithm::ES256, &header(Algorithm::ES256).to_string(), payload);
    for payload in ["", "[]", "null", "1", "{}x"] {
        assert_eq!(refused(&mint(payload)), Rejection::Claims, "{payload}");
    }
    let twice = claims(NOW).to_string().replacen('{', "{\"exp\":9999999999,", 1);
    assert_eq!(refused(&mint(&twice)), Rejection::Claims);
}

#[test]
fn times_hold_to_the_second() {
    let token = with_claims(|c| {
        c["nbf"] = json!(NOW);
        c["exp"] = json!(NOW + 10);
    });
    let strict = verifier();
    assert_eq!(strict.verify(&token, NOW - 1).unwrap_err(), Rejection::NotYetValid);
    assert!(strict.verify(&token, NOW).is_ok());
    assert!(strict.verify(&token, NOW + 9).is_ok());
    // RFC 7519 section 4.1.4: "on or after".
    assert_eq!(strict.verify(&token, NOW + 10).unwrap_err(), Rejection::Expired);

    let lenient = verifier().with_leeway(Duration::from_secs(60)).unwrap();
    assert!(lenient.verify(&token, NOW - 60).is_ok());
    assert_eq!(lenient.verify(&token, NOW - 61).unwrap_err(), Rejection::NotYetValid);
    assert!(lenient.verify(&token, NOW + 69).is_ok());
    assert_eq!(lenient.verify(&token, NOW + 70).unwrap_err(), Rejection::Expired);
    let endless = with_claims(|c| c["exp"] = json!(u64::MAX));
    assert!(lenient.verify(&endless, NOW).is_ok());
    assert_eq!(verifier().with_leeway(Duration::from_secs(61)).unwrap_err(), InvalidVerifier::Leeway);
}

#[test]
fn the_issuer_itself_may_ask_for_less() {
    let keys = VerifyingKeys::new(&issuer().jwks()).unwrap();
    let token = with_claims(|c| {
        c["exp"] = json!(1);
        c["aud"] = json!("anybody");
    });
    assert!(danger::verify_signature_only(&keys, &token, ISSUER).is_ok());
    assert_eq!(danger::verify_signature_only(&keys, &token, "x").unwrap_err(), Rejection::Issuer);
    let token = with_header(|h| h["typ"] = json!("JWT"));
    assert_eq!(danger::verify_signature_only(&keys, &token, ISSUER).unwrap_err(), Rejection::Type);
}

#[test]
fn keys_are_checked_before_they_are_used() {
    let problem = |change: &dyn Fn(&mut countersign_wire::Jwk), alg| {
        let mut jwk = issuer().jwk(alg);
        change(&mut jwk);
        VerifyingKeys::new(&JwkSet { keys: vec![jwk] }).map(|_| ()).unwrap_err().problem
    };
    let es256 = Algorithm::ES256;
    // RFC 8725 section 3.4: a point off the curve, the point at infinity.
    let one = || Some(encode([&[0; 31], [1].as_slice()].concat()));
    assert_eq!(problem(&|k| k.y = one(), es256), "x and y are not a point of the curve");
    let zero = || Some(encode([0; 32]));
    let infinity = |k: &mut countersign_wire::Jwk| (k.x, k.y) = (zero(), zero());
    assert_eq!(problem(&infinity, es256), "x and y are not a point of the curve");
    assert_eq!(problem(&|k| k.x = Some(encode([1; 31])), es256), "x is not 32 bytes");
    assert_eq!(problem(&|k| k.x = None, es256), "a member is missing");
    assert_eq!(problem(&|k| k.x = Some("!".to_owned()), es256), "a member is not base64url");
    assert_eq!(problem(&|k| k.crv = Some("P-384".to_owned()), es256), "its kty and crv do not fit its alg");
    assert_eq!(problem(&|k| k.alg = Algorithm::EdDSA, es256), "its kty and crv do not fit its alg");
    assert_eq!(problem(&|k| k.use_ = "enc".to_owned(), es256), "its use is not sig");
    assert_eq!(problem(&|k| k.kid = String::new(), es256), "its kid is empty or too long");
    let rs256 = Algorithm::RS256;
    let short = |k: &mut countersign_wire::Jwk| k.n = Some(encode([0xff; 128]));
    assert_eq!(problem(&short, rs256), "an RSA key has 2048 to 8192 bits");
    let padded = |k: &mut countersign_wire::Jwk| {
        let n = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(k.n.as_ref().unwrap()).unwrap();
        k.n = Some(encode([&[0], n.as_slice()].concat()));
    };
    assert_eq!(problem(&padded, rs256), "n has leading zeros");
    for e in [[].as_slice(), &[1], &[2], &[3], &[1, 0, 0], &[0, 1, 0, 1], &[1, 0, 0, 0, 1]] {
        assert_eq!(problem(&|k| k.e = Some(encode(e)), rs256), "e is not an odd number of 65537 or more");
    }

    let twice = JwkSet { keys: vec![issuer().jwk(es256), issuer().jwk(es256)] };
    assert_eq!(VerifyingKeys::new(&twice).unwrap_err().problem, "another key has the same kid");
    let new = |iss: &str, aud: &str, keys| Verifier::new(iss, aud, keys).unwrap_err();
    assert_eq!(new("", AUDIENCE, issuer().jwks()), InvalidVerifier::NoIssuer);
    assert_eq!(new(ISSUER, "", issuer().jwks()), InvalidVerifier::NoAudience);
    assert_eq!(new(ISSUER, AUDIENCE, JwkSet::default()), InvalidVerifier::NoKeys);
    assert!(matches!(
        new(ISSUER, AUDIENCE, JwkSet { keys: vec![empty_jwk(es256)] }),
        InvalidVerifier::Key(_)
    ));
}
