//! Recovery codes: each signs in once, when every other second factor is lost.

use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

/// How many a person gets.
pub const COUNT: usize = 10;
/// Letters and digits that are not mistaken for each other.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Letters of a code. Sixteen of five bits are 80 bits: nobody tries them all, so a plain hash
/// keeps them.
const LENGTH: usize = 16;
/// Letters of a group.
const GROUP: usize = 4;

/// A code, shown once.
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// A new one.
    pub fn random() -> Self {
        let letters = crate::entropy::bytes::<LENGTH>();
        let letters = letters.iter().filter_map(|byte| LETTERS.get(usize::from(byte & 31)));
        Self(Zeroizing::new(letters.map(|letter| char::from(*letter)).collect()))
    }

    /// What a person typed, in any case, with whatever stands between the groups; `None` when it
    /// cannot be a code.
    pub fn typed(text: &str) -> Option<Self> {
        if text.len() > 128 {
            return None;
        }
        let letters = text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase());
        let code = Zeroizing::new(letters.collect::<String>());
        (code.len() == LENGTH && code.bytes().all(|b| LETTERS.contains(&b))).then_some(Self(code))
    }

    /// In groups, to be shown.
    pub fn expose(&self) -> String {
        let groups: Vec<_> =
            self.0.as_bytes().chunks(GROUP).filter_map(|g| std::str::from_utf8(g).ok()).collect();
        groups.join("-")
    }

    /// What the store keeps.
    pub fn hash(&self) -> String {
        let hash = digest(&SHA256, format!("countersign recovery code\0{}", *self.0).as_bytes());
        crate::store::hex::encode(hash.as_ref())
    }
}

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCode")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_what_is_typed() {
        for _ in 0..100 {
            let code = RecoveryCode::random();
            let shown = code.expose();
            assert_eq!(shown.len(), 19, "{shown}");
            for typed in
                [shown.clone(), shown.to_lowercase(), shown.replace('-', " "), shown.replace('-', "")]
            {
                assert_eq!(RecoveryCode::typed(&typed).unwrap().hash(), code.hash());
            }
        }
    }

    #[test]
    fn what_cannot_be_a_code_is_none() {
        for bad in ["", "ABCD", "ABCD-EFGH-JKLM-NPQ0", "ABCD-EFGH-JKLM-NPQRS", &"A".repeat(200)] {
            assert!(RecoveryCode::typed(bad).is_none(), "{bad}");
        }
    }
}
