//! Every reason to say no, in one list. The reasons are rich and private: logs and tests name
//! them, `http/error.rs` folds them into the few codes that a client sees.

use std::time::Duration;

use countersign_wire::{ErrorBody, ErrorCode};

use crate::store::{Reason, StoreError};

/// Why a request was refused. A refusal has changed nothing, except for [`Refusal::Reuse`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request itself is wrong, in the words of its standard (RFC 6749 section 5.2).
    Request(ErrorBody),

    /// No client was named (RFC 6749 section 2.3).
    NoClient,
    /// More than one way of client authentication was used (RFC 6749 section 2.3).
    TwoAuthenticationMethods,
    /// No client of that id.
    UnknownClient,
    /// A confidential client without its secret, or with a wrong one.
    WrongClientSecret,
    /// A public client that sent a secret.
    SecretFromPublicClient,
    /// The client is disabled.
    ClientDisabled,
    /// The client may not use this grant (RFC 6749 section 5.2).
    GrantNotAllowed,
    /// Too much was begun from this network (RFC 9126 section 2.3).
    TooMany(Duration),

    /// An access token where a refresh token belongs.
    AccessTokenAsRefreshToken,
    /// Not a refresh token of ours, or one that was edited: found without the store.
    ForeignRefreshToken,
    /// No such session, or one that was purged.
    UnknownSession,
    /// Another client's token (RFC 6749 section 6).
    AnotherClientsToken,
    /// The session was ended.
    SessionEnded(Reason),
    /// The session was not refreshed in time.
    SessionIdle,
    /// The session's client is disabled.
    ClientOfSessionDisabled,
    /// The session reached its absolute end.
    SessionExpired,
    /// The user is disabled or gone.
    UserDisabled,
    /// The user's stamp moved on.
    StampMoved,
    /// The client, the tenant or everything was revoked after the session began.
    Cut,
    /// A spent token: the session is ended by this presentation.
    Reuse(Reason),
    /// A generation that the store has never reached: it was restored from an old backup.
    FutureGeneration,
    /// Scope beyond what was granted (RFC 6749 section 6).
    ScopeNotGranted,
    /// A resource beyond what was granted (RFC 8707 section 2).
    TargetNotGranted,
    /// An encrypted token is for one API, and `resource` leaves several, or none (RFC 8707
    /// section 2).
    TargetNotOne(usize),
    /// The API has no key to encrypt the token to.
    TargetWithoutKey(String),

    /// No such code, or another client's (RFC 6749 section 5.2).
    UnknownCode,
    /// The code was not used in time.
    CodeExpired,
    /// The code was used before: what it began has ended (OAuth 2.1 section 4.1.3).
    CodeSpent,
    /// The redirect URI is not the one that the code was made for.
    CodeRedirectUri,
    /// The PKCE verifier is missing, wrong, or there was no challenge (RFC 7636 section 4.6).
    CodeVerifier,
    /// The browser session in which the person agreed has ended.
    BrowserSessionEnded,
    /// The person took the consent back before the code was used.
    ConsentWithdrawn,
    /// No such device code, or another client's.
    UnknownDeviceCode,
    /// The person has not decided yet (RFC 8628 section 3.5).
    AuthorizationPending,
    /// The device asks too often (RFC 8628 section 3.5).
    SlowDown,
    /// The device code has expired (RFC 8628 section 3.5).
    DeviceCodeExpired,
    /// The person said no (RFC 8628 section 3.5).
    DeviceDenied,

    /// The client has another client's token revoked (RFC 7009 section 2.1).
    RevocationOfAnothersToken,
    /// A public client asks for introspection (RFC 7662 section 2.1).
    IntrospectionNotAllowed,

    /// The user that a session is to be started for does not exist.
    NoSuchUser,
    /// The user belongs to another tenant than the client serves.
    AnotherTenant,
}

impl Refusal {
    /// A request that its standard calls invalid.
    pub fn invalid_request(text: impl Into<String>) -> Self {
        Self::Request(ErrorBody { error: ErrorCode::InvalidRequest, error_description: text.into() })
    }

    /// The admin API: what is named does not exist.
    pub fn not_found(text: impl Into<String>) -> Self {
        Self::Request(ErrorBody { error: ErrorCode::NotFound, error_description: text.into() })
    }

    /// The admin API: the state of what is named forbids the change.
    pub fn conflict(text: impl Into<String>) -> Self {
        Self::Request(ErrorBody { error: ErrorCode::Conflict, error_description: text.into() })
    }
}

/// What a flow returns when it has no answer.
#[derive(Debug, Clone)]
pub enum FlowError {
    /// No.
    Refused(Refusal),
    /// The store gave no answer, which is never a no.
    Store(StoreError),
    /// A bug, or a limit that should have been kept earlier.
    Internal(&'static str),
}

impl From<Refusal> for FlowError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for FlowError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a flow returns.
pub type FlowResult<T> = Result<T, FlowError>;
