//! Why a session ended, or that it is alive: told from its row, its events, the last few refreshes
//! and what else was ended around it. Fingerprints only; nothing here can be used as a token.

use std::time::Duration;

use super::{FlowResult, Target, records};
use crate::app::App;
use crate::store::{Context, Event, EventFilter, EventKind, Page, RevocationEntry, Session, Standing};
use crate::time::Timestamp;

/// Most events of one session that are told.
const MAX_EVENTS: u32 = 1000;
/// How far the events of a user or client, and the log, are searched for what ended a session.
const MAX_SEARCH: u32 = 500;

/// Whether a session is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStatus {
    /// It can be refreshed.
    Live,
    /// Something ended it.
    Ended,
    /// Its time ran out.
    Expired,
}

impl SessionStatus {
    /// The status of a session.
    pub fn of(standing: &Standing, now: Timestamp) -> Self {
        match state(standing, now) {
            State::Live => Self::Live,
            State::Idle | State::Expired => Self::Expired,
            _ => Self::Ended,
        }
    }

    /// The status as it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ended => "ended",
            Self::Expired => "expired",
        }
    }
}

/// An entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// An event's kind, or `refresh`.
    pub kind: &'static str,
    /// A sentence.
    pub detail: String,
    /// The generation that a refresh made, where it made one and it is known.
    pub generation: Option<u32>,
}

/// What can be told of a session.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The session and its gates.
    pub standing: Standing,
    /// Whether it is alive.
    pub status: SessionStatus,
    /// In one sentence: why it ended, or that it is alive.
    pub verdict: String,
    /// What happened, in order.
    pub timeline: Vec<Moment>,
}

/// Explains a session.
///
/// # Errors
/// No such session, the store's silence.
pub async fn run(app: &App, id: &str, now: Timestamp) -> FlowResult<Explanation> {
    let standing = records::session(app, id).await?;
    let session = &standing.session;
    let of_session = EventFilter { session: Some(session.id), ..EventFilter::default() };
    let mut events = app.store.events(&of_session, &Page { after: None, limit: MAX_EVENTS }).await?;
    let around = around(app, &standing, now).await?;
    events.extend(around.iter().cloned());
    let verdict = verdict(&standing, around.first(), now);
    let unknown = app.keys.snapshot().context("", "");
    let timeline = timeline(session, events, unknown);
    Ok(Explanation { status: SessionStatus::of(&standing, now), verdict, timeline, standing })
}

/// What was ended around the session after it began, and took the session with it; oldest first.
/// Nothing but words depends on it: the gates are what they are.
async fn around(app: &App, standing: &Standing, now: Timestamp) -> FlowResult<Vec<Event>> {
    let session = &standing.session;
    if session.ended.is_some() || !matches!(SessionStatus::of(standing, now), SessionStatus::Ended) {
        return Ok(Vec::new());
    }
    let page = Page { after: None, limit: MAX_SEARCH };
    let of_user =
        EventFilter { user: Some(session.user), kind: Some(EventKind::End), ..EventFilter::default() };
    let of_client = EventFilter {
        client: Some(session.client.clone()),
        kind: Some(EventKind::End),
        ..EventFilter::default()
    };
    let mut found = app.store.events(&of_user, &page).await?;
    found.extend(app.store.events(&of_client, &page).await?);
    found.retain(|event| event.session.is_none() && event.at >= session.created_at);
    if found.is_empty() {
        let log = app.store.revocations(session.born, MAX_SEARCH, now).await?;
        found.extend(log.iter().filter(|entry| concerns(entry, standing)).map(ending));
    }
    found.sort_by_key(|event| (event.at, event.number));
    found.dedup_by_key(|event| event.number);
    Ok(found)
}

fn concerns(entry: &RevocationEntry, standing: &Standing) -> bool {
    match &entry.target {
        Target::Token(_) | Target::Session(_) => false,
        Target::User(user) => *user == standing.session.user,
        Target::Client(client) => *client == standing.session.client,
        Target::Tenant(tenant) => standing.user.tenant.as_ref() == Some(tenant),
        Target::Everything => true,
    }
}

fn ending(entry: &RevocationEntry) -> Event {
    let of = match &entry.target {
        Target::Tenant(tenant) => format!("tenant {tenant}: "),
        Target::Everything => "everything: ".to_owned(),
        _ => String::new(),
    };
    Event {
        number: entry.number,
        at: entry.at,
        kind: EventKind::End,
        session: None,
        user: None,
        client: None,
        detail: format!("{of}{}", entry.reason.sentence()),
    }
}

/// What closed a session, in the order in which a refresh asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing did.
    Live,
    /// It was ended by itself.
    Row(crate::store::Ended),
    /// Its client is disabled, or was removed.
    ClientGone,
    /// Its user is disabled.
    UserGone,
    /// Everything of its user was ended.
    StampMoved,
    /// Everything of its client, its tenant or the service was ended.
    Cut,
    /// It reached its longest lifetime.
    Expired,
    /// It was not refreshed in time.
    Idle,
}

/// What closed a session.
pub fn state(standing: &Standing, now: Timestamp) -> State {
    let Standing { session, gates, .. } = standing;
    match () {
        () if session.ended.is_some() => session.ended.map_or(State::Live, State::Row),
        () if !gates.client_enabled => State::ClientGone,
        () if !gates.user_enabled => State::UserGone,
        () if gates.user_stamp != session.user_stamp => State::StampMoved,
        () if gates.cut > session.born => State::Cut,
        () if session.expires_at <= now => State::Expired,
        () if session.idle_expires_at <= now => State::Idle,
        () => State::Live,
    }
}

/// One plain sentence. `cause` is what was ended around the session, where it is known.
fn verdict(standing: &Standing, cause: Option<&Event>, now: Timestamp) -> String {
    let session = &standing.session;
    let closed = |what: &str| match cause {
        Some(event) => {
            format!("It ended at {}, {}: {}.", event.at, after_rotation(session, event.at), event.detail)
        }
        None => format!("It has ended: {what}."),
    };
    match state(standing, now) {
        State::Live => format!(
            "It is alive: it expires at {} unless it is refreshed, and at {} in any case.",
            session.idle_expires_at, session.expires_at
        ),
        State::Row(ended) => format!(
            "It ended at {}, {}: {}.",
            ended.at,
            after_rotation(session, ended.at),
            ended.reason.sentence()
        ),
        State::ClientGone => closed("the client is disabled or was removed"),
        State::UserGone => closed("the user is disabled"),
        State::StampMoved => closed(
            "everything that the user had was ended, by a sign-out everywhere, a new password, a role taken away or \
             a disable",
        ),
        State::Cut => closed("everything of the client, the tenant or the whole service was revoked"),
        State::Expired => format!(
            "It expired at {}, at the end of its longest lifetime of {}.",
            session.expires_at,
            span(session.expires_at.since(session.created_at))
        ),
        State::Idle => format!(
            "It expired at {} because it was not refreshed for {}.",
            session.idle_expires_at,
            span(session.idle_expires_at.since(session.rotated_at))
        ),
    }
}

fn after_rotation(session: &Session, at: Timestamp) -> String {
    let since = span(at.since(session.rotated_at));
    if session.generation > 1 {
        format!("{since} after the last rotation")
    } else {
        format!("{since} after it began")
    }
}

/// Events and the last few refreshes in one order. `unknown` is the context of a request whose
/// network and user agent nobody knew.
fn timeline(session: &Session, events: Vec<Event>, unknown: Context) -> Vec<Moment> {
    let mut moments: Vec<Moment> = events
        .into_iter()
        .map(|event| Moment {
            at: event.at,
            kind: event.kind.as_str(),
            detail: event.detail,
            generation: None,
        })
        .collect();
    let has = |moments: &[Moment], kind: EventKind| moments.iter().any(|m| m.kind == kind.as_str());
    // Events can be purged; the row remembers its own beginning and end.
    if !has(&moments, EventKind::Start) {
        let detail = "the session began".to_owned();
        moments.push(Moment {
            at: session.created_at,
            kind: EventKind::Start.as_str(),
            detail,
            generation: None,
        });
    }
    if let Some(ended) = session.ended
        && !has(&moments, EventKind::End)
    {
        let detail = ended.reason.sentence().to_owned();
        moments.push(Moment { at: ended.at, kind: EventKind::End.as_str(), detail, generation: None });
    }
    moments.extend(refreshes(session, unknown));
    // Refreshes are known to the second only: within one, the start comes first and what a refresh
    // led to comes after it. The sort keeps the order of events.
    let rank = |moment: &Moment| match moment.kind {
        "start" => 0,
        REFRESH => 1,
        _ => 2,
    };
    moments.sort_by_key(|moment| (moment.at.seconds(), rank(moment)));
    moments
}

const REFRESH: &str = "refresh";

/// The last few refreshes, with the places they came from as fingerprints.
fn refreshes(session: &Session, unknown: Context) -> Vec<Moment> {
    let mut moments = Vec::new();
    for (i, recent) in session.recent.iter().enumerate().rev() {
        // With the `reuse` policy a session is refreshed more often than its generation moves on.
        let generation = u32::try_from(i).ok().and_then(|back| session.generation.checked_sub(back));
        let what = match generation {
            Some(1)
                if session.recent.len() == i + 1 && recent.at.seconds() == session.created_at.seconds() =>
            {
                continue;
            }
            Some(generation) if generation > 1 => format!("refreshed to generation {generation}"),
            _ => "refreshed".to_owned(),
        };
        let Context { network, agent } = recent.context;
        let before = session.recent.get(i + 1).map(|before| before.context.network);
        let moved = before.is_some_and(|before| before != network && before != unknown.network);
        let place = match moved {
            true => ", another than the time before",
            false => "",
        };
        let detail = format!("{what}, from network {network:08x}{place}, user agent {agent:08x}");
        moments.push(Moment {
            at: recent.at,
            kind: REFRESH,
            detail,
            generation: generation.filter(|n| *n > 1),
        });
    }
    moments
}

/// A length of time in the largest units that tell it well: `37 min`, `2 h 5 min`, `3 d 4 h`.
fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let two = |big: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{big} {unit}"),
        _ => format!("{big} {unit} {small} {small_unit}"),
    };
    match () {
        () if seconds < 1 => format!("{} ms", duration.as_millis()),
        () if minutes < 1 => format!("{seconds} s"),
        () if hours < 1 => format!("{minutes} min"),
        () if days < 1 => two(hours, "h", minutes % 60, "min"),
        () => two(days, "d", hours % 24, "h"),
    }
}

#[cfg(test)]
mod tests;
