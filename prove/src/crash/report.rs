//! What a person reads: a line while it goes on, and a table at the end.

use comfy_table::{ContentArrangement, Table};
use serde::{Deserialize, Serialize};

use super::honest::Tally;

/// Violations printed for one row; the rest is counted.
const SHOWN: usize = 5;

/// An experiment on an engine.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) experiment: String,
    pub(super) engine: String,
    pub(super) cycles: u64,
    #[serde(flatten)]
    pub(super) tally: Tally,
    pub(super) checked: String,
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
            row.engine.clone(),
            row.cycles.to_string(),
            row.tally.presentations.to_string(),
            row.tally.acknowledged.to_string(),
            row.tally.unknown.to_string(),
            row.checked.clone(),
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

/// What another process has printed with `--json`; `None` when it did not come to that.
pub(super) fn read(printed: &str) -> Option<Vec<Row>> {
    let mut report: serde_json::Value = serde_json::from_str(printed).ok()?;
    serde_json::from_value(report.get_mut("experiments")?.take()).ok()
}

fn as_json(row: &Row) -> serde_json::Value {
    let mut json = serde_json::json!(row);
    if let Some(members) = json.as_object_mut() {
        members.insert("holds".to_owned(), row.tally.violations.is_empty().into());
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_another_process_printed_is_read_again() {
        let row = |violations: &[&str]| Row {
            experiment: "a".to_owned(),
            engine: "SQLite".to_owned(),
            cycles: 2,
            tally: Tally {
                presentations: 3,
                violations: violations.iter().map(|&violation| violation.to_owned()).collect(),
                ..Tally::default()
            },
            checked: "S4".to_owned(),
            seen: String::new(),
        };
        let rows = [row(&[]), row(&["lost"])];
        let holds: Vec<_> = rows.iter().map(|row| as_json(row)["holds"] == true).collect();
        assert_eq!(holds, [true, false]);
        let printed = serde_json::json!({ "seed": 1, "experiments": rows.each_ref().map(as_json) });
        let read = read(&printed.to_string()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", rows));
        assert!(super::read("the disk is not there").is_none());
    }
}
