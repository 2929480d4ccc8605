//! What checks less than all. Whoever calls this must do the rest.

use countersign_wire::AccessClaims;

use crate::{ACCESS_TOKEN_TYPE, Rejection, VerifyingKeys, payload};

/// Checks form, type, signature and issuer, and neither audience nor any time: for the issuer
/// itself, which answers for every audience and says of an expired token that it is expired.
///
/// # Errors
/// The [`Rejection`] that says why the issuer did not make this token.
pub fn verify_signature_only(
    keys: &VerifyingKeys,
    token: &str,
    issuer: &str,
) -> Result<AccessClaims, Rejection> {
    let signed = keys.signed_payload(token, ACCESS_TOKEN_TYPE)?;
    let claims = payload::parse(&signed)?;
    if claims.iss != issuer {
        return Err(Rejection::Issuer);
    }
    Ok(claims)
}

/// Checks form, type and signature of a token of another type than `at+jwt` and returns its
/// payload: for the issuer itself, which is handed its own ID tokens as hints. Nothing of the
/// payload is checked.
///
/// # Errors
/// The [`Rejection`] that says why no key of the set made this token.
pub fn signed_payload(keys: &VerifyingKeys, token: &str, typ: &str) -> Result<Vec<u8>, Rejection> {
    keys.signed_payload(token, typ)
}

/// Lets keys, secrets and tokens travel by plain `http` to hosts other than this machine: for a
/// network that encrypts by itself. Whoever can write to that network can be the issuer.
#[cfg(feature = "fetch")]
#[must_use]
pub fn allow_plain_http(mut builder: crate::GuardBuilder) -> crate::GuardBuilder {
    builder.plain_http = true;
    builder
}
