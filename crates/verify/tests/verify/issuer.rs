//! Keys and tokens for the tests: an issuer that signs whatever it is told to.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_wire::{Algorithm, Jwk, JwkSet};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://login.example";
pub(crate) const AUDIENCE: &str = "https://api.example";

pub(crate) struct Issuer {
    pub(crate) ed25519: Ed25519KeyPair,
    pub(crate) p256: EcdsaKeyPair,
    pub(crate) rsa: RsaKeyPair,
}

/// One issuer for the tests of a file: an RSA key takes its time.
pub(crate) fn issuer() -> &'static Issuer {
    static ISSUER: OnceLock<Issuer> = OnceLock::new();
    ISSUER.get_or_init(Issuer::new)
}

impl Issuer {
    pub(crate) fn new() -> Self {
        Self {
            ed25519: Ed25519KeyPair::generate().unwrap(),
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
        }
    }

    pub(crate) fn jwks(&self) -> JwkSet {
        JwkSet { keys: Algorithm::ALL.map(|alg| self.jwk(alg)).to_vec() }
    }

    pub(crate) fn jwk(&self, alg: Algorithm) -> Jwk {
        let mut jwk = empty_jwk(alg);
        match alg {
            Algorithm::EdDSA => {
                jwk.crv = Some("Ed25519".to_owned());
                jwk.x = Some(encode(self.ed25519.public_key()));
            }
            Algorithm::ES256 => {
                let (x, y) = self.p256.public_key().as_ref()[1..].split_at(32);
                jwk.crv = Some("P-256".to_owned());
                jwk.x = Some(encode(x));
                jwk.y = Some(encode(y));
            }
            Algorithm::RS256 => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public_key());
                jwk.n = Some(encode(public.n));
                jwk.e = Some(encode(public.e));
            }
        }
        jwk
    }

    /// The private key as jsonwebtoken takes it.
    pub(crate) fn pkcs8(&self, alg: Algorithm) -> Vec<u8> {
        match alg {
            Algorithm::EdDSA => self.ed25519.to_pkcs8().unwrap().as_ref().to_vec(),
            Algorithm::ES256 => self.p256.to_pkcs8v1().unwrap().as_ref().to_vec(),
            Algorithm::RS256 => {
                let der: Pkcs8V1Der<'_> = self.rsa.as_der().unwrap();
                // Without the 26 bytes that make PKCS#8 of PKCS#1.
                der.as_ref()[26..].to_vec()
            }
        }
    }

    pub(crate) fn signature(&self, alg: Algorithm, message: &[u8]) -> Vec<u8> {
        match alg {
            Algorithm::EdDSA => self.ed25519.sign(message).as_ref().to_vec(),
            Algorithm::ES256 => self.p256.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Algorithm::RS256 => {
                let mut signature = vec![0; 256];
                self.rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// Signs any text as header and any text as payload.
    pub(crate) fn mint_raw(&self, alg: Algorithm, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(payload));
        let signature = self.signature(alg, signed.as_bytes());
        format!("{signed}.{}", encode(signature))
    }

    pub(crate) fn mint(&self, alg: Algorithm, header: &Value, claims: &Value) -> String {
        self.mint_raw(alg, &header.to_string(), &claims.to_string())
    }
}

pub(crate) fn empty_jwk(alg: Algorithm) -> Jwk {
    let kty = match alg {
        Algorithm::EdDSA => "OKP",
        Algorithm::ES256 => "EC",
        Algorithm::RS256 => "RSA",
    };
    Jwk {
        kty: kty.to_owned(),
        kid: format!("key-{}", alg.as_str()),
        alg,
        use_: "sig".to_owned(),
        crv: None,
        x: None,
        y: None,
        n: None,
        e: None,
    }
}

pub(crate) fn header(alg: Algorithm) -> Value {
    json!({"alg": alg.as_str(), "kid": format!("key-{}", alg.as_str()), "typ": "at+jwt"})
}

pub(crate) fn claims(now: u64) -> Value {
    json!({
        "iss": ISSUER, "sub": "0190a0a0-0000-7000-8000-000000000001", "aud": AUDIENCE,
        "exp": now + 600, "iat": now, "jti": "j1", "client_id": "web", "scope": "read write", "rev": 7,
        "sid": "0190a0a0-0000-7000-8000-000000000002", "stv": 1, "roles": ["admin"],
    })
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
