//! Keys as they are stored: sealed under the key-encryption key.

use countersign_wire::Algorithm;

use crate::time::Timestamp;

/// What a key is for. Each purpose is a ring of its own, numbered from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyPurpose {
    /// Signs access tokens.
    Signing(Algorithm),
    /// Authenticates refresh tokens.
    Refresh,
    /// Seals opaque access tokens.
    Opaque,
    /// Authenticates what the server hands out to get back: cursors, and hashes of contexts.
    Internal,
}

impl KeyPurpose {
    /// Every purpose.
    pub const ALL: [Self; 6] = [
        Self::Signing(Algorithm::ES256),
        Self::Signing(Algorithm::EdDSA),
        Self::Signing(Algorithm::RS256),
        Self::Refresh,
        Self::Opaque,
        Self::Internal,
    ];

    /// The name as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signing(Algorithm::ES256) => "sign-ES256",
            Self::Signing(Algorithm::EdDSA) => "sign-EdDSA",
            Self::Signing(Algorithm::RS256) => "sign-RS256",
            Self::Refresh => "refresh",
            Self::Opaque => "opaque",
            Self::Internal => "internal",
        }
    }

    /// The purpose of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == name)
    }
}

/// A stored key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key's id; for signing keys the `kid`.
    pub id: String,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// Its number on its ring, from 1; unique with the purpose.
    pub number: u8,
    /// When it was made, and published if it is a signing key.
    pub created_at: Timestamp,
    /// From when on it makes tokens.
    pub active_at: Timestamp,
    /// When nothing made with it can be alive any more; `None` while it is in use.
    pub expires_at: Option<Timestamp>,
    /// The private key, sealed.
    pub sealed: Vec<u8>,
}
