//! The table of keys: the one source for parsing, for `docs/configuration.md` and for the list of
//! settings in force.

use std::time::Duration;

use super::values::duration_text;

/// A key of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The name in the file; dots are tables.
    pub name: &'static str,
    /// What a value looks like, with its bounds.
    pub kind: Kind,
    /// The default.
    pub default: DefaultValue,
    /// True when the value is never shown, and can be given as a file.
    pub secret: bool,
    /// What it does, in a sentence or two of Markdown.
    pub doc: &'static str,
}

impl Key {
    /// The environment variable: `limits.body` is `COUNTERSIGN_LIMITS_BODY`.
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.to_uppercase().replace('.', "_"))
    }
}

/// What every environment variable of ours begins with.
pub(super) const VARIABLE_PREFIX: &str = "COUNTERSIGN_";
/// What a secret's variable or key ends with when it names a file that holds the secret.
pub(super) const FILE_SUFFIX: &str = "_file";

/// The default of a key.
#[derive(Debug, Clone, Copy)]
pub enum DefaultValue {
    /// This text, parsed as any other.
    Is(&'static str),
    /// Made from other keys, in these words.
    Made(&'static str),
    /// Nothing: what the key turns on is off.
    Off,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// An IP address and a port.
    Address,
    /// A path.
    Path,
    /// True or false.
    Flag,
    /// A time; the bounds are seconds.
    Duration {
        /// The shortest.
        min: u64,
        /// The longest.
        max: u64,
    },
    /// A size; the bounds are bytes.
    Bytes {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// A number.
    Count {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// Text, described in these words.
    Text(&'static str),
    /// A list; each entry described in these words.
    List(&'static str),
}

/// The longest lifetime of an access token; only a client with `allow_long_access_tokens` goes
/// beyond it.
pub const MAX_ACCESS: u64 = HOUR;
/// The longest idle lifetime of a refresh token.
pub const MAX_IDLE: u64 = 180 * DAY;
/// The longest absolute lifetime of a session.
pub const MAX_ABSOLUTE: u64 = 400 * DAY;
/// The shortest lifetime of an access token: a shorter one is refreshed more than it is used.
const MIN_ACCESS: u64 = 30;
/// The shortest lifetime of a refresh token.
const MIN_REFRESH: u64 = MINUTE;
/// The fewest characters of an admin token.
pub const MIN_ADMIN_TOKEN_LEN: usize = 32;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const KIB: u64 = 1024;

/// What a value of this kind looks like, in words.
pub(super) fn form(kind: Kind) -> String {
    let time = |seconds| duration_text(Duration::from_secs(seconds));
    match kind {
        Kind::Address => "an IP address and a port, as 127.0.0.1:8420".to_owned(),
        Kind::Path => "a path".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Duration { min, max } => {
            format!("a duration from {} to {}, as 90s, 10m, 12h or 7d", time(min), time(max))
        }
        Kind::Bytes { min, max } => format!("a number of bytes from {min} to {max}"),
        Kind::Count { min, max } => format!("a number from {min} to {max}"),
        Kind::Word(words) => words.join(" or "),
        Kind::Text(text) => text.to_owned(),
        Kind::List(entry) => format!("a list, each entry {entry}"),
    }
}

/// Every key, in the order of the reference.
pub fn keys() -> &'static [Key] {
    KEYS
}

const fn key(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { name, kind, default: DefaultValue::Is(default), secret: false, doc }
}

const ACCESS: Kind = Kind::Duration { min: MIN_ACCESS, max: MAX_ACCESS };
const IDLE: Kind = Kind::Duration { min: MIN_REFRESH, max: MAX_IDLE };
const ABSOLUTE: Kind = Kind::Duration { min: MIN_REFRESH, max: MAX_ABSOLUTE };

const fn timeout(max: u64) -> Kind {
    Kind::Duration { min: 1, max }
}

const KEYS: &[Key] = &[
    key("listen", Kind::Address, "127.0.0.1:8420", "The public listener: tokens, metadata, the feed."),
    key(
        "management_listen",
        Kind::Address,
        "127.0.0.1:8421",
        "The management listener: the admin API, metrics. Never the public one's address.",
    ),
    Key {
        name: "issuer",
        kind: Kind::Text("an absolute URL without query, fragment and trailing slash"),
        default: DefaultValue::Made("`http://` and `listen`"),
        secret: false,
        doc: "The `iss` of all tokens and the base of all endpoints, as clients reach them. `https`, unless the host is loopback.",
    },
    key(
        "allow_insecure_issuer",
        Kind::Flag,
        "false",
        "Accepts an `http` issuer on a host that is not loopback. Tokens then travel readable; for closed test networks only.",
    ),
    key(
        "data_dir",
        Kind::Path,
        "./countersign-data",
        "Holds the SQLite store, key files and the Unix socket of the command line.",
    ),
    Key {
        name: "database",
        kind: Kind::Text("`sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`"),
        default: DefaultValue::Made("`sqlite:` a file in `data_dir`"),
        secret: true,
        doc: "The store.",
    },
    Key {
        name: "admin_token",
        kind: Kind::Text("at least 32 characters"),
        default: DefaultValue::Made("made on the first start: `admin-token` in `data_dir`"),
        secret: true,
        doc: "The bearer token of the management listener. The Unix socket in `data_dir` needs none.",
    },
    Key {
        name: "key_encryption_key",
        kind: Kind::Text("32 bytes, as 64 hex digits or as base64"),
        default: DefaultValue::Made("made on the first start: `kek` in `data_dir`"),
        secret: true,
        doc: "Private keys are encrypted at rest under it. The file made on the first start can be read by its owner alone; every node of one store needs the same key.",
    },
    key(
        "signing_algorithm",
        Kind::Word(&["ES256", "EdDSA", "RS256"]),
        "ES256",
        "What access tokens are signed with, where a client does not say otherwise.",
    ),
    key(
        "tokens.status_list",
        Kind::Flag,
        "false",
        "Gives each new session a place in a status list, which its JWTs name in their `status` claim; see [revocation-feed.md](revocation-feed.md#status-lists).",
    ),
    key("log.format", Kind::Word(&["pretty", "json"]), "pretty", "Log lines for people or for programs."),
    key(
        "log.level",
        Kind::Text("a level, or directives as `info,countersign=debug`"),
        "info",
        "What is logged, to standard error: `error`, `warn`, `info`, `debug`, `trace`.",
    ),
    Key {
        name: "otlp_endpoint",
        kind: Kind::Text("an `http` URL"),
        default: DefaultValue::Off,
        secret: false,
        doc: "An OpenTelemetry collector that takes OTLP over HTTP, as `http://127.0.0.1:4318`. Spans go to `/v1/traces` there.",
    },
    key(
        "trusted_proxies",
        Kind::List("an address or a network, as `10.0.0.0/8`"),
        "",
        "The reverse proxies whose `X-Forwarded-For` header, or `Forwarded` where there is none, is believed. A proxy must take out the one it does not write.",
    ),
    key(
        "cors_origins",
        Kind::List("an exact origin, as `https://app.example`"),
        "",
        "The origins that browsers may call token, revocation and metadata endpoints from.",
    ),
    key("lifetimes.spa.access", ACCESS, "10m", "Access tokens of `spa` clients."),
    key("lifetimes.spa.idle", IDLE, "12h", "Their refresh tokens, unused."),
    key("lifetimes.spa.absolute", ABSOLUTE, "7d", "Their sessions."),
    key("lifetimes.web.access", ACCESS, "10m", "Access tokens of `web` clients."),
    key("lifetimes.web.idle", IDLE, "12h", "Their refresh tokens, unused."),
    key("lifetimes.web.absolute", ABSOLUTE, "7d", "Their sessions."),
    key("lifetimes.web.remember_idle", IDLE, "14d", "As `idle`, when the user asked to be remembered."),
    key(
        "lifetimes.web.remember_absolute",
        ABSOLUTE,
        "60d",
        "As `absolute`, when the user asked to be remembered.",
    ),
    key("lifetimes.native.access", ACCESS, "15m", "Access tokens of `native` clients."),
    key("lifetimes.native.idle", IDLE, "14d", "Their refresh tokens, unused."),
    key("lifetimes.native.absolute", ABSOLUTE, "60d", "Their sessions."),
    key("lifetimes.cli.access", ACCESS, "15m", "Access tokens of `cli` clients."),
    key("lifetimes.cli.idle", IDLE, "7d", "Their refresh tokens, unused."),
    key("lifetimes.cli.absolute", ABSOLUTE, "30d", "Their sessions."),
    key(
        "lifetimes.service.access",
        ACCESS,
        "10m",
        "Access tokens of `service` clients, which get no refresh token.",
    ),
    key(
        "rotation.overlap",
        Kind::Duration { min: 0, max: 10 * MINUTE },
        "10s",
        "How long the refresh token before the current one is answered again, with the same successor.",
    ),
    key(
        "rotation.lockstep_threshold",
        Kind::Count { min: 2, max: 100 },
        "4",
        "Consecutive refreshes, each replayed from another place, that count as theft.",
    ),
    key(
        "sessions_per_user",
        Kind::Count { min: 1, max: 100_000 },
        "100",
        "Live sessions of one user; beyond it the oldest ends.",
    ),
    key(
        "client_secret_overlap",
        Kind::Duration { min: 0, max: 30 * DAY },
        "24h",
        "How long a replaced client secret goes on working.",
    ),
    key(
        "events_keep",
        Kind::Duration { min: DAY, max: 10 * 365 * DAY },
        "90d",
        "How long events are kept. Nothing about correctness reads them.",
    ),
    key(
        "keys.rotate_every",
        Kind::Duration { min: HOUR, max: 2 * 365 * DAY },
        "90d",
        "The age at which a signing key is replaced.",
    ),
    key(
        "keys.publish_ahead",
        Kind::Duration { min: 1, max: 30 * DAY },
        "1h",
        "How long a signing key is published before it signs. At least `jwks_max_age`.",
    ),
    key(
        "jwks_max_age",
        Kind::Duration { min: 1, max: DAY },
        "10m",
        "How long others may keep the key set without asking again.",
    ),
    key(
        "sign_in.idle",
        Kind::Duration { min: 5 * MINUTE, max: MAX_IDLE },
        "12h",
        "How long a browser stays signed in with us unused.",
    ),
    key(
        "sign_in.absolute",
        Kind::Duration { min: 5 * MINUTE, max: MAX_ABSOLUTE },
        "24h",
        "How long it stays signed in at most.",
    ),
    key(
        "sign_in.remember_idle",
        Kind::Duration { min: 5 * MINUTE, max: MAX_IDLE },
        "14d",
        "As `idle`, when the user asked to be remembered.",
    ),
    key(
        "sign_in.remember_absolute",
        Kind::Duration { min: 5 * MINUTE, max: MAX_ABSOLUTE },
        "60d",
        "As `absolute`, when the user asked to be remembered.",
    ),
    key(
        "sign_in.sensitive_scopes",
        Kind::List("a scope token"),
        "",
        "Scopes that are granted only soon after an authentication, however long the user is remembered.",
    ),
    key("sign_in.sensitive_max_age", Kind::Duration { min: 30, max: DAY }, "10m", "How soon that is."),
    key("brand.name", Kind::Text("a name"), "Countersign", "The name at the head of each page."),
    Key {
        name: "brand.logo",
        kind: Kind::Text("a path on the issuer's host, or a `data:image/` URL"),
        default: DefaultValue::Off,
        secret: false,
        doc: "The logo at the head of each page.",
    },
    Key {
        name: "brand.accent",
        kind: Kind::Text("a colour as `#0b6b50`"),
        default: DefaultValue::Off,
        secret: false,
        doc: "The colour of buttons and links; shades that can be read on light and dark are made from it.",
    },
    key("limits.body", Kind::Bytes { min: KIB, max: 1024 * KIB }, "65536", "A request body; beyond it 413."),
    key(
        "limits.headers",
        Kind::Bytes { min: 8 * KIB, max: 1024 * KIB },
        "32768",
        "A request line and its headers together; beyond it 431.",
    ),
    key(
        "limits.header_timeout",
        timeout(5 * MINUTE),
        "10s",
        "For a request's headers to arrive, from their first byte; for a new connection's first byte too.",
    ),
    key(
        "limits.keep_alive",
        timeout(HOUR),
        "75s",
        "For an idle connection. Longer than the reverse proxy's own limit (60s is common), so that the proxy never sends a request into a closing connection.",
    ),
    key("limits.body_timeout", timeout(5 * MINUTE), "10s", "For a request's body to arrive; beyond it 408."),
    key("limits.request_timeout", timeout(5 * MINUTE), "15s", "For a request to be answered; beyond it 503."),
    key(
        "limits.connections",
        Kind::Count { min: 1, max: 1_000_000 },
        "4096",
        "Connections open at once, on each listener; further ones wait to be accepted.",
    ),
    key(
        "limits.password_threads",
        Kind::Count { min: 1, max: 256 },
        "2",
        "Passwords hashed at once. Each takes 19 MiB while it lasts.",
    ),
    key(
        "limits.password_queue",
        Kind::Count { min: 0, max: 100_000 },
        "64",
        "Passwords waiting to be hashed; beyond it 503.",
    ),
    key("limits.store_timeout", timeout(5 * MINUTE), "5s", "For one call of the store; beyond it 503."),
    key(
        "limits.shutdown_grace",
        timeout(10 * MINUTE),
        "10s",
        "For requests in flight to finish after the order to stop.",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_variables_are_unambiguous() {
        let mut names = BTreeSet::new();
        for key in keys() {
            assert!(names.insert(key.variable()), "{}", key.name);
            if key.secret {
                assert!(names.insert(format!("{}{}", key.variable(), FILE_SUFFIX.to_uppercase())));
            }
        }
    }
}
