//! The pages of the project point at what is there.

#![expect(clippy::unwrap_used, reason = "a page that cannot be read is a failed test")]

use std::path::{Path, PathBuf};

#[test]
fn links_between_pages_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages(&workspace()) {
        let text = std::fs::read_to_string(&page).unwrap();
        for target in link_targets(&text) {
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !page.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links to nowhere:\n  {}", broken.join("\n  "));
}

#[test]
fn every_decision_is_in_the_list_and_numbered_once() {
    let folder = workspace().join("docs/decisions");
    let list = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    names.sort();
    for (name, number) in names.iter().zip(1..) {
        assert!(name.starts_with(&format!("{number:04}-")), "{name} should have number {number:04}");
        assert!(list.contains(&format!("({name})")), "docs/decisions/README.md does not list {name}");
    }
}

/// A limit that is documented under a name which no code has is a limit that nobody enforces.
#[test]
fn documented_limits_exist() {
    let page = std::fs::read_to_string(workspace().join("docs/limits.md")).unwrap();
    let sources: String = sources(&workspace().join("crates"))
        .iter()
        .filter(|file| !file.ends_with("tests/docs.rs"))
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let names = page.split('`').skip(1).step_by(2);
    let is_constant =
        |name: &str| name.len() > 3 && name.bytes().all(|b| b == b'_' || b.is_ascii_uppercase());
    let missing: Vec<&str> = names
        .filter(|name| {
            let constant = name.rsplit("::").next().unwrap_or_default();
            if is_constant(constant) {
                return !sources.contains(&format!("const {constant}:"));
            }
            let is_key = name.starts_with("limits.") || name.starts_with("rotation.");
            is_key && !sources.contains(&format!("\"{name}\""))
        })
        .collect();
    assert!(missing.is_empty(), "docs/limits.md names what no code has: {missing:?}");
}

/// A case whose test was renamed or removed is a case that nobody tries.
#[test]
fn the_attack_list_names_tests_that_exist() {
    let page = std::fs::read_to_string(workspace().join("docs/attacks.md")).unwrap();
    let sources: String = ["crates", "prove"]
        .iter()
        .flat_map(|folder| sources(&workspace().join(folder)))
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let cases: Vec<&str> = page.lines().filter(|line| line.starts_with("| ") && line.contains('`')).collect();
    let tests = cases
        .iter()
        .filter_map(|line| line.rsplit('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let tests: Vec<&str> = tests.collect();
    assert!(tests.len() > 30, "the table was not read");
    // As a function, or as the name that a macro makes tests of.
    let forms = |name: &str| [format!("fn {name}("), format!("({name}, "), format!("    {name}: ")];
    let missing: Vec<_> =
        tests.iter().filter(|name| !forms(name).iter().any(|form| sources.contains(form))).collect();
    assert!(missing.is_empty(), "docs/attacks.md names tests that are not there: {missing:?}");
}

/// Nor does a race without its schedules, or an invariant without the test that is said to hold it.
#[test]
fn the_proofs_name_tests_that_exist() {
    let page = std::fs::read_to_string(workspace().join("docs/proof.md")).unwrap();
    let sources: String = sources(&workspace().join("crates"))
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let cells = page.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.rsplit('|').nth(1));
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let names: Vec<&str> =
        names.map(|name| name.rsplit("::").next().unwrap()).filter(|n| n.contains('_')).collect();
    assert!(names.len() > 20, "the tables were not read");
    let forms = |name: &str| [format!("fn {name}("), format!("({name}, "), format!("    {name}: ")];
    let missing: Vec<_> =
        names.iter().filter(|name| !forms(name).iter().any(|form| sources.contains(form))).collect();
    assert!(missing.is_empty(), "docs/proof.md names tests that are not there: {missing:?}");
}

/// And a case whose test the page does not name is one that nobody finds.
#[test]
fn the_attack_list_names_every_test_of_a_case() {
    let page = std::fs::read_to_string(workspace().join("docs/attacks.md")).unwrap();
    let folder = workspace().join("crates/server/tests/http");
    let tests: String = sources(&folder).iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let names: Vec<_> = tests
        .lines()
        .filter_map(|line| {
            let name = ["on_both!(", "async fn ", "fn "].iter().find_map(|start| line.strip_prefix(start))?;
            name.split([',', '(']).next()
        })
        .filter(|name| name.starts_with("case_"))
        .collect();
    assert!(names.len() > 30, "the tests were not read");
    let unnamed: Vec<_> = names.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(unnamed.is_empty(), "docs/attacks.md does not name {unnamed:?}");
}

/// The targets of `[text](target)` that are files of ours.
fn link_targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn pages(root: &Path) -> Vec<PathBuf> {
    [root.to_owned(), root.join("docs"), root.join("docs/decisions")]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => {
                Some(path).filter(|path| path.extension().is_some_and(|e| e == "rs")).into_iter().collect()
            }
        })
        .collect()
}
