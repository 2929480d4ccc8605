//! What a person sees and does about their own sign-ins, applications and consents.

use countersign_wire::{BrowserSessionId, ClientId, Scope, SessionId, UserId};

use super::browser::{self, BrowserStanding, Stays};
use super::{FlowResult, access, logout, revocation};
use crate::app::App;
use crate::store::{
    BrowserSession, Event, EventFilter, Page, Reason, SessionFilter, Standing, Target, UserChange,
};
use crate::time::Timestamp;

/// Most sessions that the page shows, live ones and ended ones each.
const SHOWN: u32 = 50;

/// What the account page shows.
pub struct Account {
    /// The browser sessions, newest first.
    pub browsers: Vec<BrowserSession>,
    /// The applications' sessions that live.
    pub sessions: Vec<(String, Standing)>,
    /// Those that ended lately.
    pub ended: Vec<(String, Standing)>,
    /// What was consented to.
    pub consents: Vec<(String, crate::store::Consent)>,
}

/// Reads the account page's facts.
///
/// # Errors
/// The store's silence.
pub async fn read(app: &App, user: UserId, now: Timestamp) -> FlowResult<Account> {
    let browsers = app.store.browser_sessions(user, now).await?;
    let list = |live| SessionFilter { user: Some(user), client: None, live: Some(live) };
    let page = Page { after: None, limit: SHOWN };
    let mut account = Account {
        browsers: browsers.into_iter().map(|standing| standing.session).collect(),
        sessions: Vec::new(),
        ended: Vec::new(),
        consents: Vec::new(),
    };
    for standing in app.store.sessions(&list(true), &page, now).await? {
        account.sessions.push((client_name(app, &standing.session.client).await?, standing));
    }
    for standing in app.store.sessions(&list(false), &page, now).await? {
        account.ended.push((client_name(app, &standing.session.client).await?, standing));
    }
    for consent in app.store.consents(user).await? {
        account.consents.push((client_name(app, &consent.client).await?, consent));
    }
    Ok(account)
}

/// What a consent page says of a client.
pub struct ConsentFacts {
    /// Its name.
    pub client: String,
    /// Whether the operator vouches for it.
    pub is_first_party: bool,
    /// What this person allowed it before.
    pub known: Option<Scope>,
}

/// Reads what a consent page says. `None`: no such client.
///
/// # Errors
/// The store's silence.
pub async fn consent_facts(app: &App, user: UserId, client: &ClientId) -> FlowResult<Option<ConsentFacts>> {
    let Some(record) = app.clients.lookup(client).await? else { return Ok(None) };
    let known = app.store.consent(user, client).await?.map(|consent| consent.scope);
    Ok(Some(ConsentFacts {
        client: logout::name_of(&record),
        is_first_party: record.settings.sign_in.first_party,
        known,
    }))
}

/// A client's name as people know it; its id when it is gone.
///
/// # Errors
/// The store's silence.
pub async fn client_name(app: &App, client: &ClientId) -> FlowResult<String> {
    let record = app.clients.lookup(client).await?;
    Ok(record.map_or_else(|| client.to_string(), |record| logout::name_of(&record)))
}

/// Ends one of the person's own browser sessions. False: there is none of that id.
///
/// # Errors
/// The store's silence.
pub async fn end_browser(app: &App, user: UserId, id: BrowserSessionId, now: Timestamp) -> FlowResult<bool> {
    let own = app.store.browser_sessions(user, now).await?;
    if !own.iter().any(|standing| standing.session.id == id) {
        return Ok(false);
    }
    browser::end(app, id, Reason::Person, now).await?;
    Ok(true)
}

/// Ends one of the person's own sessions. False: there is none of that id.
///
/// # Errors
/// The store's silence.
pub async fn end_session(app: &App, user: UserId, id: SessionId, now: Timestamp) -> FlowResult<bool> {
    match app.store.standing(id).await? {
        Some(standing) if standing.session.user == user => {
            revocation::end(app, &Target::Session(id), Reason::Person, now).await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Ends everything that the person has, everywhere but in this browser. `None`: it is over itself by now.
///
/// # Errors
/// The store's silence.
pub async fn end_all(app: &App, standing: &BrowserStanding, now: Timestamp) -> FlowResult<Option<Stays>> {
    browser::change_own_user(app, standing, UserChange::SignOut, now).await
}

/// Takes a consent back, and ends the sessions that it was for. False: there was none.
///
/// # Errors
/// The store's silence.
pub async fn withdraw(app: &App, user: UserId, client: &ClientId, now: Timestamp) -> FlowResult<bool> {
    let record = app.clients.lookup(client).await?;
    let keep_until = access::keep_until(app, record.as_deref(), now);
    Ok(app.store.withdraw_consent(user, client, now, keep_until).await?.is_some())
}

/// The newest events about a person.
///
/// # Errors
/// The store's silence.
pub async fn events(app: &App, user: UserId) -> FlowResult<Vec<Event>> {
    let filter = EventFilter { user: Some(user), ..EventFilter::default() };
    Ok(app.store.events(&filter, &Page { after: None, limit: SHOWN }).await?)
}
