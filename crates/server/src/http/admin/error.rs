//! The admin API's error answers.

use axum::Json;
use axum::response::{IntoResponse, Response};
use countersign_wire::{ErrorBody, ErrorCode};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::flows::{FlowError, Refusal};
use crate::http::error::{self as oauth, RETRY_AFTER_SECONDS};

/// An error answer.
#[derive(Debug)]
pub(super) struct AdminError {
    status: StatusCode,
    code: ErrorCode,
    text: String,
    /// For 401: whether credentials were sent (RFC 6750 section 3).
    credentials_sent: bool,
}

impl AdminError {
    /// The request is wrong.
    pub(super) fn invalid(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, text)
    }

    /// What is named does not exist.
    pub(super) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, text)
    }

    /// The path exists, but not with this method.
    pub(super) fn method_not_allowed(text: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::InvalidRequest, text)
    }

    /// The body could not be read.
    pub(super) fn unreadable(status: StatusCode, text: impl Into<String>) -> Self {
        Self::new(status, ErrorCode::InvalidRequest, text)
    }

    /// No admin token, or a wrong one.
    pub(super) fn unauthorized(credentials_sent: bool) -> Self {
        let text = "send the admin token: Authorization: Bearer, a space, the token (admin_token of the \
                    configuration, or the file admin-token in the data directory)";
        let error = Self::new(StatusCode::UNAUTHORIZED, ErrorCode::InvalidToken, text);
        Self { credentials_sent, ..error }
    }

    fn new(status: StatusCode, code: ErrorCode, text: impl Into<String>) -> Self {
        Self { status, code, text: text.into(), credentials_sent: false }
    }
}

impl From<FlowError> for AdminError {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Refused(refusal) => refused(&refusal),
            FlowError::Store(error) => {
                tracing::error!(%error, "no answer from the store");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    ErrorCode::TemporarilyUnavailable,
                    "the server is busy or its store gave no answer, and a change may or may not be made: look, then \
                     send the request again",
                )
            }
            FlowError::Internal(what) => {
                tracing::error!(what, "internal error");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::ServerError, "internal error")
            }
        }
    }
}

/// The refusals that the admin flows know; all others are told as the OAuth endpoints tell them.
fn refused(refusal: &Refusal) -> AdminError {
    let invalid = |text: &str| AdminError::invalid(text);
    let conflict = |text: &str| AdminError::new(StatusCode::CONFLICT, ErrorCode::Conflict, text);
    match refusal {
        Refusal::Request(body) => {
            let status = match body.error {
                ErrorCode::NotFound => StatusCode::NOT_FOUND,
                ErrorCode::Conflict => StatusCode::CONFLICT,
                _ => StatusCode::BAD_REQUEST,
            };
            AdminError::new(status, body.error, body.error_description.clone())
        }
        Refusal::UnknownClient => invalid("client: no client of that id"),
        Refusal::ScopeNotGranted => invalid("scope: asks for more than the client may be granted"),
        Refusal::TargetNotGranted => invalid("resource: names an API that is not in the client's audience"),
        Refusal::GrantNotAllowed => {
            invalid("client: a service client acts for itself and has no sessions; use one of another kind")
        }
        Refusal::ClientDisabled => conflict("client: is disabled"),
        Refusal::NoSuchUser => conflict("user: is disabled"),
        Refusal::AnotherTenant => conflict("client: does not serve the user's tenant"),
        other => {
            let (_, code, text) = oauth::answer(other);
            AdminError::new(StatusCode::BAD_REQUEST, code, text)
        }
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let body = ErrorBody { error: self.code, error_description: self.text };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                let challenge = match self.credentials_sent {
                    true => "Bearer realm=\"countersign admin\", error=\"invalid_token\"",
                    false => "Bearer realm=\"countersign admin\"",
                };
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
            }
            _ => {}
        }
        response
    }
}

/// The body of an error answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct ErrorAnswer {
    /// The code.
    #[schema(example = "invalid_request")]
    error: String,
    /// What is wrong and how to mend it, in words.
    error_description: String,
}

/// What every request can be answered.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only the description is used")]
pub(super) enum Errors {
    /// The request is wrong: all that is, in one answer.
    #[response(status = 400)]
    Invalid(ErrorAnswer),
    /// No admin token, or a wrong one.
    #[response(status = 401)]
    Unauthorized(ErrorAnswer),
    /// What is named does not exist.
    #[response(status = 404)]
    NotFound(ErrorAnswer),
    /// The thing exists already, or its state forbids the change.
    #[response(status = 409)]
    Conflict(ErrorAnswer),
    /// The body is larger than limits.body.
    #[response(status = 413)]
    TooLarge(ErrorAnswer),
    /// A bug.
    #[response(status = 500)]
    Internal(ErrorAnswer),
    /// The request was not decided: see Retry-After.
    #[response(status = 503)]
    Unavailable(ErrorAnswer),
}
