//! All proofs in one table: each part runs as a process of its own, as a person would run it.

mod fuzzing;
mod program;
mod row;
mod size;
mod speed;
mod suites;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Outcome;
use program::part;
use row::{Row, Verdict, add};
use size::Size;
use suites::{CORPORA, ENDINGS, RACES, SCHEDULES, rows_of};

/// The invariants of the crash experiments: docs/proof.md has their sentences.
const CRASH_INVARIANTS: &str = "S2 S4 S6 L1 L2 L4";
/// Scenarios that are explored to three generations in the long form: those that end in minutes.
const LONG_SCENARIOS: [&str; 7] =
    ["tabs with", "wild", "thief of", "thief at", "thief elsewhere", "edited", "gates without proof"];

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The long form: three generations in those scenarios of the model that end in minutes, libFuzzer
    /// and the large experiments once, in full from an hour on, and then the rest again and again, each
    /// time with another seed, until so much time is over. A number with s, m or h
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    time: Option<Duration>,
    /// Of the long form: seconds of libFuzzer for each target
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "time", value_parser = clap::value_parser!(u64).range(1..))]
    fuzz: u64,
    /// What the random choices are made from; printed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let mut rows = Vec::new();
    let outcome = rounds(arguments, &mut rows);
    // Also what there is when a part could not be run at all: it may have taken hours.
    row::print(&rows, arguments.json);
    outcome?;
    row::judge(&rows)
}

fn rounds(arguments: &Arguments, rows: &mut Vec<Row>) -> Outcome<()> {
    let begun = Instant::now();
    rows.extend(model(arguments.time.is_some())?);
    let mut size = arguments.time.map_or_else(Size::short, |time| Size::first(time, arguments.fuzz));
    let mut seed = arguments.seed;
    loop {
        experiments(seed, &size, rows)?;
        if arguments.time.is_none_or(|time| begun.elapsed() >= time) {
            return Ok(());
        }
        seed = seed.wrapping_add(1);
        size = Size::again();
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
    let runs = u64::try_from(caught)?;
    rows.push(Row {
        experiment: "model: wrong servers, each caught".to_owned(),
        invariants: "the one that is there for it".to_owned(),
        runs,
        unit: "mutants".to_owned(),
        verdict: Verdict::of(caught == all, runs),
        seed: "none".to_owned(),
    });
    Ok(rows)
}

fn scenario(scenario: &Value) -> Row {
    let broken: Vec<&str> = list(scenario, "broken").filter_map(|b| b.get("invariant")?.as_str()).collect();
    let generations = scenario.get("generations").and_then(Value::as_u64).unwrap_or(0);
    let runs = scenario.get("states").and_then(Value::as_u64).unwrap_or(0);
    Row {
        experiment: format!("model: {}, generations: {generations}", text(scenario, "name")),
        invariants: if broken.is_empty() { "all of the model".to_owned() } else { broken.join(" ") },
        runs,
        unit: "states, all".to_owned(),
        verdict: Verdict::of(broken.is_empty(), runs),
        seed: "none".to_owned(),
    }
}

fn experiments(seed: u64, size: &Size, rows: &mut Vec<Row>) -> Outcome<()> {
    let mut put = |new: Vec<Row>| new.into_iter().for_each(|row| add(rows, row));
    let seeded = |name| (name, seed.to_string());
    let rounds = |number: Option<u64>| number.map(|number| ("COUNTERSIGN_RACE_ROUNDS", number.to_string()));
    let mut races = vec![seeded("COUNTERSIGN_RACE_SEED")];
    races.extend(rounds(size.races));
    put(rows_of(&SCHEDULES, &[])?);
    put(rows_of(&RACES, &races)?);
    if let Some(settings) = rounds(size.endings) {
        put(rows_of(&ENDINGS, &[settings])?);
    }
    for engine in [&["--engine", "sqlite"][..], &["--engine", "postgres", "--nodes", "2"]] {
        put(simulation(&part(&simulate(engine, seed, size))?, engine));
    }
    put(crashes(seed, size.cycles)?);
    put(rows_of(&CORPORA, &[seeded("COUNTERSIGN_FUZZ_SEED")])?);
    if let Some(seconds) = size.fuzz {
        put(vec![fuzzing::libfuzzer(seconds, seed)?]);
    }
    if size.once {
        put(vec![suites::attacks()?]);
        put(speed::speed()?);
    }
    Ok(())
}

fn simulate(engine: &[&str], seed: u64, size: &Size) -> Vec<String> {
    let numbers = [
        ("--seed", seed),
        ("--honest", size.honest),
        ("--refreshes", size.refreshes),
        ("--restarts", size.restarts),
        ("--thieves", size.thieves),
        ("--rate", size.rate),
    ];
    let numbers = numbers.into_iter().flat_map(|(name, number)| [name.to_owned(), number.to_string()]);
    std::iter::once("simulate").chain(engine.iter().copied()).map(str::to_owned).chain(numbers).collect()
}

fn simulation(board: &Value, engine: &[&str]) -> Vec<Row> {
    let refreshes = board.pointer("/honest/refreshes").and_then(Value::as_u64).unwrap_or(0);
    let thieves: u64 = list(board, "thieves").filter_map(|group| group["thieves"].as_u64()).sum();
    let verdicts = board["verdicts"].as_object().into_iter().flatten();
    verdicts
        .map(|(name, verdict)| {
            let about_thieves = name == "S5" || name == "S6";
            let runs = if about_thieves { thieves } else { refreshes };
            Row {
                experiment: format!("lost answers and thieves, {}", engine.get(1).unwrap_or(&"")),
                invariants: name.clone(),
                runs,
                unit: if about_thieves { "thieves" } else { "refreshes" }.to_owned(),
                verdict: Verdict::of(verdict["kept"] == true, runs),
                seed: board["seed"].to_string(),
            }
        })
        .collect()
}

fn crashes(seed: u64, cycles: u64) -> Outcome<Vec<Row>> {
    let (seed, cycles) = (seed.to_string(), cycles.to_string());
    let report = part(&["crash", "--seed", &seed, "--cycles", &cycles])?;
    let rows = list(&report, "experiments").map(|row| {
        let runs = row["cycles"].as_u64().unwrap_or(0);
        Row {
            experiment: format!("{}, {}", text(row, "experiment"), text(row, "engine")),
            invariants: CRASH_INVARIANTS.to_owned(),
            runs,
            unit: "cycles".to_owned(),
            verdict: Verdict::of(row["holds"] == true, runs),
            seed: seed.clone(),
        }
    });
    Ok(rows.collect())
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let seen: Vec<_> = rows.iter().map(|r| (r.invariants.as_str(), r.runs, &r.verdict)).collect();
        assert_eq!(seen, [("L1", 10, &Verdict::Holds), ("S6", 7, &Verdict::Broken)]);
    }
}
