//! Tickets: what lives for minutes and is used once. A code, a pushed request, a sign-in under
//! way, a device's request: each is known by the hash of a secret that somebody holds.

use countersign_wire::SessionId;

use crate::time::Timestamp;

/// What a ticket is for. Stored by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketKind {
    /// An authorization request that a person is deciding on.
    Interaction,
    /// A pushed authorization request (RFC 9126).
    PushedRequest,
    /// An authorization code (RFC 6749 section 4.1.2).
    Code,
    /// A device's request, by its device code (RFC 8628).
    Device,
    /// The same, by its user code; its body names the device's ticket.
    UserCode,
    /// A WebAuthn ceremony.
    Passkey,
    /// A second factor being set up.
    Enrolment,
}

impl TicketKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Interaction,
        Self::PushedRequest,
        Self::Code,
        Self::Device,
        Self::UserCode,
        Self::Passkey,
        Self::Enrolment,
    ];

    /// The name as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interaction => "interaction",
            Self::PushedRequest => "pushed_request",
            Self::Code => "code",
            Self::Device => "device",
            Self::UserCode => "user_code",
            Self::Passkey => "passkey",
            Self::Enrolment => "enrolment",
        }
    }

    /// The kind of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A ticket as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// SHA-256 of the kind's name and the secret.
    pub hash: [u8; 32],
    /// What it is for.
    pub kind: TicketKind,
    /// From when on it can be used for nothing.
    pub expires_at: Timestamp,
    /// From when on it may be purged: a spent code is remembered longer than it is good.
    pub kept_until: Timestamp,
    /// Moves on with each change of the body.
    pub revision: u64,
    /// What it says, as JSON.
    pub body: String,
    /// The session that was started with it: it is spent.
    pub session: Option<SessionId>,
}
