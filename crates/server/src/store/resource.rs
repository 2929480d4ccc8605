//! Resources: APIs, each known by its audience (RFC 8707).

use countersign_wire::EncryptionJwk;

use crate::time::Timestamp;

/// An API with a key to which its access tokens can be encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The audience of its tokens.
    pub audience: String,
    /// Its public key.
    pub encryption_key: EncryptionJwk,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was added or replaced last.
    pub changed_at: Timestamp,
}
