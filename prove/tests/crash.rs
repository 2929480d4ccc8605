//! The crash experiments in their short form: each ends with its own verdict.

use std::process::Command;

#[expect(clippy::unwrap_used, reason = "a test's helper")]
fn holds(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_countersign-prove"))
        .args(["crash", "--json", "--seed", "1"])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("\"holds\":true"), "{said}");
}

#[test]
fn a_kill_at_the_system_calls_of_a_refresh_loses_nothing() {
    holds(&["--only", "points"]);
}

#[test]
fn kills_under_load_lose_nothing() {
    holds(&["--only", "kill", "--cycles", "8"]);
}

#[test]
fn a_power_loss_loses_nothing_that_was_acknowledged() {
    holds(&["--only", "power", "--cycles", "100"]);
}

#[test]
fn faults_of_the_disk_are_never_a_no() {
    holds(&["--only", "disk"]);
}

#[test]
fn a_full_disk_is_never_a_no() {
    holds(&["--only", "full", "--cycles", "8"]);
}

#[test]
fn faults_of_the_way_to_the_database_are_never_a_no() {
    holds(&["--only", "wire", "--cycles", "8"]);
}
