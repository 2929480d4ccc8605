//! What checks less than all. Whoever calls this must do the rest.

use countersign_wire::AccessClaims;

use crate::{Rejection, VerifyingKeys, payload};

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
    let signed = keys.signed_payload(token)?;
    let (claims, _) = payload::parse(&signed)?;
    if claims.iss != issuer {
        return Err(Rejection::Issuer);
    }
    Ok(claims)
}
