//! libFuzzer on every target, as a line of the table.

use std::process::Command;

use super::program::{root, run, say};
use super::row::{Row, Verdict};
use crate::Outcome;

/// What stands before a target's name when its turn comes.
const TARGET: &str = "==> ";
/// What libFuzzer says at a target's end.
const EXECUTED: &str = "stat::number_of_executed_units:";

pub(super) fn libfuzzer(seconds: u64, seed: u64) -> Outcome<Row> {
    let mut command = Command::new("sh");
    // libFuzzer talks on standard error.
    command.args(["-c", r#"exec fuzz/run "$0" "" "$1" 2>&1"#]).current_dir(root());
    command.args([seconds.to_string(), seed.to_string()]);
    let what = format!("libFuzzer, {seconds} s for each target");
    let said = run(&what, &mut command, |line| line.starts_with(TARGET))?;
    if !said.good {
        say(&said.text);
    }
    let (targets, executed) = counted(&said.text);
    Ok(Row {
        experiment: format!("fuzzing: libFuzzer, {targets} targets, {seconds} s each"),
        invariants: "the targets' assertions".to_owned(),
        runs: executed,
        unit: "inputs".to_owned(),
        verdict: Verdict::of(said.good, executed),
        seed: seed.to_string(),
    })
}

/// Targets, and what was tried on all of them.
fn counted(text: &str) -> (usize, u64) {
    let executed = |line: &str| line.strip_prefix(EXECUTED)?.trim().parse::<u64>().ok();
    let targets = text.lines().filter(|line| line.starts_with(TARGET)).count();
    (targets, text.lines().filter_map(executed).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_did_is_counted() {
        let text = "==> form for 1 s\n#2 INITED\nstat::number_of_executed_units: 17\n\
                    ==> json for 1 s\nstat::number_of_executed_units: 3";
        assert_eq!(counted(text), (2, 20));
    }
}
