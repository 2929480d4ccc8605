//! How single values are written.

use std::time::Duration;

use base64::Engine as _;
use zeroize::Zeroizing;

/// The key under which private keys are encrypted at rest.
#[derive(Clone)]
pub struct KeyEncryptionKey(Zeroizing<[u8; Self::LEN]>);

impl KeyEncryptionKey {
    /// Its length in bytes.
    pub const LEN: usize = 32;

    /// The key itself, for the code that encrypts.
    pub fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Reads 64 hex digits, or base64 in any of its usual forms.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut key = Zeroizing::new([0; Self::LEN]);
        if text.len() == 2 * Self::LEN && text.is_ascii() {
            for (slot, pair) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                let pair =
                    std::str::from_utf8(pair).ok().filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit()))?;
                *slot = u8::from_str_radix(pair, 16).ok()?;
            }
            return Some(Self(key));
        }
        let text = Zeroizing::new(text.trim_end_matches('=').replace('-', "+").replace('_', "/"));
        let bytes = Zeroizing::new(base64::engine::general_purpose::STANDARD_NO_PAD.decode(&*text).ok()?);
        if bytes.len() != Self::LEN {
            return None;
        }
        key.copy_from_slice(&bytes);
        Some(Self(key))
    }
}

impl std::fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyEncryptionKey({} bytes)", Self::LEN)
    }
}

/// Reads `90s`, `10m`, `12h`, `7d`, or plain seconds.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let seconds = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, seconds)| *seconds)?;
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))
}

/// A duration as the configuration writes it, in the largest unit that divides it.
pub fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (name, unit) = UNITS
        .iter()
        .find(|(_, unit)| seconds > 0 && seconds.is_multiple_of(*unit))
        .copied()
        .unwrap_or(("s", 1));
    format!("{}{name}", seconds / unit)
}

/// The units of time, largest first.
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_unit() {
        let seconds = |text| duration(text).map(|d| d.as_secs());
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("10m"), Some(600));
        assert_eq!(seconds("12h"), Some(43_200));
        assert_eq!(seconds("7d"), Some(604_800));
        assert_eq!(seconds("15"), Some(15));
        for text in ["", "s", "-1s", "1.5h", "1h30m", "1 h", "1w", "99999999999999999999", "213503982334602d"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
        for text in ["90s", "10m", "12h", "7d", "0s", "1h", "60d"] {
            assert_eq!(duration_text(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn a_key_is_hex_or_base64_of_32_bytes() {
        let hex = "00ff".repeat(16);
        let bytes = *KeyEncryptionKey::parse(&hex).unwrap().expose();
        assert_eq!(&bytes[..4], &[0, 255, 0, 255]);
        let standard = base64::engine::general_purpose::STANDARD.encode(bytes);
        let url = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        assert_eq!(*KeyEncryptionKey::parse(&standard).unwrap().expose(), bytes);
        assert_eq!(*KeyEncryptionKey::parse(&url).unwrap().expose(), bytes);
        assert!(KeyEncryptionKey::parse("too short").is_none());
        assert!(KeyEncryptionKey::parse(&"+0".repeat(32)).is_none());
        assert_eq!(format!("{:?}", KeyEncryptionKey::parse(&hex).unwrap()), "KeyEncryptionKey(32 bytes)");
    }
}
