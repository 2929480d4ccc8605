//! The layers of `ARCHITECTURE.md`, enforced: who may name whom, where SQL and HTTP live, and how
//! long a file may be. Reads the sources as tokens, so comments and formatting do not matter.
//!
//! A rule that stands in the way is changed here, in the open, with a reason beside it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own reading of the sources: what goes wrong there is a failed test"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Which top-level modules a module may name; its own it always may. A new module gets a row.
/// Tests inside the sources may name anything.
const LAYERS: [(&str, &[&str]); 19] = [
    ("main", &["cli"]),
    // The command line runs the server, and is otherwise a client of the admin API.
    (
        "cli",
        &[
            "app",
            "backup",
            "config",
            "flows",
            "http",
            "keys",
            "metrics",
            "pages",
            "server",
            "store",
            "telemetry",
            "time",
        ],
    ),
    // Puts the parts together and runs them; decides nothing.
    (
        "server",
        &[
            "app",
            "config",
            "entropy",
            "factors",
            "flows",
            "http",
            "keys",
            "metrics",
            "outbound",
            "passwords",
            "store",
            "telemetry",
            "time",
        ],
    ),
    // The one door to the outside.
    ("outbound", &[]),
    ("http", &["app", "backup", "config", "entropy", "flows", "metrics", "pages", "telemetry", "time"]),
    ("pages", &["app", "flows", "metrics", "time"]),
    ("flows", &["app", "entropy", "factors", "keys", "metrics", "passwords", "store", "throttle", "time"]),
    // The state that handlers and flows share: it holds one of each.
    ("app", &["factors", "flows", "keys", "metrics", "passwords", "store", "throttle", "time"]),
    // Keys are kept in the store, sealed: they use its key methods and records.
    ("keys", &["entropy", "store", "time"]),
    ("store", &["entropy", "time"]),
    ("passwords", &["entropy"]),
    // What a person shows beside a password, each without store and HTTP. Hashes are stored as hex.
    ("factors", &["entropy", "store", "time"]),
    ("throttle", &["time"]),
    // Labels are words of the product.
    ("metrics", &["store", "time"]),
    // Everything that the store holds, as one file: HTTP hands it the application and never sees
    // the store; the lifetimes' limits say what a restore ends.
    ("backup", &["app", "flows", "store", "time"]),
    ("telemetry", &["config", "entropy", "time"]),
    // Lifetimes are set by kind of client.
    ("config", &["store"]),
    ("entropy", &["time"]),
    ("time", &[]),
];

/// Imports that break [`LAYERS`] and are meant to: the file, the module it names, the reason.
const EXCEPTIONS: [(&str, &str, &str); 0] = [];

/// What http/ and pages/ may not name of the store. Its records they may: flows hand them up, and
/// somebody has to write them out.
const STORE_ITSELF: [&str; 5] = ["Store", "StoreResult", "StoreError", "sqlite", "postgres"];

/// Files outside of http/ and pages/ that name axum, each with its reason.
const AXUM_ELSEWHERE: [(&str, &str); 3] = [
    ("cli/transport.rs", "with no server running, the admin router is called as a service in this process"),
    ("cli/remote.rs", "the body of an answer is of one type, whichever way it came"),
    ("cli/backup.rs", "reads the body of an answer piece by piece"),
];

/// Longest file in lines. Half of it is what we aim for.
const LONGEST_FILE: usize = 800;

/// Files that are longer, each with its reason.
const LONG_FILES: [(&str, &str); 0] = [];

#[test]
fn modules_name_only_the_layers_below_them() {
    let row = |module: &str| LAYERS.iter().find(|(name, _)| *name == module);
    let mut complaints = Vec::new();
    for source in server_sources() {
        // `lib.rs` names every module, to declare it.
        let Some(own) = source.top() else { continue };
        let Some((_, allowed)) = row(own) else {
            complaints.push(format!("{}: the module `{own}` has no row in LAYERS", source.path));
            continue;
        };
        for path in &source.paths {
            let Some(named) = path.first().filter(|named| row(named).is_some()) else { continue };
            let is_record = ["http", "pages"].contains(&own)
                && named == "store"
                && path.get(1).is_some_and(|item| !STORE_ITSELF.contains(&item.as_str()) && item != "*");
            let excepted = EXCEPTIONS.iter().any(|(file, module, _)| *file == source.path && module == named);
            if named != own && !allowed.contains(&named.as_str()) && !is_record && !excepted {
                complaints.push(format!("{}: names crate::{}", source.path, path.join("::")));
            }
        }
    }
    assert_none("a module names one that it may not know", &complaints);
}

#[test]
fn http_and_pages_never_reach_the_store() {
    let is_above = |source: &Source| ["http", "pages"].contains(&source.top().unwrap_or_default());
    let sources = server_sources();
    let complaints: Vec<_> = sources
        .iter()
        .filter(|source| is_above(source) && source.fields.contains("store"))
        .map(|source| format!("{}: uses the field `store`", source.path))
        .collect();
    assert_none("HTTP asks a flow, and the flow asks the store", &complaints);
}

#[test]
fn sql_is_written_in_the_engines_only() {
    let verbs = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE "];
    let is_sql = |literal: &String| verbs.iter().any(|verb| literal.contains(verb));
    let sources = server_sources();
    let complaints: Vec<_> = sources
        .iter()
        .filter(|source| source.engine().is_none() && source.literals.iter().any(is_sql))
        .map(|source| format!("{}: has SQL in a string", source.path))
        .collect();
    assert_none("SQL belongs under store/sqlite, store/postgres and migrations", &complaints);
}

#[test]
fn engines_never_see_each_other_and_nobody_else_sees_their_libraries() {
    const SQLITE: [&str; 1] = ["rusqlite"];
    const POSTGRES: [&str; 3] = ["tokio_postgres", "deadpool_postgres", "tokio_postgres_rustls"];
    let mut complaints = Vec::new();
    for source in server_sources() {
        let forbidden = match source.engine() {
            Some("sqlite") => [&POSTGRES[..], &["postgres"]].concat(),
            Some(_) => [&SQLITE[..], &["sqlite"]].concat(),
            None => [&SQLITE[..], &POSTGRES[..]].concat(),
        };
        let seen = forbidden.into_iter().filter(|name| source.idents.contains(*name));
        complaints.extend(seen.map(|name| format!("{}: names `{name}`", source.path)));
    }
    assert_none("an engine is known to who opens it, and its library to nobody else", &complaints);
}

#[test]
fn axum_lives_in_http_and_pages_only() {
    let sources = server_sources();
    let complaints: Vec<_> = sources
        .iter()
        .filter(|source| !["http", "pages"].contains(&source.top().unwrap_or_default()))
        .filter(|source| source.idents.contains("axum"))
        .filter(|source| !AXUM_ELSEWHERE.iter().any(|(file, _)| *file == source.path))
        .map(|source| format!("{}: names `axum`", source.path))
        .collect();
    assert_none("HTTP lives in http/ and pages/", &complaints);
}

#[test]
fn the_environment_is_read_in_config_only() {
    let sources = server_sources();
    let complaints: Vec<_> = sources
        .iter()
        .filter(|source| source.top() != Some("config") && source.reads_environment)
        .map(|source| format!("{}: reads the environment", source.path))
        .collect();
    assert_none("config.rs is the only reader of the environment", &complaints);
}

#[test]
fn published_crates_do_not_depend_on_the_server() {
    for (name, allowed) in [("wire", &[][..]), ("verify", &["countersign-wire"][..])] {
        let manifest = workspace().join("crates").join(name).join("Cargo.toml");
        let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = manifest.get(section).and_then(toml::Value::as_table) else { continue };
            for dependency in dependencies.keys().filter(|name| name.starts_with("countersign")) {
                assert!(allowed.contains(&dependency.as_str()), "{name} depends on {dependency}");
            }
        }
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut complaints = Vec::new();
    for root in ["crates", "bench", "examples"] {
        for file in rust_files(&workspace().join(root)) {
            let path = relative(&workspace(), &file);
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            let has_reason = LONG_FILES.iter().any(|(long, _)| *long == path);
            if lines > LONGEST_FILE && !has_reason {
                complaints.push(format!("{path}: {lines} lines"));
            }
            if lines <= LONGEST_FILE && has_reason {
                complaints.push(format!("{path}: is short enough now; take it off the list"));
            }
        }
    }
    assert_none("files over 800 lines are split, or listed with a reason", &complaints);
}

/// The reader itself: what it must see, and what it must not.
#[test]
fn sources_are_read_as_the_compiler_reads_them() {
    let source = Source::read(
        "http/token.rs",
        r#"
        //! crate::store in a comment, SELECT too
        use crate::{flows::{self, refresh}, time::Timestamp};
        use super::super::keys;
        mod inner { use super::super::super::pages; use super::own; }
        fn f() { app.store.rotate(); std::env::var("X"); let q = "UPDATE t"; crate::metrics::count(); }
        #[cfg(test)] use crate::config;
        #[cfg(test)] mod tests { use crate::store; fn g() { x.secret; } }
        "#,
    );
    let named: BTreeSet<&str> = source.paths.iter().filter_map(|p| p.first()).map(String::as_str).collect();
    assert_eq!(named, ["flows", "http", "keys", "metrics", "pages", "time"].into());
    assert!(source.fields.contains("store") && !source.fields.contains("secret"));
    assert!(source.reads_environment);
    assert_eq!(source.literals, ["\"X\"", "\"UPDATE t\""]);
    assert!(Source::read("cli/a.rs", "struct A { #[arg(long, env = \"X\")] a: u8 }").reads_environment);
    assert!(!Source::read("cli/a.rs", "struct A { #[arg(long)] environment: u8 }").reads_environment);
}

/// What the rules look at in a file, without the parts that only tests are built with.
struct Source {
    /// From `src/` on.
    path: String,
    /// The module that the file is; empty for `lib.rs`.
    module: Vec<String>,
    /// Every path to an item of this crate, from its root.
    paths: Vec<Vec<String>>,
    idents: BTreeSet<String>,
    fields: BTreeSet<String>,
    /// String literals as they are written.
    literals: Vec<String>,
    reads_environment: bool,
}

impl Source {
    fn read(path: &str, text: &str) -> Self {
        let tokens: TokenStream = text.parse().unwrap_or_else(|e| panic!("{path}: {e}"));
        let module = module_of(path);
        let mut source = Self {
            path: path.to_owned(),
            module: module.clone(),
            paths: Vec::new(),
            idents: BTreeSet::new(),
            fields: BTreeSet::new(),
            literals: Vec::new(),
            reads_environment: false,
        };
        source.walk(tokens, &module);
        source
    }

    /// The module right under the crate's root.
    fn top(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }

    fn engine(&self) -> Option<&str> {
        let engine = self.module.get(1).filter(|_| self.top() == Some("store"))?;
        ["sqlite", "postgres"].contains(&engine.as_str()).then_some(engine)
    }

    fn walk(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        // Set by `#[cfg(test)]` until the end of the item that it stands before.
        let mut for_tests = false;
        let mut i = 0;
        while let Some(token) = tokens.get(i) {
            let rest = &tokens[i + 1..];
            match token {
                TokenTree::Punct(p) if p.as_char() == '#' => {
                    // `//!` comes as `#![doc = …]`.
                    let skipped = usize::from(is_punct(rest.first(), '!'));
                    if let Some(attribute) = group(rest.get(skipped), Delimiter::Bracket) {
                        let text = attribute.to_string();
                        for_tests |= skipped == 0 && text.starts_with("cfg") && text.contains("test");
                        self.reads_environment |= is_clap_environment(attribute);
                        i += skipped + 1;
                    }
                }
                TokenTree::Punct(p) if p.as_char() == ';' => for_tests = false,
                TokenTree::Group(g) if for_tests => for_tests = g.delimiter() != Delimiter::Brace,
                _ if for_tests => {}
                TokenTree::Ident(ident) if ident == "mod" => {
                    if let (Some(name), Some(body)) = (rest.first(), group(rest.get(1), Delimiter::Brace)) {
                        self.walk(body, &[module, &[name.to_string()]].concat());
                        i += 2;
                    }
                }
                TokenTree::Ident(ident) => {
                    let before = i.checked_sub(1).and_then(|before| tokens.get(before));
                    self.see(ident.to_string(), before, rest, module);
                }
                TokenTree::Literal(literal) => {
                    self.literals.extend(Some(literal.to_string()).filter(|text| text.contains('"')));
                }
                TokenTree::Group(g) => self.walk(g.stream(), module),
                TokenTree::Punct(_) => {}
            }
            i += 1;
        }
    }

    fn see(&mut self, name: String, before: Option<&TokenTree>, after: &[TokenTree], module: &[String]) {
        if is_punct(before, '.') {
            self.fields.insert(name.clone());
        }
        if name == "env" {
            let what = after_colons(after).and_then(|path| path.first()).map(ToString::to_string);
            let reads = ["var", "vars", "var_os", "vars_os"];
            self.reads_environment |= what.is_some_and(|what| reads.contains(&what.as_str()));
        }
        if let Some((root, path)) = path_start(&name, after, module) {
            collect(root, path, &mut self.paths);
        }
        self.idents.insert(name);
    }
}

/// `#[arg(env)]` and `#[arg(env = …)]`: clap reads the environment for it.
fn is_clap_environment(attribute: TokenStream) -> bool {
    let mut tokens = attribute.into_iter();
    let is_arg = tokens.next().is_some_and(|t| ["arg", "clap"].contains(&t.to_string().as_str()));
    let arguments = group(tokens.next().as_ref(), Delimiter::Parenthesis).filter(|_| is_arg);
    arguments.is_some_and(|arguments| arguments.into_iter().any(|t| t.to_string() == "env"))
}

/// Where a path that begins with this identifier starts, and what follows it.
fn path_start<'t>(
    name: &str,
    after: &'t [TokenTree],
    module: &[String],
) -> Option<(Vec<String>, &'t [TokenTree])> {
    let mut path = after_colons(after)?;
    match name {
        "crate" => Some((Vec::new(), path)),
        // `main.rs` is a crate of its own and reaches the library by its name.
        "countersign" if module == ["main"] => Some((Vec::new(), path)),
        "super" => {
            let mut at = module.to_vec();
            at.pop();
            while path.first().is_some_and(|token| token.to_string() == "super") {
                at.pop();
                path = after_colons(path.get(1..)?)?;
            }
            Some((at, path))
        }
        _ => None,
    }
}

/// All paths of a use tree.
fn collect(prefix: Vec<String>, tokens: &[TokenTree], paths: &mut Vec<Vec<String>>) {
    match tokens.first() {
        Some(TokenTree::Ident(ident)) => {
            let path = [prefix, vec![ident.to_string()]].concat();
            match after_colons(tokens.get(1..).unwrap_or_default()) {
                Some(rest) => collect(path, rest, paths),
                None => paths.push(path),
            }
        }
        Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Brace => {
            let parts: Vec<TokenTree> = g.stream().into_iter().collect();
            for part in parts.split(|t| is_punct(Some(t), ',')).filter(|part| !part.is_empty()) {
                collect(prefix.clone(), part, paths);
            }
        }
        _ => paths.push(prefix),
    }
}

fn after_colons(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    (is_punct(tokens.first(), ':') && is_punct(tokens.get(1), ':')).then(|| &tokens[2..])
}

fn is_punct(token: Option<&TokenTree>, c: char) -> bool {
    matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == c)
}

fn group(token: Option<&TokenTree>, delimiter: Delimiter) -> Option<TokenStream> {
    match token {
        Some(TokenTree::Group(g)) if g.delimiter() == delimiter => Some(g.stream()),
        _ => None,
    }
}

fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// The server's sources, but for files that only tests are built with: those named `tests`, and
/// the contract suite, which drives an engine from outside.
fn server_sources() -> Vec<Source> {
    let root = workspace().join("crates/server/src");
    let is_test = |path: &str| module_of(path).iter().any(|part| part == "tests" || part == "contract");
    rust_files(&root)
        .into_iter()
        .map(|file| (relative(&root, &file), file))
        .filter(|(path, _)| !is_test(path))
        .map(|(path, file)| Source::read(&path, &std::fs::read_to_string(file).unwrap()))
        .collect()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return files };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn relative(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap().to_str().unwrap().to_owned()
}

fn assert_none(rule: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{rule}:\n  {}", complaints.join("\n  "));
}
