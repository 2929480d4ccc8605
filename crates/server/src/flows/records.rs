//! Reading what the store remembers, for operators.

use std::collections::{BTreeMap, BTreeSet};

use countersign_wire::{ClientId, SessionId, UserId};

use super::revocation::{self, Ending};
use super::{FlowResult, Reason, Refusal, Target, complaints, manage_clients, manage_users};
use crate::app::App;
pub use crate::store::{BrowserSession, Event, EventKind, RevocationEntry, Standing};
use crate::store::{EventFilter, Page, SessionFilter};
use crate::time::Timestamp;

/// Longest `jti` that can be revoked: ours have 22 characters.
const MAX_JTI: usize = 128;

/// Which sessions an operator wants to see.
#[derive(Debug, Clone, Default)]
pub struct SessionQuery<'a> {
    /// Of this user, by id or name.
    pub user: Option<&'a str>,
    /// Of this client.
    pub client: Option<&'a str>,
    /// Live or ended ones.
    pub live: Option<bool>,
}

/// Which events an operator wants to see.
#[derive(Debug, Clone, Default)]
pub struct EventQuery<'a> {
    /// Of this session.
    pub session: Option<&'a str>,
    /// Of this user, by id or name.
    pub user: Option<&'a str>,
    /// Of this client.
    pub client: Option<&'a str>,
    /// Of this kind.
    pub kind: Option<&'a str>,
}

/// Sessions, newest first.
///
/// # Errors
/// An unknown user, an id that no client can have, the store's silence.
pub async fn sessions(
    app: &App,
    query: &SessionQuery<'_>,
    page: &Page<SessionId>,
    now: Timestamp,
) -> FlowResult<Vec<Standing>> {
    let user = match query.user {
        Some(reference) => Some(manage_users::find(app, reference).await?.id),
        None => None,
    };
    let client = query.client.map(client_id).transpose()?;
    Ok(app.store.sessions(&SessionFilter { user, client, live: query.live }, page, now).await?)
}

/// A session by its id.
///
/// # Errors
/// No such session, the store's silence.
pub async fn session(app: &App, id: &str) -> FlowResult<Standing> {
    let id: SessionId = id.parse().map_err(|_| unknown_session())?;
    Ok(app.store.standing(id).await?.ok_or_else(unknown_session)?)
}

/// Events: oldest first when a session is named, else newest first.
///
/// # Errors
/// An unknown user or kind, an id that is not well formed, the store's silence.
pub async fn events(app: &App, query: &EventQuery<'_>, page: &Page<u64>) -> FlowResult<Vec<Event>> {
    let user = match query.user {
        Some(reference) => Some(manage_users::find(app, reference).await?.id),
        None => None,
    };
    let session = query.session.map(|id| id.parse().map_err(|_| wrong("session", "a session id is a UUID")));
    let kind = query.kind.map(|name| EventKind::from_name(name).ok_or_else(unknown_kind)).transpose()?;
    let filter = EventFilter {
        session: session.transpose()?,
        user,
        client: query.client.map(client_id).transpose()?,
        kind,
    };
    Ok(app.store.events(&filter, page).await?)
}

/// The names of users, each asked for once; of those that are gone there is none.
///
/// # Errors
/// The store's silence.
pub async fn names(app: &App, users: &BTreeSet<UserId>) -> FlowResult<BTreeMap<UserId, String>> {
    let mut names = BTreeMap::new();
    for id in users {
        if let Some(user) = app.store.user(*id).await? {
            names.insert(*id, user.username);
        }
    }
    Ok(names)
}

/// A user's live browser sessions.
///
/// # Errors
/// The store's silence.
pub async fn browsers(app: &App, user: UserId, now: Timestamp) -> FlowResult<Vec<BrowserSession>> {
    let standings = app.store.browser_sessions(user, now).await?;
    Ok(standings.into_iter().map(|standing| standing.session).collect())
}

/// Entries of the revocation log that have not expired, in order.
///
/// # Errors
/// The store's silence.
pub async fn revocations(
    app: &App,
    after: u64,
    limit: u32,
    now: Timestamp,
) -> FlowResult<Vec<RevocationEntry>> {
    Ok(app.store.revocations(after, limit, now).await?)
}

/// Ends what an operator names, or says what that would end.
///
/// # Errors
/// A target or subject that makes no sense or does not exist, the store's silence.
pub async fn revoke(
    app: &App,
    target: &str,
    subject: Option<&str>,
    preview: bool,
    now: Timestamp,
) -> FlowResult<(Target, Ending)> {
    let target = resolve(app, target, subject).await?;
    let ending = match preview {
        true => revocation::preview(app, &target, now).await?,
        false => revocation::end(app, &target, Reason::Operator, now).await?,
    };
    Ok((target, ending))
}

/// Ends what a token stands for, or says what that would end.
///
/// # Errors
/// A token that is not ours or has expired, the store's silence.
pub async fn revoke_token(
    app: &App,
    token: &str,
    preview: bool,
    now: Timestamp,
) -> FlowResult<(Target, Ending)> {
    let found = match preview {
        true => revocation::preview_token(app, token, now).await?,
        false => revocation::by_token(app, token, Reason::Operator, now).await?,
    };
    let unknown =
        || Refusal::not_found("not a token of this issuer, or one that has expired: nothing to revoke");
    Ok(found.ok_or_else(unknown)?)
}

/// What the service is and where it stands.
#[derive(Debug, Clone)]
pub struct Status {
    /// The store's engine, with its version.
    pub engine: String,
    /// The newest revocation's number.
    pub revocation_position: u64,
    /// The keys with their states.
    pub keys: Vec<super::keys::KeyState>,
}

/// Looks where the service stands.
///
/// # Errors
/// The store's silence.
pub async fn status(app: &App, now: Timestamp) -> FlowResult<Status> {
    Ok(Status {
        engine: app.store.engine(),
        revocation_position: app.store.position().await?,
        keys: super::keys::list(app, now).await?.into_iter().map(|(_, state)| state).collect(),
    })
}

/// Adds an event about what an operator did and no store call records by itself. It is done by
/// then, so an event that cannot be written changes nothing.
pub(super) async fn note(
    app: &App,
    user: Option<UserId>,
    client: Option<&ClientId>,
    detail: impl Into<String>,
    now: Timestamp,
) {
    let detail = detail.into();
    let kind = EventKind::Admin;
    let event = Event { number: 0, at: now, kind, session: None, user, client: client.cloned(), detail };
    add(app, &event).await;
}

/// Adds an event about what is done.
pub(super) async fn add(app: &App, event: &Event) {
    if let Err(error) = app.store.add_event(event).await {
        tracing::warn!(%error, detail = event.detail, "an event could not be written");
    }
}

async fn resolve(app: &App, kind: &str, subject: Option<&str>) -> FlowResult<Target> {
    if kind == "everything" {
        return match subject {
            None | Some("") => Ok(Target::Everything),
            Some(_) => Err(wrong("subject", "everything has none").into()),
        };
    }
    let known = ["token", "session", "user", "client", "tenant"];
    if !known.contains(&kind) {
        let text = format!("must be one of {}, everything", known.join(", "));
        return Err(wrong("target", &text).into());
    }
    let Some(subject) = subject.filter(|subject| !subject.is_empty()) else {
        return Err(wrong("subject", &format!("must name the {kind}")).into());
    };
    Ok(match kind {
        "session" => Target::Session(session(app, subject).await?.session.id),
        "user" => Target::User(manage_users::find(app, subject).await?.id),
        "client" => Target::Client(manage_clients::lookup(app, subject).await?.id),
        "tenant" => {
            complaints::tenant(subject).map_err(|problem| wrong("subject", problem))?;
            Target::Tenant(subject.to_owned())
        }
        _ if subject.len() > MAX_JTI || !subject.bytes().all(|b| b.is_ascii_graphic()) => {
            return Err(wrong("subject", "must be the jti claim of an access token").into());
        }
        _ => Target::Token(subject.to_owned()),
    })
}

fn client_id(text: &str) -> Result<ClientId, Refusal> {
    text.parse().map_err(|error: countersign_wire::InvalidId| wrong("client", &error.to_string()))
}

fn wrong(member: &str, problem: &str) -> Refusal {
    Refusal::invalid_request(format!("{member}: {problem}"))
}

fn unknown_kind() -> Refusal {
    let names: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    wrong("kind", &format!("must be one of {}", names.join(", ")))
}

fn unknown_session() -> Refusal {
    Refusal::not_found("no session of that id, or it is so long past its end that it was removed")
}
