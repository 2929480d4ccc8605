//! The check of an access token: RFC 9068 section 4, RFC 8725 section 3.

use std::borrow::Cow;
use std::time::Duration;

use countersign_wire::{AccessClaims, JwkSet};

use crate::{
    ACCESS_TOKEN_TYPE, DecryptionKey, InvalidKey, Rejection, VerifyingKeys, compact, encrypted, payload,
};

/// Why no verifier was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVerifier {
    /// Tokens are always compared with an issuer.
    #[error("the issuer is empty: give the exact text of the server's issuer")]
    NoIssuer,
    /// Tokens are always compared with an audience: one for another resource server is not for us.
    #[error("the audience is empty: give the name by which this resource server is known to the issuer")]
    NoAudience,
    /// Without a key every token would be refused.
    #[error("the key set is empty")]
    NoKeys,
    /// A key of the set cannot be used.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// Two decryption keys have the same `kid`.
    #[error("two decryption keys have the kid {0:?}")]
    SameDecryptionKey(String),
    /// More leeway than [`Verifier::MAX_LEEWAY`].
    #[error("the leeway is longer than {} seconds", Verifier::MAX_LEEWAY.as_secs())]
    Leeway,
}

/// Checks tokens of one issuer for one audience.
#[derive(Debug)]
pub struct Verifier {
    issuer: String,
    audience: String,
    published: JwkSet,
    keys: VerifyingKeys,
    leeway: u64,
    decryption_keys: Vec<DecryptionKey>,
    require_encrypted: bool,
}

impl Verifier {
    /// Longest token that is looked at, in bytes.
    pub const MAX_TOKEN_LEN: usize = 8 * 1024;
    /// Most seconds that clocks may differ by.
    pub const MAX_LEEWAY: Duration = Duration::from_secs(60);

    /// A verifier without leeway. Issuer and audience are compared as exact text.
    ///
    /// # Errors
    /// When the issuer, the audience or the key set is empty or a key cannot be used.
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        keys: JwkSet,
    ) -> Result<Self, InvalidVerifier> {
        let (issuer, audience) = (issuer.into(), audience.into());
        Self::check_settings(&issuer, &audience, Duration::ZERO)?;
        if keys.keys.is_empty() {
            return Err(InvalidVerifier::NoKeys);
        }
        Ok(Self {
            issuer,
            audience,
            keys: VerifyingKeys::new(&keys)?,
            published: keys,
            leeway: 0,
            decryption_keys: Vec::new(),
            require_encrypted: false,
        })
    }

    /// What is refused before there are any keys.
    pub(crate) fn check_settings(
        issuer: &str,
        audience: &str,
        leeway: Duration,
    ) -> Result<(), InvalidVerifier> {
        if issuer.is_empty() {
            return Err(InvalidVerifier::NoIssuer);
        }
        if audience.is_empty() {
            return Err(InvalidVerifier::NoAudience);
        }
        if leeway > Self::MAX_LEEWAY {
            return Err(InvalidVerifier::Leeway);
        }
        Ok(())
    }

    /// The keys as they were given.
    pub fn keys(&self) -> &JwkSet {
        &self.published
    }

    /// Lets tokens live this much longer, and begin this much earlier, for clocks that differ.
    ///
    /// # Errors
    /// When it is longer than [`Self::MAX_LEEWAY`].
    pub fn with_leeway(mut self, leeway: Duration) -> Result<Self, InvalidVerifier> {
        Self::check_settings(&self.issuer, &self.audience, leeway)?;
        self.leeway = leeway.as_secs();
        Ok(self)
    }

    /// Opens tokens that are encrypted to this key of ours. May be said again: while one key follows
    /// another, tokens to either of them come in. What is in an encrypted token is checked like any
    /// other token; a token that is only signed stays good.
    ///
    /// # Errors
    /// When there is a key with the same `kid`.
    pub fn with_decryption_key(mut self, key: DecryptionKey) -> Result<Self, InvalidVerifier> {
        if self.decryption_keys.iter().any(|known| known.kid() == key.kid()) {
            return Err(InvalidVerifier::SameDecryptionKey(key.kid().to_owned()));
        }
        self.decryption_keys.push(key);
        Ok(self)
    }

    /// Refuses tokens that are signed and not encrypted.
    #[must_use]
    pub fn require_encrypted(mut self) -> Self {
        self.require_encrypted = true;
        self
    }

    /// Checks a token as it came with `Authorization: Bearer`, at a time in seconds since 1970.
    ///
    /// # Errors
    /// The one [`Rejection`] that says why the token is not good.
    pub fn verify(&self, token: &str, now_seconds: u64) -> Result<AccessClaims, Rejection> {
        let signed = self.signed_payload(token)?;
        let claims = payload::parse(&signed)?;
        self.check_claims(&claims, now_seconds)?;
        Ok(claims)
    }

    /// Checks what does not depend on how the claims came: issuer, audience and times.
    pub(crate) fn check_claims(&self, claims: &AccessClaims, now_seconds: u64) -> Result<(), Rejection> {
        // RFC 9068 section 4: the issuer by exact text, then the audience.
        if claims.iss != self.issuer {
            return Err(Rejection::Issuer);
        }
        if !claims.aud.contains(&self.audience) {
            return Err(Rejection::Audience);
        }
        self.check_times(claims, now_seconds)
    }

    /// Checks what changes as time passes.
    pub(crate) fn check_times(&self, claims: &AccessClaims, now_seconds: u64) -> Result<(), Rejection> {
        // RFC 7519 section 4.1.4: on or after `exp` the token is not accepted.
        if now_seconds >= claims.exp.saturating_add(self.leeway) {
            return Err(Rejection::Expired);
        }
        // RFC 7519 section 4.1.5.
        if claims.nbf.is_some_and(|nbf| nbf > now_seconds.saturating_add(self.leeway)) {
            return Err(Rejection::NotYetValid);
        }
        Ok(())
    }

    /// The payload that the issuer signed, out of its envelope if it is in one.
    fn signed_payload(&self, token: &str) -> Result<Vec<u8>, Rejection> {
        let signed = self.signed_token(token)?;
        let was_encrypted = matches!(signed, Cow::Owned(_));
        self.keys.signed_payload(&signed, ACCESS_TOKEN_TYPE).map_err(|rejection| match rejection {
            Rejection::Encrypted if was_encrypted => Rejection::EncryptedTwice,
            other => other,
        })
    }

    /// The signed JWT, out of its envelope if it is in one (RFC 7519 appendix A.2): what the issuer
    /// can be asked about. Nothing of it is checked.
    ///
    /// # Errors
    /// When it is encrypted and cannot be opened, or is not encrypted and must be.
    pub fn signed_token<'t>(&self, token: &'t str) -> Result<Cow<'t, str>, Rejection> {
        match compact::split(token) {
            Err(Rejection::Encrypted) if !self.decryption_keys.is_empty() => {
                encrypted::open(&self.decryption_keys, token).map(Cow::Owned)
            }
            Ok(_) if self.require_encrypted => Err(Rejection::NotEncrypted),
            Ok(_) => Ok(Cow::Borrowed(token)),
            Err(rejection) => Err(rejection),
        }
    }
}
