//! Rows as the product's types. What a row cannot be, it is not: `StoreError::Broken`.

use std::time::Duration;

use countersign_wire::{BrowserSessionId, ClientId, Scope, SessionId, UserId};
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

use super::error::{Failure, broken};
use crate::store::{
    BrowserSession, BrowserStanding, Client, Consent, Ended, Event, EventKind, Factor, FactorKind, Gates,
    KeyPurpose, KeyRecord, Lockstep, LogoutNotice, Place, Profile, Reason, Recent, Resource, RevocationEntry,
    Session, Standing, StatusIndex, Target, Ticket, TicketKind, User, UserFacts,
};
use crate::time::Timestamp;

/// The columns that [`standing`] reads; `h`, `s`, `u`, `c`, `t` and `m` are session_head, session,
/// users, client, tenant and meta.
macro_rules! standing_columns {
    () => {
        "h.id, h.user_id, h.client_id, h.nonce_hash, h.user_stamp, h.born, h.generation, h.key_number, \
         h.retry_hash, h.rotated_at, h.idle_lifetime, h.idle_expires_at, h.expires_at, h.recent, h.replays, \
         h.lockstep_generation, h.lockstep_streak, h.ended_at, h.ended_reason, \
         s.scope, s.audience, s.device, s.network, s.agent, s.remember, s.created_at, s.auth_time, s.acr, s.amr, s.browser, s.status_index, \
         coalesce(u.enabled, false) AS user_enabled, coalesce(u.stamp, 0) AS gate_stamp, \
         coalesce(u.username, '') AS username, u.email, u.tenant, coalesce(u.roles, '[]') AS roles, \
         coalesce(c.enabled, false) AS client_enabled, coalesce(c.revision, 0) AS client_revision, \
         greatest(coalesce(c.cut, 0), coalesce(t.cut, 0), m.cut) AS cut, m.position"
    };
}

/// Sessions with all that they depend on.
macro_rules! standing_tables {
    () => {
        "session_head h JOIN session s ON s.id = h.id \
         LEFT JOIN users u ON u.id = h.user_id \
         LEFT JOIN client c ON c.id = h.client_id \
         LEFT JOIN tenant t ON t.id = u.tenant \
         CROSS JOIN meta m"
    };
}

/// [`Standing::is_live`](crate::store::Standing::is_live) in SQL, over [`standing_tables!`]; `$now`
/// is the placeholder or column of the time. Null, where a joined row is missing, counts as false.
macro_rules! is_live {
    ($now:literal) => {
        concat!(
            "(h.ended_at IS NULL AND h.expires_at > ",
            $now,
            " AND h.idle_expires_at > ",
            $now,
            " AND ",
            $crate::store::postgres::rows::gates_open!(),
            ")"
        )
    };
}

/// The part of [`is_live!`] that is about others than the session: what its access tokens depend on
/// besides its end.
macro_rules! gates_open {
    () => {
        "coalesce(c.enabled AND u.enabled AND u.stamp = h.user_stamp AND c.cut <= h.born \
         AND coalesce(t.cut, 0) <= h.born AND m.cut <= h.born, false)"
    };
}

/// The columns that [`user`] reads, of `u`.
macro_rules! user_columns {
    () => {
        "u.id, u.username, u.canonical, u.email, u.password_hash, u.enabled, u.stamp, u.tenant, u.roles, \
         u.created_at, u.profile"
    };
}

pub(super) use {gates_open, is_live, standing_columns, standing_tables, user_columns};

/// A session with its gates.
pub(super) fn standing(row: &Row) -> Result<Standing, Failure> {
    let session = Session {
        id: SessionId(get(row, "id")?),
        user: UserId(get(row, "user_id")?),
        client: client_id(get(row, "client_id")?)?,
        scope: parse(get(row, "scope")?, |text| text.parse::<Scope>().ok())?,
        audience: json(row, "audience")?,
        device: get(row, "device")?,
        network: get(row, "network")?,
        agent: get(row, "agent")?,
        remember: get(row, "remember")?,
        created_at: time(row, "created_at")?,
        auth_time: time(row, "auth_time")?,
        acr: get(row, "acr")?,
        amr: json(row, "amr")?,
        browser: get::<Option<Uuid>>(row, "browser")?.map(BrowserSessionId),
        status_index: get::<Option<i64>>(row, "status_index")?.map(narrow).transpose()?.map(StatusIndex),
        nonce_hash: bytes(get(row, "nonce_hash")?)?,
        user_stamp: number(row, "user_stamp")?,
        born: number(row, "born")?,
        generation: number(row, "generation")?,
        key_number: number(row, "key_number")?,
        retry_hash: get::<Option<&[u8]>>(row, "retry_hash")?.map(bytes).transpose()?,
        rotated_at: time(row, "rotated_at")?,
        idle_lifetime: Duration::from_millis(number(row, "idle_lifetime")?),
        idle_expires_at: time(row, "idle_expires_at")?,
        expires_at: time(row, "expires_at")?,
        recent: Recent::decode_all(get(row, "recent")?),
        replays: number(row, "replays")?,
        lockstep: Lockstep {
            generation: number(row, "lockstep_generation")?,
            streak: number(row, "lockstep_streak")?,
        },
        ended: ended(row)?,
    };
    let gates = Gates {
        client_enabled: get(row, "client_enabled")?,
        client_revision: number(row, "client_revision")?,
        user_enabled: get(row, "user_enabled")?,
        user_stamp: number(row, "gate_stamp")?,
        cut: number(row, "cut")?,
    };
    let user = UserFacts {
        username: get(row, "username")?,
        email: get(row, "email")?,
        tenant: get(row, "tenant")?,
        roles: json(row, "roles")?,
    };
    Ok(Standing { session, gates, user, position: number(row, "position")? })
}

/// A user.
pub(super) fn user(row: &Row) -> Result<User, Failure> {
    Ok(User {
        id: UserId(get(row, "id")?),
        username: get(row, "username")?,
        canonical: get(row, "canonical")?,
        email: get(row, "email")?,
        password_hash: get(row, "password_hash")?,
        enabled: get(row, "enabled")?,
        stamp: number(row, "stamp")?,
        tenant: get(row, "tenant")?,
        roles: json(row, "roles")?,
        created_at: time(row, "created_at")?,
        profile: match get::<Option<&str>>(row, "profile")? {
            Some(_) => json(row, "profile")?,
            // Added before there were profiles.
            None => Profile::default(),
        },
    })
}

/// A client.
pub(super) fn client(row: &Row) -> Result<Client, Failure> {
    Ok(Client {
        id: client_id(get(row, "id")?)?,
        enabled: get(row, "enabled")?,
        revision: number(row, "revision")?,
        cut: number(row, "cut")?,
        tenant: get(row, "tenant")?,
        created_at: time(row, "created_at")?,
        settings: json(row, "settings")?,
    })
}

/// A resource.
pub(super) fn resource(row: &Row) -> Result<Resource, Failure> {
    Ok(Resource {
        audience: get(row, "audience")?,
        encryption_key: json(row, "encryption_key")?,
        created_at: time(row, "created_at")?,
        changed_at: time(row, "changed_at")?,
    })
}

/// A key.
pub(super) fn key(row: &Row) -> Result<KeyRecord, Failure> {
    Ok(KeyRecord {
        id: get(row, "id")?,
        purpose: parse(get(row, "purpose")?, KeyPurpose::from_name)?,
        number: number(row, "number")?,
        created_at: time(row, "created_at")?,
        active_at: time(row, "active_at")?,
        expires_at: get::<Option<i64>>(row, "expires_at")?.map(Timestamp),
        sealed: get(row, "sealed")?,
    })
}

/// An entry of the revocation log.
pub(super) fn revocation(row: &Row) -> Result<RevocationEntry, Failure> {
    let (kind, subject): (&str, &str) = (get(row, "kind")?, get(row, "subject")?);
    Ok(RevocationEntry {
        number: number(row, "number")?,
        at: time(row, "at")?,
        expires_at: time(row, "expires_at")?,
        target: Target::from_parts(kind, subject).ok_or_else(|| broken("a revocation of an unknown kind"))?,
        stamp: get::<Option<i64>>(row, "stamp")?.map(narrow).transpose()?,
        reason: parse(get(row, "reason")?, Reason::from_name)?,
    })
}

/// An event.
pub(super) fn event(row: &Row) -> Result<Event, Failure> {
    Ok(Event {
        number: number(row, "number")?,
        at: time(row, "at")?,
        kind: parse(get(row, "kind")?, EventKind::from_name)?,
        session: get::<Option<Uuid>>(row, "session_id")?.map(SessionId),
        user: get::<Option<Uuid>>(row, "user_id")?.map(UserId),
        client: get::<Option<&str>>(row, "client_id")?.map(client_id).transpose()?,
        detail: get(row, "detail")?,
    })
}

/// A browser session with its user and gates.
pub(super) fn browser(row: &Row) -> Result<BrowserStanding, Failure> {
    let session = BrowserSession {
        id: BrowserSessionId(get(row, "browser_id")?),
        user: UserId(get(row, "user_id")?),
        secret_hash: bytes(get(row, "secret_hash")?)?,
        user_stamp: number(row, "user_stamp")?,
        born: number(row, "born")?,
        remember: get(row, "remember")?,
        created_at: time(row, "began_at")?,
        auth_time: time(row, "auth_time")?,
        acr: get(row, "acr")?,
        amr: json(row, "amr")?,
        seen_at: time(row, "seen_at")?,
        idle_lifetime: Duration::from_millis(number(row, "idle_lifetime")?),
        idle_expires_at: time(row, "idle_expires_at")?,
        expires_at: time(row, "expires_at")?,
        network: get(row, "network")?,
        agent: get(row, "agent")?,
        ended: ended(row)?,
    };
    Ok(BrowserStanding { session, user: user(row)?, cut: number(row, "cut")? })
}

/// A ticket.
pub(super) fn ticket(row: &Row) -> Result<Ticket, Failure> {
    Ok(Ticket {
        hash: bytes(get(row, "hash")?)?,
        kind: parse(get(row, "kind")?, TicketKind::from_name)?,
        expires_at: time(row, "expires_at")?,
        kept_until: time(row, "kept_until")?,
        revision: number(row, "revision")?,
        body: get(row, "body")?,
        session: get::<Option<Uuid>>(row, "session_id")?.map(SessionId),
    })
}

/// A factor.
pub(super) fn factor(row: &Row) -> Result<Factor, Failure> {
    Ok(Factor {
        id: get(row, "id")?,
        user: UserId(get(row, "user_id")?),
        kind: parse(get(row, "kind")?, FactorKind::from_name)?,
        label: get(row, "label")?,
        created_at: time(row, "created_at")?,
        used_at: get::<Option<i64>>(row, "used_at")?.map(Timestamp),
        counter: number(row, "counter")?,
        body: get(row, "body")?,
    })
}

/// A consent.
pub(super) fn consent(row: &Row) -> Result<Consent, Failure> {
    Ok(Consent {
        user: UserId(get(row, "user_id")?),
        client: client_id(get(row, "client_id")?)?,
        scope: parse(get(row, "scope")?, |text| text.parse::<Scope>().ok())?,
        granted_at: time(row, "granted_at")?,
    })
}

/// A place.
pub(super) fn place(row: &Row) -> Result<Place, Failure> {
    Ok(Place {
        id: BrowserSessionId(get(row, "id")?),
        user: UserId(get(row, "user_id")?),
        network: get(row, "network")?,
        device: get(row, "device")?,
        agent: get(row, "agent")?,
        since: time(row, "since")?,
        seen_at: time(row, "seen_at")?,
        browser: BrowserSessionId(get(row, "browser")?),
        is_new: get(row, "is_new")?,
    })
}

/// A logout notice.
pub(super) fn notice(row: &Row) -> Result<LogoutNotice, Failure> {
    Ok(LogoutNotice {
        session: SessionId(get(row, "session_id")?),
        user: UserId(get(row, "user_id")?),
        client: client_id(get(row, "client_id")?)?,
        attempts: number(row, "attempts")?,
        ended_at: time(row, "ended_at")?,
    })
}

/// When and why something ended, once it did.
fn ended(row: &Row) -> Result<Option<Ended>, Failure> {
    match (get::<Option<i64>>(row, "ended_at")?, get::<Option<&str>>(row, "ended_reason")?) {
        (Some(at), Some(reason)) => {
            Ok(Some(Ended { at: Timestamp(at), reason: parse(reason, Reason::from_name)? }))
        }
        (None, None) => Ok(None),
        _ => Err(broken("a session is half ended")),
    }
}

/// A column as the driver has it.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T, Failure> {
    row.try_get(column).map_err(|error| broken(format!("column {column}: {error}")))
}

/// A column that holds a count.
pub(super) fn number<T: TryFrom<i64>>(row: &Row, column: &str) -> Result<T, Failure> {
    narrow(get(row, column)?)
}

/// A count on its way into a column. None comes near the limit.
pub(super) fn wide(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A duration on its way into a column.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A list or document on its way into a column.
pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| broken(error.to_string()))
}

fn time(row: &Row, column: &str) -> Result<Timestamp, Failure> {
    get(row, column).map(Timestamp)
}

fn json<T: DeserializeOwned>(row: &Row, column: &str) -> Result<T, Failure> {
    serde_json::from_str(get(row, column)?).map_err(|error| broken(format!("column {column}: {error}")))
}

fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T, Failure> {
    T::try_from(value).map_err(|_| broken("a stored number is out of range"))
}

fn bytes<const N: usize>(value: &[u8]) -> Result<[u8; N], Failure> {
    value.try_into().map_err(|_| broken("a stored hash has the wrong length"))
}

pub(super) fn client_id(text: &str) -> Result<ClientId, Failure> {
    parse(text, |text| text.parse().ok())
}

fn parse<T>(text: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Failure> {
    read(text).ok_or_else(|| broken("a stored value is not one of those that are known"))
}
