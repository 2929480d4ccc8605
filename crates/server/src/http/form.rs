//! Reading parameters: `application/x-www-form-urlencoded` and JSON, strictly. What is not well
//! formed is refused, never repaired: a lenient reader and a strict one can be played off against
//! each other.

use countersign_wire::{Parameters, ParametersError};
use serde::de::{MapAccess, Visitor};

use crate::flows::Refusal;

/// Parameters out of a form body.
///
/// # Errors
/// `invalid_request` for broken percent-encoding, invalid UTF-8, NUL, repeated names and too many.
pub fn parse_form(body: &[u8]) -> Result<Parameters, Refusal> {
    Parameters::new(parse_pairs(body)?).map_err(|error| Refusal::invalid_request(error.to_string()))
}

/// The pairs of a query or a form body as they came, repeated ones too: what an authorization
/// request is answered to depends on which ones are repeated.
///
/// # Errors
/// `invalid_request` for broken percent-encoding, invalid UTF-8, NUL and too many.
pub fn parse_pairs(body: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    let mut pairs = Vec::new();
    for part in body.split(|b| *b == b'&').filter(|part| !part.is_empty()).take(Parameters::MAX_COUNT + 1) {
        let (name, value) = match part.iter().position(|b| *b == b'=') {
            Some(at) => (part.get(..at), part.get(at + 1..)),
            None => (Some(part), Some([].as_slice())),
        };
        pairs.push((decode(name.unwrap_or_default())?, decode(value.unwrap_or_default())?));
    }
    if pairs.len() > Parameters::MAX_COUNT {
        return Err(Refusal::invalid_request(ParametersError::TooMany.to_string()));
    }
    Ok(pairs)
}

/// Parameters out of a JSON object whose members are strings; `resource` may be an array of them.
///
/// # Errors
/// `invalid_request` for anything else, repeated names included.
pub fn parse_json(body: &[u8]) -> Result<Parameters, Refusal> {
    let Members(pairs) = serde_json::from_slice(body)
        .map_err(|_| Refusal::invalid_request("the body must be a JSON object with string members"))?;
    if pairs.iter().any(|(name, value)| has_nul(name) || has_nul(value)) {
        return Err(nul());
    }
    Parameters::new(pairs).map_err(|error| Refusal::invalid_request(error.to_string()))
}

/// One `application/x-www-form-urlencoded` value: `+` is a space, `%XX` a byte, all of it UTF-8.
///
/// # Errors
/// `invalid_request`.
pub fn decode(text: &[u8]) -> Result<String, Refusal> {
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return utf8(text.to_vec());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(*b).to_digit(16));
                match (digit(), digit()) {
                    (Some(high), Some(low)) => u8::try_from(high * 16 + low).unwrap_or_default(),
                    _ => return Err(Refusal::invalid_request("the body has broken percent-encoding")),
                }
            }
            other => *other,
        });
    }
    utf8(bytes)
}

fn utf8(bytes: Vec<u8>) -> Result<String, Refusal> {
    let text = String::from_utf8(bytes).map_err(|_| Refusal::invalid_request("the body is not UTF-8"))?;
    if has_nul(&text) { Err(nul()) } else { Ok(text) }
}

/// No parameter's grammar has it (RFC 6749 appendix A), and not every store can be asked for it.
fn has_nul(text: &str) -> bool {
    text.contains('\0')
}

fn nul() -> Refusal {
    Refusal::invalid_request("a parameter has the character NUL")
}

struct Members(Vec<(String, String)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with string members")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut pairs = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    match map.next_value::<Member>()? {
                        Member::One(value) => pairs.push((name, value)),
                        Member::Several(values) if name == "resource" => {
                            pairs.extend(values.into_iter().map(|value| (name.clone(), value)));
                        }
                        Member::Absent(()) => {}
                        Member::Several(_) => return Err(serde::de::Error::custom("an array")),
                    }
                }
                Ok(Members(pairs))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Member {
    One(String),
    Several(Vec<String>),
    Absent(()),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(result: Result<Parameters, Refusal>) -> String {
        match result {
            Err(Refusal::Request(body)) => body.error_description,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_form_is_read_as_it_was_written() {
        let parameters = parse_form(b"scope=a+b%2Bc&grant_type=refresh_token&flag").unwrap();
        assert_eq!(parameters.get("scope"), Some("a b+c"));
        assert_eq!(parameters.get("flag"), None);
    }

    #[test]
    fn what_is_malformed_is_refused() {
        assert!(refused(parse_form(b"scope=%2")).contains("percent"));
        assert!(refused(parse_form(b"scope=%zz")).contains("percent"));
        assert!(refused(parse_form(b"scope=%ff")).contains("UTF-8"));
        assert!(refused(parse_form(b"scope=a%00")).contains("NUL"));
        assert!(refused(parse_form(b"sc\0pe=a")).contains("NUL"));
        assert!(refused(parse_json(br#"{"scope":"\u0000"}"#)).contains("NUL"));
        assert!(refused(parse_form(b"scope=a&scope=b")).contains("more than once"));
        assert!(refused(parse_form("a=1&".repeat(100_000).as_bytes())).contains("more than"));
        assert!(refused(parse_json(br#"{"scope":"a","scope":"b"}"#)).contains("more than once"));
        assert!(refused(parse_json(br#"{"scope":1}"#)).contains("JSON"));
        assert!(refused(parse_json(br#"["scope"]"#)).contains("JSON"));
        assert!(refused(parse_json(b"{\"scope\":\"\xff\"}")).contains("JSON"));
        assert!(refused(parse_json(br#"{"scope":["a"]}"#)).contains("JSON"));
        assert!(refused(parse_json("[".repeat(100_000).as_bytes())).contains("JSON"));
    }

    #[test]
    fn json_may_repeat_resources_and_leave_members_null() {
        let parameters = parse_json(br#"{"resource":["a:1","b:2"],"scope":null}"#).unwrap();
        assert_eq!(parameters.all("resource").count(), 2);
        assert_eq!(parameters.get("scope"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_form(&body);
            let _ = parse_json(&body);
        }

        #[test]
        fn what_is_encoded_is_decoded(value in "\\PC{1,40}") {
            let body = format!("scope={}", form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>());
            let parameters = parse_form(body.as_bytes()).unwrap();
            prop_assert_eq!(parameters.get("scope"), Some(value.as_str()));
        }
    }
}
