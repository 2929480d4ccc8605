//! The keys of APIs, and encrypted access tokens: a JWE (RFC 7516) around the signed JWT (RFC 7519
//! appendix A.2), to the key of the one API that it is for. What opens them is in
//! `countersign-verify`; nothing here can.
//!
//! `ECDH-ES` on P-256, used directly, with `A256GCM` (RFC 7518 sections 4.6 and 5.3), and no other
//! way: what is not there cannot be chosen wrongly.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{
    ECDH_P256, EphemeralPrivateKey, ParsedPublicKey, UnparsedPublicKey, agree_ephemeral,
};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_verify::VerifyingKeys;
use countersign_wire::{AccessToken, EncryptionJwk};
use serde_json::Value;
use zeroize::Zeroizing;

use super::access::{IssueError, limited};
use super::{CryptoFailed, material};
use crate::entropy;

/// What the key of the content is bound to (RFC 7518 section 4.6.2): the length and name of `enc`,
/// two empty parties, and the length of the key in bits.
const OTHER_INFO: &[u8; 23] = b"\0\0\0\x07A256GCM\0\0\0\0\0\0\0\0\0\0\x01\0";
/// Bytes of a coordinate (RFC 7518 section 6.2.1.2).
const COORDINATE_LEN: usize = 32;
/// Members of a JWK that hold a private or a shared key (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1,
/// RFC 8037 section 2).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// Characters of the envelope beside the token and what grows with it: header, IV and tag.
const USUAL_ENVELOPE: usize = 448;

/// Why a text is not a key to encrypt to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecipientKeyError {
    /// Not a JSON object.
    #[error("must be a public key as a JWK: a JSON object with kty, crv, x and y")]
    NotAJwk,
    /// `keys`.
    #[error("is a set of keys: give the one key of it that tokens are to be encrypted to")]
    Set,
    /// A member that no public key has.
    #[error(
        "holds a private key (its member {0}), which has left its place with this: do not use it any more. Make a new key pair, keep its private half at the API, and register the public half"
    )]
    Private(&'static str),
    /// Another `kty` or `crv`.
    #[error("must have kty EC and crv P-256: tokens are encrypted with ECDH-ES on that curve")]
    Curve,
    /// `use` is there and not `enc`: one key does not do two things.
    #[error("is for something else: its use must be enc, or absent")]
    Use,
    /// `alg` is there and not `ECDH-ES`.
    #[error("is for another algorithm: its alg must be ECDH-ES, or absent")]
    Algorithm,
    /// `kid` is there and cannot stand in a header as it is.
    #[error(
        "has a kid that cannot be used: it must be 1 to {} printable ASCII characters without quotes and backslashes, or absent",
        VerifyingKeys::MAX_KID_LEN
    )]
    KeyId,
    /// Missing, of another length, or not base64url.
    #[error("must have x and y of 32 bytes each, in base64url without padding")]
    Coordinates,
    /// RFC 8725 section 3.4.
    #[error("has an x and y that are not a point of the curve: it was damaged on its way")]
    Point,
}

/// Reads an API's public key as its operator gives it (RFC 7517). Without a `kid` it gets its
/// SHA-256 thumbprint (RFC 7638); members that nobody here needs are left out.
///
/// # Errors
/// Why it is none.
pub fn public_jwk(given: &Value) -> Result<EncryptionJwk, RecipientKeyError> {
    use RecipientKeyError as Error;
    let members = given.as_object().ok_or(Error::NotAJwk)?;
    if members.contains_key("keys") {
        return Err(Error::Set);
    }
    // First of all: who sent a private key has to hear of that and of nothing else.
    if let Some(name) = PRIVATE_MEMBERS.into_iter().find(|name| members.contains_key(*name)) {
        return Err(Error::Private(name));
    }
    let is = |name: &str, wanted: &str| members.get(name).and_then(Value::as_str) == Some(wanted);
    let is_if_there = |name: &str, wanted: &str| !members.contains_key(name) || is(name, wanted);
    if !is("kty", "EC") || !is("crv", "P-256") {
        return Err(Error::Curve);
    }
    if !is_if_there("use", "enc") {
        return Err(Error::Use);
    }
    if !is_if_there("alg", "ECDH-ES") {
        return Err(Error::Algorithm);
    }
    let coordinate = |name: &str| {
        let text = members.get(name).and_then(Value::as_str).ok_or(Error::Coordinates)?;
        decode(text).map(|_| text.to_owned())
    };
    let (x, y) = (coordinate("x")?, coordinate("y")?);
    let kid = match members.get("kid") {
        None => material::p256_thumbprint(&x, &y),
        Some(Value::String(kid)) => kid.clone(),
        Some(_) => return Err(Error::KeyId),
    };
    let jwk = EncryptionJwk {
        kty: "EC".to_owned(),
        kid,
        alg: "ECDH-ES".to_owned(),
        use_: "enc".to_owned(),
        crv: "P-256".to_owned(),
        x,
        y,
    };
    RecipientKey::new(&jwk).map(|_| jwk)
}

/// An API's public key, ready to encrypt to.
pub struct RecipientKey {
    /// Uncompressed (SEC 1 section 2.3.3), and on the curve.
    point: [u8; 1 + 2 * COORDINATE_LEN],
    /// The header up to the ephemeral key's coordinates.
    header: String,
}

impl RecipientKey {
    /// Makes ready a key that [`public_jwk`] made.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn new(jwk: &EncryptionJwk) -> Result<Self, RecipientKeyError> {
        use RecipientKeyError as Error;
        let plain = |b: u8| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\');
        if jwk.kid.is_empty() || jwk.kid.len() > VerifyingKeys::MAX_KID_LEN || !jwk.kid.bytes().all(plain) {
            return Err(Error::KeyId);
        }
        let point = [[4].as_slice(), &decode(&jwk.x)?, &decode(&jwk.y)?].concat();
        let point = point.try_into().map_err(|_| Error::Coordinates)?;
        ParsedPublicKey::try_from(UnparsedPublicKey::new(&ECDH_P256, point)).map_err(|_| Error::Point)?;
        // RFC 7519 section 5.2 for `cty`; `typ` is what the whole is (RFC 9068 section 2.1).
        let header = format!(
            r#"{{"alg":"ECDH-ES","enc":"A256GCM","typ":"at+jwt","cty":"JWT","kid":"{}","epk":{{"kty":"EC","crv":"P-256","x":""#,
            jwk.kid
        );
        Ok(Self { point, header })
    }

    /// Encrypts a signed token (RFC 7516 section 5.1).
    ///
    /// # Errors
    /// When it gets too long, or the cryptography library fails.
    pub fn seal(&self, token: &AccessToken) -> Result<AccessToken, IssueError> {
        let ephemeral =
            EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).map_err(CryptoFailed::from)?;
        let header = self.header_with(&ephemeral)?;
        let key = self.content_key(ephemeral)?;
        let iv = entropy::bytes::<NONCE_LEN>();
        let mut content = token.expose().as_bytes().to_vec();
        let tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(iv),
                Aad::from(header.as_bytes()),
                &mut content,
            )
            .map_err(CryptoFailed::from)?;
        let mut sealed = String::with_capacity(USUAL_ENVELOPE + content.len() * 4 / 3);
        sealed.push_str(&header);
        // Section 5.1, step 5: an agreed key that is used directly leaves the second part empty.
        sealed.push_str("..");
        URL_SAFE_NO_PAD.encode_string(iv, &mut sealed);
        sealed.push('.');
        URL_SAFE_NO_PAD.encode_string(&content, &mut sealed);
        sealed.push('.');
        URL_SAFE_NO_PAD.encode_string(tag, &mut sealed);
        limited(sealed)
    }

    fn header_with(&self, ephemeral: &EphemeralPrivateKey) -> Result<String, CryptoFailed> {
        let public = ephemeral.compute_public_key()?;
        let (x, y) = match public.as_ref() {
            [4, point @ ..] if point.len() == 2 * COORDINATE_LEN => point.split_at(COORDINATE_LEN),
            _ => return Err(CryptoFailed),
        };
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        Ok(URL_SAFE_NO_PAD.encode(format!(r#"{}{x}","y":"{y}"}}}}"#, self.header)))
    }

    fn content_key(&self, ephemeral: EphemeralPrivateKey) -> Result<LessSafeKey, CryptoFailed> {
        let algorithm = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256).ok_or(CryptoFailed)?;
        let own = UnparsedPublicKey::new(&ECDH_P256, self.point);
        let key = agree_ephemeral(ephemeral, own, CryptoFailed, |secret| {
            let mut key = Zeroizing::new([0; 32]);
            sskdf_digest(algorithm, secret, OTHER_INFO, key.as_mut())?;
            Ok(key)
        })?;
        Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_ref())?))
    }
}

impl std::fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecipientKey").finish_non_exhaustive()
    }
}

fn decode(text: &str) -> Result<[u8; COORDINATE_LEN], RecipientKeyError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| RecipientKeyError::Coordinates)?;
    bytes.try_into().map_err(|_| RecipientKeyError::Coordinates)
}

#[cfg(test)]
mod tests;
