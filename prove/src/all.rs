//! All proofs in one table: each part runs as a process of its own, as a person would run it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use crate::Outcome;

/// The invariants of the model and of each experiment: docs/proof.md has their sentences.
const CRASH_INVARIANTS: &str = "S2 S4 S6 L1 L2 L4";
const RACE_INVARIANTS: &str = "S1-S8 S10 S11 L3 L4";
const SCHEDULE_INVARIANTS: &str = "S1-S8 S15";
/// Scenarios that are explored to three generations in the long form: those that end in minutes.
const LONG_SCENARIOS: [&str; 3] = ["tabs with", "gates without proof", "edited"];
/// Rounds of the races in the long form.
const LONG_RACES: &str = "1000";

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The long form: three generations in those scenarios of the model that end in minutes, and then
    /// the rest again and again, each time with another seed, until so much time is over. A number
    /// with s, m or h
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    time: Option<Duration>,
    /// What the random choices are made from; printed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    experiment: String,
    invariants: String,
    runs: u64,
    unit: &'static str,
    holds: bool,
    seed: String,
}

/// Does it.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let begun = Instant::now();
    let long = arguments.time.is_some();
    let mut rows = model(long)?;
    let mut round = 0;
    loop {
        let seed = arguments.seed.wrapping_add(round);
        for row in experiments(seed, long)? {
            add(&mut rows, row);
        }
        round += 1;
        if arguments.time.is_none_or(|time| begun.elapsed() >= time) {
            break;
        }
    }
    print(&rows, arguments.json);
    match rows.iter().filter(|row| !row.holds).count() {
        0 => Ok(()),
        broken => Err(format!("{broken} of {} experiments do not hold", rows.len()).into()),
    }
}

/// Joins a round's row to those of the rounds before.
fn add(rows: &mut Vec<Row>, row: Row) {
    let same =
        |known: &&mut Row| (&known.experiment, &known.invariants) == (&row.experiment, &row.invariants);
    match rows.iter_mut().find(same) {
        Some(known) => {
            known.runs += row.runs;
            known.holds &= row.holds;
            known.seed = format!("{}, {}", known.seed, row.seed);
        }
        None => rows.push(row),
    }
}

fn model(long: bool) -> Outcome<Vec<Row>> {
    let report = part(&["model", "--short"])?;
    let mut rows: Vec<Row> = list(&report, "scenarios").map(scenario).collect();
    for only in LONG_SCENARIOS.iter().filter(|_| long) {
        rows.extend(list(&part(&["model", "--only", only])?, "scenarios").map(scenario));
    }
    let caught = list(&report, "mutants").filter(|mutant| mutant["caught"] == true).count();
    let all = list(&report, "mutants").count();
    rows.push(Row {
        experiment: "model: wrong servers, each caught".to_owned(),
        invariants: "the one that is there for it".to_owned(),
        runs: u64::try_from(caught)?,
        unit: "mutants",
        holds: caught == all && all > 0,
        seed: "none".to_owned(),
    });
    Ok(rows)
}

fn scenario(scenario: &Value) -> Row {
    let broken: Vec<&str> = list(scenario, "broken").filter_map(|b| b.get("invariant")?.as_str()).collect();
    let generations = scenario.get("generations").and_then(Value::as_u64).unwrap_or(0);
    Row {
        experiment: format!("model: {}, generations: {generations}", text(scenario, "name")),
        invariants: if broken.is_empty() { "all of the model".to_owned() } else { broken.join(" ") },
        runs: scenario.get("states").and_then(Value::as_u64).unwrap_or(0),
        unit: "states, all",
        holds: broken.is_empty(),
        seed: "none".to_owned(),
    }
}

fn experiments(seed: u64, long: bool) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    let seed_text = seed.to_string();
    let races = if long { LONG_RACES } else { "" };
    rows.push(tests(
        "schedules of the SQL's steps, PostgreSQL",
        SCHEDULE_INVARIANTS,
        &["--lib", "schedules"],
        "",
    )?);
    rows.push(tests(
        "races, histories and sequences, both engines",
        RACE_INVARIANTS,
        &["--test", "races"],
        races,
    )?);
    let size: &[&str] = if long {
        &["--honest", "400", "--refreshes", "20000"]
    } else {
        &["--honest", "120", "--refreshes", "2000", "--rate", "2", "--thieves", "2"]
    };
    for engine in [&["--engine", "sqlite"][..], &["--engine", "postgres", "--nodes", "2"]] {
        let arguments = [&["simulate", "--json", "--seed", &seed_text][..], engine, size].concat();
        rows.extend(simulation(&part_json(&arguments)?, engine));
    }
    let cycles = if long { "100" } else { "8" };
    let report = part_json(&["crash", "--json", "--seed", &seed_text, "--cycles", cycles])?;
    rows.extend(list(&report, "experiments").map(|row| Row {
        experiment: format!("{}, {}", text(row, "experiment"), text(row, "engine")),
        invariants: CRASH_INVARIANTS.to_owned(),
        runs: row["cycles"].as_u64().unwrap_or(0),
        unit: "cycles",
        holds: row["holds"] == true,
        seed: seed_text.clone(),
    }));
    Ok(rows)
}

fn simulation(board: &Value, engine: &[&str]) -> Vec<Row> {
    let refreshes = board.pointer("/honest/refreshes").and_then(Value::as_u64).unwrap_or(0);
    let thieves: u64 = list(board, "thieves").filter_map(|group| group["thieves"].as_u64()).sum();
    let verdicts = board["verdicts"].as_object().into_iter().flatten();
    verdicts
        .map(|(name, verdict)| {
            let about_thieves = name == "S5" || name == "S6";
            Row {
                experiment: format!("lost answers and thieves, {}", engine.get(1).unwrap_or(&"")),
                invariants: name.clone(),
                runs: if about_thieves { thieves } else { refreshes },
                unit: if about_thieves { "thieves" } else { "refreshes" },
                holds: verdict["kept"] == true,
                seed: board["seed"].to_string(),
            }
        })
        .collect()
}

/// A test target of the service. Its own seeds stand in the tests.
fn tests(experiment: &str, invariants: &str, target: &[&str], rounds: &str) -> Outcome<Row> {
    say(experiment);
    let mut cargo = Command::new("cargo");
    // The whole workspace, as in the README's command: another choice of packages is another choice of
    // their dependencies' features, and so a second build of all of them.
    cargo.args(["test", "--locked", "--workspace"]).args(target);
    if !rounds.is_empty() {
        cargo.env("COUNTERSIGN_RACE_ROUNDS", rounds);
    }
    let output = cargo.stderr(Stdio::inherit()).output().map_err(|error| format!("cargo: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let passed: u64 = said.lines().filter_map(passed_in).sum();
    if passed == 0 || !output.status.success() {
        say(&said);
    }
    Ok(Row {
        experiment: experiment.to_owned(),
        invariants: invariants.to_owned(),
        runs: passed,
        unit: "tests",
        // A filter that matches nothing must not pass.
        holds: output.status.success() && passed > 0,
        seed: "in the tests".to_owned(),
    })
}

/// The number in `test result: ok. 15 passed; …`.
fn passed_in(line: &str) -> Option<u64> {
    line.strip_prefix("test result: ok. ")?.split_whitespace().next()?.parse().ok()
}

fn part(arguments: &[&str]) -> Outcome<Value> {
    part_json(&[arguments, &["--json"]].concat())
}

/// Runs a part of this program and reads its report; what it thinks of the report is in there.
fn part_json(arguments: &[&str]) -> Outcome<Value> {
    say(&arguments.join(" "));
    let output = Command::new(std::env::current_exe()?).args(arguments).stderr(Stdio::inherit()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    // Sentences for people may stand before the report.
    let report = said.find('{').and_then(|at| said.get(at..)).unwrap_or_default();
    serde_json::from_str(report).map_err(|error| format!("{}: {error}: {said}", arguments.join(" ")).into())
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// `90s`, `30m`, `2h`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a number with s, m or h, like 30m".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text.trim_end_matches(unit).parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

#[expect(clippy::print_stderr, reason = "the report is what this program is for")]
fn say(line: &str) {
    eprintln!("{line}");
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn print(rows: &[Row], json: bool) {
    if json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| {
                serde_json::json!({
                    "experiment": row.experiment, "invariants": row.invariants, "runs": row.runs,
                    "unit": row.unit, "holds": row.holds, "seed": row.seed,
                })
            })
            .collect();
        println!("{}", Value::from(rows));
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["experiment", "invariant", "runs", "result", "seed"]);
    for row in rows {
        let result = if row.holds { "holds" } else { "BROKEN" };
        let runs = format!("{} {}", row.runs, row.unit);
        table.add_row([&row.experiment, &row.invariants, &runs, result, &row.seed]);
    }
    println!("{table}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(holds: bool, seed: &str) -> Row {
        Row {
            experiment: "a".to_owned(),
            invariants: "S1".to_owned(),
            runs: 2,
            unit: "cycles",
            holds,
            seed: seed.to_owned(),
        }
    }

    #[test]
    fn a_round_that_was_broken_stays_broken() {
        let mut rows = vec![];
        add(&mut rows, row(true, "1"));
        add(&mut rows, row(false, "2"));
        add(&mut rows, row(true, "3"));
        assert_eq!(rows, [Row { runs: 6, holds: false, seed: "1, 2, 3".to_owned(), ..row(true, "") }]);
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("30m"), Ok(Duration::from_secs(1800)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        assert!(duration("2").is_err() && duration("").is_err() && duration("m").is_err());
    }

    #[test]
    fn a_promise_that_was_not_tried_does_not_hold() {
        let board = serde_json::json!({
            "seed": 7, "honest": {"refreshes": 10}, "thieves": [{"thieves": 3}, {"thieves": 4}],
            "verdicts": {"L1": {"kept": true}, "S6": {"kept": null}},
        });
        let rows = simulation(&board, &["--engine", "sqlite"]);
        let seen: Vec<_> = rows.iter().map(|r| (r.invariants.as_str(), r.runs, r.holds)).collect();
        assert_eq!(seen, [("L1", 10, true), ("S6", 7, false)]);
    }
}
