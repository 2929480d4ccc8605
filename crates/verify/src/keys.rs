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

    /// The payload of a token whose form, type (the media type without `application/`) and
    /// signature are good.
    pub(crate) fn signed_payload(&self, token: &str, typ: &str) -> Result<Vec<u8>, Rejection> {
        let parts = compact::split(token)?;
        let header = header::parse(&compact::decode(parts.header)?, typ)?;
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
            let exponent = e.iter().fold(0_u64, |all, byte| (all << 8) | u64::from(*byte));
            if e.first() == Some(&0) || e.len() > 4 || exponent < 65537 || exponent % 2 == 0 {
                return Err("e is not an odd number of 65537 or more");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(jwk: serde_json::Value, jws: &str) {
        let jwk: Jwk = serde_json::from_value(jwk).unwrap();
        let key = parse(&jwk).unwrap();
        let parts = compact::split(jws).unwrap();
        let signature = compact::decode(parts.signature).unwrap();
        key.verify_sig(parts.signing_input, &signature).unwrap();
        assert!(key.verify_sig(b"something else", &signature).is_err());
    }

    #[test]
    fn the_examples_of_rfc_7515_and_rfc_8037_are_good() {
        // RFC 7515 appendix A.2.
        check(
            serde_json::json!({
                "kty": "RSA", "kid": "a", "alg": "RS256", "use": "sig", "e": "AQAB",
                "n": concat!(
                    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4",
                    "d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re",
                    "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX",
                    "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
                ),
            }),
            concat!(
                "eyJhbGciOiJSUzI1NiJ9.",
                "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG",
                "bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K",
                "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6",
                "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
            ),
        );
        // RFC 7515 appendix A.3.
        check(
            serde_json::json!({
                "kty": "EC", "kid": "b", "alg": "ES256", "use": "sig", "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            }),
            concat!(
                "eyJhbGciOiJFUzI1NiJ9.",
                "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
        );
        // RFC 8037 appendix A.4.
        check(
            serde_json::json!({
                "kty": "OKP", "kid": "c", "alg": "EdDSA", "use": "sig", "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }),
            concat!(
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.",
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        );
    }
}
