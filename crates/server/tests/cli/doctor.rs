//! What the doctor finds.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::program::{Place, Server};

fn state(told: &Value, check: &str) -> Vec<String> {
    let checks = told["checks"].as_array().unwrap();
    checks.iter().filter(|c| c["check"] == check).map(|c| c["state"].as_str().unwrap().to_owned()).collect()
}

/// Addresses that no other test uses.
const LISTEN: [&str; 2] = ["127.0.0.1:0", "127.0.0.1:0"];

fn examine(place: &Place) -> (i32, Value) {
    let mut command = place.command(&["doctor", "--json"]);
    command.env("COUNTERSIGN_LISTEN", LISTEN[0]).env("COUNTERSIGN_MANAGEMENT_LISTEN", LISTEN[1]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), serde_json::from_str(&text).unwrap())
}

#[test]
fn nothing_is_wrong_before_the_first_start_nor_after() {
    let place = Place::new();
    let (status, told) = examine(&place);
    assert_eq!(status, 0, "{told}");
    assert_eq!(state(&told, "store"), ["warn"]);
    assert!(!place.path("countersign-data").exists(), "a doctor that changes the patient");
    place.furnish();
    let (status, told) = examine(&place);
    assert_eq!(status, 0, "{told}");
    for check in ["configuration", "data directory", "key-encryption key", "store", "keys", "clock"] {
        assert_eq!(state(&told, check), ["ok"], "{check}: {told}");
    }
}

#[test]
fn secrets_that_others_can_read_and_a_lost_key_must_be_put_right() {
    let place = Place::new();
    place.furnish();
    let kek = place.path("countersign-data/kek");
    std::fs::set_permissions(&kek, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (status, told) = examine(&place);
    assert_eq!(status, 1);
    assert_eq!(state(&told, "data directory"), ["fail"], "{told}");
    std::fs::remove_file(&kek).unwrap();
    let (status, told) = examine(&place);
    assert_eq!(status, 1);
    assert_eq!(state(&told, "key-encryption key"), ["fail"], "{told}");
    std::fs::write(&kek, "00".repeat(32)).unwrap();
    std::fs::set_permissions(&kek, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (status, told) = examine(&place);
    assert_eq!(status, 1);
    assert!(state(&told, "keys").contains(&"fail".to_owned()), "{told}");
}

#[test]
fn a_running_server_is_examined_too() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let address = |url: &str| url.trim_start_matches("http://").to_owned();
    let mut command = place.command(&["doctor", "--json"]);
    command.env("COUNTERSIGN_LISTEN", address(&server.public));
    command.env("COUNTERSIGN_MANAGEMENT_LISTEN", address(&server.management));
    let output = command.output().unwrap();
    let told: Value = serde_json::from_str(&String::from_utf8(output.stdout).unwrap()).unwrap();
    for check in ["server", "listen", "management_listen", "store", "keys"] {
        assert_eq!(state(&told, check), ["ok"], "{check}: {told}");
    }
    assert_eq!(output.status.code(), Some(0));
}
