//! From texts to finished types.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use countersign_wire::{AdminToken, Scope};
use zeroize::Zeroizing;

use super::{
    BrandSettings, Complaint, Complaints, Database, EffectiveValue, KeyEncryptionKey, KeySettings,
    KindLifetimes, Lifetimes, Limits, LogFormat, LogSettings, Network, Origin, RefreshLifetimes,
    RotationSettings, Settings, SignInSettings,
    keys::{self, DefaultValue, Kind, MIN_ADMIN_TOKEN_LEN, keys},
    sources::{Sources, label},
    url::{check_issuer, default_issuer, is_collector, is_origin},
    values::{duration, duration_text},
};

impl Settings {
    /// Reads every key, goes on after a mistake with the default, and then checks what keys
    /// demand of each other.
    pub(super) fn from_sources(sources: Sources) -> Result<Self, Complaints> {
        let mut read = Reader { sources };
        let listen = read.address("listen");
        let data_dir = PathBuf::from(read.text("data_dir").as_str());
        let issuer = read.optional("issuer");
        let allow_insecure_issuer = read.flag("allow_insecure_issuer");
        let settings = Self {
            listen,
            management_listen: read.address("management_listen"),
            issuer_configured: issuer.is_some(),
            issuer: issuer.map_or_else(|| default_issuer(listen), |text| text.to_string()),
            database: read.parsed("database", Database::parse).unwrap_or(Database::in_data_dir(&data_dir)),
            data_dir,
            admin_token: read.parsed("admin_token", admin_token),
            key_encryption_key: read.parsed("key_encryption_key", KeyEncryptionKey::parse),
            signing_algorithm: read
                .parsed("signing_algorithm", |text| text.parse().ok())
                .unwrap_or(countersign_wire::Algorithm::ES256),
            status_lists: read.flag("tokens.status_list"),
            log: LogSettings {
                format: match read.text("log.format").as_str() {
                    "json" => LogFormat::Json,
                    _ => LogFormat::Pretty,
                },
                level: read.parsed("log.level", log_level).unwrap_or_default(),
            },
            otlp_endpoint: read.parsed("otlp_endpoint", |text| is_collector(text).then(|| text.to_owned())),
            trusted_proxies: read.list("trusted_proxies", str::parse::<Network>),
            cors_origins: read.list("cors_origins", |text| {
                is_origin(text).then(|| text.to_owned()).ok_or_else(|| format!("{text:?} is not an origin"))
            }),
            lifetimes: Lifetimes {
                spa: read.lifetimes("spa"),
                web: read.lifetimes("web"),
                native: read.lifetimes("native"),
                cli: read.lifetimes("cli"),
                service: KindLifetimes { access: read.duration("lifetimes.service.access"), refresh: None },
            },
            rotation: RotationSettings {
                overlap: read.duration("rotation.overlap"),
                lockstep_threshold: read.count("rotation.lockstep_threshold"),
            },
            sessions_per_user: read.count("sessions_per_user"),
            client_secret_overlap: read.duration("client_secret_overlap"),
            events_keep: read.duration("events_keep"),
            keys: KeySettings {
                rotate_every: read.duration("keys.rotate_every"),
                publish_ahead: read.duration("keys.publish_ahead"),
            },
            jwks_max_age: read.duration("jwks_max_age"),
            sign_in: SignInSettings {
                idle: read.duration("sign_in.idle"),
                absolute: read.duration("sign_in.absolute"),
                remember_idle: read.duration("sign_in.remember_idle"),
                remember_absolute: read.duration("sign_in.remember_absolute"),
                sensitive_scopes: read.list("sign_in.sensitive_scopes", |entry| {
                    match entry.parse::<Scope>() {
                        Ok(scope) if !scope.is_empty() && !entry.contains(' ') => Ok(entry.to_owned()),
                        _ => Err(format!("{entry:?} is not a scope token")),
                    }
                }),
                sensitive_max_age: read.duration("sign_in.sensitive_max_age"),
            },
            brand: BrandSettings {
                name: read.text("brand.name").to_string(),
                logo: read.parsed("brand.logo", |text| is_logo(text).then(|| text.to_owned())),
                accent: read.parsed("brand.accent", |text| is_colour(text).then(|| text.to_owned())),
            },
            limits: read.limits(),
            effective: read.effective(),
        };
        settings.check_together(&mut read, allow_insecure_issuer);
        if read.sources.complaints.is_empty() {
            Ok(settings)
        } else {
            Err(Complaints(read.sources.complaints))
        }
    }

    fn check_together(&self, read: &mut Reader, allow_insecure_issuer: bool) {
        if let Err((problem, fix)) = check_issuer(&self.issuer, allow_insecure_issuer) {
            if self.issuer_configured {
                read.complain("issuer", problem, fix);
            } else {
                let problem = format!("is not set, and {} is not loopback", self.listen);
                read.complain("issuer", problem, "set it to the https URL that clients reach".to_owned());
            }
        }
        if self.listen == self.management_listen && self.listen.port() != 0 {
            let problem = format!("is {}, the same as listen", self.listen);
            read.complain("management_listen", problem, "choose another port".to_owned());
        }
        // A verifier may go on with a key set of that age, so a younger key must not sign yet.
        if self.keys.publish_ahead < self.jwks_max_age {
            let problem = format!("is shorter than jwks_max_age ({})", duration_text(self.jwks_max_age));
            read.complain("keys.publish_ahead", problem, "make it at least as long".to_owned());
        }
        if self.keys.rotate_every <= self.keys.publish_ahead {
            let problem =
                format!("is not longer than keys.publish_ahead ({})", duration_text(self.keys.publish_ahead));
            read.complain("keys.rotate_every", problem, "make it longer".to_owned());
        }
    }
}

/// What the pages' content security policy lets a browser load: from our own host, or in the page.
fn is_logo(text: &str) -> bool {
    (text.starts_with('/') && !text.starts_with("//") && !text.contains('\\'))
        || text.starts_with("data:image/")
}

fn is_colour(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Reads keys one by one and collects what is wrong with them.
struct Reader {
    sources: Sources,
}

impl Reader {
    fn lifetimes(&mut self, kind: &str) -> KindLifetimes {
        let name = |part: &str| format!("lifetimes.{kind}.{part}");
        let (idle, absolute) = (self.duration(&name("idle")), self.duration(&name("absolute")));
        let has = |part: &str| keys().iter().any(|key| key.name == name(part));
        KindLifetimes {
            access: self.duration(&name("access")),
            refresh: Some(RefreshLifetimes {
                idle,
                absolute,
                remember_idle: if has("remember_idle") {
                    self.duration(&name("remember_idle"))
                } else {
                    idle
                },
                remember_absolute: if has("remember_absolute") {
                    self.duration(&name("remember_absolute"))
                } else {
                    absolute
                },
            }),
        }
    }

    fn limits(&mut self) -> Limits {
        Limits {
            body: self.count("limits.body"),
            headers: self.count("limits.headers"),
            header_timeout: self.duration("limits.header_timeout"),
            keep_alive: self.duration("limits.keep_alive"),
            body_timeout: self.duration("limits.body_timeout"),
            request_timeout: self.duration("limits.request_timeout"),
            connections: self.count("limits.connections"),
            password_threads: self.count("limits.password_threads"),
            password_queue: self.count("limits.password_queue"),
            store_timeout: self.duration("limits.store_timeout"),
            shutdown_grace: self.duration("limits.shutdown_grace"),
        }
    }

    /// The text that was set, or the default's.
    fn optional(&mut self, name: &str) -> Option<Zeroizing<String>> {
        if let Some((text, _)) = self.sources.values.get(name) {
            return Some(text.clone());
        }
        match keys().iter().find(|key| key.name == name)?.default {
            DefaultValue::Is(text) => Some(Zeroizing::new(text.to_owned())),
            DefaultValue::Made(_) | DefaultValue::Off => None,
        }
    }

    fn text(&mut self, name: &str) -> Zeroizing<String> {
        // The words are checked here, paths may be anything.
        let allowed: &[&str] = match keys().iter().find(|key| key.name == name).map(|key| key.kind) {
            Some(Kind::Word(words)) => words,
            _ => &[],
        };
        self.parsed(name, |text| {
            let good = !text.is_empty() && (allowed.is_empty() || allowed.contains(&text));
            good.then(|| Zeroizing::new(text.to_owned()))
        })
        .unwrap_or_default()
    }

    fn flag(&mut self, name: &str) -> bool {
        self.parsed(name, |text| text.parse().ok()).unwrap_or_default()
    }

    fn address(&mut self, name: &str) -> SocketAddr {
        self.parsed(name, |text| text.parse().ok()).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    fn duration(&mut self, name: &str) -> Duration {
        let bounds = match keys().iter().find(|key| key.name == name).map(|key| key.kind) {
            Some(Kind::Duration { min, max }) => min..=max,
            _ => 0..=0,
        };
        self.parsed(name, |text| duration(text).filter(|d| bounds.contains(&d.as_secs()))).unwrap_or_default()
    }

    fn count<T: TryFrom<u64> + Default>(&mut self, name: &str) -> T {
        let bounds = match keys().iter().find(|key| key.name == name).map(|key| key.kind) {
            Some(Kind::Count { min, max } | Kind::Bytes { min, max }) => min..=max,
            _ => 0..=0,
        };
        self.parsed(name, |text| {
            let number = text.parse::<u64>().ok().filter(|number| bounds.contains(number))?;
            T::try_from(number).ok()
        })
        .unwrap_or_default()
    }

    fn list<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let text = self.optional(name).unwrap_or_default();
        let mut entries = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            match parse(entry) {
                Ok(entry) => entries.push(entry),
                Err(problem) => self.complain(name, problem, fix(name)),
            }
        }
        entries
    }

    /// A value by its own parser; a complaint and `None` when that refuses the text.
    fn parsed<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.optional(name)?;
        let value = parse(&text);
        if value.is_none() {
            let secret = keys().iter().any(|key| key.name == name && key.secret);
            let problem = if secret {
                "is not usable".to_owned()
            } else {
                format!("{:?} is not usable", text.as_str())
            };
            self.complain(name, problem, fix(name));
        }
        value
    }

    fn complain(&mut self, name: &str, problem: String, fix: String) {
        let key = match self.sources.values.get(name) {
            Some((_, origin)) => label(name, origin),
            None => name.to_owned(),
        };
        self.sources.complaints.push(Complaint { key, problem, fix });
    }

    fn effective(&mut self) -> Vec<EffectiveValue> {
        let mut values = Vec::new();
        for key in keys() {
            let origin =
                self.sources.values.get(key.name).map_or(Origin::Default, |(_, origin)| origin.clone());
            let value = self
                .optional(key.name)
                .map(|text| if key.secret { "(secret)".to_owned() } else { text.to_string() });
            values.push(EffectiveValue { key: key.name, value, origin });
        }
        values
    }
}

/// What a value of this key looks like, as an instruction.
fn fix(name: &str) -> String {
    match keys().iter().find(|key| key.name == name).map(|key| key.kind) {
        None => "this key is not in the table of keys".to_owned(),
        Some(kind) => format!("write {}", keys::form(kind)),
    }
}

fn admin_token(text: &str) -> Option<AdminToken> {
    // RFC 6750 section 2.1: a bearer token is made of these characters only.
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    (text.len() >= MIN_ADMIN_TOKEN_LEN && text.bytes().all(allowed)).then(|| AdminToken::new(text.to_owned()))
}

/// Checks directives. A lone word that is no level is refused: the filter would take a misspelt
/// level for the name of a module, and log nothing else. So is what is not ASCII, on which the
/// filter's parser panics (tracing-subscriber 0.3.23); no module has such a name.
fn log_level(text: &str) -> Option<String> {
    if !text.is_ascii() {
        return None;
    }
    let lone_words_are_levels = text
        .split(',')
        .filter(|directive| !directive.contains(['=', '[']))
        .all(|directive| directive.trim().parse::<tracing_subscriber::filter::LevelFilter>().is_ok());
    let parses = tracing_subscriber::EnvFilter::builder().parse(text).is_ok();
    (lone_words_are_levels && parses).then(|| text.to_owned())
}
