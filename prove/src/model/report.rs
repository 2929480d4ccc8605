//! The report, for a reader and as JSON.

use serde_json::json;

use super::check::Explored;
use super::invariants::{ELSEWHERE, Invariant};
use super::mutant::Mutant;
use super::scenario::Scenario;
use super::state::{Flaw, Request, Stage, State, Who};
use super::world::Action;

/// One explored scenario.
pub(super) struct Run {
    pub(super) scenario: Scenario,
    pub(super) explored: Explored,
}

/// One mutant and what caught it.
pub(super) struct Caught {
    pub(super) mutant: Mutant,
    pub(super) expected: Invariant,
    pub(super) scenario: &'static str,
    pub(super) explored: Explored,
}

impl Caught {
    /// The steps to the state in which the expected invariant is broken.
    pub(super) fn path(&self) -> Option<&[String]> {
        let found = self.explored.broken.iter().find(|(invariant, _)| *invariant == self.expected);
        found.map(|(_, path)| path.as_slice())
    }
}

/// A path in words.
pub(super) fn steps(path: &[(State, Option<Action>)]) -> Vec<String> {
    path.iter().filter_map(|(state, action)| action.map(|action| step(state, action))).collect()
}

fn step(state: &State, action: Action) -> String {
    let named = |request: usize| state.requests.get(request).map_or_else(String::new, name);
    let token = |generation: u8| format!("T{generation}");
    match action {
        Action::Send(tab) => format!("tab {} presents {}", tab + 1, token(state.stored)),
        Action::Retry(tab) => format!("tab {} gives up waiting and presents the same token again", tab + 1),
        Action::Restart(tab) => format!("tab {} restarts", tab + 1),
        Action::Copy => format!("the thief copies {}", token(state.stored)),
        Action::Steal { generation, proof, flaw } => {
            let with = if proof { " with a proof of its own" } else { "" };
            let flaw = match flaw {
                Flaw::None => "",
                Flaw::AnotherClient => " as another client",
                Flaw::AnotherNonce => " with another nonce",
            };
            format!("the thief presents {}{with}{flaw}", token(generation))
        }
        Action::Begin { request, skew, stale } => {
            let clock =
                if skew == 0 { String::new() } else { format!(", whose clock is {skew:+} ticks off") };
            let stale = if stale { ", with a stale client record" } else { "" };
            format!("a node begins {}{clock}{stale}", named(request))
        }
        Action::Step(request) => format!("{}: {}", named(request), call(state, request)),
        Action::Unknown { request, committed } => {
            let done = if committed { "done" } else { "not done" };
            format!("{}: {}; its outcome ({done}) is not known: 503", named(request), call(state, request))
        }
        Action::Lose(request) => format!("{} is lost, or its node dies", named(request)),
        Action::Deliver(request) => format!("the answer to {} arrives", named(request)),
        Action::Tick => "a window's length passes".to_owned(),
        Action::Revoke => "the session is revoked".to_owned(),
        Action::SignOut => "the user's stamp moves on".to_owned(),
        Action::DisableUser => "the user is disabled".to_owned(),
        Action::EnableUser => "the user is enabled".to_owned(),
        Action::DisableClient => "the client is disabled: its cut moves on".to_owned(),
        Action::EnableClient => "the client is enabled".to_owned(),
        Action::ChangeClient => "the client's settings change".to_owned(),
        Action::NewKey => "a new server key is made".to_owned(),
        Action::Purge { .. } => "the purge removes the row".to_owned(),
        Action::RevokeRead => "a revocation reads the row".to_owned(),
        Action::RevokeWrite => "the revocation writes the row that it read".to_owned(),
        Action::PowerCut => "the power fails".to_owned(),
    }
}

fn name(request: &Request) -> String {
    let who = match request.listener {
        Some(Who::Tab(tab)) => format!("tab {}'s", tab + 1),
        Some(Who::Thief) => "the thief's".to_owned(),
        None => "an abandoned".to_owned(),
    };
    format!("{who} T{}", request.generation)
}

fn call(state: &State, request: usize) -> &'static str {
    match state.requests.get(request).map(|request| request.stage) {
        Some(Stage::Begun { .. }) => "the conditional update",
        Some(Stage::Missed { .. }) => "reads the row and judges",
        Some(Stage::Replaying { .. }) => "records the repetition",
        Some(Stage::Revoking { .. }) => "revokes the session",
        Some(Stage::Writing { .. }) => "writes the row that it read",
        Some(Stage::Late { .. }) => "commits after its answer",
        _ => "",
    }
}

/// A scenario's line of the table.
pub(super) fn line(Run { scenario, explored }: &Run) -> String {
    let result = match explored.broken.len() {
        0 => format!("all {} hold", Invariant::ALL.len()),
        broken => format!("{broken} BROKEN"),
    };
    format!(
        "{:<28}{:>4}{:>12}{:>14}{:>7}{:>9.1}  {:<13}{result}",
        scenario.name,
        scenario.generations,
        explored.states,
        explored.transitions,
        explored.depth,
        explored.took.as_secs_f64(),
        if explored.fixed_point { "reached" } else { "NOT REACHED" }
    )
}

/// The report for a reader.
pub(super) fn text(runs: &[Run], caught: &[Caught]) -> String {
    let mut lines = vec![
        "THE ROTATION AS A MODEL, explored to its end".to_owned(),
        String::new(),
        format!(
            "{:<28}{:>4}{:>12}{:>14}{:>7}{:>9}  {:<13}invariants",
            "scenario", "gen", "states", "transitions", "depth", "seconds", "fixed point"
        ),
    ];
    for run @ Run { scenario, explored } in runs {
        lines.push(line(run));
        lines.push(format!("    {}", scenario.about));
        for (invariant, path) in &explored.broken {
            lines.push(format!("    {} is broken:", invariant.name()));
            lines.extend(path.iter().map(|step| format!("      {step}")));
        }
    }
    lines.extend([String::new(), "invariants, in every state of every scenario".to_owned()]);
    for invariant in Invariant::ALL {
        let broken = runs.iter().any(|run| run.explored.broken.iter().any(|(found, _)| *found == invariant));
        let result = if broken { "BROKEN" } else { "holds" };
        lines.push(format!("  {result:<7} {}: {}", invariant.name(), invariant.sentence()));
    }
    lines.extend([String::new(), "not stated of the model, and held by tests".to_owned()]);
    lines.extend(ELSEWHERE.map(|(name, tests)| format!("  {name}: {tests}")));
    lines.extend([
        String::new(),
        "reached, so that they are not kept for want of anything happening".to_owned(),
    ]);
    for name in super::check::to_be_reached() {
        let by: Vec<_> = runs
            .iter()
            .filter(|run| run.explored.reached.contains(&name))
            .map(|run| run.scenario.name)
            .collect();
        let by = if by.is_empty() { "NEVER".to_owned() } else { by.join(", ") };
        lines.push(format!("  {name}: {by}"));
    }
    lines.extend(wrong_servers(caught));
    lines.join("\n")
}

/// The mutants, each with the steps in which it is caught.
pub(super) fn wrong_servers(caught: &[Caught]) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        "mutants: wrong servers, each caught by the property that is there for it".to_owned(),
    ];
    for caught in caught {
        let verdict = if caught.path().is_some() { "caught" } else { "NOT CAUGHT" };
        let steps = caught.path().unwrap_or_default();
        lines.push(format!("  {verdict}: {}", caught.mutant.sentence()));
        lines.push(format!(
            "    by {} in \"{}\", in {} steps, after {} states",
            caught.expected.name(),
            caught.scenario,
            steps.len(),
            caught.explored.states
        ));
        lines.extend(steps.iter().enumerate().map(|(n, step)| format!("      {}. {step}", n + 1)));
    }
    lines
}

/// The report for a program.
pub(super) fn json(runs: &[Run], caught: &[Caught]) -> serde_json::Value {
    json!({
        "scenarios": runs.iter().map(|Run { scenario, explored }| json!({
            "name": scenario.name,
            "about": scenario.about,
            "generations": scenario.generations,
            "states": explored.states,
            "transitions": explored.transitions,
            "depth": explored.depth,
            "fixed_point": explored.fixed_point,
            "seconds": explored.took.as_secs_f64(),
            "broken": explored.broken.iter().map(|(invariant, path)| json!({
                "invariant": invariant.name(), "path": path,
            })).collect::<Vec<_>>(),
            "reached": explored.reached,
        })).collect::<Vec<_>>(),
        "invariants": Invariant::ALL.map(|invariant| json!({
            "name": invariant.name(),
            "sentence": invariant.sentence(),
            "holds": runs.iter().all(|run| run.explored.broken.iter().all(|(found, _)| *found != invariant)),
        })),
        "elsewhere": ELSEWHERE.map(|(name, tests)| json!({ "name": name, "tests": tests })),
        "mutants": caught.iter().map(|caught| json!({
            "mutant": caught.mutant.sentence(),
            "invariant": caught.expected.name(),
            "scenario": caught.scenario,
            "caught": caught.path().is_some(),
            "path": caught.path(),
            "states": caught.explored.states,
        })).collect::<Vec<_>>(),
    })
}
