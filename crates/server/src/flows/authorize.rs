//! The authorization endpoint (OAuth 2.1 section 4.1, OpenID Connect Core section 3.1.2).
//!
//! [`begin`] checks who asks and where the answer goes, and then what is asked; [`step`] says what
//! is to be done next, as often as something has changed: sign in, agree, or the answer. What is
//! next is decided by [`judge`], which is pure.

mod judge;
mod look;
mod request;

use std::sync::Arc;
use std::time::Duration;

use countersign_wire::{
    AuthorizationRequest, BrowserSecret, ClientId, ErrorBody, ErrorCode, Parameters, ResponseMode, Scope,
    UserId,
};
use serde::{Deserialize, Serialize};

pub use self::judge::{Decision, OFFLINE_ACCESS, Situation, judge};
use self::look::Next;
pub(super) use self::look::owes_second_factor;
pub(super) use self::request::check;
pub use self::request::{Unanswerable, resolve};
use super::browser::BrowserStanding;
use super::{FlowResult, codes, tickets};
use crate::app::App;
use crate::store::{Client, Ticket, TicketKind};
use crate::time::Timestamp;

/// How long a person has to sign in and agree.
const INTERACTION: Duration = Duration::from_secs(60 * 60);

/// A request of which the client and the place to answer to are checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Who asks.
    pub client: ClientId,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// Whether the request named it: the code's exchange must then name it too.
    pub redirect_uri_sent: bool,
    /// How the answer travels.
    pub response_mode: ResponseMode,
    /// Goes back unchanged.
    pub state: Option<String>,
    /// What is asked.
    pub request: AuthorizationRequest,
}

/// What travels back to the client through the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Where.
    pub redirect_uri: String,
    /// How.
    pub mode: ResponseMode,
    /// What: names and values.
    pub parameters: Vec<(&'static str, String)>,
}

/// What a person is doing here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goal {
    /// Answering an application's request.
    Authorize(Box<Asked>),
    /// Looking at one of our own pages, by its path.
    Page(String),
    /// The same, for what wants an authentication in this interaction.
    Confirmed(String),
}

/// A sign-in that is under way, as its ticket has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interaction {
    /// What for.
    pub goal: Goal,
    /// The hash of the cookie of the browser in which it began; empty while the browser is unknown.
    pub binding: String,
    /// When it began: `prompt=login` wants an authentication after it.
    pub started_at: Timestamp,
    /// The password was right; a second factor is wanted.
    pub first_factor: Option<FirstFactor>,
    /// Who agreed, in this interaction.
    pub agreed_by: Option<UserId>,
    /// Languages for the pages.
    pub ui_locales: Option<String>,
}

/// A password that was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstFactor {
    /// Whose.
    pub user: UserId,
    /// The user's stamp then.
    pub stamp: u64,
    /// When.
    pub at: Timestamp,
    /// Whether the person asked to be remembered.
    pub remember: bool,
}

/// What is to be done next.
#[derive(Debug, Clone)]
pub enum Step {
    /// The application gets its answer.
    Answer(Answer),
    /// One of our own pages is shown.
    Page(String),
    /// The person has something to do, in this interaction.
    Interact(BrowserSecret, Todo),
    /// There is nowhere to answer to: an error page.
    Unanswerable(Unanswerable),
}

/// What a person has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Todo {
    /// Sign in, perhaps as somebody else than is signed in.
    SignIn,
    /// Show again that it is the person who is signed in.
    Confirm,
    /// Show a second factor.
    SecondFactor,
    /// Agree to this.
    Consent(Scope),
}

/// Answers an authorization request, or says what a person has to do first.
///
/// # Errors
/// The store's silence; every refusal is a [`Step`].
pub async fn begin(
    app: &App,
    pairs: Vec<(String, String)>,
    browser: Option<&BrowserStanding>,
    binding: &str,
    now: Timestamp,
) -> FlowResult<Step> {
    let (client, asked) = match request::read(app, pairs, now).await? {
        Ok(read) => read,
        Err(request::Refused::Page(why)) => return Ok(Step::Unanswerable(why)),
        Err(request::Refused::Answer(answer)) => return Ok(Step::Answer(answer)),
    };
    let ui_locales = asked.request.ui_locales.clone();
    let interaction = Interaction {
        goal: Goal::Authorize(Box::new(asked)),
        binding: binding.to_owned(),
        started_at: now,
        first_factor: None,
        agreed_by: None,
        ui_locales,
    };
    next(app, interaction, None, Some(&client), browser, now).await
}

/// Keeps a request that came as a form until the browser has come back with its cookies: only
/// then is it known which browser it is.
///
/// # Errors
/// The store's silence; every refusal is a [`Step`].
pub async fn park(app: &App, pairs: Vec<(String, String)>, now: Timestamp) -> FlowResult<Step> {
    let (_, asked) = match request::read(app, pairs, now).await? {
        Ok(read) => read,
        Err(request::Refused::Page(why)) => return Ok(Step::Unanswerable(why)),
        Err(request::Refused::Answer(answer)) => return Ok(Step::Answer(answer)),
    };
    let interaction = Interaction {
        ui_locales: asked.request.ui_locales.clone(),
        goal: Goal::Authorize(Box::new(asked)),
        binding: String::new(),
        started_at: now,
        first_factor: None,
        agreed_by: None,
    };
    Ok(Step::Interact(keep(app, &interaction, now).await?, Todo::SignIn))
}

/// Begins a sign-in for one of our own pages.
///
/// # Errors
/// The store's silence.
pub async fn begin_page(
    app: &App,
    path: &str,
    ui_locales: Option<String>,
    binding: &str,
    now: Timestamp,
) -> FlowResult<BrowserSecret> {
    let interaction = Interaction {
        goal: Goal::Page(path.to_owned()),
        binding: binding.to_owned(),
        started_at: now,
        first_factor: None,
        agreed_by: None,
        ui_locales,
    };
    keep(app, &interaction, now).await
}

/// Begins a confirmation that the person who is signed in is still the one who is here.
///
/// # Errors
/// The store's silence.
pub async fn begin_confirmed(
    app: &App,
    path: &str,
    binding: &str,
    now: Timestamp,
) -> FlowResult<BrowserSecret> {
    let interaction = Interaction {
        goal: Goal::Confirmed(path.to_owned()),
        binding: binding.to_owned(),
        started_at: now,
        first_factor: None,
        agreed_by: None,
        ui_locales: None,
    };
    keep(app, &interaction, now).await
}

/// An interaction that is under way in this browser. `None`: it is over, or another browser's.
///
/// # Errors
/// The store's silence.
pub async fn find(
    app: &App,
    secret: &BrowserSecret,
    binding: &str,
    now: Timestamp,
) -> FlowResult<Option<(Ticket, Interaction)>> {
    let found = tickets::find::<Interaction>(app, TicketKind::Interaction, secret.expose(), now).await?;
    Ok(found.filter(|(_, interaction)| interaction.binding == binding))
}

/// The same, and what was parked becomes the interaction of the browser that comes back first. A
/// stranger who sends somebody there has done what a link to `/oauth/authorize` does.
///
/// # Errors
/// The store's silence.
pub async fn come_back(
    app: &App,
    secret: &BrowserSecret,
    binding: &str,
    now: Timestamp,
) -> FlowResult<Option<Interaction>> {
    let found = tickets::find::<Interaction>(app, TicketKind::Interaction, secret.expose(), now).await?;
    let Some((ticket, interaction)) = found else { return Ok(None) };
    if interaction.binding == binding {
        return Ok(Some(interaction));
    }
    if !interaction.binding.is_empty() {
        return Ok(None);
    }
    let adopted = Interaction { binding: binding.to_owned(), ..interaction };
    Ok(remember(app, &ticket, &adopted, now).await?.then_some(adopted))
}

/// What is to be done next in an interaction.
///
/// # Errors
/// The store's silence.
pub async fn step(
    app: &App,
    secret: &BrowserSecret,
    interaction: Interaction,
    browser: Option<&BrowserStanding>,
    now: Timestamp,
) -> FlowResult<Step> {
    next(app, interaction, Some(secret), None, browser, now).await
}

/// Remembers what a person did in an interaction. False: somebody else did something meanwhile.
///
/// # Errors
/// The store's silence.
pub async fn remember(
    app: &App,
    ticket: &Ticket,
    interaction: &Interaction,
    now: Timestamp,
) -> FlowResult<bool> {
    tickets::replace(app, ticket, interaction, now).await
}

/// The person agreed to all that is asked. Only what is being asked now can be agreed to: not what
/// somebody has yet to sign in for.
///
/// # Errors
/// The store's silence.
pub async fn agree(
    app: &App,
    secret: &BrowserSecret,
    (ticket, mut interaction): (Ticket, Interaction),
    browser: &BrowserStanding,
    now: Timestamp,
) -> FlowResult<Step> {
    let asked_now = step(app, secret, interaction.clone(), Some(browser), now).await?;
    let Step::Interact(_, Todo::Consent(scope)) = asked_now else { return Ok(asked_now) };
    if let Goal::Authorize(asked) = &interaction.goal {
        let user = browser.session.user;
        let known = app.store.consent(user, &asked.client).await?.map(|c| c.scope).unwrap_or_default();
        app.store.grant_consent(user, &asked.client, &known.union(&scope), now).await?;
    }
    interaction.agreed_by = Some(browser.session.user);
    remember(app, &ticket, &interaction, now).await?;
    step(app, secret, interaction, Some(browser), now).await
}

/// The person said no, or went back.
///
/// # Errors
/// The store's silence.
pub async fn refuse(
    app: &App,
    secret: &BrowserSecret,
    interaction: &Interaction,
    now: Timestamp,
) -> FlowResult<Step> {
    tickets::take::<Interaction>(app, TicketKind::Interaction, secret.expose(), now).await?;
    Ok(match &interaction.goal {
        Goal::Authorize(asked) => {
            Step::Answer(refusal(app, asked, ErrorCode::AccessDenied, "the person said no"))
        }
        Goal::Page(_) => Step::Page("/".to_owned()),
        Goal::Confirmed(path) => Step::Page(path.clone()),
    })
}

/// The one way on: `secret` is there when the interaction is kept already.
async fn next(
    app: &App,
    interaction: Interaction,
    secret: Option<&BrowserSecret>,
    client: Option<&Arc<Client>>,
    browser: Option<&BrowserStanding>,
    now: Timestamp,
) -> FlowResult<Step> {
    let todo = match look::look(app, &interaction, client, browser, now).await? {
        Next::Page(path) => return Ok(Step::Page(path)),
        Next::Unanswerable(why) => return Ok(Step::Unanswerable(why)),
        Next::Do(todo) => todo,
        Next::Refuse(error, text) => {
            if let Some(secret) = secret {
                tickets::take::<Interaction>(app, TicketKind::Interaction, secret.expose(), now).await?;
            }
            return Ok(match &interaction.goal {
                Goal::Authorize(asked) => Step::Answer(refusal(app, asked, error, text)),
                // Nobody asks for a page of ours but the person.
                Goal::Page(path) | Goal::Confirmed(path) => Step::Page(path.clone()),
            });
        }
        Next::Issue(client, scope) => {
            let (Some(browser), Goal::Authorize(asked)) = (browser, &interaction.goal) else {
                return Ok(Step::Unanswerable(Unanswerable::Over));
            };
            // Of two tabs with one interaction, one gets the code.
            if let Some(secret) = secret
                && tickets::take::<Interaction>(app, TicketKind::Interaction, secret.expose(), now)
                    .await?
                    .is_none()
            {
                return Ok(Step::Unanswerable(Unanswerable::Over));
            }
            let code = codes::issue(app, &client, asked, browser, scope, now).await?;
            return Ok(Step::Answer(answer(app, asked, vec![("code", code.expose().to_owned())])));
        }
    };
    let secret = match secret {
        Some(secret) => secret.clone(),
        None => keep(app, &interaction, now).await?,
    };
    Ok(Step::Interact(secret, todo))
}

async fn keep(app: &App, interaction: &Interaction, now: Timestamp) -> FlowResult<BrowserSecret> {
    let secret = tickets::fresh_secret();
    let times = (INTERACTION, INTERACTION);
    tickets::add(app, TicketKind::Interaction, &secret, interaction, times, now).await?;
    Ok(BrowserSecret::new(secret))
}

/// An error that goes back to the client (OAuth 2.1 section 4.1.2.1).
fn refusal(app: &App, asked: &Asked, error: ErrorCode, text: &str) -> Answer {
    answer(app, asked, vec![("error", error.as_str().to_owned()), ("error_description", text.to_owned())])
}

/// `state` goes back unchanged; `iss` lets the client see who answered (RFC 9207).
fn answer(app: &App, asked: &Asked, mut parameters: Vec<(&'static str, String)>) -> Answer {
    parameters.extend(asked.state.clone().map(|state| ("state", state)));
    parameters.push(("iss", app.policy.issuer.clone()));
    Answer { redirect_uri: asked.redirect_uri.clone(), mode: asked.response_mode, parameters }
}

/// A request whose form is wrong, answered to a place that was checked.
pub(super) fn malformed(
    app: &App,
    (redirect_uri, mode, state): (&str, ResponseMode, Option<&str>),
    body: ErrorBody,
) -> Answer {
    let mut parameters =
        vec![("error", body.error.as_str().to_owned()), ("error_description", body.error_description)];
    parameters.extend(state.map(|state| ("state", state.to_owned())));
    parameters.push(("iss", app.policy.issuer.clone()));
    Answer { redirect_uri: redirect_uri.to_owned(), mode, parameters }
}

/// What a person is asked to agree to, in the client's words and ours.
pub fn wanted(client: &Client, asked: &Asked) -> Scope {
    judge::scope(client, &asked.request)
}

/// The parameters of a pushed request are these, without the client's credentials.
pub(super) fn without_credentials(parameters: &Parameters) -> Vec<(String, String)> {
    const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];
    parameters.pairs().iter().filter(|(name, _)| !CREDENTIALS.contains(&name.as_str())).cloned().collect()
}
