//! One id type per kind of thing, so that a session's id is never taken for a user's.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An id that is not well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidId(pub String);

impl std::fmt::Display for InvalidId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidId {}

macro_rules! uuid_id {
    ($(#[$doc:meta] $name:ident, $what:literal;)*) => {$(
        #[$doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // RFC 9562 section 4; the library also reads forms with braces, a prefix or no hyphens.
                let hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
                hyphenated
                    .then(|| Uuid::try_parse(text).ok())
                    .flatten()
                    .map(Self)
                    .ok_or_else(|| InvalidId(format!("a {} id is a UUID with hyphens", $what)))
            }
        }
    )*};
}

uuid_id! {
    /// A session's id, a UUIDv7: the `sid` claim.
    SessionId, "session";
    /// A user's id, a UUIDv7: the `sub` claim of tokens that act for a user.
    UserId, "user";
    /// The id of a browser session, a UUIDv7: a person's sign-in with the server itself.
    BrowserSessionId, "browser session";
}

/// A client's id (RFC 6749 section 2.2), chosen by the operator: 1 to 64 characters of
/// `A-Z a-z 0-9 . _ -`, and never of a UUID's form, so that it can never equal a user's `sub`
/// (RFC 9700 section 4.15.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ClientId(String);

impl ClientId {
    /// Longest client id, in bytes.
    pub const MAX_LEN: usize = 64;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ClientId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for ClientId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > Self::MAX_LEN || !text.bytes().all(allowed) {
            return Err(InvalidId("a client id is 1 to 64 characters of A-Z a-z 0-9 . _ -".to_owned()));
        }
        if Uuid::try_parse(text).is_ok() {
            return Err(InvalidId("a client id must not look like a UUID: users' ids do".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_are_checked() {
        assert!("web-app.v2".parse::<ClientId>().is_ok());
        assert!("".parse::<ClientId>().is_err());
        assert!("a b".parse::<ClientId>().is_err());
        assert!("a/b".parse::<ClientId>().is_err());
        assert!("x".repeat(65).parse::<ClientId>().is_err());
        assert!("0190a0a0-0000-7000-8000-000000000001".parse::<ClientId>().is_err());
        assert!("0190a0a0000070008000000000000001".parse::<ClientId>().is_err());
    }
}
