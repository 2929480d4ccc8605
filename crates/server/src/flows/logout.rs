//! Signing out (OpenID Connect RP-Initiated Logout 1.0): here, in this browser, with all that ends
//! with it.

use countersign_wire::{ClientId, IdClaims, Parameters};

use super::browser::{self, BrowserStanding};
use super::{FlowResult, revocation};
use crate::app::App;
use crate::store::{Client, Reason, Standing, Target};
use crate::time::Timestamp;

/// What is to be done with a request to sign out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The person is asked first: nothing shows that the request is the person's own wish.
    Ask(Return),
    /// It is done.
    Done(Return),
    /// The request is wrong: an error page, and nothing ends.
    Wrong(Wrong),
}

/// Where the person goes afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Return {
    /// The registered place with the client's `state`; a page of ours when there is none.
    pub to: Option<String>,
    /// The application's name, to be shown.
    pub client: Option<String>,
}

/// Why a request to sign out is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The ID token hint is not one of ours.
    Hint,
    /// The client is unknown or disabled, or not the one that the hint is for.
    Client,
    /// The place to return to is not registered, or it is not known for whom.
    ReturnUri,
}

/// Reads a request to sign out, and does it when an ID token shows that the client may ask.
/// `agreed`: the person was asked and said yes.
///
/// # Errors
/// The store's silence.
pub async fn run(
    app: &App,
    parameters: &Parameters,
    browser: Option<&BrowserStanding>,
    agreed: bool,
    now: Timestamp,
) -> FlowResult<Step> {
    let hint = match parameters.get("id_token_hint") {
        None => None,
        Some(token) => match app.keys.snapshot().open_id_token(token, &app.policy.issuer) {
            Some(claims) => Some(claims),
            None => return Ok(Step::Wrong(Wrong::Hint)),
        },
    };
    let named = parameters.get("client_id");
    if let (Some(named), Some(hint)) = (named, &hint)
        && named != hint.aud
    {
        return Ok(Step::Wrong(Wrong::Client));
    }
    let client = match named.or(hint.as_ref().map(|hint| hint.aud.as_str())).map(str::parse::<ClientId>) {
        None => None,
        Some(Err(_)) => return Ok(Step::Wrong(Wrong::Client)),
        Some(Ok(id)) => match app.clients.lookup(&id).await?.filter(|client| client.enabled) {
            Some(client) => Some(client),
            None => return Ok(Step::Wrong(Wrong::Client)),
        },
    };
    let Some(to) = return_to(parameters, client.as_deref()) else {
        return Ok(Step::Wrong(Wrong::ReturnUri));
    };
    let place = Return { to, client: client.as_deref().map(name_of) };
    // An ID token is no secret, and says what the person wants to nobody but the person's own browser: where nobody is
    // signed in, nothing is left to end. A client ends a session of its own by RFC 7009.
    let Some(browser) = browser else { return Ok(Step::Done(place)) };
    let hinted = match &hint {
        Some(hint) => app.store.standing(hint.sid).await?.filter(|hinted| fits(hint, hinted, browser)),
        None => None,
    };
    // Section 2: the person must be asked, unless the ID token belongs to who is here and to a session that the client
    // has, or had, in this browser.
    if hinted.is_none() && !agreed {
        return Ok(Step::Ask(place));
    }
    browser::end(app, browser.session.id, Reason::BrowserSignOut, now).await?;
    // It ends too when it would outlive the browser's: the client asked for it.
    if let Some(hinted) = hinted.filter(|hinted| hinted.is_live(now)) {
        revocation::end(app, &Target::Session(hinted.session.id), Reason::ClientRequest, now).await?;
    }
    Ok(Step::Done(place))
}

/// Whether an ID token is of this session, and that one of who is here: begun in this browser, or in none.
fn fits(hint: &IdClaims, hinted: &Standing, browser: &BrowserStanding) -> bool {
    let session = &hinted.session;
    session.user == browser.session.user
        && session.user.to_string() == hint.sub
        && session.client.as_str() == hint.aud
        && session.browser.is_none_or(|id| id == browser.session.id)
}

/// A client's name as people know it.
pub fn name_of(client: &Client) -> String {
    client.settings.sign_in.name.clone().unwrap_or_else(|| client.id.to_string())
}

/// Where to go afterwards; `None` for a place that is not registered, by exact text (section 3).
fn return_to(parameters: &Parameters, client: Option<&Client>) -> Option<Option<String>> {
    let Some(asked) = parameters.get("post_logout_redirect_uri") else { return Some(None) };
    let registered = &client?.settings.sign_in.post_logout_redirect_uris;
    if !registered.iter().any(|uri| uri == asked) {
        return None;
    }
    let state = parameters.get("state").map(|state| {
        let state: String = form_urlencoded::byte_serialize(state.as_bytes()).collect();
        let separator = if asked.contains('?') { '&' } else { '?' };
        format!("{separator}state={state}")
    });
    Some(Some(format!("{asked}{}", state.unwrap_or_default())))
}
