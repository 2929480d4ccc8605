//! The size that runs with every test: full fixed points of two generations, and all mutants.

use super::*;

#[test]
fn every_invariant_holds_in_every_short_scenario() {
    let runs: Vec<Run> = Scenario::all(true)
        .into_iter()
        .map(|scenario| {
            let explored = explore(&scenario, None, None, 2).unwrap();
            Run { scenario, explored }
        })
        .collect();
    println!("{}", report::text(&runs, &[]));
    verdict(&runs, &[]).unwrap();
    for name in check::to_be_reached() {
        assert!(runs.iter().any(|run| run.explored.reached.contains(&name)), "never reached: {name}");
    }
}

#[test]
fn every_mutant_is_caught_by_the_property_that_is_there_for_it() {
    for mutant in Mutant::ALL {
        let caught = hunt(mutant, 2).unwrap();
        assert!(caught.path().is_some(), "{}\n{}", mutant.sentence(), report::text(&[], &[caught]));
    }
}
