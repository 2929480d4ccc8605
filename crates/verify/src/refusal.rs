//! What an API answers when it does not let a request in: RFC 6750 section 3, RFC 9470 section 3,
//! RFC 9728 section 5.1.

use countersign_wire::{ErrorBody, ErrorCode};

use crate::{Denial, Rejection};

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No token was sent, or by another method than `Bearer`.
    #[error("send Authorization: Bearer <access token>")]
    Missing,
    /// The header is `Bearer` without a token, is not text, or came twice.
    #[error("the Authorization header must be: Bearer, a space, the token")]
    Malformed,
    /// The token came in the URL, where it ends up in logs (RFC 9700 section 4.3.2).
    #[error("send the token in the Authorization header, never in the URL")]
    InQuery,
    /// The token is not good.
    #[error(transparent)]
    Token(#[from] Rejection),
    /// The token is good, and not good enough for this.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// Nobody knows whether the token is good. Never a 401: a client would throw a good session away.
    #[error("whether the token is good cannot be told now: try again")]
    Undecided(Undecided),
}

/// Why nobody knows. Told to the operator's log, and not to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Undecided {
    /// The issuer's keys were not to be had for too long.
    #[error("the issuer's keys are too old")]
    Keys,
    /// The revocation feed is too far behind, and the route does not go on without it.
    #[error("the revocation feed is behind")]
    Feed,
    /// Introspection gave no answer.
    #[error("introspection gave no answer")]
    Introspection,
    /// The route falls back on introspection, and there is none.
    #[error("introspection is not set up")]
    NoIntrospection,
}

/// What an undecided client waits, in seconds.
const RETRY_AFTER: u64 = 1;

impl Refusal {
    /// The status: 400, 401, 403 or 503.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed | Self::InQuery => 400,
            Self::Missing | Self::Token(_) | Self::Denied(Denial::Authentication { .. }) => 401,
            Self::Denied(Denial::Scope(_) | Denial::Role) => 403,
            Self::Undecided(_) => 503,
        }
    }

    /// The value of `Retry-After`, in seconds.
    pub fn retry_after(&self) -> Option<u64> {
        matches!(self, Self::Undecided(_)).then_some(RETRY_AFTER)
    }

    /// The code and its description; none when no token was sent (RFC 6750 section 3.1).
    pub fn error(&self) -> Option<ErrorBody> {
        let error = match self {
            Self::Missing => return None,
            Self::Malformed | Self::InQuery => ErrorCode::InvalidRequest,
            Self::Token(_) => ErrorCode::InvalidToken,
            Self::Denied(Denial::Scope(_) | Denial::Role) => ErrorCode::InsufficientScope,
            Self::Denied(Denial::Authentication { .. }) => ErrorCode::InsufficientUserAuthentication,
            Self::Undecided(_) => ErrorCode::TemporarilyUnavailable,
        };
        Some(ErrorBody { error, error_description: self.to_string() })
    }
}

/// What of a `WWW-Authenticate` is the same for every refusal of an API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Challenge {
    realm: Option<String>,
    resource_metadata: Option<String>,
}

impl Challenge {
    /// Names the API to people (RFC 7235 section 2.2).
    #[must_use]
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// Where the API's metadata is (RFC 9728 section 5.1).
    #[must_use]
    pub fn resource_metadata(mut self, url: impl Into<String>) -> Self {
        self.resource_metadata = Some(url.into());
        self
    }

    /// The value of `WWW-Authenticate`; none for a refusal that no authentication would help.
    pub fn www_authenticate(&self, refusal: &Refusal) -> Option<String> {
        if matches!(refusal, Refusal::Undecided(_)) {
            return None;
        }
        let mut parameters = Vec::new();
        let mut add = |name: &str, value: &str| parameters.push(format!("{name}={}", quoted(value)));
        if let Some(realm) = &self.realm {
            add("realm", realm);
        }
        if let Some(ErrorBody { error, error_description }) = refusal.error() {
            add("error", error.as_str());
            add("error_description", &error_description);
        }
        match refusal {
            Refusal::Denied(Denial::Scope(scope)) => add("scope", &scope.to_string()),
            Refusal::Denied(Denial::Authentication { acr, max_age }) => {
                if let Some(acr) = acr {
                    add("acr_values", acr);
                }
                if let Some(seconds) = max_age {
                    add("max_age", &seconds.to_string());
                }
            }
            _ => {}
        }
        if let Some(url) = &self.resource_metadata {
            add("resource_metadata", url);
        }
        let separator = if parameters.is_empty() { "" } else { " " };
        Some(format!("Bearer{separator}{}", parameters.join(", ")))
    }
}

/// A quoted-string (RFC 9110 section 5.6.4) of what may stand in one.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars().filter(|c| matches!(c, ' '..='~')) {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Requirement;

    #[test]
    fn each_refusal_has_the_status_and_the_words_of_its_standard() {
        let scope = Requirement::scope("profile:read").unwrap().wanted_scope().clone();
        let challenge = Challenge::default().realm("profile \"api\"");
        let said = |refusal: &Refusal| (refusal.status(), challenge.www_authenticate(refusal));
        let realm = "Bearer realm=\"profile \\\"api\\\"\"";
        assert_eq!(said(&Refusal::Missing), (401, Some(realm.to_owned())));
        let bad = Refusal::Token(Rejection::Expired);
        let told = format!("{realm}, error=\"invalid_token\", error_description=\"the token has expired\"");
        assert_eq!(said(&bad), (401, Some(told)));
        let (status, told) = said(&Refusal::Denied(Denial::Scope(scope)));
        assert_eq!(status, 403);
        assert!(told.unwrap().ends_with("error=\"insufficient_scope\", error_description=\"the access token lacks the scope\", scope=\"profile:read\""));
        let step_up = Denial::Authentication { acr: Some("aal2".to_owned()), max_age: Some(300) };
        let (status, told) = said(&step_up.into());
        assert_eq!(status, 401);
        let told = told.unwrap();
        assert!(told.contains("error=\"insufficient_user_authentication\""), "{told}");
        assert!(told.ends_with("acr_values=\"aal2\", max_age=\"300\""), "{told}");
        assert_eq!(said(&Refusal::Undecided(Undecided::Feed)), (503, None));
        assert_eq!(said(&Refusal::InQuery).0, 400);
    }

    #[test]
    fn metadata_is_named_when_there_is_some() {
        let url = "https://api.example/.well-known/oauth-protected-resource";
        let told = Challenge::default().resource_metadata(url).www_authenticate(&Refusal::Missing);
        assert_eq!(told, Some(format!("Bearer resource_metadata=\"{url}\"")));
        assert_eq!(Challenge::default().www_authenticate(&Refusal::Missing), Some("Bearer".to_owned()));
    }
}
