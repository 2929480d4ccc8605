//! Proof Key for Code Exchange (RFC 7636): `S256` and nothing else (OAuth 2.1 section 4.1.1).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_wire::CodeVerifier;

/// Whether a text can be a challenge: a SHA-256 hash, base64url without padding (section 4.2).
pub(super) fn is_challenge(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|hash| hash.len() == 32)
}

/// Whether a verifier is of the form of section 4.1 and fits the challenge.
pub(super) fn verify(challenge: &str, verifier: &CodeVerifier) -> bool {
    let text = verifier.expose().as_bytes();
    let unreserved = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if !(43..=128).contains(&text.len()) || !text.iter().all(unreserved) {
        return false;
    }
    let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, text));
    verify_slices_are_equal(hash.as_bytes(), challenge.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn fits(challenge: &str, verifier: &str) -> bool {
        verify(challenge, &CodeVerifier::new(verifier.to_owned()))
    }

    #[test]
    fn the_example_of_rfc_7636_appendix_b() {
        assert!(is_challenge(CHALLENGE));
        assert!(fits(CHALLENGE, VERIFIER));
    }

    #[test]
    fn nothing_else_fits() {
        assert!(!fits(CHALLENGE, &VERIFIER.replace('d', "e")));
        assert!(!fits(VERIFIER, VERIFIER), "plain");
        assert!(!fits(CHALLENGE, ""));
        // Forms that section 4.1 does not have, each hashed rightly.
        for bad in ["short".to_owned(), "x".repeat(129), format!("{} ", "x".repeat(43)), "\u{e9}".repeat(43)]
        {
            let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, bad.as_bytes()));
            assert!(!fits(&challenge, &bad), "{bad}");
        }
    }

    #[test]
    fn a_challenge_is_a_hash() {
        for bad in ["", "abc", &CHALLENGE[1..], &format!("{CHALLENGE}="), &CHALLENGE.replace('-', "+")] {
            assert!(!is_challenge(bad), "{bad}");
        }
    }
}
