//! `countersign config`.

use clap::Subcommand;
use serde_json::json;

use super::Context;
use super::failure::Failure;
use crate::config::{EffectiveValue, Settings};

/// The configuration in force.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Every key with its value and where that came from; secrets are left out.
    Show,
    /// Says everything that is wrong with the configuration, and nothing else.
    Check,
}

impl Config {
    /// Reads the configuration as the server would.
    pub(crate) fn run(self, context: &mut Context) -> Result<(), Failure> {
        let loaded = Settings::load(&context.global.overrides(Vec::new()));
        match self {
            Self::Show => show(context, &loaded?),
            Self::Check => check(context, loaded),
        }
    }
}

fn show(context: &mut Context, settings: &Settings) -> Result<(), Failure> {
    if context.output.json {
        let values: Vec<_> = settings
            .effective()
            .iter()
            .map(|e| json!({ "key": e.key, "value": value(e, settings), "source": e.origin.to_string() }))
            .collect();
        return context.output.json(&json!({ "items": values }));
    }
    let rows: Vec<_> = settings
        .effective()
        .iter()
        .map(|e| {
            vec![e.key.to_owned(), e.value.clone().unwrap_or_else(|| "-".to_owned()), e.origin.to_string()]
        })
        .collect();
    context.output.table(&["key", "value", "source"], &rows)
}

/// The value in force; what is made from other keys as it was made.
fn value(effective: &EffectiveValue, settings: &Settings) -> Option<String> {
    effective.value.clone().or_else(|| match effective.key {
        "issuer" => Some(settings.issuer.clone()),
        "database" => Some(settings.database.describe()),
        _ => None,
    })
}

fn check(context: &mut Context, loaded: Result<Settings, crate::config::Complaints>) -> Result<(), Failure> {
    let complaints = match &loaded {
        Ok(_) => &[][..],
        Err(complaints) => &complaints.0,
    };
    if context.output.json {
        let items: Vec<_> =
            complaints.iter().map(|c| json!({ "key": c.key, "problem": c.problem, "fix": c.fix })).collect();
        context.output.json(&json!({ "usable": complaints.is_empty(), "complaints": items }))?;
        return if complaints.is_empty() { Ok(()) } else { Err(Failure::Said) };
    }
    loaded?;
    context.output.line("The configuration is usable.")
}
