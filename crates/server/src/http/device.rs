//! Device authorization (RFC 8628): `POST /oauth/device_authorization` for the device, `/device`
//! for the person.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use countersign_wire::{DeviceCode, ErrorBody, ErrorCode, Scope, UserCode};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::Public;
use super::browser::{Submission, Visit};
use super::consent::lines;
use super::error::OAuthError;
use super::form;
use super::request::{self, Accepts};
use crate::flows::device::{self, Drawn, Outcome};
use crate::flows::{Refusal, account, authorize};
use crate::pages::{self, DeviceConfirm, DeviceDone, DeviceProblem, Fault};

/// Section 3.2.
#[derive(Serialize)]
struct Begun {
    device_code: DeviceCode,
    user_code: UserCode,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u64,
}

/// Takes a device's request in (section 3.1).
pub(super) async fn begin(State(public): State<Arc<Public>>, request: Request) -> Response {
    let now = public.app.clock.now();
    let request = match request::read(request, Accepts::Form, &public).await {
        Ok(request) => request,
        Err(unreadable) => return unreadable.into_response(),
    };
    let scope = match request.parameters.get("scope").map(str::parse::<Scope>) {
        None => None,
        Some(Ok(scope)) => Some(scope),
        Some(Err(invalid)) => {
            let body = ErrorBody { error: ErrorCode::InvalidScope, error_description: invalid.to_string() };
            return OAuthError::new(&Refusal::Request(body).into(), request.basic()).into_response();
        }
    };
    let resources = request.parameters.all("resource").map(str::to_owned).collect();
    let origin = request.origin(&public);
    match device::begin(&public.app, &request.credentials, scope, resources, &origin, now).await {
        Ok(codes) => {
            let verification_uri = format!("{}/device", public.app.policy.issuer);
            Json(Begun {
                verification_uri_complete: format!(
                    "{verification_uri}?user_code={}",
                    codes.user_code.expose()
                ),
                verification_uri,
                device_code: codes.device_code,
                user_code: codes.user_code,
                expires_in: device::LIFETIME.as_secs(),
                interval: device::INTERVAL,
            })
            .into_response()
        }
        Err(error) => OAuthError::new(&error, request.basic()).into_response(),
    }
}

/// `GET /device`: where the code is typed, once somebody is signed in.
pub(super) async fn show(State(public): State<Arc<Public>>, request: Request) -> Response {
    let visit = match Visit::read(&public, &request.into_parts().0).await {
        Ok(visit) => visit,
        Err(page) => return page,
    };
    let typed = visit.parameter("user_code").unwrap_or_default();
    if visit.standing.is_none() {
        return to_sign_in(&public, &visit, typed).await;
    }
    page(&public, &visit, plain(typed), None)
}

/// To the sign-in page, and back here with the code.
async fn to_sign_in(public: &Public, visit: &Visit, typed: &str) -> Response {
    visit.to_sign_in(public, &here(typed)).await
}

/// The person shows that it is them, and comes back here with the code.
async fn to_confirm(public: &Public, visit: &Visit, typed: &str) -> Response {
    match authorize::begin_confirmed(&public.app, &here(typed), &visit.binding(), visit.now).await {
        Ok(secret) => visit.see_other(public, &format!("/signin/confirm?i={}", secret.expose())),
        Err(error) => visit.failed(public, &error),
    }
}

/// This page, with what was typed as far as it can be a code.
fn here(typed: &str) -> String {
    let typed = plain(typed);
    if typed.is_empty() { "/device".to_owned() } else { format!("/device?user_code={typed}") }
}

/// What can be of a code.
fn plain(typed: &str) -> String {
    typed.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(16).collect()
}

/// `GET /device/qr`: what a device shows to a camera, as SVG, or as lines for a terminal.
pub(super) async fn picture(State(public): State<Arc<Public>>, request: Request) -> Response {
    let pairs = form::parse_pairs(request.uri().query().unwrap_or_default().as_bytes()).unwrap_or_default();
    let [(name, typed)] = pairs.as_slice() else { return StatusCode::NOT_FOUND.into_response() };
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let wants_lines = accept.is_some_and(|a| a.split([',', ';']).any(|one| one.trim() == "text/plain"));
    let (drawn, kind) = match wants_lines {
        true => (Drawn::Lines, "text/plain; charset=utf-8"),
        false => (Drawn::Svg, "image/svg+xml"),
    };
    let picture = device::picture(&public.app, typed, drawn).filter(|_| name == "user_code");
    let Some(picture) = picture else { return StatusCode::NOT_FOUND.into_response() };
    // The page that shows it is the device's, elsewhere.
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    ([(header::CONTENT_TYPE, kind), (header::VARY, "accept"), (policy, "cross-origin")], picture)
        .into_response()
}

/// `POST /device`: the code, and then the decision.
pub(super) async fn submit(State(public): State<Arc<Public>>, request: Request) -> Response {
    let Submission { visit, fields, is_genuine } = match Submission::read(&public, request).await {
        Ok(submission) => submission,
        Err(page) => return page,
    };
    let typed: String = fields.get("user_code").unwrap_or_default().chars().take(32).collect();
    let Some(standing) = visit.standing.as_ref() else { return to_sign_in(&public, &visit, &typed).await };
    if !is_genuine {
        let typed = device::shown(&typed).unwrap_or(typed);
        return page(&public, &visit, typed, Some(DeviceProblem::OldForm));
    }
    if public.app.user_codes.admit(&visit.origin.network, visit.now).is_err() {
        return page(&public, &visit, typed, Some(DeviceProblem::TooMany));
    }
    let found = match device::find(&public.app, &typed, visit.now).await {
        Ok(found) => found,
        Err(error) => return visit.failed(&public, &error),
    };
    let Some((client, _, request)) = found else {
        return page(&public, &visit, typed, Some(DeviceProblem::Unknown));
    };
    public.app.user_codes.forgive(&visit.origin.network, visit.now);
    let name = match account::client_name(&public.app, &client.id).await {
        Ok(name) => name,
        Err(error) => return visit.failed(&public, &error),
    };
    let allow = match fields.get("action") {
        Some("allow") => true,
        Some("deny") => false,
        // Now and not after the decision: nobody is asked the same twice.
        _ if device::must_confirm(&public.app, &request, standing, visit.now) => {
            return to_confirm(&public, &visit, &typed).await;
        }
        _ => {
            let chrome = visit.chrome(&public, None);
            let view = DeviceConfirm {
                action: format!("{}/device", public.links.base),
                csrf: visit.csrf(),
                client: name,
                user_code: device::shown(&typed).unwrap_or(typed),
                place: Some(request.network.clone()).filter(|network| !network.is_empty()),
                scopes: lines(chrome.lang, &request.scope, None),
            };
            return visit.page(&public, StatusCode::OK, pages::device_confirm(&chrome, &view));
        }
    };
    match device::decide(&public.app, &typed, standing, allow, visit.now).await {
        Ok(Outcome::Done) => {
            let view = DeviceDone { allowed: allow, client: name };
            visit.page(&public, StatusCode::OK, pages::device_done(&visit.chrome(&public, None), &view))
        }
        Ok(Outcome::Over) => page(&public, &visit, typed, Some(DeviceProblem::Used)),
        // The page was open for longer than an authentication is recent.
        Ok(Outcome::Confirm) => to_confirm(&public, &visit, &typed).await,
        Err(error) => match error {
            crate::flows::FlowError::Refused(_) => {
                visit.fault(&public, StatusCode::FORBIDDEN, Fault::NotAllowed)
            }
            error => visit.failed(&public, &error),
        },
    }
}

fn page(public: &Public, visit: &Visit, user_code: String, problem: Option<DeviceProblem>) -> Response {
    let view = pages::Device {
        action: format!("{}/device", public.links.base),
        csrf: visit.csrf(),
        user_code,
        problem,
    };
    let status = match problem {
        None => StatusCode::OK,
        Some(DeviceProblem::TooMany) => StatusCode::TOO_MANY_REQUESTS,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let mut response = visit.page(public, status, pages::device(&visit.chrome(public, None), &view));
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    }
    response
}
