//! `serve --dev`, as a newcomer meets it.

use std::process::{Command, Stdio};

use crate::program::{Place, Server};

#[test]
fn the_printed_commands_work_as_they_are_printed() {
    let place = Place::new();
    let mut server = Server::start(&place, &["--dev"]);
    let printed = server.printed_until("How long tokens live");
    let from = printed.find("# 0.").unwrap();
    let commands = &printed[from..printed.find("How long").unwrap()];

    let output = Command::new("sh").args(["-eu", "-c", commands]).stdin(Stdio::null()).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{out}{}", String::from_utf8_lossy(&output.stderr));
    let expected = [
        "\"scope\":\"email offline_access openid profile profile:read profile:write\"",
        "the session has ended now: a refresh token that had been replaced was presented again",
        "is ended",
        "! reuse",
        "this is a refresh token",
    ];
    let mut rest = out.as_str();
    for text in expected {
        let at = rest.find(text).unwrap_or_else(|| panic!("no {text:?} in {out}"));
        rest = &rest[at..];
    }
}

#[test]
fn dev_listens_on_loopback_only() {
    let place = Place::new();
    place
        .run(&["serve", "--dev", "--listen", "0.0.0.0:0", "--issuer", "https://auth.example"])
        .assert_refused(&["--dev", "loopback", "127.0.0.1"]);
}
