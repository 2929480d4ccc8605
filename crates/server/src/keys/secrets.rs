//! Small secrets of users as the store keeps them, such as an authenticator app's:
//!
//! base64url( version:1 | nonce:12 | AES-256-GCM-SIV(secret) ), bound to purpose and owner.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::entropy;

/// What the sealing key is derived for.
pub(super) const KEY_DOMAIN: &[u8] = b"countersign sealed secrets\0";
const VERSION: u8 = 1;
/// Longest sealed text that is looked at, in bytes.
const MAX_SEALED: usize = 4096;

pub(super) fn seal(key: &[u8; 32], purpose: &str, owner: &str, secret: &[u8]) -> Option<String> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, key).ok()?);
    let nonce = entropy::bytes::<NONCE_LEN>();
    let mut sealed = secret.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(place(purpose, owner)),
        &mut sealed,
    )
    .ok()?;
    Some(URL_SAFE_NO_PAD.encode([&[VERSION], nonce.as_slice(), &sealed].concat()))
}

pub(super) fn open(key: &[u8; 32], purpose: &str, owner: &str, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
    if sealed.len() > MAX_SEALED {
        return None;
    }
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, key).ok()?);
    let mut bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(sealed).ok()?);
    let (head, body) = bytes.split_at_mut_checked(1 + NONCE_LEN)?;
    let (version, nonce) = head.split_first()?;
    let nonce = <[u8; NONCE_LEN]>::try_from(&*nonce).ok()?;
    if *version != VERSION {
        return None;
    }
    let nonce = Nonce::assume_unique_for_key(nonce);
    let opened = key.open_in_place(nonce, Aad::from(place(purpose, owner)), body).ok()?;
    Some(Zeroizing::new(opened.to_vec()))
}

/// No name has a zero byte in it, so that no two places are the same bytes.
fn place(purpose: &str, owner: &str) -> Vec<u8> {
    [purpose.as_bytes(), b"\0", owner.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_secret_is_opened_in_its_place_only() {
        let sealed = seal(&KEY, "totp", "ana", b"12345678901234567890").unwrap();
        assert_eq!(open(&KEY, "totp", "ana", &sealed).unwrap().as_slice(), b"12345678901234567890");
        assert_eq!(open(&KEY, "totp", "bob", &sealed), None);
        assert_eq!(open(&KEY, "other", "ana", &sealed), None);
        assert_eq!(open(&[8; 32], "totp", "ana", &sealed), None);
        for at in 0..sealed.len() {
            let mut edited = sealed.clone().into_bytes();
            edited[at] = if edited[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(open(&KEY, "totp", "ana", std::str::from_utf8(&edited).unwrap()), None, "{at}");
        }
        for bad in ["", "AA", "!", &"A".repeat(5000)] {
            assert_eq!(open(&KEY, "totp", "ana", bad), None);
        }
    }

    #[test]
    fn equal_secrets_are_sealed_differently() {
        assert_ne!(seal(&KEY, "totp", "ana", b"x"), seal(&KEY, "totp", "ana", b"x"));
    }
}
