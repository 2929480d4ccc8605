//! The rotation as a model, explored to its end.
//!
//! The transitions call what the server runs: `flows::refresh::judge`, and the pure form of the
//! store's conditional updates to which a contract case holds both engines. Around them the model
//! has tabs, a thief, a network, crashes, clocks and administrators, one step at a time.

mod check;
mod invariants;
mod mutant;
mod observer;
mod report;
mod scenario;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod world;

use check::explore;
use mutant::Mutant;
use report::{Caught, Run};
use scenario::Scenario;

use crate::Outcome;

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The size that every test run has: two generations, fewer requests at once
    #[arg(long)]
    short: bool,
    /// Only scenarios whose name has this in it; no mutants
    #[arg(long)]
    only: Option<String>,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Does it.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the report is what this program is for")]
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let mut runs = Vec::new();
    for scenario in Scenario::all(arguments.short) {
        if arguments.only.as_ref().is_none_or(|name| scenario.name.contains(name.as_str())) {
            let explored = explore(&scenario, None, None, arguments.threads)?;
            let run = Run { scenario, explored };
            // The whole takes long: each line as soon as it is known.
            eprintln!("{}", report::line(&run));
            runs.push(run);
        }
    }
    let mut caught = Vec::new();
    if arguments.only.is_none() {
        for mutant in Mutant::ALL {
            caught.push(hunt(mutant)?);
        }
    }
    if arguments.json {
        println!("{}", report::json(&runs, &caught));
    } else {
        println!("{}", report::text(&runs, &caught));
    }
    verdict(&runs, &caught)
}

/// Explores a mutant until the invariant that is there for it is seen broken. The short scenarios
/// are enough for that, and one thread finds a shortest sequence of steps.
fn hunt(mutant: Mutant) -> Outcome<Caught> {
    let (expected, name) = mutant.caught_by();
    let scenario = Scenario::all(true).into_iter().find(|scenario| scenario.name == name);
    let scenario = scenario.ok_or("a mutant names a scenario that is not there")?;
    let explored = explore(&scenario, Some(mutant), Some(expected), 1)?;
    Ok(Caught { mutant, expected, scenario: scenario.name, explored })
}

fn verdict(runs: &[Run], caught: &[Caught]) -> Outcome<()> {
    if runs.iter().any(|run| !run.explored.broken.is_empty()) {
        return Err("an invariant is broken".into());
    }
    if let Some(missed) = caught.iter().find(|caught| caught.path().is_none()) {
        return Err(format!("a mutant was not caught: {}", missed.mutant.sentence()).into());
    }
    let reached = |name: &str| runs.iter().any(|run| run.explored.reached.contains(&name));
    if !caught.is_empty()
        && let Some(name) = check::to_be_reached().find(|name| !reached(name))
    {
        return Err(format!("never reached: {name}").into());
    }
    Ok(())
}
