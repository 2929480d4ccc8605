//! `POST /oauth/token` (RFC 6749 section 3.2).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use countersign_wire::{Grant, IdempotencyKey, TokenAnswer, TokenRequest};
use http::HeaderMap;

use super::Public;
use super::answer;
use super::error::OAuthError;
use super::request::{self, Accepts, OAuthRequest};
use crate::flows::refresh::{Outcome, RefreshRequest};
use crate::flows::{FlowError, Refusal, client_credentials, codes, device, refresh};
use crate::metrics::{GrantLabel, RefreshOutcome, TokenOutcome};
use crate::time::Timestamp;

/// Longest `Idempotency-Key`, in bytes.
const MAX_IDEMPOTENCY_KEY: usize = 128;

/// Answers a token request.
pub(super) async fn token(State(public): State<Arc<Public>>, request: Request) -> Response {
    let now = public.app.clock.now();
    let request = match request::read(request, Accepts::FormOrJson, &public).await {
        Ok(request) => request,
        Err(unreadable) => return unreadable.into_response(),
    };
    let (grant, result) = match TokenRequest::parse(&request.parameters) {
        Ok(parsed) => grant(&public, &request, parsed, now).await,
        Err(body) => (GrantLabel::Other, Err(Refusal::Request(body).into())),
    };
    match result {
        Ok(answer) => {
            public.app.metrics.token_request(grant, TokenOutcome::Issued);
            answer::json(&answer)
        }
        Err(error) => {
            let error = OAuthError::new(&error, request.basic());
            public.app.metrics.token_request(grant, TokenOutcome::from(error.code()));
            error.into_response()
        }
    }
}

async fn grant(
    public: &Public,
    request: &OAuthRequest,
    parsed: TokenRequest,
    now: Timestamp,
) -> (GrantLabel, Result<TokenAnswer, FlowError>) {
    let app = &public.app;
    match parsed.grant {
        Grant::ClientCredentials => {
            let answer = client_credentials::run(
                app,
                &request.credentials,
                parsed.scope.as_ref(),
                &parsed.resources,
                now,
            );
            (GrantLabel::ClientCredentials, answer.await)
        }
        Grant::AuthorizationCode(code) => {
            let origin = request.origin(public);
            let answer = codes::exchange(app, &request.credentials, &code, &parsed.resources, origin, now);
            (GrantLabel::AuthorizationCode, answer.await)
        }
        Grant::DeviceCode(code) => {
            let answer = device::poll(app, &request.credentials, &code, request.origin(public), now);
            (GrantLabel::DeviceCode, answer.await)
        }
        Grant::RefreshToken(token) => {
            let idempotency_key = match idempotency_key(&request.headers) {
                Ok(key) => key,
                Err(refusal) => return (GrantLabel::RefreshToken, Err(refusal.into())),
            };
            let refresh = RefreshRequest {
                token,
                scope: parsed.scope,
                resources: parsed.resources,
                idempotency_key,
                origin: request.origin(public),
            };
            let result = refresh::run(app, &request.credentials, &refresh, now).await;
            if let Some(outcome) = refresh_outcome(&result) {
                app.metrics.refresh(outcome);
            }
            (GrantLabel::RefreshToken, result.map(|(answer, _)| answer))
        }
    }
}

/// The retry proof (draft-ietf-httpapi-idempotency-key-header): 1 to 128 visible characters, with
/// or without the quotes that a structured header would have.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Refusal> {
    let wrong =
        || Refusal::invalid_request("Idempotency-Key must be one header of 1 to 128 visible characters");
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().map_err(|_| wrong())?;
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let visible = text.bytes().all(|b| (0x21..=0x7E).contains(&b));
    if values.next().is_some() || text.is_empty() || text.len() > MAX_IDEMPOTENCY_KEY || !visible {
        return Err(wrong());
    }
    Ok(Some(IdempotencyKey::new(text.to_owned())))
}

/// `None` for a store that gave no answer: nothing is known to have come of the refresh.
fn refresh_outcome(result: &Result<(TokenAnswer, Outcome), FlowError>) -> Option<RefreshOutcome> {
    match result {
        Ok((_, Outcome::Rotated)) => Some(RefreshOutcome::Rotated),
        Ok((_, Outcome::Replayed)) => Some(RefreshOutcome::Replayed),
        Err(FlowError::Refused(Refusal::Reuse(_))) => Some(RefreshOutcome::Reuse),
        Err(FlowError::Refused(Refusal::SessionIdle | Refusal::SessionExpired)) => {
            Some(RefreshOutcome::Expired)
        }
        Err(FlowError::Refused(_)) => Some(RefreshOutcome::Refused),
        Err(FlowError::Store(_) | FlowError::Internal(_)) => None,
    }
}
