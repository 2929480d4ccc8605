//! What is next in an interaction: looked at, and nothing done about it.

use std::sync::Arc;

use countersign_wire::{AuthorizationRequest, ErrorCode, Scope, UserId};

use super::{Decision, Goal, Interaction, Situation, Todo, Unanswerable, judge, request};
use crate::app::App;
use crate::flows::browser::BrowserStanding;
use crate::flows::{FlowResult, second_factor};
use crate::store::Client;
use crate::time::Timestamp;

/// What is next.
pub(super) enum Next {
    /// One of our own pages.
    Page(String),
    /// The person has to do this.
    Do(Todo),
    /// The client is told no.
    Refuse(ErrorCode, &'static str),
    /// The client gets a code for this.
    Issue(Arc<Client>, Scope),
    /// There is nowhere to answer to.
    Unanswerable(Unanswerable),
}

/// Looks. `client`: the one that asks, where it was read just now.
pub(super) async fn look(
    app: &App,
    interaction: &Interaction,
    client: Option<&Arc<Client>>,
    browser: Option<&BrowserStanding>,
    now: Timestamp,
) -> FlowResult<Next> {
    let asked = match &interaction.goal {
        Goal::Authorize(asked) => asked,
        Goal::Page(path) | Goal::Confirmed(path) => {
            let confirms = matches!(interaction.goal, Goal::Confirmed(_));
            return Ok(match browser {
                Some(browser) if !confirms || browser.session.auth_time >= interaction.started_at => {
                    Next::Page(path.clone())
                }
                Some(_) => Next::Do(Todo::Confirm),
                None => Next::Do(Todo::SignIn),
            });
        }
    };
    let client = match client {
        Some(client) => Some(client.clone()),
        None => app.clients.lookup(&asked.client).await?,
    };
    // Since the request was checked, the client may have been changed by its operator.
    let Some(client) = client.filter(|client| client.enabled) else {
        return Ok(Next::Unanswerable(Unanswerable::Client));
    };
    if !request::is_registered(&client, &asked.redirect_uri) {
        return Ok(Next::Unanswerable(Unanswerable::RedirectUri));
    }
    let consent = match browser {
        Some(browser) => app.store.consent(browser.session.user, &client.id).await?.map(|c| c.scope),
        None => None,
    };
    let has_second_factor = match browser {
        Some(browser) => second_factor::has_any(app, browser.session.user).await?,
        None => false,
    };
    let Some(hinted) = hinted(app, &asked.request) else {
        return Ok(Next::Refuse(ErrorCode::InvalidRequest, WRONG_HINT));
    };
    let decision = judge(&Situation {
        client: &client,
        asked,
        browser,
        consent: consent.as_ref(),
        has_second_factor,
        hinted,
        sensitive: &app.policy.sign_in.sensitive,
        started_at: interaction.started_at,
        agreed_by: interaction.agreed_by,
        now,
    });
    Ok(match decision {
        Decision::Do(todo) => Next::Do(todo),
        Decision::Refuse(error, text) => Next::Refuse(error, text),
        Decision::Issue(scope) => Next::Issue(client, scope),
    })
}

/// Whether a second factor, and nothing else, is what the person who is signed in has to show. In place of anything else
/// it would be a weaker authentication than is owed.
///
/// # Errors
/// The store's silence.
pub(in crate::flows) async fn owes_second_factor(
    app: &App,
    interaction: &Interaction,
    browser: &BrowserStanding,
    now: Timestamp,
) -> FlowResult<bool> {
    let next = look(app, interaction, None, Some(browser), now).await?;
    Ok(matches!(next, Next::Do(Todo::SecondFactor)))
}

/// What a client is told of a hint that is none.
pub(super) const WRONG_HINT: &str = "id_token_hint is not an ID token of this server";

/// Whom the ID token hint names, if there is one. `None`: it is no ID token of ours, which is an error and not passed
/// over (OpenID Connect Core section 3.1.2.2). For whom it was, and until when, is not asked.
pub(super) fn hinted(app: &App, request: &AuthorizationRequest) -> Option<Option<UserId>> {
    let Some(token) = request.id_token_hint.as_deref() else { return Some(None) };
    let claims = app.keys.snapshot().open_id_token(token, &app.policy.issuer)?;
    claims.sub.parse().ok().map(Some)
}
