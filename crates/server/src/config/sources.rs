//! Flags, environment, file and defaults, put over each other: afterwards each key has at most one
//! text, and it is known where it came from.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{
    Complaint, Overrides,
    keys::{FILE_SUFFIX, Key, VARIABLE_PREFIX, keys},
    nearest::nearest,
};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// This environment variable.
    Variable(String),
    /// The configuration file.
    File,
    /// Nobody said anything.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Variable(name) => f.write_str(name),
            Self::File => f.write_str("file"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A key with its value in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveValue {
    /// The key.
    pub key: &'static str,
    /// Its value as text; `None` when there is none. A secret's is `(secret)`.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

/// The text of each key that somebody set, and what was wrong on the way.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) values: BTreeMap<&'static str, (Zeroizing<String>, Origin)>,
    pub(super) complaints: Vec<Complaint>,
}

/// The variable that names the configuration file, as `--config` does.
const CONFIG_VARIABLE: &str = "COUNTERSIGN_CONFIG";
/// The largest configuration or secret file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

impl Sources {
    /// Everything that was said. A file of the default name is read if it is there.
    pub(super) fn gather(
        overrides: &Overrides,
        environment: impl Iterator<Item = (OsString, OsString)>,
        default_file: &Path,
    ) -> Self {
        let mut sources = Self::of_overrides(overrides);
        let named_file = sources.environment(environment);
        match overrides.config_file.clone().or(named_file) {
            Some(file) => sources.file(&file),
            None if default_file.exists() => sources.file(default_file),
            None => {}
        }
        sources
    }

    /// The overrides alone.
    pub(super) fn of_overrides(overrides: &Overrides) -> Self {
        let mut sources = Self::default();
        for (name, value) in &overrides.values {
            sources.named(name, Zeroizing::new(value.clone()), Origin::Flag);
        }
        sources
    }

    /// Takes our variables; returns the configuration file that one of them may name.
    fn environment(&mut self, environment: impl Iterator<Item = (OsString, OsString)>) -> Option<PathBuf> {
        let mut config_file = None;
        let mut variables: Vec<(String, OsString)> = environment
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, value)| name.starts_with(VARIABLE_PREFIX) && !value.is_empty())
            .collect();
        // The environment has no order; complaints should.
        variables.sort();
        for (variable, value) in variables {
            if variable == CONFIG_VARIABLE {
                config_file = Some(PathBuf::from(value));
                continue;
            }
            let name = keys().iter().find_map(|key| {
                let own = key.variable();
                if variable == own {
                    return Some(key.name.to_owned());
                }
                let file = key.secret && variable == own + &FILE_SUFFIX.to_uppercase();
                file.then(|| format!("{}{FILE_SUFFIX}", key.name))
            });
            match (name, value.into_string()) {
                (Some(name), Ok(value)) => {
                    self.named(&name, Zeroizing::new(value), Origin::Variable(variable));
                }
                (Some(_), Err(_)) => {
                    self.complain(&variable, "is not valid UTF-8", "write it in UTF-8");
                }
                (None, Ok(value)) if is_service_link(&variable, &value) => {}
                (None, _) => self.unknown_variable(&variable),
            }
        }
        config_file
    }

    fn unknown_variable(&mut self, variable: &str) {
        let known: Vec<String> = keys()
            .iter()
            .flat_map(|key| {
                let own = key.variable();
                let file = key.secret.then(|| format!("{own}{}", FILE_SUFFIX.to_uppercase()));
                [Some(own), file].into_iter().flatten()
            })
            .chain([CONFIG_VARIABLE.to_owned()])
            .collect();
        self.unknown(variable, "is no variable of Countersign's", known.iter().map(String::as_str));
    }

    fn file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let text = match read(path) {
            Ok(text) => text,
            Err(error) => {
                return self.complain(&name, &error, "name a readable file, or leave --config out");
            }
        };
        match text.parse::<toml::Table>() {
            Ok(table) => self.table("", table),
            Err(error) => {
                // Not the error's own text: it quotes the line, which may hold a secret.
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                self.complain(&name, &format!("is not TOML at line {line}"), "correct that line");
            }
        }
    }

    fn table(&mut self, prefix: &str, table: toml::Table) {
        for (name, value) in table {
            let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            match value {
                toml::Value::Table(inner) if is_group(&name) => self.table(&name, inner),
                value => match scalar(value) {
                    Some(text) => self.named(&name, text, Origin::File),
                    None if find(&name).is_some() => {
                        self.complain(
                            &name,
                            "has a value of the wrong type",
                            "write a string, number or list",
                        );
                    }
                    None => self.unknown_key(&name),
                },
            }
        }
    }

    /// Sets a key by its name, or reads it from the file that its `_file` form names. What was set
    /// before came from a stronger source and stays.
    fn named(&mut self, name: &str, value: Zeroizing<String>, origin: Origin) {
        if let Some(key) = find(name) {
            self.set(key, value, origin);
            return;
        }
        match name.strip_suffix(FILE_SUFFIX).and_then(find).filter(|key| key.secret) {
            Some(key) => match read(Path::new(value.as_str())) {
                Ok(secret) => {
                    let secret = Zeroizing::new(secret.trim_end_matches(['\r', '\n']).to_owned());
                    self.set(key, secret, origin);
                }
                Err(error) => self.complain(
                    &label(name, &origin),
                    &format!("names {:?}, which {error}", value.as_str()),
                    "name a readable file that holds the secret alone",
                ),
            },
            None => self.unknown_key(name),
        }
    }

    fn set(&mut self, key: &'static Key, value: Zeroizing<String>, origin: Origin) {
        match self.values.get(key.name) {
            None => {
                self.values.insert(key.name, (value, origin));
            }
            // Within one source, a secret and its file form: neither is obviously meant.
            Some((_, before)) if std::mem::discriminant(before) == std::mem::discriminant(&origin) => {
                self.complain(key.name, &format!("is set twice ({origin})"), "set it once");
            }
            Some(_) => {}
        }
    }

    fn unknown_key(&mut self, name: &str) {
        self.unknown(name, "is no known key", keys().iter().map(|key| key.name));
    }

    fn unknown<'a>(&mut self, name: &str, problem: &str, known: impl Iterator<Item = &'a str>) {
        let fix = match nearest(name, known) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => "take it out; docs/configuration.md lists the known ones".to_owned(),
        };
        self.complain(name, problem, &fix);
    }

    fn complain(&mut self, key: &str, problem: &str, fix: &str) {
        let complaint = Complaint { key: key.to_owned(), problem: problem.to_owned(), fix: fix.to_owned() };
        self.complaints.push(complaint);
    }
}

/// How a complaint names a key: as the operator wrote it.
pub(super) fn label(name: &str, origin: &Origin) -> String {
    match origin {
        Origin::Variable(variable) => variable.clone(),
        _ => name.to_owned(),
    }
}

fn find(name: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.name == name)
}

/// Whether keys lie below this name.
fn is_group(name: &str) -> bool {
    keys().iter().any(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// A value of the file in the text form that flags and variables have; lists are separated by commas.
fn scalar(value: toml::Value) -> Option<Zeroizing<String>> {
    let text = match value {
        toml::Value::String(text) => text,
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(flag) => flag.to_string(),
        toml::Value::Array(entries) => {
            let texts: Option<Vec<String>> =
                entries.into_iter().map(|entry| entry.as_str().map(str::to_owned)).collect();
            texts?.join(",")
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => return None,
    };
    Some(Zeroizing::new(text))
}

fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    use std::io::Read as _;
    let file = std::fs::File::open(path).map_err(|error| format!("cannot be read ({})", error.kind()))?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read ({})", error.kind()))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("is larger than {MAX_FILE} bytes"));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err("is not valid UTF-8".to_owned()),
    }
}

/// Kubernetes tells every container of every service in its namespace by variables such as
/// `COUNTERSIGN_PORT=tcp://10.0.0.1:8420`: nobody wrote those, so nobody can correct them.
fn is_service_link(variable: &str, value: &str) -> bool {
    variable.ends_with("_SERVICE_HOST")
        || variable.ends_with("_SERVICE_PORT")
        || variable.contains("_SERVICE_PORT_")
        || (variable.contains("_PORT") && ["tcp://", "udp://"].iter().any(|scheme| value.starts_with(scheme)))
        || ["_PROTO", "_PORT", "_ADDR"].iter().any(|part| {
            variable.strip_suffix(part).is_some_and(|rest| rest.ends_with("_TCP") || rest.ends_with("_UDP"))
        })
}
