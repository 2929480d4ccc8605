//! The header of the envelope (RFC 7516 section 4): the sender's text, whoever that is. Members
//! that are not named here are not looked at, `jku` and its like among them.

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::{COORDINATE_LEN, ENC, point};
use crate::{Rejection, compact};

/// What opens the envelope.
#[derive(Debug)]
pub(super) struct Outer {
    pub(super) kid: String,
    /// The ephemeral key, uncompressed, as it came: perhaps not on the curve.
    pub(super) point: [u8; 1 + 2 * COORDINATE_LEN],
    pub(super) apu: Vec<u8>,
    pub(super) apv: Vec<u8>,
}

/// Reads the header and refuses what is not the one way of encryption that is known.
pub(super) fn parse(json: &[u8]) -> Result<Outer, Rejection> {
    let raw: Raw = serde_json::from_slice(json).map_err(|_| Rejection::Header)?;
    if raw.duplicate {
        return Err(Rejection::DuplicateHeader);
    }
    if raw.critical {
        return Err(Rejection::Critical);
    }
    if raw.compressed {
        return Err(Rejection::Compressed);
    }
    // RFC 8725 section 3.1: the algorithms are ours to choose.
    if raw.alg.as_deref() != Some("ECDH-ES") {
        return Err(Rejection::KeyManagement);
    }
    if raw.enc.as_deref() != Some(ENC) {
        return Err(Rejection::ContentEncryption);
    }
    // RFC 7519 section 5.2; media types are compared without case (RFC 7515 section 4.1.10).
    if !raw.cty.is_some_and(|cty| cty.eq_ignore_ascii_case("JWT")) {
        return Err(Rejection::ContentType);
    }
    let kid = raw.kid.ok_or(Rejection::MissingKeyId)?;
    let epk = raw.epk.ok_or(Rejection::EphemeralKey)?;
    if epk.kty.as_deref() != Some("EC") || epk.crv.as_deref() != Some("P-256") {
        return Err(Rejection::EphemeralCurve);
    }
    let point = epk.x.zip(epk.y).and_then(|(x, y)| point(&x, &y)).ok_or(Rejection::EphemeralKey)?;
    let party =
        |info: Option<String>| compact::decode(&info.unwrap_or_default()).map_err(|_| Rejection::PartyInfo);
    Ok(Outer { kid, point, apu: party(raw.apu)?, apv: party(raw.apv)? })
}

/// The members as they came.
#[derive(Default)]
struct Raw {
    alg: Option<String>,
    enc: Option<String>,
    kid: Option<String>,
    cty: Option<String>,
    epk: Option<Epk>,
    apu: Option<String>,
    apv: Option<String>,
    compressed: bool,
    critical: bool,
    duplicate: bool,
}

/// The ephemeral public key as it came; other members of it are not looked at.
#[derive(serde::Deserialize)]
struct Epk {
    kty: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Most members of a header: it bounds the search for a name that occurs twice.
const MAX_MEMBERS: usize = 16;

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the header of a JWE")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut raw = Raw::default();
                let mut seen: Vec<String> = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if seen.len() >= MAX_MEMBERS {
                        return Err(A::Error::custom("too many members"));
                    }
                    raw.duplicate |= seen.contains(&name);
                    match name.as_str() {
                        "alg" => raw.alg = Some(map.next_value()?),
                        "enc" => raw.enc = Some(map.next_value()?),
                        "kid" => raw.kid = Some(map.next_value()?),
                        "cty" => raw.cty = Some(map.next_value()?),
                        "epk" => raw.epk = Some(map.next_value()?),
                        "apu" => raw.apu = Some(map.next_value()?),
                        "apv" => raw.apv = Some(map.next_value()?),
                        other => {
                            raw.compressed |= other == "zip";
                            raw.critical |= other == "crit";
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                    seen.push(name);
                }
                Ok(raw)
            }
        }
        deserializer.deserialize_map(Members)
    }
}
