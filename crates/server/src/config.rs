//! The configuration: the only place that reads the environment and the configuration file.
//!
//! Flags over environment over file over defaults. The outcome is finished types, or the full
//! list of complaints: an operator who made three mistakes reads of three, not of one at a time.
//! What each key means, its default and its bounds stand once, in [`keys()`].

mod database;
mod fixed;
mod keys;
mod lifetimes;
mod nearest;
mod network;
mod read;
mod reference;
mod sources;
mod url;
mod values;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use countersign_wire::{AdminToken, Algorithm};

pub use database::{Database, PostgresUrl};
pub use fixed::{FLUSH_TIMEOUT, MAX_FORWARDED_HOPS, MAX_HEADER_FIELDS, MAX_REQUEST_ID_LEN, WRITE_STALL};
pub use keys::{DefaultValue, Key, Kind, MAX_ABSOLUTE, MAX_ACCESS, MAX_IDLE, MIN_ADMIN_TOKEN_LEN, keys};
pub use lifetimes::{KindLifetimes, Lifetimes, RefreshLifetimes};
pub(crate) use nearest::nearest;
pub use network::Network;
pub use reference::reference;
pub use sources::{EffectiveValue, Origin};
pub use values::{KeyEncryptionKey, duration as parse_duration, duration_text};

use sources::Sources;

/// What the command line says: it wins over the environment, the file and the defaults.
#[derive(Clone, Default)]
pub struct Overrides {
    /// `--config FILE`. Unlike `./countersign.toml` it must be there.
    pub config_file: Option<PathBuf>,
    /// Keys, as [`keys()`] names them, with their values.
    pub values: Vec<(String, String)>,
}

impl std::fmt::Debug for Overrides {
    /// Without the values: one of them may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.values.iter().map(|(name, _)| name).collect();
        f.debug_struct("Overrides").field("config_file", &self.config_file).field("values", &names).finish()
    }
}

/// Everything that an operator can choose, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The public listener's address.
    pub listen: SocketAddr,
    /// The management listener's address.
    pub management_listen: SocketAddr,
    /// The `iss` of all tokens and the base of all endpoints (RFC 8414 section 2), without a
    /// trailing slash.
    pub issuer: String,
    /// False when `issuer` was made from `listen`; see [`Settings::bound_to`].
    pub issuer_configured: bool,
    /// Where the SQLite store, the keys and the Unix socket are.
    pub data_dir: PathBuf,
    /// The store.
    pub database: Database,
    /// The bearer token of the management listener; `None` for the one in the data directory.
    pub admin_token: Option<AdminToken>,
    /// The key under which private keys are encrypted at rest; `None` for the one in the data directory.
    pub key_encryption_key: Option<KeyEncryptionKey>,
    /// What access tokens are signed with, where a client does not say otherwise.
    pub signing_algorithm: Algorithm,
    /// Whether new sessions are in status lists, and their tokens say where.
    pub status_lists: bool,
    /// Logs.
    pub log: LogSettings,
    /// The base URL of an OpenTelemetry collector (OTLP over HTTP).
    pub otlp_endpoint: Option<String>,
    /// The networks whose `X-Forwarded-For` and `Forwarded` headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// The exact origins that browsers may call from, besides those of public clients.
    pub cors_origins: Vec<String>,
    /// By kind of client.
    pub lifetimes: Lifetimes,
    /// Refresh-token rotation.
    pub rotation: RotationSettings,
    /// Most live sessions of one user; the oldest ends first.
    pub sessions_per_user: u32,
    /// How long a replaced client secret goes on working.
    pub client_secret_overlap: Duration,
    /// How long events are kept.
    pub events_keep: Duration,
    /// The life cycle of signing keys.
    pub keys: KeySettings,
    /// `max-age` of the JWKS answer.
    pub jwks_max_age: Duration,
    /// Signing in.
    pub sign_in: SignInSettings,
    /// How pages look.
    pub brand: BrandSettings,
    /// Limits on requests and on the work done for them.
    pub limits: Limits,
    effective: Vec<EffectiveValue>,
}

/// Logs.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// The form.
    pub format: LogFormat,
    /// What is logged, in the syntax of `tracing_subscriber::EnvFilter`; known to parse.
    pub level: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Refresh-token rotation, where a client does not say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationSettings {
    /// How long the token before the current one is answered again.
    pub overlap: Duration,
    /// Consecutive generations with a replay from another place that count as theft.
    pub lockstep_threshold: u32,
}

/// How long browsers stay signed in, and what wants a recent authentication.
#[derive(Debug, Clone)]
pub struct SignInSettings {
    /// Unused.
    pub idle: Duration,
    /// At most.
    pub absolute: Duration,
    /// Unused, when the user asked to be remembered.
    pub remember_idle: Duration,
    /// At most, when the user asked to be remembered.
    pub remember_absolute: Duration,
    /// What is granted only soon after an authentication.
    pub sensitive_scopes: Vec<String>,
    /// How soon that is.
    pub sensitive_max_age: Duration,
}

/// How pages look, as the operator wants it: checked texts.
#[derive(Debug, Clone)]
pub struct BrandSettings {
    /// The name at the head of each page.
    pub name: String,
    /// The logo: a path on our host or a `data:` URL.
    pub logo: Option<String>,
    /// The colour, `#rrggbb`.
    pub accent: Option<String>,
}

/// The life cycle of signing keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySettings {
    /// The age at which a signing key is replaced.
    pub rotate_every: Duration,
    /// How long a key is published before it signs; at least `jwks_max_age`.
    pub publish_ahead: Duration,
}

/// Limits on requests and on the work done for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request body.
    pub body: usize,
    /// Bytes of a request's line and headers together.
    pub headers: usize,
    /// From a request's first byte to its last header; also from a connection's start to its first byte.
    pub header_timeout: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// From a request's headers to the end of its body.
    pub body_timeout: Duration,
    /// From a request's headers to its answer's.
    pub request_timeout: Duration,
    /// Connections open at once, on each listener.
    pub connections: usize,
    /// Threads that hash passwords.
    pub password_threads: usize,
    /// Passwords waiting to be hashed; beyond it the answer is 503.
    pub password_queue: usize,
    /// One call of the store.
    pub store_timeout: Duration,
    /// How long requests in flight may go on after the order to stop.
    pub shutdown_grace: Duration,
}

impl Settings {
    /// Reads the environment, the file and the overrides.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub fn load(overrides: &Overrides) -> Result<Self, Complaints> {
        Self::from_sources(Sources::gather(overrides, std::env::vars_os(), &PathBuf::from(DEFAULT_FILE)))
    }

    /// From the defaults and these values alone: no environment, no file.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub fn from_values(values: &[(&str, &str)]) -> Result<Self, Complaints> {
        let values = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Self::from_sources(Sources::of_overrides(&Overrides { config_file: None, values }))
    }

    /// The settings once the public listener has its address: with port 0 it is known only then,
    /// and the default issuer is made from it.
    #[must_use]
    pub fn bound_to(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        if !self.issuer_configured {
            self.issuer = url::default_issuer(listen);
        }
        self
    }

    /// Every key with its value in force and where that came from, secrets left out.
    pub fn effective(&self) -> &[EffectiveValue] {
        &self.effective
    }
}

/// The configuration file that is read when `--config` names none and it is there.
pub const DEFAULT_FILE: &str = "countersign.toml";

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The key, variable or file.
    pub key: String,
    /// What is wrong. Never shows the value of a secret.
    pub problem: String,
    /// What to do.
    pub fix: String,
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}; {}", self.key, self.problem, self.fix)
    }
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaints(pub Vec<Complaint>);

impl std::fmt::Display for Complaints {
    /// One complaint a line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the configuration is not usable:")?;
        self.0.iter().try_for_each(|complaint| write!(f, "\n  {complaint}"))
    }
}

impl std::error::Error for Complaints {}

#[cfg(test)]
mod tests;
