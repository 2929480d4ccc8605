//! Encrypted access tokens: a JWE (RFC 7516) around the signed JWT (RFC 7519 appendix A.2), to a
//! key of the API that the token is for.
//!
//! One way of encryption is known: `ECDH-ES` on P-256, used directly, with `A256GCM` (RFC 7518
//! sections 4.6 and 5.3). Anybody who has the public key can make such an envelope, so it proves
//! nothing: who made the token, and what it permits, is in the JWT and nowhere else. Of the outer
//! header only what opens the envelope is used.

mod outer;

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::{InvalidKey, Rejection, VerifyingKeys, compact};
use outer::Outer;

/// The `enc` that is accepted (RFC 7518 section 5.3); its name is part of the key derivation.
const ENC: &str = "A256GCM";
/// Bytes of the authentication tag (RFC 7518 section 5.3).
const TAG_LEN: usize = 16;
/// Bytes of a coordinate and of a private key on P-256 (RFC 7518 section 6.2).
const COORDINATE_LEN: usize = 32;

/// A private key that opens tokens which are encrypted to its public half. `Debug` shows the `kid`
/// only; the key is wiped when the last of its clones is dropped.
#[derive(Clone)]
pub struct DecryptionKey {
    kid: String,
    key: Arc<PrivateKey>,
}

impl DecryptionKey {
    /// Reads a private JWK (RFC 7517) on P-256. Its `kid` is that of the public key as it was
    /// registered; without one it is the key's SHA-256 thumbprint (RFC 7638), as it is there.
    ///
    /// # Errors
    /// When the text is not such a key, or its parts do not belong together.
    pub fn from_jwk(json: &str) -> Result<Self, InvalidKey> {
        // The parser's own complaint is left out: it can quote what it read.
        let jwk: PrivateJwk = serde_json::from_str(json).map_err(|_| InvalidKey {
            kid: String::new(),
            problem: "this is not a private JWK: it needs kty, crv, x, y and d",
        })?;
        let kid = jwk.kid.clone().unwrap_or_else(|| thumbprint(&jwk.x, &jwk.y));
        let key = jwk.parse(&kid).map_err(|problem| InvalidKey { kid: kid.clone(), problem })?;
        Ok(Self { kid, key: Arc::new(key) })
    }

    /// The `kid` of the tokens that it opens.
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

impl std::fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DecryptionKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Opens a token of five parts: what is in it is as unchecked as the token was.
pub(crate) fn open(keys: &[DecryptionKey], token: &str) -> Result<String, Rejection> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, encrypted_key, iv, ciphertext, tag] = parts.as_slice() else {
        return Err(Rejection::NotThreeParts);
    };
    let outer = outer::parse(&compact::decode(header)?)?;
    // RFC 7516 section 5.2, step 10: an agreed key that is used directly leaves nothing to encrypt.
    if !encrypted_key.is_empty() {
        return Err(Rejection::EncryptedKey);
    }
    let key = keys.iter().find(|key| key.kid == outer.kid).ok_or(Rejection::UnknownDecryptionKey)?;
    let iv: [u8; NONCE_LEN] = compact::decode(iv)?.try_into().map_err(|_| Rejection::Decryption)?;
    let tag: [u8; TAG_LEN] = compact::decode(tag)?.try_into().map_err(|_| Rejection::Decryption)?;
    let mut sealed = compact::decode(ciphertext)?;
    sealed.extend_from_slice(&tag);
    let content_key = content_key(&key.key, &outer)?;
    // RFC 7516 section 5.1, step 14: the encoded header is authenticated as it came.
    let plain = content_key
        .open_in_place(Nonce::assume_unique_for_key(iv), Aad::from(header.as_bytes()), &mut sealed)
        .map_err(|_| Rejection::Decryption)?;
    // What is not text is no JWT.
    String::from_utf8(plain.to_vec()).map_err(|_| Rejection::NotThreeParts)
}

/// The key of the content: agreed with the ephemeral key, and derived for `enc`.
fn content_key(own: &PrivateKey, outer: &Outer) -> Result<LessSafeKey, Rejection> {
    // The point is checked to be on the curve (RFC 8725 section 3.4).
    let ephemeral = UnparsedPublicKey::new(&ECDH_P256, outer.point);
    let key = agree(own, ephemeral, Rejection::EphemeralKey, |secret| {
        let info = other_info(ENC, &outer.apu, &outer.apv, 256);
        let mut key = Zeroizing::new([0; 32]);
        derive(secret, &info, key.as_mut()).ok_or(Rejection::Decryption)?;
        Ok(key)
    })?;
    let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| Rejection::Decryption)?;
    Ok(LessSafeKey::new(key))
}

/// The Concat KDF with SHA-256 (RFC 7518 section 4.6.2): the single-step KDF of NIST SP 800-56C.
fn derive(secret: &[u8], info: &[u8], key: &mut [u8]) -> Option<()> {
    let algorithm = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256)?;
    sskdf_digest(algorithm, secret, info, key).ok()
}

/// What the derived key is bound to (RFC 7518 section 4.6.2): AlgorithmID, PartyUInfo, PartyVInfo,
/// each after its length, and SuppPubInfo, the key's length in bits.
fn other_info(algorithm: &str, apu: &[u8], apv: &[u8], bits: u32) -> Vec<u8> {
    let mut info = Vec::with_capacity(algorithm.len() + apu.len() + apv.len() + 16);
    for part in [algorithm.as_bytes(), apu, apv] {
        // A token is far shorter than 4 GiB.
        info.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        info.extend_from_slice(part);
    }
    info.extend_from_slice(&bits.to_be_bytes());
    info
}

/// The SHA-256 thumbprint of a public key on P-256 (RFC 7638 section 3.2). Coordinates that are
/// found to be no base64url afterwards make no key, so it does not matter what theirs is.
fn thumbprint(x: &str, y: &str) -> String {
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

/// A private key as RFC 7518 section 6.2 writes it.
#[derive(Deserialize)]
struct PrivateJwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
    #[serde(deserialize_with = "wiped")]
    d: Zeroizing<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    use_: Option<String>,
}

fn wiped<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

impl PrivateJwk {
    fn parse(&self, kid: &str) -> Result<PrivateKey, &'static str> {
        if kid.is_empty() || kid.len() > VerifyingKeys::MAX_KID_LEN {
            return Err("its kid is empty or too long");
        }
        if self.kty != "EC" || self.crv != "P-256" {
            return Err("its kty and crv are not EC and P-256");
        }
        if self.use_.as_ref().is_some_and(|use_| use_ != "enc") {
            return Err("its use is not enc");
        }
        if self.alg.as_ref().is_some_and(|alg| alg != "ECDH-ES") {
            return Err("its alg is not ECDH-ES");
        }
        let point = point(&self.x, &self.y).ok_or("x and y are not 32 bytes of base64url each")?;
        let d = URL_SAFE_NO_PAD.decode(self.d.as_bytes()).map(Zeroizing::new);
        let d = d.map_err(|_| "d is not base64url")?;
        let key = PrivateKey::from_private_key(&ECDH_P256, &d).map_err(|_| "d is not a key of the curve")?;
        match key.compute_public_key() {
            Ok(public) if public.as_ref() == point => Ok(key),
            _ => Err("d is not the private half of x and y"),
        }
    }
}

/// An uncompressed point (SEC 1 section 2.3.3): 4, x, y. Whether it is on the curve is not checked.
fn point(x: &str, y: &str) -> Option<[u8; 1 + 2 * COORDINATE_LEN]> {
    let coordinate =
        |text: &str| -> Option<[u8; COORDINATE_LEN]> { compact::decode(text).ok()?.try_into().ok() };
    [[4].as_slice(), &coordinate(x)?, &coordinate(y)?].concat().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7518 appendix C.
    const BOB: &str = r#"{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}"#;

    #[test]
    fn the_example_of_rfc_7518_appendix_c() {
        let bob = DecryptionKey::from_jwk(BOB).unwrap();
        let alice = point(
            "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
            "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
        );
        let alice = UnparsedPublicKey::new(&ECDH_P256, alice.unwrap());
        let key = agree(&bob.key, alice, (), |secret| {
            assert_eq!(secret[..4], [158, 86, 217, 29]);
            let mut key = [0; 16];
            derive(secret, &other_info("A128GCM", b"Alice", b"Bob", 128), &mut key).ok_or(())?;
            Ok(key)
        });
        assert_eq!(URL_SAFE_NO_PAD.encode(key.unwrap()), "VqqN6vgjbSBcIijNcacQGg");
    }

    #[test]
    fn debug_shows_the_kid_alone() {
        let named = BOB.replacen('{', r#"{"kid":"bob","#, 1);
        let key = DecryptionKey::from_jwk(&named).unwrap();
        assert_eq!(format!("{key:?}"), r#"DecryptionKey { kid: "bob", .. }"#);
    }

    #[test]
    fn keys_that_are_no_keys_are_refused() {
        let problem = |from: &str, to: &str| {
            assert!(BOB.contains(from));
            DecryptionKey::from_jwk(&BOB.replacen(from, to, 1)).unwrap_err().problem
        };
        assert_eq!(problem(r#""EC""#, r#""OKP""#), "its kty and crv are not EC and P-256");
        assert_eq!(problem("P-256", "P-384"), "its kty and crv are not EC and P-256");
        assert_eq!(problem("{", r#"{"use":"sig","#), "its use is not enc");
        assert_eq!(problem("{", r#"{"alg":"ECDH-ES+A256KW","#), "its alg is not ECDH-ES");
        assert_eq!(problem("{", r#"{"kid":"","#), "its kid is empty or too long");
        assert_eq!(problem("weNJ", ""), "x and y are not 32 bytes of base64url each");
        assert_eq!(problem("VEmD", "VEm!"), "d is not base64url");
        assert_eq!(problem("VEmD", ""), "d is not a key of the curve");
        assert_eq!(problem("VEmD", "VEmE"), "d is not the private half of x and y");
        let not_private = "this is not a private JWK: it needs kty, crv, x, y and d";
        assert_eq!(problem(r#","d""#, r#","D""#), not_private);
        assert_eq!(DecryptionKey::from_jwk("secret").unwrap_err().problem, not_private);
    }

    #[test]
    fn without_a_kid_it_is_the_thumbprint() {
        // RFC 7638 section 3.2: the canonical form, written out by hand.
        let canonical = concat!(
            r#"{"crv":"P-256","kty":"EC","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","#,
            r#""y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"}"#
        );
        let expected = URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()));
        assert_eq!(DecryptionKey::from_jwk(BOB).unwrap().kid(), expected);
    }
}
