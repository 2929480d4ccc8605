//! `countersign doctor`.

mod network;
mod place;
mod storage;

use clap::Args;
use serde_json::json;

use super::Context;
use super::failure::Failure;
use super::output::{BAD, GOOD, WARN, paint};
use crate::config::Settings;

/// Looks for what is wrong with the configuration, the data directory, the store, the keys, the
/// clock and the listeners, and says how to put it right; exit status 1 when something must be.
/// Changes nothing, but opening a store of an older version brings its schema up to date, as every
/// command does.
#[derive(Debug, Args)]
pub(crate) struct Doctor {}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warn,
    Fail,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What was found of one thing.
struct Finding {
    check: &'static str,
    state: State,
    found: String,
    fix: String,
}

/// All that was found.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(check, State::Ok, found, "");
    }

    fn warn(&mut self, check: &'static str, found: impl Into<String>, fix: impl Into<String>) {
        self.add(check, State::Warn, found, fix);
    }

    fn fail(&mut self, check: &'static str, found: impl Into<String>, fix: impl Into<String>) {
        self.add(check, State::Fail, found, fix);
    }

    fn add(&mut self, check: &'static str, state: State, found: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Finding { check, state, found: found.into(), fix: fix.into() });
    }
}

impl Doctor {
    /// Looks and reports.
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let mut findings = Findings::default();
        match Settings::load(&context.global.overrides(Vec::new())) {
            Ok(settings) => examine(context, &settings, &mut findings).await,
            Err(complaints) => {
                for complaint in complaints.0 {
                    let found = format!("{} {}", complaint.key, complaint.problem);
                    findings.fail("configuration", found, complaint.fix);
                }
            }
        }
        report(context, &findings.0)
    }
}

async fn examine(context: &Context, settings: &Settings, findings: &mut Findings) {
    findings.ok("configuration", "usable");
    network::issuer(settings, findings);
    place::data_directory(settings, findings);
    place::key_encryption_key(settings, findings);
    place::disk(settings, findings);
    let now = context.output.words.now();
    network::clock(now, findings);
    let server = network::server(settings, now, findings).await;
    network::listeners(settings, server.is_some(), findings).await;
    match server {
        Some(admin) => storage::by_server(context, &admin, findings).await,
        None => storage::here(context, settings, findings).await,
    }
}

fn report(context: &mut Context, findings: &[Finding]) -> Result<(), Failure> {
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    let (warnings, failures) = (count(State::Warn), count(State::Fail));
    if context.output.json {
        let items: Vec<_> = findings
            .iter()
            .map(|f| {
                let fix = (!f.fix.is_empty()).then_some(&f.fix);
                json!({ "check": f.check, "state": f.state.as_str(), "found": f.found, "fix": fix })
            })
            .collect();
        context.output.json(&json!({ "healthy": failures == 0, "checks": items }))?;
    } else {
        let rows: Vec<Vec<String>> = findings
            .iter()
            .map(|f| vec![f.state.as_str().to_owned(), f.check.to_owned(), f.found.clone(), f.fix.clone()])
            .collect();
        context.output.table(&["", "check", "found", "what to do"], &rows)?;
        context.output.line("")?;
        let verdict = match (failures, warnings) {
            (0, 0) => paint(GOOD, "All is well."),
            (0, 1) => paint(WARN, "It works; one thing is worth a look."),
            (0, _) => paint(WARN, &format!("It works; {warnings} things are worth a look.")),
            (1, _) => paint(BAD, "One thing must be put right."),
            _ => paint(BAD, &format!("{failures} things must be put right.")),
        };
        context.output.line(&verdict)?;
    }
    if failures > 0 { Err(Failure::Said) } else { Ok(()) }
}
