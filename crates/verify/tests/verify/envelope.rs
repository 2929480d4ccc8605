//! Envelopes for the tests: JWEs that are made as a test says, with a key derivation of their own.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::issuer::encode;
use countersign_verify::DecryptionKey;

/// An API with a key to which tokens are encrypted.
pub(crate) struct Api {
    key: PrivateKey,
    kid: &'static str,
}

impl Api {
    pub(crate) fn new(kid: &'static str) -> Self {
        Self { key: PrivateKey::generate(&ECDH_P256).unwrap(), kid }
    }

    /// The key as the API's own configuration has it.
    pub(crate) fn private_key(&self) -> DecryptionKey {
        let private: EcPrivateKeyBin<'_> = self.key.as_be_bytes().unwrap();
        let mut jwk = public_jwk(&self.key);
        jwk["kid"] = json!(self.kid);
        jwk["d"] = json!(encode(private.as_ref()));
        DecryptionKey::from_jwk(&jwk.to_string()).unwrap()
    }

    /// An envelope as the issuer makes it.
    pub(crate) fn seal(&self, token: &str) -> String {
        self.envelope(token.as_bytes(), |_| {})
    }

    /// The same, with the header changed before it is authenticated.
    pub(crate) fn envelope(&self, content: &[u8], change: impl FnOnce(&mut Value)) -> String {
        let ephemeral = PrivateKey::generate(&ECDH_P256).unwrap();
        let mut header = json!({
            "alg": "ECDH-ES", "enc": "A256GCM", "typ": "at+jwt", "cty": "JWT", "kid": self.kid,
            "epk": public_jwk(&ephemeral),
        });
        change(&mut header);
        self.envelope_raw(&ephemeral, &header.to_string(), content)
    }

    /// The same, with any text as the header.
    pub(crate) fn envelope_raw(&self, ephemeral: &PrivateKey, header: &str, content: &[u8]) -> String {
        let parsed: Value = serde_json::from_str(header).unwrap_or_default();
        let party = |name: &str| {
            URL_SAFE_NO_PAD.decode(parsed[name].as_str().unwrap_or_default()).unwrap_or_default()
        };
        let own = self.key.compute_public_key().unwrap();
        let own = UnparsedPublicKey::new(&ECDH_P256, own.as_ref());
        let key = agree(ephemeral, own, (), |secret| {
            // RFC 7518 section 4.6.2, in one round of SHA-256.
            let mut input = vec![0, 0, 0, 1];
            input.extend_from_slice(secret);
            for part in [b"A256GCM".as_slice(), &party("apu"), &party("apv")] {
                input.extend_from_slice(&(part.len() as u32).to_be_bytes());
                input.extend_from_slice(part);
            }
            input.extend_from_slice(&256_u32.to_be_bytes());
            Ok(digest(&SHA256, &input))
        });
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.unwrap().as_ref()).unwrap());
        let header = encode(header);
        let mut content = content.to_vec();
        let tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key([7; 12]),
                Aad::from(header.as_bytes()),
                &mut content,
            )
            .unwrap();
        format!("{header}..{}.{}.{}", encode([7; 12]), encode(content), encode(tag.as_ref()))
    }
}

pub(crate) fn public_jwk(key: &PrivateKey) -> Value {
    let public = key.compute_public_key().unwrap();
    let (x, y) = public.as_ref()[1..].split_at(32);
    json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
}
