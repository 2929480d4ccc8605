//! The JOSE header (RFC 7515 section 4). It is read before the signature is checked, so all of it
//! is the sender's text. `jku`, `jwk`, `x5u`, `x5c` and unknown members are not looked at
//! (RFC 8725 section 3.10).

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::Rejection;

/// What of the header counts.
#[derive(Debug, Default)]
pub(crate) struct Header {
    pub(crate) algorithm: String,
    pub(crate) key_id: Option<String>,
}

/// Reads the header and refuses what no key could make good.
pub(crate) fn parse(json: &[u8], wanted: &str) -> Result<Header, Rejection> {
    let raw: Raw = serde_json::from_slice(json).map_err(|_| Rejection::Header)?;
    if raw.duplicate {
        return Err(Rejection::DuplicateHeader);
    }
    if raw.critical {
        return Err(Rejection::Critical);
    }
    if raw.b64 {
        return Err(Rejection::UnencodedPayload);
    }
    let typed = raw.typ.is_some_and(|typ| {
        // RFC 9068 section 4; media types are compared without case (RFC 7515 section 4.1.9).
        const PREFIX: &str = "application/";
        let prefixed = typ.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
        let bare = if prefixed { typ.get(PREFIX.len()..).unwrap_or_default() } else { &typ };
        bare.eq_ignore_ascii_case(wanted)
    });
    if !typed {
        return Err(Rejection::Type);
    }
    let algorithm = raw.alg.ok_or(Rejection::Algorithm)?;
    Ok(Header { algorithm, key_id: raw.kid })
}

/// The members as they came.
#[derive(Default)]
struct Raw {
    alg: Option<String>,
    kid: Option<String>,
    typ: Option<String>,
    critical: bool,
    b64: bool,
    duplicate: bool,
}

/// Most members of a header: it bounds the search for a name that occurs twice.
const MAX_MEMBERS: usize = 16;

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JOSE header")
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
                        "kid" => raw.kid = Some(map.next_value()?),
                        "typ" => raw.typ = Some(map.next_value()?),
                        other => {
                            raw.critical |= other == "crit";
                            raw.b64 |= other == "b64";
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
