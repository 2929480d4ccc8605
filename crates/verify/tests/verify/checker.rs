//! The check with a memory: it never says yes for longer than the check without one.

use countersign_verify::{Checker, Denial, Rejection, Requirement, Verifier};
use countersign_wire::{Algorithm, JwkSet, Revocation, Revoked};
use serde_json::json;

use crate::issuer::{AUDIENCE, ISSUER, Issuer, claims, header, issuer};

const NOW: u64 = 1_800_000_000;

fn verifier() -> Verifier {
    Verifier::new(ISSUER, AUDIENCE, issuer().jwks()).unwrap()
}

fn token(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut claims = claims(NOW);
    change(&mut claims);
    issuer().mint(Algorithm::ES256, &header(Algorithm::ES256), &claims)
}

#[test]
fn a_remembered_token_expires_all_the_same() {
    let checker = Checker::new(verifier());
    let token = token(|_| {});
    for _ in 0..3 {
        assert_eq!(checker.check(&token, NOW).unwrap().client_id.as_str(), "web");
    }
    assert_eq!(checker.check(&token, NOW + 599).map(|v| v.iat), Ok(NOW));
    assert_eq!(checker.check(&token, NOW + 600).unwrap_err(), Rejection::Expired);
}

#[test]
fn a_remembered_token_begins_no_earlier() {
    let checker = Checker::new(verifier());
    let token = token(|claims| claims["nbf"] = json!(NOW + 10));
    assert!(checker.check(&token, NOW + 10).is_ok());
    assert_eq!(checker.check(&token, NOW + 9).unwrap_err(), Rejection::NotYetValid);
}

#[test]
fn a_remembered_token_is_revoked_at_once() {
    let checker = Checker::new(verifier());
    let good = token(|_| {});
    let verified = checker.check(&good, NOW).unwrap();
    let other = token(|claims| claims["sid"] = json!("0190a0a0-0000-7000-8000-000000000009"));
    assert!(checker.check(&other, NOW).is_ok());
    let revoked = Revoked::Session { sid: verified.sid.unwrap() };
    checker.revoked().add(&Revocation { n: 8, exp: NOW + 600, revoked });
    assert_eq!(checker.check(&good, NOW).unwrap_err(), Rejection::Revoked);
    assert_eq!(checker.check_revoked(&verified), Err(Rejection::Revoked));
    assert!(checker.check(&other, NOW).is_ok());
    // One that was never seen before is refused as well.
    let sibling = token(|claims| claims["jti"] = json!("j2"));
    assert_eq!(checker.check(&sibling, NOW).unwrap_err(), Rejection::Revoked);
}

#[test]
fn other_keys_forget_what_those_before_have_verified() {
    let checker = Checker::new(verifier());
    let token = token(|_| {});
    assert!(checker.check(&token, NOW).is_ok());
    checker.replace(Verifier::new(ISSUER, AUDIENCE, Issuer::new().jwks()).unwrap());
    assert_eq!(checker.check(&token, NOW).unwrap_err(), Rejection::Signature);
    let only = JwkSet { keys: vec![issuer().jwk(Algorithm::RS256)] };
    checker.replace(Verifier::new(ISSUER, AUDIENCE, only).unwrap());
    assert_eq!(checker.check(&token, NOW).unwrap_err(), Rejection::UnknownKey);
    checker.replace(verifier());
    assert!(checker.check(&token, NOW).is_ok());
}

#[test]
fn nothing_bad_is_remembered_and_an_edited_token_is_another() {
    let checker = Checker::new(verifier());
    let token = token(|_| {});
    assert!(checker.check(&token, NOW).is_ok());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let edited = format!("{signed}.{}", signature.replace(&signature[..1], "-"));
    for _ in 0..2 {
        assert!(edited == token || checker.check(&edited, NOW).is_err());
        assert_eq!(checker.check(&format!("{token} "), NOW).unwrap_err(), Rejection::Encoding);
    }
}

/// What is remembered is bounded: of many tokens, each once, the first are not known any more.
#[test]
fn few_are_remembered() {
    for remembered in [0, 1, 32, 64] {
        let checker = Checker::new(verifier()).remembering(remembered);
        let tokens: Vec<String> =
            (0..200).map(|n| token(|claims| claims["jti"] = json!(n.to_string()))).collect();
        for token in &tokens {
            assert!(checker.check(token, NOW).is_ok());
        }
        assert!(checker.remembered() <= remembered, "{} of {remembered}", checker.remembered());
        assert!(remembered < 32 || checker.remembered() > 0);
        assert!(tokens.iter().all(|token| checker.check(token, NOW).is_ok()));
    }
}

#[test]
fn a_route_says_what_it_wants() {
    let claims = Checker::new(verifier()).check(
        &token(|claims| {
            claims["acr"] = json!("aal1");
            claims["auth_time"] = json!(NOW - 100);
        }),
        NOW,
    );
    let claims = claims.unwrap();
    let scope = |text| Requirement::scope(text).unwrap();
    let seconds = std::time::Duration::from_secs;
    for good in [
        Requirement::none(),
        scope("read"),
        scope("write read").role("admin"),
        scope("read").acr("aal1").max_age(seconds(100)),
    ] {
        assert_eq!(good.check(&claims, NOW), Ok(()));
    }
    let wanted = scope("read delete");
    assert_eq!(wanted.check(&claims, NOW), Err(Denial::Scope(wanted.wanted_scope().clone())));
    assert_eq!(scope("read").role("admin").role("root").check(&claims, NOW), Err(Denial::Role));
    for weak in [scope("read").acr("aal2"), Requirement::none().max_age(seconds(99))] {
        assert!(matches!(weak.check(&claims, NOW), Err(Denial::Authentication { .. })), "{weak:?}");
    }
    // What is missing cannot be good enough.
    let bare = Checker::new(verifier()).check(&token(|_| {}), NOW).unwrap();
    assert!(Requirement::none().max_age(seconds(u64::MAX)).check(&bare, NOW).is_err());
    assert!(Requirement::none().acr("aal1").check(&bare, NOW).is_err());
    assert!(Requirement::scope("a  b").is_err());
}
