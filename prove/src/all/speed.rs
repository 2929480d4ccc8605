//! A small `just bench` as lines of the table: figures beside their goals, and no verdict on them. What
//! a machine's disk and neighbours allow is not for a proof to say.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::program::{cargo, run, say};
use super::row::{Row, Verdict};
use super::text;
use crate::Outcome;

/// Loads that take seconds.
const SMALL: &str = "--json --only ceiling,refresh --sessions 20000 --seconds 2 --refreshes 1";

pub(super) fn speed() -> Outcome<Vec<Row>> {
    let mut build = cargo();
    // Optimised, whatever this program is; and with the features of the whole workspace, as in the
    // justfile, so that what it was built from is not built again.
    build.args(["build", "--release", "--locked", "--workspace"]);
    build.args(["--bin", "countersign", "--bin", "countersign-bench"]);
    if !run("speed: the build", &mut build, |_| false)?.good {
        return Ok(vec![failed()]);
    }
    let said = run("speed", Command::new(bench()?).args(SMALL.split(' ')), |_| false)?;
    match serde_json::from_str::<Value>(&said.text) {
        Ok(Value::Array(figures)) if said.good => Ok(figures.iter().filter_map(measured).collect()),
        _ => {
            say(&said.text);
            Ok(vec![failed()])
        }
    }
}

/// This program is in the directory of some profile, beside that of optimised ones.
fn bench() -> Outcome<PathBuf> {
    let own = std::env::current_exe()?;
    let target = own.parent().and_then(|profile| profile.parent()).ok_or("a program without a directory")?;
    Ok(target.join("release/countersign-bench"))
}

/// A load, or what has a goal.
fn measured(figure: &Value) -> Option<Row> {
    let (load, goal) = (figure.get("load"), figure["goal_text"].as_str());
    if load.is_none() && goal.is_none() {
        return None;
    }
    let latency = |name| load.and_then(|load| load[name].as_f64());
    let within = match (latency("p50_ms"), latency("p99_ms")) {
        (Some(p50), Some(p99)) => format!(", p50 {p50:.1} ms, p99 {p99:.1} ms"),
        _ => String::new(),
    };
    Some(Row {
        experiment: format!("speed: {}", text(figure, "name")),
        invariants: goal.map_or("none".to_owned(), |goal| format!("goal: {goal}")),
        runs: load.map_or(1, |load| load["answered"].as_u64().unwrap_or(0)),
        unit: if load.is_some() { "requests" } else { "figure" }.to_owned(),
        verdict: Verdict::Measured(format!("measured: {}{within}", text(figure, "text"))),
        seed: "none".to_owned(),
    })
}

fn failed() -> Row {
    Row {
        experiment: "speed".to_owned(),
        invariants: "it can be measured".to_owned(),
        runs: 0,
        unit: "requests".to_owned(),
        verdict: Verdict::Broken,
        seed: "none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_stands_beside_its_goal_and_is_no_verdict() {
        let slow = serde_json::json!({"name": "refresh", "text": "9 /s", "goal_text": "≥ 16,000 /s", "met": false,
            "load": {"answered": 18, "p50_ms": 2.0, "p99_ms": 9.96}});
        let row = measured(&slow).unwrap();
        assert_eq!((row.invariants.as_str(), row.runs), ("goal: ≥ 16,000 /s", 18));
        assert_eq!(row.verdict, Verdict::Measured("measured: 9 /s, p50 2.0 ms, p99 10.0 ms".to_owned()));
        assert_eq!(measured(&serde_json::json!({"name": "database before", "text": "1 MiB"})), None);
    }
}
