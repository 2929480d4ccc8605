//! What the operator has decided, as the flows need it.

use std::time::Duration;

use countersign_wire::{Algorithm, Scope};

use crate::store::{Client, ClientKind, LifetimeSettings};
use crate::time::Timestamp;

/// Longest access token without `allow_long_access_tokens`.
pub const MAX_ACCESS: Duration = Duration::from_secs(60 * 60);
/// Longest access token at all.
pub const MAX_LONG_ACCESS: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest idle lifetime.
pub const MAX_IDLE: Duration = Duration::from_secs(180 * 24 * 60 * 60);
/// Longest absolute lifetime.
pub const MAX_ABSOLUTE: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// Longest overlap window.
pub const MAX_OVERLAP: Duration = Duration::from_secs(10 * 60);

/// The lifetimes of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of an access token.
    pub access: Duration,
    /// Of a refresh token that is not used.
    pub idle: Duration,
    /// Of a session, however often refreshed.
    pub absolute: Duration,
    /// As `idle`, when the user asked to be remembered.
    pub remember_idle: Duration,
    /// As `absolute`, when the user asked to be remembered.
    pub remember_absolute: Duration,
}

impl Lifetimes {
    /// The defaults of a kind of client (the design's section 4).
    pub fn of_kind(kind: ClientKind) -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        let of = |access, idle, absolute, remember_idle, remember_absolute| Self {
            access: Duration::from_secs(access),
            idle: Duration::from_secs(idle),
            absolute: Duration::from_secs(absolute),
            remember_idle: Duration::from_secs(remember_idle),
            remember_absolute: Duration::from_secs(remember_absolute),
        };
        match kind {
            ClientKind::Spa => of(10 * MINUTE, 12 * HOUR, 7 * DAY, 12 * HOUR, 7 * DAY),
            ClientKind::Web => of(10 * MINUTE, 12 * HOUR, 7 * DAY, 14 * DAY, 60 * DAY),
            ClientKind::Native => of(15 * MINUTE, 14 * DAY, 60 * DAY, 14 * DAY, 60 * DAY),
            ClientKind::Cli => of(15 * MINUTE, 7 * DAY, 30 * DAY, 7 * DAY, 30 * DAY),
            ClientKind::Service => of(10 * MINUTE, 0, 0, 0, 0),
        }
    }

    /// These lifetimes with a client's own in place of some.
    pub fn with(self, own: &LifetimeSettings) -> Self {
        let or = |own: Option<u64>, default| own.map_or(default, Duration::from_secs);
        Self {
            access: or(own.access, self.access),
            idle: or(own.idle, self.idle),
            absolute: or(own.absolute, self.absolute),
            remember_idle: or(own.remember_idle, self.remember_idle),
            remember_absolute: or(own.remember_absolute, self.remember_absolute),
        }
    }

    /// The idle and absolute lifetime of a session.
    pub fn session(&self, remember: bool) -> (Duration, Duration) {
        if remember { (self.remember_idle, self.remember_absolute) } else { (self.idle, self.absolute) }
    }

    /// Each lifetime that a hard limit forbids, in words.
    pub fn complaints(&self, allow_long_access: bool) -> Vec<String> {
        let mut complaints = Vec::new();
        let access_limit = if allow_long_access { MAX_LONG_ACCESS } else { MAX_ACCESS };
        let mut limit = |name: &str, value: Duration, most: Duration, fix: &str| {
            if value > most {
                complaints.push(format!(
                    "{name} is {} s; the most is {} s{fix}",
                    value.as_secs(),
                    most.as_secs()
                ));
            }
        };
        let fix = if allow_long_access { "" } else { " unless the client has allow_long_access_tokens" };
        limit("the access token's lifetime", self.access, access_limit, fix);
        limit("the idle lifetime", self.idle.max(self.remember_idle), MAX_IDLE, "");
        limit("the absolute lifetime", self.absolute.max(self.remember_absolute), MAX_ABSOLUTE, "");
        if self.access.is_zero() {
            complaints.push("the access token's lifetime is 0".to_owned());
        }
        for (name, idle, absolute) in [
            ("the idle lifetime", self.idle, self.absolute),
            ("the idle lifetime of remembered sessions", self.remember_idle, self.remember_absolute),
        ] {
            if idle > absolute {
                complaints.push(format!("{name} is longer than the absolute one"));
            }
        }
        complaints
    }
}

/// How long a browser session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BrowserLifetimes {
    /// When it is not used.
    pub idle: Duration,
    /// In any case.
    pub absolute: Duration,
}

/// What wants a recent authentication, however long the person is remembered.
#[derive(Debug, Clone, Default)]
pub struct Sensitive {
    /// Scopes that do.
    pub scopes: Vec<String>,
    /// How recent.
    pub max_age: Duration,
}

impl Sensitive {
    /// Whether a scope may not be granted on an authentication of that time any more.
    pub fn forbids(&self, scope: &Scope, auth_time: Timestamp, now: Timestamp) -> bool {
        self.scopes.iter().any(|sensitive| scope.contains(sensitive)) && now.since(auth_time) > self.max_age
    }
}

/// How people sign in.
#[derive(Debug, Clone, Default)]
pub struct SignInPolicy {
    /// The operator's name, as authenticator apps show it.
    pub brand: String,
    /// Of browser sessions.
    pub session: BrowserLifetimes,
    /// Of those in which the person asked to be remembered.
    pub remembered: BrowserLifetimes,
    /// What wants a recent authentication.
    pub sensitive: Sensitive,
}

impl SignInPolicy {
    /// The lifetimes of a browser session.
    pub fn lifetimes(&self, remember: bool) -> BrowserLifetimes {
        if remember { self.remembered } else { self.session }
    }
}

/// The operator's decisions.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How people sign in.
    pub sign_in: SignInPolicy,
    /// The issuer, exactly as it stands in tokens and metadata.
    pub issuer: String,
    /// The algorithm of access tokens whose client names none.
    pub signing_algorithm: Algorithm,
    /// Whether new sessions are in status lists, and their tokens say where.
    pub status_lists: bool,
    /// Lifetimes by kind of client.
    pub lifetimes: KindLifetimes,
    /// The overlap window of new clients.
    pub overlap: Duration,
    /// Consecutive generations with a foreign replay that are theft.
    pub lockstep_threshold: u32,
    /// Most live sessions of one user.
    pub sessions_per_user: u32,
    /// How long a client's old secret works beside its new one.
    pub client_secret_overlap: Duration,
    /// Origins that browsers may call from, besides those of public clients' redirect URIs.
    pub cors_origins: Vec<String>,
}

/// Lifetimes by kind of client.
#[derive(Debug, Clone, Copy)]
pub struct KindLifetimes {
    /// `spa`.
    pub spa: Lifetimes,
    /// `web`.
    pub web: Lifetimes,
    /// `native`.
    pub native: Lifetimes,
    /// `cli`.
    pub cli: Lifetimes,
    /// `service`.
    pub service: Lifetimes,
}

impl Default for KindLifetimes {
    fn default() -> Self {
        Self {
            spa: Lifetimes::of_kind(ClientKind::Spa),
            web: Lifetimes::of_kind(ClientKind::Web),
            native: Lifetimes::of_kind(ClientKind::Native),
            cli: Lifetimes::of_kind(ClientKind::Cli),
            service: Lifetimes::of_kind(ClientKind::Service),
        }
    }
}

impl KindLifetimes {
    /// The lifetimes of a kind.
    pub fn of(&self, kind: ClientKind) -> Lifetimes {
        match kind {
            ClientKind::Spa => self.spa,
            ClientKind::Web => self.web,
            ClientKind::Native => self.native,
            ClientKind::Cli => self.cli,
            ClientKind::Service => self.service,
        }
    }
}

impl Policy {
    /// The lifetimes of a client.
    pub fn lifetimes_of(&self, client: &Client) -> Lifetimes {
        self.lifetimes.of(client.settings.kind).with(&client.settings.lifetimes)
    }
}
