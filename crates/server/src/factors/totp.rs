//! Time-based one-time passwords (RFC 6238) as every authenticator app makes them: HMAC-SHA-1, six
//! digits, thirty seconds.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::time::Timestamp;

/// Bytes of a secret (RFC 4226 section 4, R6: 160 bits).
const SECRET_LEN: usize = 20;
/// Seconds of a time step.
const STEP: u64 = 30;
/// How many steps a person's clock, or typing, may be off (RFC 6238 section 5.2).
const TOLERANCE: u64 = 1;
/// RFC 4648 section 6, as authenticator apps read it.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A secret that an authenticator app shares.
pub struct TotpSecret(Zeroizing<Vec<u8>>);

impl TotpSecret {
    /// A new one.
    pub fn random() -> Self {
        Self(Zeroizing::new(crate::entropy::bytes::<SECRET_LEN>().to_vec()))
    }

    /// The secret of its bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// Its bytes, to be sealed.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Its letters, for a person who types them in. Twenty bytes fill them without padding.
    pub fn expose_base32(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(SECRET_LEN * 8 / 5));
        for chunk in self.0.chunks(5) {
            let bits = chunk.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            for shift in (0..8).rev() {
                let letter = usize::try_from(bits >> (shift * 5) & 31).ok().and_then(|i| BASE32.get(i));
                text.extend(letter.map(|letter| char::from(*letter)));
            }
        }
        text
    }

    /// The address that an authenticator app reads from a picture (the Key URI format).
    pub fn expose_uri(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let encode = |text: &str| {
            // Apps want %20 and not the plus of forms.
            form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
        };
        let (issuer, account) = (encode(issuer), encode(account));
        let secret = self.expose_base32();
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period=30",
            *secret
        ))
    }

    /// The time step that a code is of, if it is of one near `now` and after `last_used`: a code is
    /// good once (RFC 6238 section 5.2).
    pub fn matching_step(&self, code: &str, now: Timestamp, last_used: u64) -> Option<u64> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let current = now.seconds() / STEP;
        // All are computed, so that the time says nothing of which one it was.
        let steps = current.saturating_sub(TOLERANCE)..=current + TOLERANCE;
        let mut found = None;
        for step in steps {
            let is_right = verify_slices_are_equal(self.code(step).as_bytes(), code.as_bytes()).is_ok();
            if is_right && step > last_used {
                found = Some(step);
            }
        }
        found
    }

    /// RFC 4226 section 5.3.
    fn code(&self, step: u64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let offset = tag.as_ref().last().map_or(0, |last| usize::from(last & 15));
        let word = tag.as_ref().get(offset..offset + 4).unwrap_or_default();
        let number = word.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }
}

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TotpSecret({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> TotpSecret {
        TotpSecret::from_bytes(b"12345678901234567890")
    }

    /// Times of RFC 6238 appendix B, with the last six of its eight digits.
    const VECTORS: [(i64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];

    #[test]
    fn the_examples_of_rfc_6238() {
        for (seconds, code) in VECTORS {
            let now = Timestamp(seconds * 1000);
            let step = now.seconds() / 30;
            assert_eq!(secret().matching_step(code, now, 0), Some(step), "{seconds}");
            assert_eq!(secret().matching_step(code, now, step), None, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_once_and_for_a_while() {
        let at = |seconds: i64| Timestamp(seconds * 1000);
        let step = 59 / 30;
        assert_eq!(secret().matching_step("287 082", at(59), 0), Some(step));
        assert_eq!(secret().matching_step("287082", at(59), step), None, "used");
        assert_eq!(secret().matching_step("287082", at(59 + 30), 0), Some(step));
        assert_eq!(secret().matching_step("287082", at(59 + 61), 0), None, "late");
        for bad in ["", "28708", "2870820", "287083", "abcdef"] {
            assert_eq!(secret().matching_step(bad, at(59), 0), None, "{bad}");
        }
    }

    #[test]
    fn the_secret_is_told_as_apps_read_it() {
        assert_eq!(*secret().expose_base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let uri = secret().expose_uri("My Shop", "ana@example.com");
        assert!(uri.starts_with("otpauth://totp/My%20Shop:ana%40example.com?secret=GEZD"), "{}", *uri);
        assert_eq!(format!("{:?}", secret()), "TotpSecret(20 bytes)");
    }
}
