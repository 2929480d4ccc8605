//! Every reason to refuse an access token. None of them holds any of the token's text.

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejection {
    /// Longer than [`crate::Verifier::MAX_TOKEN_LEN`].
    #[error("the token is too long")]
    TooLong,
    /// `rft_…`.
    #[error("this is a refresh token: it goes to the token endpoint only")]
    RefreshToken,
    /// `oat_…`.
    #[error("this is an opaque access token: it is checked by introspection only")]
    OpaqueToken,
    /// Five parts: a JWE (RFC 7516), and no [`crate::DecryptionKey`] was given.
    #[error("this is an encrypted token, which is not accepted here")]
    Encrypted,
    /// A signed token where [`crate::Verifier::require_encrypted`] was said.
    #[error("the token is not encrypted, which it has to be here")]
    NotEncrypted,
    /// `alg` of an encrypted token is not `ECDH-ES` (RFC 7518 section 4.6).
    #[error("the encrypted token's alg is not ECDH-ES")]
    KeyManagement,
    /// `enc` of an encrypted token is not `A256GCM` (RFC 7518 section 5.3).
    #[error("the encrypted token's enc is not A256GCM")]
    ContentEncryption,
    /// `zip` (RFC 7516 section 4.1.3): a small text could then become a large one.
    #[error("the encrypted token is compressed, which is not accepted")]
    Compressed,
    /// `cty` of an encrypted token is not `JWT` (RFC 7519 section 5.2).
    #[error("the encrypted token does not say that there is a JWT in it")]
    ContentType,
    /// No decryption key has the `kid` of an encrypted token.
    #[error("the token is encrypted to a key that is not known here")]
    UnknownDecryptionKey,
    /// An encrypted key where the agreed key is used directly (RFC 7516 section 5.2, step 10).
    #[error("the encrypted token has an encrypted key, which ECDH-ES has not")]
    EncryptedKey,
    /// `epk` is of another curve than P-256, or no curve's (RFC 7518 section 6.2.1).
    #[error("the encrypted token's ephemeral key is not one of P-256")]
    EphemeralCurve,
    /// `epk` is missing, or its coordinates are no point of the curve (RFC 7518 section 4.6.1.1).
    #[error("the encrypted token's ephemeral key is missing or not a point of the curve")]
    EphemeralKey,
    /// `apu` or `apv` is not base64url (RFC 7518 sections 4.6.1.2 and 4.6.1.3).
    #[error("the encrypted token's apu or apv is not base64url")]
    PartyInfo,
    /// Changed, or made with another key (RFC 7516 section 5.2, step 16).
    #[error("the token cannot be decrypted: it was changed, or made for another key")]
    Decryption,
    /// In the encrypted token there is an encrypted token.
    #[error("the token is encrypted more than once")]
    EncryptedTwice,
    /// Not three parts (RFC 7515 section 7.1).
    #[error("the token is not a JWT: it does not have three parts")]
    NotThreeParts,
    /// Not base64url as RFC 7515 section 2 has it: padded, with other characters, or with bits
    /// left over.
    #[error("a part of the token is not base64url")]
    Encoding,
    /// The header is not a JSON object with members of the right types (RFC 7515 section 4).
    #[error("the token's header is not understood")]
    Header,
    /// A member of the header occurs twice (RFC 7515 section 4).
    #[error("the token's header names a member twice")]
    DuplicateHeader,
    /// `crit`: we implement no extension (RFC 7515 section 4.1.11).
    #[error("the token demands an extension that is not understood")]
    Critical,
    /// `b64` (RFC 7797), which a JWT may not use.
    #[error("the token's payload is not encoded")]
    UnencodedPayload,
    /// `typ` is not `at+jwt` (RFC 9068 section 4, RFC 8725 section 3.11).
    #[error("the token is not an access token: its type is not at+jwt")]
    Type,
    /// `alg` is none of those accepted; `none` is one of these (RFC 8725 sections 3.1 and 3.2).
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// No `kid`.
    #[error("the token does not name its key")]
    MissingKeyId,
    /// No key has this `kid`: fetch the key set again, at a bounded rate.
    #[error("the token names a key that is not known")]
    UnknownKey,
    /// The key is for another algorithm (RFC 8725 section 3.1).
    #[error("the token's algorithm is not that of its key")]
    AlgorithmMismatch,
    /// The signature is wrong.
    #[error("the token's signature is wrong")]
    Signature,
    /// The payload is not a JSON object (RFC 7519 section 7.2), or names a claim twice.
    #[error("the token's claims are not understood")]
    Claims,
    /// A claim that RFC 9068 section 2.2 or Countersign requires is missing.
    #[error("the token lacks the claim {0}")]
    MissingClaim(&'static str),
    /// A claim is of the wrong JSON type, or its value is out of form.
    #[error("the token's claim {0} is not of the right form")]
    ClaimForm(&'static str),
    /// `iss` is another issuer's.
    #[error("the token is of another issuer")]
    Issuer,
    /// `aud` does not name us.
    #[error("the token is for another audience")]
    Audience,
    /// `exp` has come.
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It is over before its time: the token, its session, its user, its client or its tenant was
    /// revoked.
    #[error("the token was revoked")]
    Revoked,
    /// The issuer says so, and not why (RFC 7662 section 2.2).
    #[error("the token is not active")]
    Inactive,
}

impl Rejection {
    /// The value of `WWW-Authenticate` that goes with the 401 (RFC 6750 section 3). An API with a
    /// realm or metadata to name uses [`crate::Challenge`].
    pub fn www_authenticate(self) -> String {
        format!("Bearer error=\"invalid_token\", error_description=\"{self}\"")
    }
}
