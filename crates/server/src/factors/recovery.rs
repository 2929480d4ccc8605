//! Recovery codes: each signs in once, when every other second factor is lost.

use aws_lc_rs::digest::{Context, SHA256};
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
        let bytes = Zeroizing::new(crate::entropy::bytes::<LENGTH>());
        // With room for all, so that growing leaves no copy behind.
        let mut code = Zeroizing::new(String::with_capacity(LENGTH));
        // 32 letters divide a byte evenly: none is likelier than another.
        let letters = bytes.iter().filter_map(|byte| LETTERS.get(usize::from(byte & 31)));
        code.extend(letters.map(|letter| char::from(*letter)));
        Self(code)
    }

    /// What a person typed, in any case, with whatever stands between the groups; `None` when it
    /// cannot be a code.
    pub fn typed(text: &str) -> Option<Self> {
        if text.len() > 128 {
            return None;
        }
        let mut code = Zeroizing::new(String::with_capacity(text.len()));
        code.extend(text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()));
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
        let mut hash = Context::new(&SHA256);
        hash.update(b"countersign recovery code\0");
        hash.update(self.0.as_bytes());
        crate::store::hex::encode(hash.finish().as_ref())
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
