//! The compact form (RFC 7515 section 7.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{Rejection, Verifier};

/// The parts of a token, still encoded.
pub(crate) struct Compact<'a> {
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
    /// What is signed: header, dot, payload.
    pub(crate) signing_input: &'a [u8],
}

/// Splits a token, before anything of it is decoded.
pub(crate) fn split(token: &str) -> Result<Compact<'_>, Rejection> {
    if token.len() > Verifier::MAX_TOKEN_LEN {
        return Err(Rejection::TooLong);
    }
    if token.starts_with("rft_") {
        return Err(Rejection::RefreshToken);
    }
    if token.starts_with("oat_") {
        return Err(Rejection::OpaqueToken);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Rejection::NotThreeParts);
    };
    match parts.count() {
        0 => {}
        // RFC 7516 section 7.1.
        2 => return Err(Rejection::Encrypted),
        _ => return Err(Rejection::NotThreeParts),
    }
    let signing_input = token.as_bytes().get(..header.len() + 1 + payload.len()).unwrap_or_default();
    Ok(Compact { header, payload, signature, signing_input })
}

/// Decodes base64url of the one canonical form: no padding, no white space, no bits left over, so
/// that no two texts are the same token.
pub(crate) fn decode(part: &str) -> Result<Vec<u8>, Rejection> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejection::Encoding)
}
