//! Explores a scenario with the model checker.

use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::invariants::Invariant;
use super::mutant::Mutant;
use super::scenario::Scenario;
use super::server::Server;
use super::state::{Request, Stage, State, Why};
use super::world::{Action, World};
use crate::Outcome;

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.first_state()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.possible(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.after(state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        macro_rules! always {
            ($($invariant:ident),*) => {
                vec![$(Property::always(Invariant::$invariant.name(), |_, state: &State| {
                    !state.broken.has(Invariant::$invariant)
                })),*]
            };
        }
        let mut properties = always![S1, S2, S3, S4, S5, S6, S7, S8, S10, S11, S14, S15, L1, L2, L3, L4];
        properties.extend(REACHED.iter().map(|(name, condition)| Property::sometimes(name, *condition)));
        properties
    }
}

type Condition = fn(&World, &State) -> bool;

/// What must be reached by some scenario, so that the invariants are not kept for want of anything
/// happening.
const REACHED: [(&str, Condition); 9] = [
    ("the last generation is made", |world, state| {
        state.row.is_some_and(|row| row.generation == world.scenario.generations + 1)
    }),
    ("a repetition is permitted", |_, state| {
        state.requests.iter().any(|r| matches!(r.stage, Stage::Replaying { .. }))
    }),
    ("a reuse ends the session", |_, state| ended(state, Why::Reuse)),
    ("a repetition comes after its window", |_, state| {
        state.row.is_some_and(|row| {
            let late = |r: &Request| {
                matches!(r.stage, Stage::Revoking { why: Why::Reuse, .. })
                    && r.generation.checked_add(1) == Some(row.generation)
            };
            row.proof.is_none() && state.requests.iter().any(late)
        })
    }),
    ("the lockstep rule ends the session", |_, state| ended(state, Why::Lockstep)),
    ("a change comes between the calls of a refresh", |_, state| {
        state.ghost.over && state.requests.iter().any(|r| matches!(r.stage, Stage::Replaying { .. }))
    }),
    ("two requests are between their calls", |_, state| {
        let at_server = |stage| !matches!(stage, Stage::Sent | Stage::Answered(_));
        state.requests.iter().filter(|r| at_server(r.stage)).count() > 1
    }),
    ("the session expires", |world, state| {
        state.row.is_some_and(|row| row.ended.is_none() && !world.server.is_live(&row, state.clock))
    }),
    ("the session is forgotten", |_, state| state.row.is_none()),
];

fn ended(state: &State, why: Why) -> bool {
    state.row.is_some_and(|row| row.ended == Some(why))
}

/// The names of what must be reached.
pub(super) fn to_be_reached() -> impl Iterator<Item = &'static str> {
    REACHED.iter().map(|(name, _)| *name)
}

/// What came of one exploration.
#[derive(Debug)]
pub(super) struct Explored {
    pub(super) states: usize,
    pub(super) transitions: usize,
    pub(super) depth: usize,
    /// Whether nothing new was left to find: no state was cut off, none had a broken invariant.
    pub(super) fixed_point: bool,
    pub(super) took: Duration,
    /// Broken invariants, each with the steps that lead there.
    pub(super) broken: Vec<(Invariant, Vec<String>)>,
    pub(super) reached: Vec<&'static str>,
}

/// Explores until nothing new is found or, with `until`, that invariant is seen broken.
pub(super) fn explore(
    scenario: &Scenario,
    mutant: Option<Mutant>,
    until: Option<Invariant>,
    threads: usize,
) -> Outcome<Explored> {
    let began = Instant::now();
    let world = World { scenario: scenario.clone(), server: Server::new(mutant)? };
    let stop = match until {
        Some(invariant) => HasDiscoveries::AllOf([invariant.name()].into()),
        None => HasDiscoveries::AnyFailures,
    };
    let checker = world.clone().checker().threads(threads).finish_when(stop).spawn_bfs().join();
    let mut broken = Vec::new();
    let mut reached = Vec::new();
    for (name, path) in checker.discoveries() {
        match Invariant::ALL.into_iter().find(|invariant| invariant.name() == name) {
            Some(invariant) => broken.push((invariant, super::report::steps(&path.into_vec()))),
            None => reached.push(name),
        }
    }
    broken.sort_by_key(|(invariant, _)| *invariant as u16);
    Ok(Explored {
        states: checker.unique_state_count(),
        transitions: checker.state_count(),
        depth: checker.max_depth(),
        fixed_point: checker.is_done() && broken.is_empty(),
        took: began.elapsed(),
        broken,
        reached,
    })
}
