//! Scope (RFC 6749 section 3.3): a set of tokens, kept sorted, so that equal sets are equal text.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A scope string that RFC 6749 section 3.3 or our limits forbid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidScope {
    /// A character outside `%x21 / %x23-5B / %x5D-7E`, or two spaces in a row.
    Character,
    /// More than [`Scope::MAX_TOKENS`] tokens.
    TooMany,
    /// A token longer than [`Scope::MAX_TOKEN_LEN`] bytes.
    TooLong,
}

impl std::fmt::Display for InvalidScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Character => f.write_str(
                "scope is a list of tokens separated by single spaces, without quotes, backslashes or control characters",
            ),
            Self::TooMany => write!(f, "scope has more than {} tokens", Scope::MAX_TOKENS),
            Self::TooLong => write!(f, "a scope token is longer than {} bytes", Scope::MAX_TOKEN_LEN),
        }
    }
}

impl std::error::Error for InvalidScope {}

/// A set of scope tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Scope(BTreeSet<String>);

impl Scope {
    /// Most tokens in one scope.
    pub const MAX_TOKENS: usize = 64;
    /// Longest token, in bytes.
    pub const MAX_TOKEN_LEN: usize = 128;

    /// True when no scope token is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when every token of `self` is in `other`.
    pub fn is_subset(&self, other: &Scope) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The tokens that either has.
    #[must_use]
    pub fn union(&self, other: &Scope) -> Scope {
        Scope(self.0.union(&other.0).cloned().collect())
    }

    /// The tokens but for one.
    #[must_use]
    pub fn without(&self, token: &str) -> Scope {
        Scope(self.0.iter().filter(|t| *t != token).cloned().collect())
    }

    /// The tokens that both have.
    pub fn intersection(&self, other: &Scope) -> Scope {
        Scope(self.0.intersection(&other.0).cloned().collect())
    }

    /// True when the token is in the set.
    pub fn contains(&self, token: &str) -> bool {
        self.0.contains(token)
    }

    /// The tokens in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, token) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Scope {
    type Err = InvalidScope;

    /// Parses `a b c`; the empty string is the empty scope.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let mut tokens = BTreeSet::new();
        if text.is_empty() {
            return Ok(Self(tokens));
        }
        for (i, token) in text.split(' ').enumerate() {
            if i >= Self::MAX_TOKENS {
                return Err(InvalidScope::TooMany);
            }
            if token.len() > Self::MAX_TOKEN_LEN {
                return Err(InvalidScope::TooLong);
            }
            let allowed = |b: u8| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
            if token.is_empty() || !token.bytes().all(allowed) {
                return Err(InvalidScope::Character);
            }
            tokens.insert(token.to_owned());
        }
        Ok(Self(tokens))
    }
}

impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sets_are_equal_text() {
        let a: Scope = "write read".parse().unwrap();
        let b: Scope = "read write read".parse().unwrap();
        assert_eq!(a, b);
        assert_eq!(a.to_string(), "read write");
    }

    #[test]
    fn the_grammar_of_rfc_6749_3_3_holds() {
        assert_eq!("a  b".parse::<Scope>(), Err(InvalidScope::Character));
        assert_eq!("a\"b".parse::<Scope>(), Err(InvalidScope::Character));
        assert_eq!("a\\b".parse::<Scope>(), Err(InvalidScope::Character));
        assert_eq!("\u{e9}".parse::<Scope>(), Err(InvalidScope::Character));
        assert_eq!("a ".repeat(65).trim_end().parse::<Scope>(), Err(InvalidScope::TooMany));
        assert_eq!("a".repeat(129).parse::<Scope>(), Err(InvalidScope::TooLong));
        assert!("".parse::<Scope>().unwrap().is_empty());
    }
}
