//! The one table from a refusal to what is sent: status, code, text, headers. The texts help a
//! client's developer and tell an attacker nothing that the token presented does not.

use axum::Json;
use axum::response::{IntoResponse, Response};
use countersign_wire::{ErrorBody, ErrorCode};
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::flows::{FlowError, Refusal};
use crate::metrics::StoreFailure;

/// What a client is told when the store gives no answer: it may send the same request again.
pub const RETRY_AFTER_SECONDS: &str = "1";

/// An error answer of the OAuth endpoints.
#[derive(Debug)]
pub struct OAuthError {
    status: StatusCode,
    body: ErrorBody,
    headers: Vec<(HeaderName, HeaderValue)>,
    store_failure: Option<StoreFailure>,
}

impl OAuthError {
    /// The answer to a flow's error. `basic`: the client used the `Authorization` header, so a 401
    /// names the scheme (RFC 6749 section 5.2).
    pub fn new(error: &FlowError, basic: bool) -> Self {
        match error {
            FlowError::Refused(refusal) => Self::refused(refusal, basic),
            FlowError::Store(error) => {
                tracing::error!(%error, "no answer from the store");
                Self {
                    headers: vec![(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS))],
                    store_failure: Some(StoreFailure::of(error)),
                    ..Self::plain(
                        StatusCode::SERVICE_UNAVAILABLE,
                        ErrorCode::TemporarilyUnavailable,
                        "the request was not decided; send the same request again, with the same refresh token",
                    )
                }
            }
            FlowError::Internal(what) => {
                tracing::error!(what, "internal error");
                Self::plain(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::ServerError, "internal error")
            }
        }
    }

    /// The code that is sent.
    pub fn code(&self) -> ErrorCode {
        self.body.error
    }

    /// The answer to a request whose body could not be read.
    pub fn unreadable(status: StatusCode, why: &dyn std::error::Error) -> Self {
        let mut error = Self::plain(status, ErrorCode::InvalidRequest, "");
        error.body.error_description = why.to_string();
        // What is left of the body is not read: the connection cannot be used again.
        error.headers.push((header::CONNECTION, HeaderValue::from_static("close")));
        error
    }

    fn refused(refusal: &Refusal, basic: bool) -> Self {
        tracing::info!(?refusal, "refused");
        let (status, code, text) = answer(refusal);
        let mut error = Self::plain(status, code, "");
        error.body.error_description = text;
        if status == StatusCode::UNAUTHORIZED && basic {
            let challenge = HeaderValue::from_static("Basic realm=\"countersign\", charset=\"UTF-8\"");
            error.headers.push((header::WWW_AUTHENTICATE, challenge));
        }
        if let Refusal::TooMany(wait) = refusal {
            error.headers.push((header::RETRY_AFTER, HeaderValue::from(wait.as_secs().saturating_add(1))));
        }
        error
    }

    fn plain(status: StatusCode, error: ErrorCode, text: &str) -> Self {
        Self {
            status,
            body: ErrorBody { error, error_description: text.to_owned() },
            headers: Vec::new(),
            store_failure: None,
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        response.headers_mut().extend(self.headers);
        if let Some(failure) = self.store_failure {
            // Counted where every answer passes.
            response.extensions_mut().insert(failure);
        }
        response
    }
}

/// The table.
pub fn answer(refusal: &Refusal) -> (StatusCode, ErrorCode, String) {
    use ErrorCode as C;
    let bad = StatusCode::BAD_REQUEST;
    let unauthorized = StatusCode::UNAUTHORIZED;
    let (status, code, text) = match refusal {
        Refusal::Request(body) => return (bad, body.error, body.error_description.clone()),

        Refusal::NoClient => (
            unauthorized,
            C::InvalidClient,
            "send client_id (public clients) or the client's id and secret by HTTP Basic or in the body",
        ),
        Refusal::TwoAuthenticationMethods => {
            (bad, C::InvalidRequest, "use one way of client authentication: HTTP Basic or the body, not both")
        }
        Refusal::UnknownClient | Refusal::WrongClientSecret => {
            (unauthorized, C::InvalidClient, "unknown client, or a missing or wrong client secret")
        }
        Refusal::SecretFromPublicClient => (
            unauthorized,
            C::InvalidClient,
            "this client is registered as public: send client_id and no secret",
        ),
        Refusal::ClientDisabled => (unauthorized, C::InvalidClient, "the client is disabled"),
        Refusal::GrantNotAllowed => {
            (bad, C::UnauthorizedClient, "the client is not registered for this grant type")
        }

        Refusal::TooMany(_) => (
            StatusCode::TOO_MANY_REQUESTS,
            C::TemporarilyUnavailable,
            "too many requests from this network; wait as long as Retry-After says",
        ),

        Refusal::AccessTokenAsRefreshToken => (
            bad,
            C::InvalidGrant,
            "this is an access token: send the refresh token (it begins with rft_) to the token endpoint",
        ),
        Refusal::ForeignRefreshToken | Refusal::UnknownSession | Refusal::AnotherClientsToken => {
            (bad, C::InvalidGrant, "the refresh token is not valid for this client; sign in again")
        }
        Refusal::FutureGeneration => {
            (bad, C::InvalidGrant, "the refresh token is not known any more; sign in again")
        }
        Refusal::SessionEnded(reason) => {
            let text = format!("the session has ended: {}; sign in again", reason.sentence());
            return (bad, C::InvalidGrant, text);
        }
        Refusal::SessionIdle => {
            (bad, C::InvalidGrant, "the refresh token expired because it was not used; sign in again")
        }
        Refusal::SessionExpired => {
            (bad, C::InvalidGrant, "the session reached its longest lifetime; sign in again")
        }
        Refusal::ClientOfSessionDisabled | Refusal::UserDisabled | Refusal::StampMoved | Refusal::Cut => {
            (bad, C::InvalidGrant, "the session has ended: access was withdrawn; sign in again")
        }
        Refusal::Reuse(reason) => {
            let text = format!(
                "the session has ended now: {}; store each new refresh token before using it, and sign in again",
                reason.sentence()
            );
            return (bad, C::InvalidGrant, text);
        }
        Refusal::ScopeNotGranted => (bad, C::InvalidScope, "scope asks for more than was granted"),
        Refusal::TargetNotGranted => (bad, C::InvalidTarget, "resource names an API that was not granted"),
        Refusal::TargetNotOne(0) => (
            bad,
            C::InvalidTarget,
            "this client's access tokens are encrypted, each for one API, and no API is left: none is registered for the client that was also granted",
        ),
        Refusal::TargetNotOne(_) => (
            bad,
            C::InvalidTarget,
            "this client's access tokens are encrypted, each for one API: name it in the parameter resource",
        ),
        Refusal::TargetWithoutKey(audience) => {
            let text = format!(
                "this client's access tokens are encrypted, and {audience} has no key to encrypt them to: its operator registers one, or name another API in resource"
            );
            return (bad, C::InvalidTarget, text);
        }

        Refusal::UnknownCode => (bad, C::InvalidGrant, "the code is not valid for this client"),
        Refusal::CodeExpired => (bad, C::InvalidGrant, "the code has expired: it is good for a minute"),
        Refusal::CodeSpent => (
            bad,
            C::InvalidGrant,
            "the code was used before; what it began has ended, since one of the two was not this client",
        ),
        Refusal::CodeRedirectUri => {
            (bad, C::InvalidGrant, "redirect_uri is not the one of the authorization request")
        }
        Refusal::CodeVerifier => {
            (bad, C::InvalidGrant, "code_verifier is missing or does not fit the code_challenge")
        }
        Refusal::BrowserSessionEnded => {
            (bad, C::InvalidGrant, "the person has signed out since; sign in again")
        }
        Refusal::ConsentWithdrawn => (bad, C::InvalidGrant, "the person took the consent back"),
        Refusal::UnknownDeviceCode => (bad, C::InvalidGrant, "the device code is not valid for this client"),
        Refusal::AuthorizationPending => {
            (bad, C::AuthorizationPending, "the person has not decided yet; ask again after the interval")
        }
        Refusal::SlowDown => (bad, C::SlowDown, "wait 5 seconds longer between requests from now on"),
        Refusal::DeviceCodeExpired => (bad, C::ExpiredToken, "the device code has expired; begin again"),
        Refusal::DeviceDenied => (bad, C::AccessDenied, "the person said no"),

        Refusal::RevocationOfAnothersToken => {
            (bad, C::InvalidGrant, "the token was not issued to this client")
        }
        Refusal::IntrospectionNotAllowed => {
            (unauthorized, C::InvalidClient, "introspection is for confidential clients")
        }
        Refusal::NoSuchUser => (bad, C::InvalidRequest, "no such user, or the user is disabled"),
        Refusal::AnotherTenant => (bad, C::InvalidRequest, "the client does not serve the user's tenant"),
    };
    (status, code, text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Reason;

    #[test]
    fn descriptions_keep_to_the_characters_of_rfc_6749_5_2() {
        let reasons = Reason::ALL.iter().flat_map(|r| [Refusal::SessionEnded(*r), Refusal::Reuse(*r)]);
        for refusal in reasons.chain([Refusal::NoClient, Refusal::AccessTokenAsRefreshToken]) {
            let (_, _, text) = answer(&refusal);
            assert!(text.bytes().all(|b| matches!(b, 0x20 | 0x21 | 0x23..=0x5B | 0x5D..=0x7E)), "{text}");
        }
    }
}
