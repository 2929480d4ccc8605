//! `GET` and `POST /oauth/authorize`: where applications send people, and the way back.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_wire::{BrowserSecret, ResponseMode};
use http::{Method, StatusCode};

use super::Public;
use super::browser::{Visit, is_form, page, see_other};
use super::form;
use crate::flows::FlowResult;
use crate::flows::authorize::{self, Answer, Step, Todo, Unanswerable};
use crate::pages::{self, Fault, FormPost};

/// Answers an authorization request (OAuth 2.1 section 3.1: `GET`, and `POST` with a form).
pub(super) async fn authorize(State(public): State<Arc<Public>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let visit = match Visit::read(&public, &parts).await {
        Ok(visit) => visit,
        Err(page) => return page,
    };
    if let Some(page) = visit.too_many(&public) {
        return page;
    }
    if parts.method != Method::POST {
        let binding = visit.binding();
        let pairs = visit.query.clone();
        let begun = authorize::begin(&public.app, pairs, visit.standing.as_ref(), &binding, visit.now);
        return respond(&public, &visit, begun.await);
    }
    if !is_form(&parts.headers) {
        return visit.fault(&public, StatusCode::UNSUPPORTED_MEDIA_TYPE, Fault::BadRequest);
    }
    let bytes = match super::body::read(body, &public.limits).await {
        Ok(bytes) => bytes,
        Err(error) => return visit.fault(&public, error.status(), Fault::BadRequest),
    };
    let Ok(pairs) = form::parse_pairs(&bytes) else {
        return visit.fault(&public, StatusCode::BAD_REQUEST, Fault::BadRequest);
    };
    // A post from another site comes without our cookies (SameSite), so who is signed in, and which
    // browser it is, is seen only after a redirect to ourselves. Until then no cookie is given: it
    // would take the place of one that is there, with the forms and sign-ins that hang on it.
    match authorize::park(&public.app, pairs, visit.now).await {
        Ok(Step::Interact(secret, _)) => {
            see_other(&format!("{}/oauth/authorize/continue?{}", public.links.base, handle(&secret)))
        }
        Ok(Step::Answer(answer)) => send(&public, &visit, &answer),
        other => respond(&public, &visit, other),
    }
}

/// `GET /oauth/authorize/continue`: after a form, or for a request that came as one.
pub(super) async fn resume(State(public): State<Arc<Public>>, request: Request) -> Response {
    let visit = match Visit::read(&public, &request.into_parts().0).await {
        Ok(visit) => visit,
        Err(page) => return page,
    };
    let secret = BrowserSecret::new(visit.parameter("i").unwrap_or_default().to_owned());
    let found = match authorize::come_back(&public.app, &secret, &visit.binding(), visit.now).await {
        Ok(found) => found,
        Err(error) => return visit.failed(&public, &error),
    };
    let Some(interaction) = found else {
        return visit.fault(&public, StatusCode::BAD_REQUEST, Fault::FormExpired);
    };
    let step = authorize::step(&public.app, &secret, interaction, visit.standing.as_ref(), visit.now).await;
    respond(&public, &visit, step)
}

/// What the browser gets for a step.
pub(super) fn respond(public: &Public, visit: &Visit, step: FlowResult<Step>) -> Response {
    match step {
        Ok(Step::Answer(answer)) => visit.with_binding(public, send(public, visit, &answer)),
        Ok(Step::Page(path)) => visit.see_other(public, &path),
        Ok(Step::Interact(secret, todo)) => {
            let path = match todo {
                Todo::SignIn => "/signin",
                Todo::Confirm => "/signin/confirm",
                Todo::SecondFactor => "/signin/factor",
                Todo::Consent(_) => "/consent",
            };
            visit.see_other(public, &format!("{path}?{}", handle(&secret)))
        }
        Ok(Step::Unanswerable(why)) => {
            let what = match why {
                Unanswerable::Client => Fault::UnknownClient,
                Unanswerable::RedirectUri => Fault::BadRedirect,
                Unanswerable::Malformed | Unanswerable::RequestUri => Fault::BadRequest,
                Unanswerable::Over => Fault::FormExpired,
            };
            visit.fault(public, StatusCode::BAD_REQUEST, what)
        }
        Err(error) => visit.failed(public, &error),
    }
}

/// The query that names an interaction, perhaps by something that somebody made up.
pub(super) fn handle(secret: &BrowserSecret) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("i", secret.expose()).finish()
}

/// Sends an answer on its way through the browser.
fn send(public: &Public, visit: &Visit, answer: &Answer) -> Response {
    match answer.mode {
        ResponseMode::Query => see_other(&with_query(answer)),
        ResponseMode::FormPost => {
            let fields = answer.parameters.iter();
            let view = FormPost {
                action: answer.redirect_uri.clone(),
                fields: fields.map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            };
            let html = pages::form_post(&visit.chrome(public, None), &view);
            page(StatusCode::OK, html, Some(&answer.redirect_uri))
        }
    }
}

/// The redirect URI with the answer; a query that it has stays (OAuth 2.1 section 2.3.1).
fn with_query(answer: &Answer) -> String {
    let query: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(answer.parameters.iter().map(|(name, value)| (name, value)))
        .finish();
    let separator = if answer.redirect_uri.contains('?') { '&' } else { '?' };
    format!("{}{separator}{query}", answer.redirect_uri)
}
