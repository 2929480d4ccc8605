//! Access tokens: JWTs (RFC 9068), and opaque ones:
//!
//! `oat_` + base64url( version:1 | key:1 | nonce:12 | AES-256-GCM-SIV(claims) )

use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_verify::Verifier;
use countersign_wire::{AccessClaims, AccessToken};

use super::CryptoFailed;
use super::material::SigningKey;
use crate::entropy;

pub(super) const OPAQUE_PREFIX: &str = "oat_";
const OPAQUE_VERSION: u8 = 1;
const TAG_LEN: usize = 16;
/// Bytes of the claims of most tokens: room that is taken at once.
const USUAL_CLAIMS: usize = 512;
/// Longest access token, in bytes: what verifiers look at.
pub const MAX_ACCESS_TOKEN: usize = Verifier::MAX_TOKEN_LEN;

/// Why no access token was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The claims fill more than [`MAX_ACCESS_TOKEN`]: fewer roles, audiences or scopes are needed.
    #[error(
        "the access token would be longer than {} bytes: grant less scope, fewer audiences or fewer roles",
        MAX_ACCESS_TOKEN
    )]
    TooLong,
    /// The cryptography library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailed),
}

/// Why a text is not one of our opaque access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpaqueTokenError {
    /// No `oat_`.
    #[error("this is not an opaque access token of this server")]
    NotAnOpaqueToken,
    /// Of the wrong length, characters or version.
    #[error("the access token is damaged")]
    Malformed,
    /// Made with a key that is not known: removed, or made on another node a moment ago.
    #[error("the access token was made with a key that is not known")]
    UnknownKey,
    /// Not made by this server, or changed.
    #[error("the access token was not made by this server, or was changed")]
    BadSeal,
}

pub(super) fn sign(key: &SigningKey, claims: &AccessClaims) -> Result<AccessToken, IssueError> {
    let json = to_json(claims)?;
    // Header, claims, dot and the longest signature (RSA's).
    let mut token = String::with_capacity(key.header.len() + json.len() * 4 / 3 + 352);
    token.push_str(&key.header);
    URL_SAFE_NO_PAD.encode_string(&json, &mut token);
    // The signature covers what stands before its dot, so the dot is put in afterwards.
    let end = token.len();
    key.append_signature(&mut token)?;
    token.insert(end, '.');
    limited(token)
}

/// Signs a JWT of another type than an access token's.
pub(super) fn sign_other(
    key: &SigningKey,
    typ: &str,
    claims: &impl serde::Serialize,
) -> Result<String, IssueError> {
    let token = sign_of_any_length(key, typ, claims)?;
    if token.len() > MAX_ACCESS_TOKEN {
        return Err(IssueError::TooLong);
    }
    Ok(token)
}

/// Signs a document that is a JWT, and as long as it is. The header is made each time.
pub(super) fn sign_of_any_length(
    key: &SigningKey,
    typ: &str,
    claims: &impl serde::Serialize,
) -> Result<String, CryptoFailed> {
    let json = serde_json::to_vec(claims).map_err(|_| CryptoFailed)?;
    let mut token = key.header_of_type(typ);
    URL_SAFE_NO_PAD.encode_string(&json, &mut token);
    let end = token.len();
    key.append_signature(&mut token)?;
    token.insert(end, '.');
    Ok(token)
}

pub(super) fn seal(key: &LessSafeKey, number: u8, claims: &AccessClaims) -> Result<AccessToken, IssueError> {
    let nonce = entropy::bytes::<NONCE_LEN>();
    let head = [OPAQUE_VERSION, number];
    let mut sealed = Vec::with_capacity(head.len() + NONCE_LEN + USUAL_CLAIMS + TAG_LEN);
    let mut json = to_json(claims)?;
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(head), &mut json)
        .map_err(CryptoFailed::from)?;
    for part in [head.as_slice(), &nonce, &json, tag.as_ref()] {
        sealed.extend_from_slice(part);
    }
    let mut token = String::with_capacity(OPAQUE_PREFIX.len() + (sealed.len() * 4).div_ceil(3));
    token.push_str(OPAQUE_PREFIX);
    URL_SAFE_NO_PAD.encode_string(&sealed, &mut token);
    limited(token)
}

pub(super) fn open<'k>(
    token: &str,
    key: impl FnOnce(u8) -> Option<&'k LessSafeKey>,
) -> Result<AccessClaims, OpaqueTokenError> {
    use OpaqueTokenError as Error;
    let encoded = token.strip_prefix(OPAQUE_PREFIX).ok_or(Error::NotAnOpaqueToken)?;
    if token.len() > MAX_ACCESS_TOKEN {
        return Err(Error::Malformed);
    }
    let mut bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Error::Malformed)?;
    let (head, rest) = bytes.split_first_chunk_mut::<2>().ok_or(Error::Malformed)?;
    let (nonce, ciphertext) = rest.split_first_chunk_mut::<NONCE_LEN>().ok_or(Error::Malformed)?;
    let [version, number] = *head;
    if version != OPAQUE_VERSION || ciphertext.len() < TAG_LEN {
        return Err(Error::Malformed);
    }
    let key = key(number).ok_or(Error::UnknownKey)?;
    let claims = key
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(*head), ciphertext)
        .map_err(|_| Error::BadSeal)?;
    // Only a token of a newer form could fail here: the seal says that we wrote it.
    serde_json::from_slice(claims).map_err(|_| Error::Malformed)
}

fn to_json(claims: &AccessClaims) -> Result<Vec<u8>, IssueError> {
    let mut json = Vec::with_capacity(USUAL_CLAIMS);
    serde_json::to_writer(&mut json, claims).map_err(|_| IssueError::Crypto(CryptoFailed))?;
    Ok(json)
}

pub(super) fn limited(token: String) -> Result<AccessToken, IssueError> {
    if token.len() > MAX_ACCESS_TOKEN {
        return Err(IssueError::TooLong);
    }
    Ok(AccessToken::new(token))
}
