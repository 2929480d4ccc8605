//! The size that runs with every test: full fixed points of up to two generations, and all mutants.

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
fn every_invariant_is_there_for_a_mutant() {
    for invariant in invariants::Invariant::ALL {
        assert!(Mutant::ALL.iter().any(|mutant| mutant.caught_by().0 == invariant), "{}", invariant.name());
    }
}

macro_rules! each_is_caught {
    ($($test:ident: $mutant:ident),* $(,)?) => {
        $(
            #[test]
            fn $test() {
                let caught = hunt(Mutant::$mutant).unwrap();
                let steps = report::wrong_servers(std::slice::from_ref(&caught)).join("\n");
                assert!(caught.path().is_some(), "{steps}");
                println!("{steps}");
            }
        )*

        #[test]
        fn every_mutant_has_its_test() {
            assert_eq!(Mutant::ALL, [$(Mutant::$mutant),*]);
        }
    };
}

each_is_caught! {
    no_condition: NoCondition,
    fork_on_replay: ForkOnReplay,
    order_by_time: OrderByTime,
    revoke_without_lock: RevokeWithoutLock,
    rotate_without_lock: RotateWithoutLock,
    ended_as_rotated: EndedAsRotated,
    no_proof_check: NoProofCheck,
    answer_before_commit: AnswerBeforeCommit,
    commit_not_durable: CommitNotDurable,
    invalid_not_inert: InvalidNotInert,
    replay_moves_window: ReplayMovesWindow,
    replay_without_condition: ReplayWithoutCondition,
    unknown_is_no: UnknownIsNo,
    gates_in_the_read: GatesInTheRead,
    disable_keeps_stamp: DisableKeepsStamp,
    reuse_not_recorded: ReuseNotRecorded,
    lockstep_not_counted: LockstepNotCounted,
    lockstep_overwritten: LockstepOverwritten,
    successor_by_newest_key: SuccessorByNewestKey,
    refresh_moves_expiry: RefreshMovesExpiry,
    purge_by_last_refresh: PurgeByLastRefresh,
    no_replay_at_all: NoReplayAtAll,
    previous_accepted: PreviousAccepted,
    proof_used_up: ProofUsedUp,
    repetition_refused: RepetitionRefused,
    time_goes_back: TimeGoesBack,
    end_not_logged: EndNotLogged,
}
