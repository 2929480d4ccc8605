//! What a stranger gets who adds this crate without features: a list that does not grow unseen.

use std::collections::BTreeSet;
use std::process::Command;

/// Written anew with `COUNTERSIGN_WRITE_GOLDEN=1`.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dependencies.txt");

#[test]
fn the_check_alone_takes_few_crates() {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let arguments =
        "tree --package countersign-verify --edges normal --prefix none --format {p} --locked --offline";
    let output = Command::new(cargo)
        .args(arguments.split(' '))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    // The names alone: versions move.
    let text = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    let names = names.into_iter().map(|name| format!("{name}\n")).collect::<String>();
    #[expect(clippy::disallowed_methods, reason = "how a person writes the list anew")]
    let is_written = std::env::var_os("COUNTERSIGN_WRITE_GOLDEN").is_some();
    if is_written {
        std::fs::write(GOLDEN, &names).unwrap();
    }
    assert_eq!(names, std::fs::read_to_string(GOLDEN).unwrap());
}
