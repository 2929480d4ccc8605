//! What a person reads: a line while it goes on, and a table at the end.

use comfy_table::{ContentArrangement, Table};

use super::honest::Tally;

/// Violations printed for one row; the rest is counted.
const SHOWN: usize = 5;

/// An experiment on an engine.
pub(super) struct Row {
    pub(super) experiment: String,
    pub(super) engine: &'static str,
    pub(super) cycles: u64,
    pub(super) tally: Tally,
    pub(super) checked: &'static str,
    /// What a person must know to weigh the row; empty where there is nothing.
    pub(super) seen: String,
}

/// A line of progress.
#[expect(clippy::print_stderr, reason = "the report is what this program is for")]
pub(super) fn say(line: &str) {
    eprintln!("{line}");
}

/// The table.
#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
pub(super) fn print(rows: &[Row], seed: u64, json: bool) {
    if json {
        let rows: Vec<_> = rows.iter().map(as_json).collect();
        println!("{}", serde_json::json!({ "seed": seed, "experiments": rows }));
        return;
    }
    let mut table = Table::new();
    table.set_content_arrangement(ContentArrangement::Dynamic).set_header([
        "experiment",
        "engine",
        "cycles",
        "presentations",
        "acknowledged",
        "unknown",
        "checked",
        "seen",
        "verdict",
    ]);
    for row in rows {
        table.add_row([
            row.experiment.clone(),
            row.engine.to_owned(),
            row.cycles.to_string(),
            row.tally.presentations.to_string(),
            row.tally.acknowledged.to_string(),
            row.tally.unknown.to_string(),
            row.checked.to_owned(),
            row.seen.clone(),
            verdict(row),
        ]);
    }
    println!("{table}");
    for row in rows {
        for violation in row.tally.violations.iter().take(SHOWN) {
            println!("{} ({}): {violation}", row.experiment, row.engine);
        }
    }
}

fn verdict(row: &Row) -> String {
    match row.tally.violations.len() {
        0 => "holds".to_owned(),
        count => format!("VIOLATED {count} times"),
    }
}

fn as_json(row: &Row) -> serde_json::Value {
    serde_json::json!({
        "experiment": row.experiment,
        "engine": row.engine,
        "cycles": row.cycles,
        "presentations": row.tally.presentations,
        "acknowledged": row.tally.acknowledged,
        "unknown": row.tally.unknown,
        "checked": row.checked,
        "seen": row.seen,
        "holds": row.tally.violations.is_empty(),
        "violations": row.tally.violations,
    })
}
