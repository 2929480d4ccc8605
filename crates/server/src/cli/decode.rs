//! What a token says of itself, as far as it can be read without a key. Everything here is the sender's
//! text: decoding is not validation. `assets/token.js` reads the same for the page, and
//! `tests/pages/tokens.json` holds both to the same answers.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::findings::Finding;
use super::input::MAX_INPUT;
use crate::pages::Remark;
use crate::time::Timestamp;

/// A token, as far as it can be read.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// A refresh token: its session and generation can be read, its proof cannot be checked here.
    Refresh(RefreshParts),
    /// An opaque access token: sealed.
    Opaque,
    /// A signed JWT.
    Jwt {
        /// The JOSE header.
        header: Members,
        /// The claims.
        claims: Members,
        /// Bytes of the signature.
        signature_len: usize,
    },
    /// A JWE: its claims are encrypted.
    Encrypted {
        /// The JOSE header.
        header: Members,
    },
}

/// What can be read of a refresh token; neither its nonce nor its MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefreshParts {
    /// The version of the form.
    pub(crate) version: u8,
    /// The number of the key that made it.
    pub(crate) key: u8,
    /// The session.
    pub(crate) session: uuid::Uuid,
    /// Which of the session's refresh tokens it is, counted from 1.
    pub(crate) generation: u32,
}

/// The members of a JSON object.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// By their names; of several with one name the last.
    pub(crate) all: Map<String, Value>,
    /// The names that came more than once.
    pub(crate) twice: Vec<String>,
}

/// Bytes of a refresh token: version, cell, key, session, generation, nonce, MAC.
const REFRESH_LEN: usize = 55;
/// Bytes of an opaque access token before its claims, and of the tag behind them: version, key, nonce, tag.
const OPAQUE_FRAME: usize = 30;

/// Reads a token.
///
/// # Errors
/// The finding that says why this is no token.
pub(crate) fn decode(token: &str) -> Result<Decoded, Finding> {
    if token.len() as u64 > MAX_INPUT {
        return Err(Finding::about(Remark::TooLong, MAX_INPUT.to_string()));
    }
    if let Some(rest) = token.strip_prefix("rft_") {
        return refresh(rest).map(Decoded::Refresh).ok_or_else(|| Finding::of(Remark::RefreshCut));
    }
    if let Some(rest) = token.strip_prefix("oat_") {
        let is_whole = URL_SAFE_NO_PAD.decode(rest).is_ok_and(|bytes| bytes.len() > OPAQUE_FRAME);
        return if is_whole { Ok(Decoded::Opaque) } else { Err(Finding::of(Remark::OpaqueCut)) };
    }
    let parts: Vec<&str> = token.split('.').collect();
    match parts.as_slice() {
        [header, claims, signature] => Ok(Decoded::Jwt {
            header: object(header, Remark::HeaderEncoding, Remark::HeaderJson)?,
            claims: object(claims, Remark::PayloadEncoding, Remark::PayloadJson)?,
            signature_len: bytes(signature, Remark::SignatureEncoding)?.len(),
        }),
        [header, _, _, _, _] => {
            Ok(Decoded::Encrypted { header: object(header, Remark::HeaderEncoding, Remark::HeaderJson)? })
        }
        _ => Err(Finding::about(Remark::Parts, parts.len().to_string())),
    }
}

fn bytes(part: &str, remark: Remark) -> Result<Vec<u8>, Finding> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Finding::of(remark))
}

fn object(part: &str, encoding: Remark, json: Remark) -> Result<Members, Finding> {
    serde_json::from_slice(&bytes(part, encoding)?).map_err(|_| Finding::of(json))
}

fn refresh(rest: &str) -> Option<RefreshParts> {
    let bytes = URL_SAFE_NO_PAD.decode(rest).ok().filter(|bytes| bytes.len() == REFRESH_LEN)?;
    let (&[version, _cell, key], rest) = bytes.split_first_chunk::<3>()?;
    let (session, rest) = rest.split_first_chunk::<16>()?;
    let (generation, _) = rest.split_first_chunk::<4>()?;
    Some(RefreshParts {
        version,
        key,
        session: uuid::Uuid::from_bytes(*session),
        generation: u32::from_be_bytes(*generation),
    })
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                let mut told = BTreeSet::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.all.insert(name.clone(), value).is_some() && told.insert(name.clone()) {
                        members.twice.push(name);
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// A NumericDate (RFC 7519 section 2) in whole seconds.
pub(crate) fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            // A cast saturates: no number of the sender's can go wrong here.
            number.as_f64().filter(|f| *f >= 0.0).map(|f| f as u64)
        }),
        _ => None,
    }
}

/// The time of a NumericDate.
pub(crate) fn from_seconds(seconds: u64) -> Timestamp {
    Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_refresh_token_tells_its_session_and_nothing_secret() {
        let mut bytes = vec![1, 0, 3];
        bytes.extend([0x11; 16]);
        bytes.extend(7_u32.to_be_bytes());
        bytes.extend([0xAB; 32]);
        let token = format!("rft_{}", URL_SAFE_NO_PAD.encode(&bytes));
        let Decoded::Refresh(parts) = decode(&token).unwrap() else { panic!("not a refresh token") };
        assert_eq!((parts.version, parts.key, parts.generation), (1, 3, 7));
        assert_eq!(parts.session, uuid::Uuid::from_bytes([0x11; 16]));
        assert!(decode(&token[..70]).is_err());
    }

    #[test]
    fn of_members_with_one_name_the_last_counts_and_the_name_is_kept() {
        let members: Members =
            serde_json::from_str(r#"{"b":1,"a":2,"a":3,"b":{"c":1,"c":2},"a":null}"#).unwrap();
        assert_eq!(members.twice, ["a", "b"]);
        assert_eq!(members.all["a"], Value::Null);
    }

    #[test]
    fn what_is_too_long_is_not_looked_at() {
        let longest = usize::try_from(MAX_INPUT).unwrap();
        assert_eq!(decode(&"a".repeat(longest)).unwrap_err().remark, Remark::Parts);
        assert_eq!(decode(&"a".repeat(longest + 1)).unwrap_err().remark, Remark::TooLong);
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_refresh_token_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&format!("rft_{}", URL_SAFE_NO_PAD.encode(bytes)));
        }
    }
}
