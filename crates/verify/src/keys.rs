//! The keys of an issuer, parsed once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use countersign_wire::{Algorithm, Jwk, JwkSet};

use crate::{Rejection, compact, header};

/// Why a key of a set cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key {kid:?}: {problem}")]
pub struct InvalidKey {
    /// The key's `kid`.
    pub kid: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Public keys by `kid`, each for one algorithm (RFC 8725 section 3.1).
pub struct VerifyingKeys(HashMap<String, (Algorithm, ParsedPublicKey)>);

impl VerifyingKeys {
    /// Shortest RSA modulus, in bits (RFC 7518 section 3.3).
    pub const MIN_RSA_BITS: usize = 2048;
    /// Longest RSA modulus, in bits.
    pub const MAX_RSA_BITS: usize = 8192;
    /// Longest `kid`, in bytes.
    pub const MAX_KID_LEN: usize = 256;

    /// Parses every key of the set; curve points are validated (RFC 8725 section 3.4).
    ///
    /// # Errors
    /// The first key that cannot be used.
    pub fn new(set: &JwkSet) -> Result<Self, InvalidKey> {
        let mut keys = HashMap::with_capacity(set.keys.len());
        for jwk in &set.keys {
            let invalid = |problem| InvalidKey { kid: jwk.kid.clone(), problem };
            if jwk.kid.is_empty() || jwk.kid.len() > Self::MAX_KID_LEN {
                return Err(invalid("its kid is empty or too long"));
            }
            let key = parse(jwk).map_err(invalid)?;
            match keys.entry(jwk.kid.clone()) {
                Entry::Occupied(_) => return Err(invalid("another key has the same kid")),
                Entry::Vacant(place) => place.insert((jwk.alg, key)),
            };
        }
        Ok(Self(keys))
    }

    /// The payload of a token whose form, type and signature are good.
    pub(crate) fn signed_payload(&self, token: &str) -> Result<Vec<u8>, Rejection> {
        let parts = compact::split(token)?;
        let header = header::parse(&compact::decode(parts.header)?)?;
        let algorithm: Algorithm = header.algorithm.parse().map_err(|_| Rejection::Algorithm)?;
        // The kid is only ever looked up here, so whatever text it is can do no harm.
        let kid = header.key_id.ok_or(Rejection::MissingKeyId)?;
        let (key_algorithm, key) = self.0.get(&kid).ok_or(Rejection::UnknownKey)?;
        if *key_algorithm != algorithm {
            return Err(Rejection::AlgorithmMismatch);
        }
        let signature = compact::decode(parts.signature)?;
        key.verify_sig(parts.signing_input, &signature).map_err(|_| Rejection::Signature)?;
        compact::decode(parts.payload)
    }
}

impl std::fmt::Debug for VerifyingKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn parse(jwk: &Jwk) -> Result<ParsedPublicKey, &'static str> {
    if jwk.use_ != "sig" {
        return Err("its use is not sig");
    }
    match (jwk.alg, jwk.kty.as_str(), jwk.crv.as_deref()) {
        // RFC 8037 section 2.
        (Algorithm::EdDSA, "OKP", Some("Ed25519")) => {
            let x: [u8; 32] = member(jwk.x.as_ref())?.try_into().map_err(|_| "x is not 32 bytes")?;
            ParsedPublicKey::new(&ED25519, x).map_err(|_| "x is not a point of the curve")
        }
        // RFC 7518 section 6.2.1: each coordinate has all 32 octets.
        (Algorithm::ES256, "EC", Some("P-256")) => {
            let x: [u8; 32] = member(jwk.x.as_ref())?.try_into().map_err(|_| "x is not 32 bytes")?;
            let y: [u8; 32] = member(jwk.y.as_ref())?.try_into().map_err(|_| "y is not 32 bytes")?;
            let point = [&[0x04], x.as_slice(), y.as_slice()].concat();
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .map_err(|_| "x and y are not a point of the curve")
        }
        // RFC 7518 section 6.3.1.
        (Algorithm::RS256, "RSA", None) => {
            let (n, e) = (member(jwk.n.as_ref())?, member(jwk.e.as_ref())?);
            let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
            if n.first() == Some(&0) {
                return Err("n has leading zeros");
            }
            if !(VerifyingKeys::MIN_RSA_BITS..=VerifyingKeys::MAX_RSA_BITS).contains(&bits) {
                return Err("an RSA key has 2048 to 8192 bits");
            }
            RsaPublicKeyComponents { n, e }
                .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
                .map_err(|_| "n and e are not an RSA key")
        }
        _ => Err("its kty and crv do not fit its alg"),
    }
}

fn member(value: Option<&String>) -> Result<Vec<u8>, &'static str> {
    let text = value.ok_or("a member is missing")?;
    compact::decode(text).map_err(|_| "a member is not base64url")
}
