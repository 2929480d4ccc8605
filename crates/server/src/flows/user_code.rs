//! What a person types to connect a device (RFC 8628 section 6.1): eight consonants, which cannot
//! spell anything and are not mistaken for digits. 20^8 is a little more than 2^34: one guess in 256
//! million hits one of a hundred open codes, each is open for minutes, and attempts from a network
//! are limited (section 5.1; [`crate::throttle::Limiter::of_user_codes`] has the sum).

/// The letters of section 6.1.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How many make a code.
const LENGTH: usize = 8;

/// A new code, in its bare form.
pub(super) fn generate() -> String {
    let mut code = String::with_capacity(LENGTH);
    while code.len() < LENGTH {
        for byte in crate::entropy::bytes::<16>() {
            // 240 is the largest multiple of 20 in a byte: above it the letters would not be
            // equally likely.
            if byte < 240
                && code.len() < LENGTH
                && let Some(letter) = LETTERS.get(usize::from(byte) % LETTERS.len())
            {
                code.push(char::from(*letter));
            }
        }
    }
    code
}

/// The code as it is shown: `WDJB-MJHT`.
pub(super) fn display(code: &str) -> String {
    let (head, tail) = code.split_at_checked(LENGTH / 2).unwrap_or((code, ""));
    format!("{head}-{tail}")
}

/// The bare form of what a person typed, in any case, with whatever stands between the letters;
/// `None` when it cannot be a code.
pub(super) fn normalise(typed: &str) -> Option<String> {
    if typed.len() > 64 {
        return None;
    }
    let bare: String =
        typed.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect();
    (bare.len() == LENGTH && bare.bytes().all(|b| LETTERS.contains(&b))).then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_what_is_typed() {
        for _ in 0..200 {
            let code = generate();
            assert_eq!(normalise(&display(&code)), Some(code.clone()));
            assert_eq!(normalise(&display(&code).to_lowercase()), Some(code.clone()));
            assert_eq!(normalise(&format!(" {} ", code)), Some(code));
        }
    }

    #[test]
    fn what_cannot_be_a_code_is_none() {
        for bad in ["", "WDJB-MJH", "WDJB-MJHTT", "WDJB-MJHA", "WDJB-MJH1", &"B".repeat(65)] {
            assert_eq!(normalise(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_letter_occurs() {
        let all: String = (0..400).map(|_| generate()).collect();
        assert!(LETTERS.iter().all(|letter| all.contains(char::from(*letter))));
    }
}
