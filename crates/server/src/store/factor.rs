//! Second factors and recovery codes, and what a user has consented to.

use countersign_wire::{ClientId, Scope, UserId};
use uuid::Uuid;

use crate::time::Timestamp;

/// What a factor is. Stored by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FactorKind {
    /// A time-based one-time password (RFC 6238).
    Totp,
    /// A passkey (WebAuthn).
    Passkey,
    /// A code that works once, when the others are lost.
    Recovery,
}

impl FactorKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Totp, Self::Passkey, Self::Recovery];

    /// The name as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Passkey => "passkey",
            Self::Recovery => "recovery",
        }
    }

    /// The kind of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A factor as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// Whose it is.
    pub user: UserId,
    /// What it is.
    pub kind: FactorKind,
    /// A name that the person gave it.
    pub label: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
    /// What has been used up: the last time step of a TOTP, the uses of a passkey, 1 for a
    /// recovery code that was used.
    pub counter: u64,
    /// What checks it: a sealed secret, a public key, a hash; never a secret in the clear.
    pub body: String,
}

/// The use of a factor. Succeeds while its counter is still `seen`, so that what was used once is
/// not used again, by two requests at once either.
#[derive(Debug, Clone)]
pub struct FactorUse {
    /// Which.
    pub id: Uuid,
    /// The counter that the caller decided with.
    pub seen: u64,
    /// The counter from now on.
    pub counter: u64,
    /// A new body, when its use changes it.
    pub body: Option<String>,
    /// When.
    pub now: Timestamp,
}

/// What a user allowed a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Who.
    pub user: UserId,
    /// Whom.
    pub client: ClientId,
    /// What: all that was ever allowed and not withdrawn.
    pub scope: Scope,
    /// When it was last widened.
    pub granted_at: Timestamp,
}
