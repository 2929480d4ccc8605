//! Revocation: what can be ended, why, and the numbered log that tells of it.

use countersign_wire::{ClientId, SessionId, UserId};

use crate::time::Timestamp;

/// What a revocation ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One access token, by its `jti`.
    Token(String),
    /// A session.
    Session(SessionId),
    /// All that a user has: the stamp moves on.
    User(UserId),
    /// All that a client has.
    Client(ClientId),
    /// All that a tenant's users have.
    Tenant(String),
    /// Everything.
    Everything,
}

impl Target {
    /// The kind as it is stored and shown.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Session(_) => "session",
            Self::User(_) => "user",
            Self::Client(_) => "client",
            Self::Tenant(_) => "tenant",
            Self::Everything => "everything",
        }
    }

    /// The name of what is ended; empty for everything.
    pub fn subject(&self) -> String {
        match self {
            Self::Token(jti) => jti.clone(),
            Self::Session(id) => id.to_string(),
            Self::User(id) => id.to_string(),
            Self::Client(id) => id.to_string(),
            Self::Tenant(name) => name.clone(),
            Self::Everything => String::new(),
        }
    }

    /// What the `end` event says: the reason in words, and the subject where the event has no
    /// column for it.
    pub fn detail(&self, reason: Reason) -> String {
        let sentence = reason.sentence();
        match self {
            Self::Session(_) | Self::User(_) | Self::Client(_) => sentence.to_owned(),
            Self::Token(jti) => format!("access token {jti}: {sentence}"),
            Self::Tenant(name) => format!("tenant {name}: {sentence}"),
            Self::Everything => format!("everything: {sentence}"),
        }
    }

    /// The target of a stored kind and subject.
    pub fn from_parts(kind: &str, subject: &str) -> Option<Self> {
        Some(match kind {
            "token" => Self::Token(subject.to_owned()),
            "session" => Self::Session(subject.parse().ok()?),
            "user" => Self::User(subject.parse().ok()?),
            "client" => Self::Client(subject.parse().ok()?),
            "tenant" => Self::Tenant(subject.to_owned()),
            "everything" => Self::Everything,
            _ => return None,
        })
    }
}

/// Why something was ended. Stored by name; a name is never reused for another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A spent refresh token was presented again.
    Reuse,
    /// Spent tokens were replayed from another context in several consecutive generations.
    Lockstep,
    /// The client revoked it (RFC 7009).
    ClientRequest,
    /// An operator revoked it.
    Operator,
    /// The user was signed out everywhere.
    SignOut,
    /// The password was changed.
    PasswordChange,
    /// The user was disabled.
    UserDisabled,
    /// A role was taken away.
    RoleRemoved,
    /// The client was disabled.
    ClientDisabled,
    /// The client was removed.
    ClientRemoved,
    /// Someone found the token and reported it.
    Leaked,
    /// The user had too many sessions, and this was the oldest.
    SessionLimit,
    /// A backup was restored.
    Restored,
    /// The person signed out in the browser where the session was started.
    BrowserSignOut,
    /// The person ended it on the account page.
    Person,
    /// A second factor was added or taken away.
    FactorChange,
    /// The user's address was changed.
    EmailChange,
    /// The person took the consent back.
    ConsentWithdrawn,
    /// The code that it was started with was presented again.
    CodeReplay,
    /// The user was removed.
    UserRemoved,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 20] = [
        Self::Reuse,
        Self::Lockstep,
        Self::ClientRequest,
        Self::Operator,
        Self::SignOut,
        Self::PasswordChange,
        Self::UserDisabled,
        Self::RoleRemoved,
        Self::ClientDisabled,
        Self::ClientRemoved,
        Self::Leaked,
        Self::SessionLimit,
        Self::Restored,
        Self::BrowserSignOut,
        Self::Person,
        Self::FactorChange,
        Self::EmailChange,
        Self::ConsentWithdrawn,
        Self::CodeReplay,
        Self::UserRemoved,
    ];

    /// The name as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reuse => "reuse",
            Self::Lockstep => "lockstep",
            Self::ClientRequest => "client_request",
            Self::Operator => "operator",
            Self::SignOut => "sign_out",
            Self::PasswordChange => "password_change",
            Self::UserDisabled => "user_disabled",
            Self::RoleRemoved => "role_removed",
            Self::ClientDisabled => "client_disabled",
            Self::ClientRemoved => "client_removed",
            Self::Leaked => "leaked",
            Self::SessionLimit => "session_limit",
            Self::Restored => "restored",
            Self::BrowserSignOut => "browser_sign_out",
            Self::Person => "person",
            Self::FactorChange => "factor_change",
            Self::EmailChange => "email_change",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::CodeReplay => "code_replay",
            Self::UserRemoved => "user_removed",
        }
    }

    /// The reason of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == name)
    }

    /// The reason in words, for a timeline.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Reuse => "a refresh token that had been replaced was presented again",
            Self::Lockstep => "replaced refresh tokens kept being presented from a second place",
            Self::ClientRequest => "the client revoked it",
            Self::Operator => "an operator revoked it",
            Self::SignOut => "the user was signed out everywhere",
            Self::PasswordChange => "the user's password was changed",
            Self::UserDisabled => "the user was disabled",
            Self::RoleRemoved => "a role was taken from the user",
            Self::ClientDisabled => "the client was disabled",
            Self::ClientRemoved => "the client was removed",
            Self::Leaked => "the token was reported as leaked",
            Self::SessionLimit => "the user opened more sessions than the limit, and this was the oldest",
            Self::Restored => "the store was restored from a backup",
            Self::BrowserSignOut => "the user signed out in the browser where the session was started",
            Self::Person => "the user ended it on the account page",
            Self::FactorChange => "the user's second factors were changed",
            Self::EmailChange => "the user's address was changed",
            Self::ConsentWithdrawn => "the user took the consent back",
            Self::CodeReplay => "the authorization code that it was started with was presented again",
            Self::UserRemoved => "the user was removed",
        }
    }
}

/// An entry of the revocation log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationEntry {
    /// Its number: gapless, in the order of commits.
    pub number: u64,
    /// When it was written.
    pub at: Timestamp,
    /// When the last access token that it could concern has expired.
    pub expires_at: Timestamp,
    /// What was ended.
    pub target: Target,
    /// For a user: tokens with a lower stamp version are ended.
    pub stamp: Option<u64>,
    /// Why.
    pub reason: Reason,
}

/// What a revocation ended, or would end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Sessions that were alive and are not any more.
    pub sessions_ended: u64,
    /// The log entry's number; `None` for a preview, and when there was nothing to end.
    pub number: Option<u64>,
}

/// What must hold for an access token to be live, besides its own signature and expiry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LivenessQuery {
    /// The caller's client id and the revision it was authenticated with.
    pub caller: Option<(ClientId, u64)>,
    /// The token's session and user stamp version, for a user's token.
    pub session: Option<(SessionId, u64)>,
    /// The token's client.
    pub client: ClientId,
    /// The token's `rev`.
    pub position: u64,
    /// The token's id.
    pub jti: String,
}

/// The answer to a [`LivenessQuery`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness {
    /// The caller is enabled and unchanged. When it is not, look the caller up again.
    pub caller_current: bool,
    /// The token is good.
    pub live: bool,
}
