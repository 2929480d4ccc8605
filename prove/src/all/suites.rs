//! Tests of the service and of the fuzz targets as lines of the table. A test says what it has done
//! in a line `proof: 48 rounds, seed none`.

use std::collections::BTreeSet;

use super::program::{cargo, run, say};
use super::row::{Row, Verdict, joined};
use crate::Outcome;

/// A test target, or a part of one.
pub(super) struct Suite {
    pub(super) name: &'static str,
    /// What `cargo test` is told.
    pub(super) filter: &'static [&'static str],
    /// A line of the table for each unit that its tests count in, with its experiment and invariants.
    pub(super) rows: &'static [(&'static str, &'static str, &'static str)],
}

pub(super) const SCHEDULES: Suite = Suite {
    name: "schedules",
    filter: &["--lib", "schedules"],
    rows: &[("schedules", "every order of the SQL's steps, PostgreSQL", "S1-S8 S15")],
};

pub(super) const RACES: Suite = Suite {
    name: "races",
    filter: &["--test", "races"],
    rows: &[
        ("crowds", "64 presentations of one token at once, both engines", "S1-S3 S5 S6 L3"),
        ("rounds", "refresh against what ends a session, both engines", "S6 S8"),
        ("histories", "histories of several clients, both engines", "S1-S8 L4"),
        ("clocks", "clocks apart, and clocks that go back", "S5 S10 S11"),
        ("sequences", "random commands beside a model, both engines", "the table of refresh.md"),
    ],
};

/// The same again, for more rounds of them.
pub(super) const ENDINGS: Suite = Suite {
    name: "refresh against the endings",
    filter: &["--test", "races", "endings"],
    rows: &[("rounds", "refresh against what ends a session, both engines", "S6 S8")],
};

pub(super) const CORPORA: Suite = Suite {
    name: "fuzzing, corpora and edits",
    filter: &["--test", "corpus"],
    rows: &[("inputs", "fuzzing: each target's corpus, and edits of it", "the targets' assertions")],
};

/// Runs a suite with settings of its tests.
pub(super) fn rows_of(suite: &Suite, settings: &[(&str, String)]) -> Outcome<Vec<Row>> {
    let (text, good) = cargo_test(suite.name, suite.filter, settings)?;
    Ok(rows(suite, &text, good))
}

/// The attack list: its tests are named after their cases.
pub(super) fn attacks() -> Outcome<Row> {
    let (text, good) = cargo_test("attack list", &["--test", "http", "case_"], &[])?;
    let cases: BTreeSet<u64> = text.lines().flat_map(cases_in).collect();
    let runs = u64::try_from(cases.len())?;
    Ok(Row {
        experiment: "the attack list, both engines".to_owned(),
        invariants: "nothing lost".to_owned(),
        runs,
        unit: "cases".to_owned(),
        verdict: Verdict::of(good, runs),
        seed: "none".to_owned(),
    })
}

fn cargo_test(name: &str, filter: &[&str], settings: &[(&str, String)]) -> Outcome<(String, bool)> {
    let mut cargo = cargo();
    // The whole workspace, as in the README's command: another choice of packages is another choice of
    // their dependencies' features, and so a second build of all of them.
    cargo.args(["test", "--locked", "--workspace"]).args(filter).args(["--", "--show-output"]);
    cargo.envs(settings.iter().map(|(name, value)| (*name, value)));
    let said = run(name, &mut cargo, |line| line.ends_with("... FAILED"))?;
    if !said.good {
        say(&said.text);
    }
    Ok((said.text, said.good))
}

/// A line for each unit that was promised, also when no test has counted in it, and one for each other.
fn rows(suite: &Suite, text: &str, good: bool) -> Vec<Row> {
    let row = |(unit, experiment, invariants): &(&str, &str, &str)| Row {
        experiment: (*experiment).to_owned(),
        invariants: (*invariants).to_owned(),
        runs: 0,
        unit: (*unit).to_owned(),
        verdict: Verdict::Broken,
        seed: String::new(),
    };
    let mut rows: Vec<Row> = suite.rows.iter().map(row).collect();
    for (count, unit, seed) in text.lines().filter_map(proof_in) {
        let known = rows.iter().position(|row| row.unit == unit);
        let place = known.unwrap_or_else(|| {
            rows.push(row(&(unit, suite.name, "its own")));
            rows.len() - 1
        });
        if let Some(row) = rows.get_mut(place) {
            row.runs += count;
            row.verdict = Verdict::of(good, row.runs);
            row.seed = if row.seed.is_empty() { seed.to_owned() } else { joined(&row.seed, seed) };
        }
    }
    rows
}

/// Count, unit and seed of `proof: 48 rounds, seed none`.
fn proof_in(line: &str) -> Option<(u64, &str, &str)> {
    let (_, said) = line.split_once("proof: ")?;
    let (what, seed) = said.split_once(", seed ")?;
    let (count, unit) = what.split_once(' ')?;
    Some((count.parse().ok()?, unit, seed))
}

/// The numbers in `test attack_list::case_56_58_hostile_headers::sqlite ... ok`.
fn cases_in(line: &str) -> impl Iterator<Item = u64> {
    let name = line.strip_prefix("test ").filter(|rest| rest.ends_with("... ok"));
    let name = name.and_then(|rest| rest.split_once("case_")).map_or("", |(_, name)| name);
    name.split('_').map_while(|number| number.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_say_what_they_have_done() {
        assert_eq!(proof_in("proof: 48 rounds, seed none"), Some((48, "rounds", "none")));
        assert_eq!(proof_in("test x ... proof: 6 crowds of 64, seed 7"), Some((6, "crowds of 64", "7")));
        assert_eq!(proof_in("proof: many rounds, seed none"), None);
    }

    #[test]
    fn cases_are_counted_once_and_only_where_they_pass() {
        let text = "test a::case_06_x::sqlite ... ok\ntest a::case_06_x::postgres ... ok\n\
                    test a::case_56_58_x ... ok\ntest a::case_07_x ... FAILED\ntest a::others ... ok";
        let cases: BTreeSet<u64> = text.lines().flat_map(cases_in).collect();
        assert_eq!(cases, BTreeSet::from([6, 56, 58]));
    }

    #[test]
    fn a_suite_that_counted_nothing_is_broken_and_a_new_unit_is_shown() {
        let rows = rows(&ENDINGS, "proof: 3 purges, seed 5\nproof: 4 purges, seed 6", true);
        let seen: Vec<_> = rows.iter().map(|row| (row.unit.as_str(), row.runs, row.seed.as_str())).collect();
        assert_eq!(seen, [("rounds", 0, ""), ("purges", 7, "5, 6")]);
        assert_eq!([&rows[0].verdict, &rows[1].verdict], [&Verdict::Broken, &Verdict::Holds]);
    }
}
