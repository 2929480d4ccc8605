//! The table: a line for each experiment.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use crate::Outcome;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The invariants held in every run.
    Holds,
    /// They did not, or nothing ran.
    Broken,
    /// A figure, which is no proof: a slow machine is not wrong.
    Measured(String),
}

impl Verdict {
    /// Of an experiment that says whether it holds. One that did nothing proves nothing.
    pub(super) fn of(holds: bool, runs: u64) -> Self {
        if holds && runs > 0 { Self::Holds } else { Self::Broken }
    }

    /// Of two rounds of one experiment.
    fn and(&mut self, next: Self) {
        *self = match (&*self, next) {
            (Self::Broken, _) | (_, Self::Broken) => Self::Broken,
            (_, next) => next,
        };
    }
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) experiment: String,
    pub(super) invariants: String,
    pub(super) runs: u64,
    pub(super) unit: String,
    pub(super) verdict: Verdict,
    pub(super) seed: String,
}

/// Joins a round's row to those of the rounds before.
pub(super) fn add(rows: &mut Vec<Row>, row: Row) {
    let about = |row: &Row| (row.experiment.clone(), row.invariants.clone(), row.unit.clone());
    match rows.iter_mut().find(|known| about(known) == about(&row)) {
        Some(known) => {
            known.runs += row.runs;
            known.verdict.and(row.verdict);
            known.seed = joined(&known.seed, &row.seed);
        }
        None => rows.push(row),
    }
}

/// Two lists of seeds as one, each seed once.
pub(super) fn joined(seeds: &str, more: &str) -> String {
    let mut all: Vec<&str> = Vec::new();
    for seed in seeds.split(", ").chain(more.split(", ")) {
        if !all.contains(&seed) {
            all.push(seed);
        }
    }
    all.join(", ")
}

/// Fails when a line of the table does.
pub(super) fn judge(rows: &[Row]) -> Outcome<()> {
    match rows.iter().filter(|row| row.verdict == Verdict::Broken).count() {
        0 => Ok(()),
        broken => Err(format!("{broken} of {} experiments do not hold", rows.len()).into()),
    }
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
pub(super) fn print(rows: &[Row], json: bool) {
    if json {
        println!("{}", rows.iter().map(Row::json).collect::<Value>());
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["experiment", "invariant", "runs", "result", "seed"]);
    for row in rows {
        let result = match &row.verdict {
            Verdict::Holds => "holds",
            Verdict::Broken => "BROKEN",
            Verdict::Measured(figure) => figure,
        };
        let runs = format!("{} {}", row.runs, row.unit);
        table.add_row([&row.experiment, &row.invariants, &runs, result, &row.seed]);
    }
    println!("{table}");
}

impl Row {
    fn json(&self) -> Value {
        let (holds, measured) = match &self.verdict {
            Verdict::Holds => (Some(true), None),
            Verdict::Broken => (Some(false), None),
            Verdict::Measured(figure) => (None, Some(figure)),
        };
        serde_json::json!({
            "experiment": self.experiment, "invariants": self.invariants, "runs": self.runs,
            "unit": self.unit, "holds": holds, "measured": measured, "seed": self.seed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Verdict, seed: &str) -> Row {
        Row {
            experiment: "a".to_owned(),
            invariants: "S1".to_owned(),
            runs: 2,
            unit: "cycles".to_owned(),
            verdict,
            seed: seed.to_owned(),
        }
    }

    #[test]
    fn a_round_that_was_broken_stays_broken() {
        let mut rows = vec![];
        add(&mut rows, row(Verdict::Holds, "1"));
        add(&mut rows, row(Verdict::Broken, "2"));
        add(&mut rows, row(Verdict::Holds, "3"));
        assert_eq!(rows, [Row { runs: 6, seed: "1, 2, 3".to_owned(), ..row(Verdict::Broken, "") }]);
        assert!(judge(&rows).is_err());
    }

    #[test]
    fn a_seed_stands_there_once() {
        let mut rows = vec![];
        add(&mut rows, row(Verdict::Holds, "none"));
        add(&mut rows, row(Verdict::Holds, "none"));
        assert_eq!(rows[0].seed, "none");
        assert_eq!(joined("1, 2", "2, 3"), "1, 2, 3");
    }

    #[test]
    fn what_was_measured_is_no_failure_and_what_did_not_run_is() {
        assert!(judge(&[row(Verdict::Measured("1/s".to_owned()), "none")]).is_ok());
        assert_eq!(Verdict::of(true, 0), Verdict::Broken);
        assert_eq!(Verdict::of(false, 1), Verdict::Broken);
    }
}
