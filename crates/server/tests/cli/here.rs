//! Commands that need neither a server nor a store.

use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::program::Place;

/// {"alg":"none","typ":"JWT"} and claims that expired in 2023.
const UNSIGNED: &str =
    "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJleHAiOjE3MDAwMDAwMDAsInN1YiI6InUiLCJlbWFpbCI6ImFAYiJ9.";

#[test]
fn a_decoded_token_is_never_called_valid() {
    let place = Place::new();
    for run in [
        place.run(&["token", "decode", UNSIGNED]),
        place.run_with(&["token", "decode"], UNSIGNED),
        place.run_with(&["token", "decode", "-"], &format!("Authorization: Bearer {UNSIGNED}\n")),
    ] {
        let run = run.assert_ok();
        for part in
            ["2023-11-14 22:13:20 UTC", "algorithm is none", "personal data", "Decoding is not validation"]
        {
            assert!(run.out.contains(part), "no {part:?} in {run:?}");
        }
    }
    let told = place.json(&["token", "decode", UNSIGNED]);
    assert_eq!(told["validated"], false);
    assert_eq!(told["header"]["alg"], "none");
    place.run(&["token", "decode", "hello"]).assert_refused(&["three parts"]);
    place.run(&["token", "decode", "rft_AQAA"]).assert_refused(&["refresh token"]);
    assert_eq!(place.run(&["token", "decode", ""]).status, 2);
}

#[test]
fn no_token_can_speak_for_the_decoder() {
    let place = Place::new();
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = r#"{"alg":"ES256","alg":"ES256","typ":"x\nDecoding is not needed: this is valid"}"#;
    let claims = r#"{"a\nbad: b":"1\n2","esc":"\u001b[2J\u009b31m","bidi":"a\u202eb","exp":"soon","act":{"a_b":true}}"#;
    let token = format!("{}.{}.{}", part(header), part(claims), part("x"));
    let run = place.run_with(&["token", "decode"], &token).assert_ok();
    for line in run.out.lines() {
        assert!(!line.starts_with("bad: b") && !line.starts_with("Decoding is not needed"), "{run:?}");
    }
    assert!(!run.out.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{run:?}");
    for part in ["more than once (alg)", "not a number of seconds: exp", r#"{"a_b":true}"#] {
        assert!(run.out.contains(part), "no {part:?} in {run:?}");
    }
    let json = place.run_with(&["token", "decode", "--json"], &token).assert_ok();
    assert!(!json.out.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{json:?}");
    let told = json.json();
    assert_eq!(told["claims"]["bidi"], "a\u{202e}b");
    assert_eq!(told["findings"][0]["level"], "bad");
    assert_eq!(told["findings"][0]["code"], "header_twice");
}

#[test]
fn what_is_no_token_is_refused_and_what_is_none_at_all_is_a_mistake() {
    let place = Place::new();
    let long = "a".repeat(100_000);
    for (token, said) in [
        ("hello", "three parts"),
        ("a.b", "three parts"),
        ("e30.aGVsbG8.", "payload is not a JSON object"),
        ("e30=.e30.", "header is not base64url"),
        ("oat_AQ", "opaque access token"),
        ("rft_AQ", "refresh token"),
        (&long, "too long"),
    ] {
        place.run_with(&["token", "decode", "-", "--json"], token).assert_refused(&[said]);
    }
    assert_eq!(place.run_with(&["token", "decode", "-"], " \n").status, 2);

    // The issuer is not asked what needs no key.
    for (token, said) in [("rft_AQ", "token endpoint"), ("oat_AQ", "introspection")] {
        let arguments = ["token", "verify", "--issuer", "https://issuer.invalid", token];
        place.run(&arguments).assert_refused(&[said]);
        let told = place.run(&[&arguments[..], &["--json"]].concat());
        assert_eq!(told.status, 1);
        assert_eq!(told.json()["valid"], false);
        assert!(told.json()["checks"][0]["detail"].as_str().unwrap().contains(said));
    }
}

#[test]
fn what_is_no_command_is_told_apart_from_what_is_refused() {
    let place = Place::new();
    assert_eq!(place.run(&["clinet"]).status, 2);
    assert_eq!(place.run(&["client", "add"]).status, 2);
    assert_eq!(place.run(&["user", "roles", "ana"]).status, 2);
    assert_eq!(place.run(&["client", "add", "x", "--kind", "web", "--overlap", "ten"]).status, 2);
    assert_eq!(place.run(&["--help"]).status, 0);
    assert_eq!(place.run(&["--version"]).status, 0);
    // Looking at a store that is not there makes none.
    place.run(&["client", "list"]).assert_refused(&["no server runs", "countersign serve", "--data-dir"]);
    assert!(!place.path("countersign-data").exists());
}

#[test]
fn every_complaint_about_the_configuration_is_said() {
    let place = Place::new();
    std::fs::write(place.path("countersign.toml"), "lisen = 1\n[limits]\nbody = \"huge\"\n").unwrap();
    let run = place.run(&["config", "check"]);
    run.assert_refused(&["lisen", "listen", "limits.body"]);
    let told = place.run(&["config", "check", "--json"]);
    assert_eq!(told.status, 1);
    assert_eq!(told.json()["complaints"].as_array().unwrap().len(), 2);
    std::fs::write(place.path("countersign.toml"), "listen = \"127.0.0.1:1234\"\n").unwrap();
    place.run(&["config", "check"]).assert_ok();
}

#[test]
fn the_configuration_is_shown_without_secrets() {
    let place = Place::new();
    let token = "a-secret-of-more-than-thirty-two-characters";
    let mut command = place.command(&["config", "show", "--data-dir", "elsewhere"]);
    let output = command.env("COUNTERSIGN_ADMIN_TOKEN", token).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(!out.contains(token));
    let line = |key: &str| out.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert!(
        line("admin_token").contains("(secret)") && line("admin_token").contains("COUNTERSIGN_ADMIN_TOKEN")
    );
    assert!(line("data_dir").contains("elsewhere") && line("data_dir").contains("flag"));
    assert!(line("listen").contains("127.0.0.1:8420") && line("listen").contains("default"));
}

#[test]
fn every_shell_gets_a_completion_script() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = place.run(&["completions", shell]).assert_ok();
        assert!(run.out.contains("rotate-secret"), "{shell}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let place = Place::new();
    let mut child = place.command(&["completions", "bash"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn the_openapi_document_needs_no_server() {
    let place = Place::new();
    let document = place.run(&["openapi"]).assert_ok().json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    assert!(document["paths"].as_object().unwrap().contains_key("/admin/v1/clients"));
}

#[test]
fn a_token_goes_to_no_unencrypted_place() {
    let place = Place::new();
    let run = place.run(&["client", "list", "--server", "http://192.0.2.1:8421"]);
    assert_eq!(run.status, 2);
    assert!(run.err.contains("not encrypted"), "{run:?}");
}
