//! With a server running: by its socket, and over the network.

use crate::program::{Place, Server};

#[test]
fn the_socket_and_the_network_reach_the_running_server() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    place.furnish();
    let pair = place.json(&["session", "add", "--user", "ana", "--client", "web", "--device", "phone"]);
    let sid = pair["session_id"].as_str().unwrap();

    // Another directory, so neither socket nor token file: by URL and admin token.
    let afar = Place::new();
    let token = std::fs::read_to_string(place.path("countersign-data/admin-token")).unwrap();
    let remote = |token: &str| {
        let mut command = afar.command(&["session", "list", "--json", "--server", &server.management]);
        let output = command.env("COUNTERSIGN_ADMIN_TOKEN", token.trim()).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (status, out, err) = remote(&token);
    assert_eq!(status, Some(0), "{err}");
    assert!(out.contains(sid), "{out}");
    let (status, _, err) = remote(&"x".repeat(40));
    assert_eq!(status, Some(1));
    assert!(err.contains("COUNTERSIGN_ADMIN_TOKEN"), "{err}");
    afar.run(&["session", "list", "--server", &server.management]).assert_refused(&["admin token"]);

    place.run(&["healthcheck", "--url", &server.management]).assert_ok();
    place.run(&["restore", "x"]).assert_refused(&["a server runs"]);
    place.run(&["backup", "while-running"]).assert_ok();
    place.run(&["restore", "while-running", "--data-dir", "new"]).assert_ok();
}

#[test]
fn a_token_is_verified_by_its_issuers_keys() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    place.furnish();
    let pair = place.json(&["session", "add", "--user", "ana", "--client", "web"]);
    let (access, refresh) = (pair["access_token"].as_str().unwrap(), pair["refresh_token"].as_str().unwrap());
    let verify = |token: &str, more: &[&str]| {
        let mut all = vec!["token", "verify", "-", "--issuer", &server.public];
        all.extend_from_slice(more);
        place.run_with(&all, token)
    };
    let run = verify(access, &["--audience", "https://api.example"]).assert_ok();
    assert!(run.out.contains("not revoked"), "{run:?}");
    let run = verify(access, &[]).assert_ok();
    assert!(run.out.contains("not checked"), "{run:?}");
    verify(access, &["--audience", "https://other.example"]).assert_refused(&["audience"]);
    verify(refresh, &[]).assert_refused(&["refresh token"]);
    // One character of the claims.
    let at = access.find('.').unwrap() + 10;
    let mut edited = access.to_owned();
    let other = if &access[at..=at] == "A" { "B" } else { "A" };
    edited.replace_range(at..=at, other);
    verify(&edited, &[]).assert_refused(&["signature"]);

    place.run(&["session", "revoke", pair["session_id"].as_str().unwrap()]).assert_ok();
    verify(access, &[]).assert_refused(&["operator"]);
    let told = verify(access, &["--json"]);
    assert_eq!((told.status, &told.json()["valid"]), (1, &false.into()));
}

#[test]
fn two_processes_do_not_share_a_store() {
    let place = Place::new();
    let _server = Server::start(&place, &[]);
    std::fs::remove_file(place.path("countersign-data/countersign.sock")).unwrap();
    place.run(&["user", "list"]).assert_refused(&["another countersign process"]);
}
