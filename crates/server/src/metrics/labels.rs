//! The values that labels can have.

use countersign_wire::ErrorCode;

use crate::store::{StoreError, Target};

/// A label whose values are a closed set.
pub trait Label: Copy + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// Its values.
    const ALL: &'static [Self];
    /// A value as it is written.
    fn as_str(self) -> &'static str;
    /// A value's place in `ALL`.
    fn index(self) -> usize;
}

macro_rules! labels {
    ($($(#[$doc:meta])* $vis:vis $type:ident = $name:literal { $($(#[$value_doc:meta])* $value:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $type { $($(#[$value_doc])* $value,)* }

        impl Label for $type {
            const NAME: &'static str = $name;
            const ALL: &'static [Self] = &[$(Self::$value,)*];

            fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text,)* }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    )*};
}

labels! {
    /// What came of a refresh.
    pub RefreshOutcome = "outcome" {
        /// A successor was made.
        Rotated = "rotated",
        /// The same successor was answered again.
        Replayed = "replayed",
        /// A spent token: the session was ended.
        Reuse = "reuse",
        /// The session had expired.
        Expired = "expired",
        /// Any other refusal.
        Refused = "refused",
    }
    /// What came of a sign-in.
    pub SignInOutcome = "outcome" {
        /// A person signed in.
        SignedIn = "signed_in",
        /// Something was wrong.
        Refused = "refused",
    }
    /// What came of telling a client of a logout.
    pub NoticeOutcome = "outcome" {
        /// The client knows.
        Delivered = "delivered",
        /// It is tried again, or given up.
        Failed = "failed",
    }
    /// The grant of a token request.
    pub GrantLabel = "grant" {
        /// RFC 6749 section 6.
        RefreshToken = "refresh_token",
        /// RFC 6749 section 4.4.
        ClientCredentials = "client_credentials",
        /// OAuth 2.1 section 4.1.3.
        AuthorizationCode = "authorization_code",
        /// RFC 8628 section 3.4.
        DeviceCode = "device_code",
        /// None that is known.
        Other = "other",
    }
    /// What came of a token request.
    pub TokenOutcome = "outcome" {
        /// Tokens.
        Issued = "issued",
        /// RFC 6749 section 5.2.
        InvalidRequest = "invalid_request",
        /// RFC 6749 section 5.2.
        InvalidClient = "invalid_client",
        /// RFC 6749 section 5.2.
        InvalidGrant = "invalid_grant",
        /// RFC 6749 section 5.2.
        UnauthorizedClient = "unauthorized_client",
        /// RFC 6749 section 5.2.
        UnsupportedGrantType = "unsupported_grant_type",
        /// RFC 6749 section 5.2.
        InvalidScope = "invalid_scope",
        /// RFC 8707 section 2.
        InvalidTarget = "invalid_target",
        /// 503: the store was away, or too much was asked at once.
        Unavailable = "temporarily_unavailable",
        /// Anything else.
        Other = "other",
    }
    /// What a revocation ended.
    pub(super) TargetLabel = "target" {
        Token = "token",
        Session = "session",
        User = "user",
        Client = "client",
        Tenant = "tenant",
        Everything = "everything",
    }
    /// The answer of an introspection.
    pub(super) Active = "active" {
        Yes = "true",
        No = "false",
    }
    /// Why a store call had no answer.
    pub StoreFailure = "kind" {
        /// Away, too slow, or the outcome is not known.
        Unavailable = "unavailable",
        /// Its data or a statement is wrong.
        Broken = "broken",
    }
}

impl From<ErrorCode> for TokenOutcome {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::InvalidRequest => Self::InvalidRequest,
            ErrorCode::InvalidClient => Self::InvalidClient,
            ErrorCode::InvalidGrant => Self::InvalidGrant,
            ErrorCode::UnauthorizedClient => Self::UnauthorizedClient,
            ErrorCode::UnsupportedGrantType => Self::UnsupportedGrantType,
            ErrorCode::InvalidScope => Self::InvalidScope,
            ErrorCode::InvalidTarget => Self::InvalidTarget,
            ErrorCode::TemporarilyUnavailable => Self::Unavailable,
            _ => Self::Other,
        }
    }
}

impl TargetLabel {
    pub(super) fn of(target: &Target) -> Self {
        match target {
            Target::Token(_) => Self::Token,
            Target::Session(_) => Self::Session,
            Target::User(_) => Self::User,
            Target::Client(_) => Self::Client,
            Target::Tenant(_) => Self::Tenant,
            Target::Everything => Self::Everything,
        }
    }
}

impl StoreFailure {
    /// The kind of an error.
    pub fn of(error: &StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable,
            StoreError::Broken(_) => Self::Broken,
        }
    }
}
