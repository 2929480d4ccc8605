//! Backup and restore.

use crate::program::{Place, mode};

#[test]
fn a_backup_restores_and_ends_what_was_before() {
    let place = Place::new();
    place.furnish();
    let pair = place.json(&["session", "add", "--user", "ana", "--client", "web"]);
    let sid = pair["session_id"].as_str().unwrap();
    let run = place.run(&["backup", "a.backup"]).assert_ok();
    assert!(run.out.contains("whole") && run.err.contains("key-encryption key"), "{run:?}");
    assert_eq!(mode(&place.path("a.backup")), 0o600);
    assert!(!place.path("a.backup.partial").exists());
    place.run(&["backup", "a.backup"]).assert_refused(&["--force"]);
    let text = std::fs::read_to_string(place.path("a.backup")).unwrap();
    assert!(!text.contains(pair["refresh_token"].as_str().unwrap()));

    place.run(&["restore", "a.backup"]).assert_refused(&["not empty", "--data-dir"]);

    // Elsewhere, with the key-encryption key put in place.
    let elsewhere = |dir: &str, arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend_from_slice(&["--data-dir", dir]);
        place.run(&all)
    };
    for dir in ["ended", "kept"] {
        std::fs::create_dir(place.path(dir)).unwrap();
        std::fs::copy(place.path("countersign-data/kek"), place.path(dir).join("kek")).unwrap();
    }
    let run = elsewhere("ended", &["restore", "a.backup"]).assert_ok();
    assert!(run.out.contains("is ended: users sign in again"), "{run:?}");
    let told = elsewhere("ended", &["session", "explain", sid, "--json"]).assert_ok().json();
    assert_eq!(told["status"], "ended", "{told}");
    let run = elsewhere("kept", &["restore", "a.backup", "--keep-sessions"]).assert_ok();
    assert!(run.out.contains("alive again too"), "{run:?}");
    assert_eq!(
        elsewhere("kept", &["session", "explain", sid, "--json"]).assert_ok().json()["status"],
        "live"
    );
    // And what was restored can be backed up again, the same.
    elsewhere("kept", &["backup", "b.backup"]).assert_ok();
    let again = std::fs::read_to_string(place.path("b.backup")).unwrap();
    let rows = |text: &str| {
        text.lines().filter(|l| l.starts_with("{\"table\"")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rows(&text), rows(&again));
}

#[test]
fn a_store_put_back_by_other_means_begins_a_new_epoch() {
    let place = Place::new();
    place.furnish();
    let pair = place.json(&["session", "add", "--user", "ana", "--client", "web"]);
    let sid = pair["session_id"].as_str().unwrap();
    let run = place.run(&["restore", "--after-copy"]).assert_ok();
    assert!(run.out.contains("is ended: users sign in again"), "{run:?}");
    assert_eq!(place.json(&["session", "explain", sid])["status"], "ended");
    // The log's number is past any that the copy's future can have seen.
    let number = place.json(&["revoke", "token", "some-jti"])["revocation_number"].as_u64().unwrap();
    assert!(number > 1_700_000_000_000, "{number}");
    assert_eq!(place.run(&["restore", "--after-copy", "x"]).status, 2);
    assert_eq!(place.run(&["restore"]).status, 2);
}

#[test]
fn a_damaged_backup_restores_nothing() {
    let place = Place::new();
    place.furnish();
    place.run(&["backup", "good"]).assert_ok();
    let good = std::fs::read(place.path("good")).unwrap();
    let damage: [(&str, Vec<u8>); 5] = [
        ("cut", good[..good.len() / 2].to_vec()),
        ("no-end", good[..good[..good.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1].to_vec()),
        ("changed", String::from_utf8(good.clone()).unwrap().replacen("\"ana\"", "\"eve\"", 1).into_bytes()),
        ("longer", [&good[..], b"{}\n"].concat()),
        ("other", b"-- PostgreSQL database dump\n".to_vec()),
    ];
    for (name, bytes) in damage {
        std::fs::write(place.path(name), bytes).unwrap();
        let run = place.run(&["restore", name, "--data-dir", "new"]);
        run.assert_refused(&[]);
        assert!(run.err.contains("damaged") || run.err.contains("no backup"), "{name}: {run:?}");
    }
    // Nothing is left of the attempts: a good one still goes in.
    place.run(&["restore", "good", "--data-dir", "new"]).assert_ok();
}

#[test]
fn a_backup_goes_through_a_pipe() {
    let place = Place::new();
    place.furnish();
    let run = place.run(&["backup", "-"]).assert_ok();
    assert!(run.out.starts_with("{\"format\":\"countersign-backup\",\"version\":1,"), "{run:?}");
    assert!(run.out.lines().last().unwrap().starts_with("{\"trailer\""));
}

fn rows(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.starts_with("{\"row\"") || line.starts_with("{\"table\""))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn a_backup_of_one_engine_restores_into_the_other_and_back() {
    let database = crate::cluster::shared().database().await;
    let place = Place::new();
    place.furnish();
    let pair = place.json(&["session", "add", "--user", "ana", "--client", "web", "--device", "ünïcode ☃"]);
    let sid = pair["session_id"].as_str().unwrap();
    place.run(&["session", "revoke", sid]).assert_ok();
    place.json(&["session", "add", "--user", "ana", "--client", "web", "--remember"]);
    place.run(&["backup", "sqlite"]).assert_ok();
    let postgres = ["--data-dir", "pg", "--database", &database];
    let kek = |dir: &str| {
        std::fs::create_dir_all(place.path(dir)).unwrap();
        std::fs::copy(place.path("countersign-data/kek"), place.path(dir).join("kek")).unwrap();
    };
    kek("pg");
    let with = |arguments: &[&str], more: &[&str]| place.run(&[arguments, more].concat());
    with(&["restore", "sqlite", "--keep-sessions"], &postgres).assert_ok();
    with(&["backup", "postgres"], &postgres).assert_ok();
    let text = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(rows(&text("sqlite")), rows(&text("postgres")));
    assert!(rows(&text("sqlite")).len() > 10);
    let told = with(&["session", "explain", sid, "--json"], &postgres).assert_ok().json();
    assert_eq!(told["status"], "ended");
    // New numbers follow those that were restored.
    with(&["user", "disable", "ana"], &postgres).assert_ok();
    with(&["restore", "sqlite"], &postgres).assert_refused(&["not empty"]);
    with(&["backup", "later"], &postgres).assert_ok();
    kek("back");
    place.run(&["restore", "later", "--keep-sessions", "--data-dir", "back"]).assert_ok();
    place.run(&["backup", "again", "--data-dir", "back"]).assert_ok();
    assert_eq!(rows(&text("later")), rows(&text("again")));
}
