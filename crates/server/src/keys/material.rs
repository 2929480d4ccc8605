//! Private keys: made, sealed into records, and opened into what makes tokens.

use aws_lc_rs::aead::{AES_256_GCM_SIV, LessSafeKey, UnboundKey};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_wire::{Algorithm, Jwk};
use zeroize::Zeroizing;

use super::kek::{KeyEncryptionKey, Place};
use super::{CryptoFailed, KeysError};
use crate::entropy;
use crate::store::{KeyPurpose, KeyRecord};
use crate::time::Timestamp;

/// Makes a key and seals it. An RSA key takes a good part of a second.
pub(super) fn generate(
    kek: &KeyEncryptionKey,
    purpose: KeyPurpose,
    number: u8,
    now: Timestamp,
    active_at: Timestamp,
) -> Result<KeyRecord, CryptoFailed> {
    let secret = match purpose {
        KeyPurpose::Signing(algorithm) => generate_pkcs8(algorithm)?,
        KeyPurpose::Refresh | KeyPurpose::Opaque | KeyPurpose::Internal => {
            Zeroizing::new(Zeroizing::new(entropy::bytes::<32>()).to_vec())
        }
    };
    let id = match purpose {
        KeyPurpose::Signing(algorithm) => SigningKey::parse(algorithm, &secret)?.jwk.kid,
        KeyPurpose::Refresh | KeyPurpose::Opaque | KeyPurpose::Internal => {
            format!("{}-{number}-{}", purpose.as_str(), URL_SAFE_NO_PAD.encode(entropy::bytes::<9>()))
        }
    };
    let sealed = kek.seal(Place { purpose, number, id: &id }, &secret)?;
    Ok(KeyRecord { id, purpose, number, created_at: now, active_at, expires_at: None, sealed })
}

/// Opens a stored key.
pub(super) fn open(kek: &KeyEncryptionKey, record: &KeyRecord) -> Result<Material, KeysError> {
    let place = Place { purpose: record.purpose, number: record.number, id: &record.id };
    let secret = kek.open(place, &record.sealed).ok_or_else(|| KeysError::WrongKek(record.id.clone()))?;
    let material = match record.purpose {
        KeyPurpose::Signing(algorithm) => SigningKey::parse(algorithm, &secret).map(Material::Signing),
        KeyPurpose::Refresh | KeyPurpose::Internal => {
            Ok(Material::Mac(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
        }
        KeyPurpose::Opaque => UnboundKey::new(&AES_256_GCM_SIV, &secret)
            .map(|key| Material::Seal(LessSafeKey::new(key)))
            .map_err(CryptoFailed::from),
    };
    material.map_err(|CryptoFailed| KeysError::Damaged(record.id.clone()))
}

/// A key that makes tokens.
#[expect(clippy::large_enum_variant, reason = "it is taken apart as soon as it is made")]
pub(super) enum Material {
    Signing(SigningKey),
    Mac(hmac::Key),
    Seal(LessSafeKey),
}

/// A signing key with what is the same in all of its tokens.
pub(super) struct SigningKey {
    pair: Pair,
    /// The public half.
    pub(super) jwk: Jwk,
    /// The encoded header and its dot.
    pub(super) header: String,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    fn parse(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, CryptoFailed> {
        let pair = match algorithm {
            Algorithm::EdDSA => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8)?),
            Algorithm::ES256 => {
                Pair::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)?)
            }
            Algorithm::RS256 => Pair::Rsa(RsaKeyPair::from_pkcs8(pkcs8)?),
        };
        let jwk = pair.public_jwk()?;
        // RFC 9068 section 2.1.
        let header = header(&jwk, "at+jwt");
        Ok(Self { pair, jwk, header })
    }

    /// The encoded header of a token of another type, and its dot.
    pub(super) fn header_of_type(&self, typ: &str) -> String {
        header(&self.jwk, typ)
    }

    /// Appends the encoded signature of all that the buffer holds.
    pub(super) fn append_signature(&self, token: &mut String) -> Result<(), CryptoFailed> {
        let message = token.as_bytes();
        match &self.pair {
            Pair::Ed25519(pair) => {
                let signature = pair.try_sign(message)?;
                URL_SAFE_NO_PAD.encode_string(signature, token);
            }
            Pair::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message)?;
                URL_SAFE_NO_PAD.encode_string(signature, token);
            }
            Pair::Rsa(pair) => {
                let mut signature = [0; RSA_MODULUS_LEN];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)?;
                URL_SAFE_NO_PAD.encode_string(signature, token);
            }
        }
        Ok(())
    }
}

/// A thumbprint, an algorithm's name and our types need no escapes.
fn header(jwk: &Jwk, typ: &str) -> String {
    let header = format!(r#"{{"alg":"{}","kid":"{}","typ":"{typ}"}}"#, jwk.alg.as_str(), jwk.kid);
    format!("{}.", URL_SAFE_NO_PAD.encode(header))
}

/// Bytes of the modulus of the RSA keys that are made here.
const RSA_MODULUS_LEN: usize = 256;

fn generate_pkcs8(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, CryptoFailed> {
    let bytes = match algorithm {
        Algorithm::EdDSA => Ed25519KeyPair::generate()?.to_pkcs8()?.as_ref().to_vec(),
        Algorithm::ES256 => {
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?.to_pkcs8v1()?.as_ref().to_vec()
        }
        Algorithm::RS256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
            let der: Pkcs8V1Der<'_> = pair.as_der()?;
            der.as_ref().to_vec()
        }
    };
    Ok(Zeroizing::new(bytes))
}

impl Pair {
    fn public_jwk(&self) -> Result<Jwk, CryptoFailed> {
        let encode = |bytes: &[u8]| Some(URL_SAFE_NO_PAD.encode(bytes));
        let mut jwk = Jwk {
            kty: String::new(),
            kid: String::new(),
            alg: Algorithm::ES256,
            use_: "sig".to_owned(),
            crv: None,
            x: None,
            y: None,
            n: None,
            e: None,
        };
        match self {
            Self::Ed25519(pair) => {
                jwk.alg = Algorithm::EdDSA;
                jwk.kty = "OKP".to_owned();
                jwk.crv = Some("Ed25519".to_owned());
                jwk.x = encode(pair.public_key().as_ref());
            }
            Self::P256(pair) => {
                // SEC 1 section 2.3.3: 4, x, y.
                let (x, y) = match pair.public_key().as_ref() {
                    [4, point @ ..] if point.len() == 64 => point.split_at(32),
                    _ => return Err(CryptoFailed),
                };
                jwk.alg = Algorithm::ES256;
                jwk.kty = "EC".to_owned();
                jwk.crv = Some("P-256".to_owned());
                jwk.x = encode(x);
                jwk.y = encode(y);
            }
            Self::Rsa(pair) => {
                let (n, e) = rsa_2048_components(pair.public_key().as_ref()).ok_or(CryptoFailed)?;
                jwk.alg = Algorithm::RS256;
                jwk.kty = "RSA".to_owned();
                jwk.n = encode(n);
                jwk.e = encode(e);
            }
        }
        jwk.kid = thumbprint(&jwk);
        Ok(jwk)
    }
}

/// Modulus and exponent of an RSAPublicKey (RFC 8017 appendix A.1.1) of 2048 bits and the exponent
/// 65537: all keys made here have exactly this form, so none other is understood.
fn rsa_2048_components(der: &[u8]) -> Option<(&[u8], &[u8])> {
    // SEQUENCE of 266 bytes, INTEGER of 257 bytes with its leading zero.
    let rest = der.strip_prefix(&[0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00])?;
    let (modulus, rest) = rest.split_first_chunk::<RSA_MODULUS_LEN>()?;
    let exponent = rest.strip_prefix(&[0x02, 0x03])?;
    (exponent == [1, 0, 1]).then_some((modulus, exponent))
}

/// The SHA-256 thumbprint of a public key (RFC 7638 section 3, RFC 8037 section 2).
pub(super) fn thumbprint(jwk: &Jwk) -> String {
    let text = |member: &Option<String>| member.clone().unwrap_or_default();
    // The required members in the order of their names; base64url needs no escapes.
    let members = match jwk.alg {
        Algorithm::ES256 => return p256_thumbprint(&text(&jwk.x), &text(&jwk.y)),
        Algorithm::EdDSA => {
            format!(r#"{{"crv":"{}","kty":"{}","x":"{}"}}"#, text(&jwk.crv), jwk.kty, text(&jwk.x))
        }
        Algorithm::RS256 => {
            format!(r#"{{"e":"{}","kty":"{}","n":"{}"}}"#, text(&jwk.e), jwk.kty, text(&jwk.n))
        }
    };
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()))
}

/// The same of a key on P-256, whatever it is for.
pub(super) fn p256_thumbprint(x: &str, y: &str) -> String {
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn jwk(json: &str) -> Jwk {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn thumbprints_are_those_of_rfc_7638_and_rfc_8037() {
        // RFC 7638 section 3.1.
        let rsa = jwk(concat!(
            r#"{"kty":"RSA","kid":"","alg":"RS256","use":"sig","e":"AQAB","n":"#,
            "\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWK",
            "RXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqz",
            "s8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_",
            "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\"}",
        ));
        assert_eq!(thumbprint(&rsa), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        // RFC 8037 appendix A.3.
        let ed25519 = jwk(
            r#"{"kty":"OKP","kid":"","alg":"EdDSA","use":"sig","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        );
        assert_eq!(thumbprint(&ed25519), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_second_library_computes_the_same_thumbprints() {
        for ours in &testing::key_set().jwks().keys {
            let theirs: jsonwebtoken::jwk::Jwk =
                serde_json::from_value(serde_json::to_value(ours).unwrap()).unwrap();
            assert_eq!(ours.kid, theirs.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap());
        }
    }

    #[test]
    fn the_modulus_is_found_in_keys_of_our_form_only() {
        let key = RsaKeyPair::generate(KeySize::Rsa3072).unwrap();
        assert_eq!(rsa_2048_components(key.public_key().as_ref()), None);
    }

    #[test]
    fn another_key_encryption_key_opens_nothing() {
        let other = KeyEncryptionKey::from_text(&"00".repeat(32)).unwrap();
        for record in testing::records() {
            let Err(KeysError::WrongKek(id)) = open(&other, record) else { panic!("{}", record.id) };
            assert_eq!(id, record.id);
            assert!(open(&testing::kek(), record).is_ok());
        }
    }
}
