//! The claims (RFC 7519 section 4, RFC 9068 section 2.2), read once the signature is known to be
//! good.

use countersign_wire::AccessClaims;
use serde_json::Value;

use crate::Rejection;

/// Reads the claims.
pub(crate) fn parse(json: &[u8]) -> Result<AccessClaims, Rejection> {
    serde_json::from_slice(json).map_err(|_| diagnose(json))
}

/// Tests the form of a claim.
type Form = fn(&Value) -> bool;

/// The claims whose form has a rejection of its own, with its test: all that are required.
const REQUIRED: [(&str, Form); 9] = [
    ("iss", Value::is_string),
    ("sub", Value::is_string),
    ("aud", is_audience),
    ("exp", Value::is_u64),
    ("iat", Value::is_u64),
    ("jti", Value::is_string),
    ("client_id", |v| v.as_str().is_some_and(|s| s.parse::<countersign_wire::ClientId>().is_ok())),
    ("scope", |v| v.as_str().is_some_and(|s| s.parse::<countersign_wire::Scope>().is_ok())),
    ("rev", Value::is_u64),
];

fn is_audience(value: &Value) -> bool {
    value.is_string() || value.as_array().is_some_and(|all| all.iter().all(Value::is_string))
}

/// Says which claim is to blame: the slow path, taken only when the claims could not be read.
fn diagnose(json: &[u8]) -> Rejection {
    let Ok(Value::Object(members)) = serde_json::from_slice(json) else {
        return Rejection::Claims;
    };
    for (name, formed) in REQUIRED {
        match members.get(name) {
            None => return Rejection::MissingClaim(name),
            Some(value) if !formed(value) => return Rejection::ClaimForm(name),
            Some(_) => {}
        }
    }
    // RFC 7519 section 4.1.5: it may be missing, and may not be anything but a number.
    match members.get("nbf") {
        Some(nbf) if !nbf.is_u64() => Rejection::ClaimForm("nbf"),
        _ => Rejection::Claims,
    }
}
