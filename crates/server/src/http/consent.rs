//! `/consent`: whether an application may have what it asks for.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use countersign_wire::{BrowserSecret, Scope};
use http::StatusCode;

use super::Public;
use super::authorize::{handle, respond};
use super::browser::{Submission, Visit};
use crate::flows::authorize::{self, Goal, Interaction, Step, Todo};
use crate::flows::{FlowResult, account};
use crate::pages::{self, Consent, Fault, Lang, ScopeLine};

/// Asks.
pub(super) async fn show(State(public): State<Arc<Public>>, request: Request) -> Response {
    let visit = match Visit::read(&public, &request.into_parts().0).await {
        Ok(visit) => visit,
        Err(page) => return page,
    };
    let secret = BrowserSecret::new(visit.parameter("i").unwrap_or_default().to_owned());
    match next(&public, &visit, &secret).await {
        Ok(Some((interaction, Step::Interact(_, Todo::Consent(scope))))) => {
            ask(&public, &visit, &secret, &interaction, &scope).await
        }
        Ok(Some((_, step))) => respond(&public, &visit, Ok(step)),
        Ok(None) => visit.fault(&public, StatusCode::BAD_REQUEST, Fault::FormExpired),
        Err(error) => visit.failed(&public, &error),
    }
}

/// Takes the answer.
pub(super) async fn submit(State(public): State<Arc<Public>>, request: Request) -> Response {
    let Submission { visit, fields, is_genuine } = match Submission::read(&public, request).await {
        Ok(submission) => submission,
        Err(page) => return page,
    };
    let secret = BrowserSecret::new(visit.parameter("i").unwrap_or_default().to_owned());
    if !is_genuine {
        // Ask again, by a page of now: nothing was typed that could be lost.
        return visit.see_other(&public, &format!("/consent?{}", handle(&secret)));
    }
    let found = match authorize::find(&public.app, &secret, &visit.binding(), visit.now).await {
        Ok(found) => found,
        Err(error) => return visit.failed(&public, &error),
    };
    let (Some(found), Some(standing)) = (found, &visit.standing) else {
        return visit.fault(&public, StatusCode::BAD_REQUEST, Fault::FormExpired);
    };
    let step = match fields.get("action") {
        Some("allow") => authorize::agree(&public.app, &secret, found, standing, visit.now).await,
        Some("deny") => authorize::refuse(&public.app, &secret, &found.1, visit.now).await,
        _ => return visit.fault(&public, StatusCode::BAD_REQUEST, Fault::BadRequest),
    };
    respond(&public, &visit, step)
}

async fn next(
    public: &Public,
    visit: &Visit,
    secret: &BrowserSecret,
) -> FlowResult<Option<(Interaction, Step)>> {
    let found = authorize::find(&public.app, secret, &visit.binding(), visit.now).await?;
    let Some((_, interaction)) = found else { return Ok(None) };
    let step =
        authorize::step(&public.app, secret, interaction.clone(), visit.standing.as_ref(), visit.now).await?;
    Ok(Some((interaction, step)))
}

async fn ask(
    public: &Public,
    visit: &Visit,
    secret: &BrowserSecret,
    interaction: &Interaction,
    scope: &Scope,
) -> Response {
    let (Goal::Authorize(asked), Some(standing)) = (&interaction.goal, &visit.standing) else {
        return visit.fault(public, StatusCode::BAD_REQUEST, Fault::FormExpired);
    };
    let facts = match account::consent_facts(&public.app, standing.session.user, &asked.client).await {
        Ok(Some(facts)) => facts,
        Ok(None) => return visit.fault(public, StatusCode::BAD_REQUEST, Fault::UnknownClient),
        Err(error) => return visit.failed(public, &error),
    };
    let chrome = visit.chrome(public, interaction.ui_locales.as_deref());
    let view = Consent {
        action: format!("{}/consent?{}", public.links.base, handle(secret)),
        csrf: visit.csrf(),
        client: facts.client,
        first_time: facts.known.is_none(),
        unverified: !facts.is_first_party,
        scopes: lines(chrome.lang, scope, facts.known.as_ref()),
        redirect_host: host(&asked.redirect_uri),
    };
    let html = pages::consent(&chrome, &view);
    visit.page_that_leads_to(public, StatusCode::OK, html, Some(&asked.redirect_uri))
}

/// Each scope in words, and whether it is new.
pub(super) fn lines(lang: Lang, scope: &Scope, known: Option<&Scope>) -> Vec<ScopeLine> {
    let line = |name: &str| ScopeLine {
        name: name.to_owned(),
        text: lang.scope_in_words(name).unwrap_or_default().to_owned(),
        new: known.is_some_and(|known| !known.contains(name)),
    };
    scope.iter().map(line).collect()
}

/// Where a redirect URI leads, as a person can recognise it.
fn host(uri: &str) -> String {
    match url::Url::parse(uri) {
        Ok(url) => url.host_str().map_or_else(|| format!("{}:", url.scheme()), str::to_owned),
        Err(_) => uri.to_owned(),
    }
}
