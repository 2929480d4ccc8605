//! The administrative commands with no server running: on the store itself.

use serde_json::json;

use crate::program::Place;

#[test]
fn a_user_a_client_and_a_session_from_nothing() {
    let place = Place::new();
    let user =
        place.json(&["user", "add", "ana", "--email", "ana@example.org", "--role", "b", "--role", "a"]);
    assert_eq!(user["username"], "ana");
    assert!(user["user_id"].as_str().unwrap().len() == 36);
    let added = place
        .run(&["client", "add", "web", "--kind", "web", "--scope", "read", "--scope", "write", "--json"]);
    let client = added.json();
    assert_eq!(client["client_id"], "web");
    assert!(client["client_secret"].as_str().unwrap().len() > 20);
    assert!(added.err.contains("shown this once"), "{added:?}");
    let spa = place.json(&["client", "add", "app", "--kind", "spa"]);
    assert!(spa.get("client_secret").is_none_or(|secret| secret.is_null()));
    let pair = place.json(&[
        "session", "add", "--user", "ana", "--client", "web", "--scope", "read", "--device", "laptop",
    ]);
    assert!(pair["refresh_token"].as_str().unwrap().starts_with("rft_"));
    assert_eq!(pair["scope"], "read");
    let sid = pair["session_id"].as_str().unwrap();

    let shown = place.run(&["session", "show", sid]).assert_ok();
    for part in ["ana", "web", "laptop", "live"] {
        assert!(shown.out.contains(part), "no {part:?} in {shown:?}");
    }
    let listed = place.run(&["session", "list", "--user", "ana", "--live"]).assert_ok();
    assert!(listed.out.contains(sid) && listed.out.contains("laptop"), "{listed:?}");
    let told = place.run_with(&["token", "decode"], pair["refresh_token"].as_str().unwrap()).assert_ok();
    assert!(told.out.contains(sid), "{told:?}");
}

#[test]
fn a_preview_ends_nothing_and_a_receipt_says_what_ended() {
    let place = Place::new();
    place.furnish();
    let pair = place.json(&["session", "add", "--user", "ana", "--client", "web"]);
    let sid = pair["session_id"].as_str().unwrap();
    for preview in [
        &["session", "revoke", sid, "--preview"][..],
        &["user", "disable", "ana", "--preview"],
        &["user", "sign-out", "ana", "--preview"],
        &["user", "passwd", "ana", "--preview"],
        &["user", "roles", "ana", "--clear", "--preview"],
        &["client", "disable", "web", "--preview"],
        &["client", "remove", "web", "--preview"],
        &["revoke", "everything", "--preview"],
        &["revoke", "user", "ana", "--preview"],
    ] {
        let run = place.run(preview).assert_ok();
        assert!(
            run.out.contains("Nothing was changed") && run.out.contains("1 session"),
            "{preview:?}: {run:?}"
        );
    }
    let refresh = pair["refresh_token"].as_str().unwrap();
    let run = place.run_with(&["token", "revoke", "-", "--preview"], refresh).assert_ok();
    assert!(run.out.contains("1 session"), "{run:?}");
    place.run(&["revoke", "everything"]).assert_refused(&["--yes"]);
    assert_eq!(place.json(&["session", "explain", sid])["status"], "live");

    let receipt = place.json(&["session", "revoke", sid]);
    assert_eq!((&receipt["preview"], &receipt["sessions_ended"]), (&json!(false), &json!(1)));
    let story = place.run(&["session", "explain", sid]).assert_ok();
    for part in ["ended", "an operator revoked it", "start", "end", "(UTC)"] {
        assert!(story.out.contains(part), "no {part:?} in {story:?}");
    }
    let again = place.json(&["revoke", "everything", "--yes"]);
    assert_eq!(again["sessions_ended"], 0);
}

#[test]
fn lists_page_by_themselves() {
    let place = Place::new();
    for n in 0..7 {
        place.run(&["client", "add", &format!("app{n}"), "--kind", "spa"]).assert_ok();
    }
    let some = place.run(&["client", "list", "--limit", "3"]).assert_ok();
    assert_eq!(some.out.lines().count(), 4, "{some:?}");
    assert!(some.err.contains("there are more"), "{some:?}");
    let listed = place.json(&["client", "list", "--limit", "3"]);
    assert_eq!(listed["items"].as_array().unwrap().len(), 3);
    assert!(listed["next_cursor"].is_string());
    let all = place.json(&["client", "list", "--all"]);
    assert_eq!(all["items"].as_array().unwrap().len(), 7);
    assert!(all.get("next_cursor").is_none());
    let none = place.run(&["user", "list"]).assert_ok();
    assert_eq!(none.out, "");
    assert!(none.err.contains("There are none"), "{none:?}");
}

#[test]
fn a_password_comes_from_standard_input_alone() {
    let place = Place::new();
    place.run_with(&["user", "add", "ana", "--password-stdin"], "correct horse battery\n").assert_ok();
    place.run_with(&["user", "passwd", "ana", "--password-stdin"], "another good password\n").assert_ok();
    assert_eq!(place.run(&["user", "passwd", "ana"]).status, 2);
    assert_eq!(place.run_with(&["user", "passwd", "ana", "--password-stdin"], "\n").status, 2);
    let shown = place.run(&["user", "show", "ana"]).assert_ok();
    assert!(!shown.out.contains("argon2"), "{shown:?}");
}

#[test]
fn clients_change_and_refusals_are_sentences() {
    let place = Place::new();
    place.furnish();
    let secret = place.json(&["client", "rotate-secret", "web"]);
    assert!(secret["client_secret"].is_string() && secret["old_secret_works_until"].is_string());
    place
        .run(&["client", "update", "web", "--access-lifetime", "5m", "--rotation", "rotate-strict"])
        .assert_ok();
    let shown = place.json(&["client", "show", "web"]);
    assert!(shown.to_string().contains("rotate-strict"), "{shown}");
    assert_eq!(place.run(&["client", "update", "web"]).status, 2);
    place.run(&["client", "add", "web", "--kind", "web"]).assert_refused(&["exists already"]);
    place.run(&["client", "show", "nobody"]).assert_refused(&["no client of that id"]);
    place.run(&["user", "show", "../clients"]).assert_refused(&[]);
    place.run(&["session", "show", "x"]).assert_refused(&[]);
    place.run(&["token", "revoke", "hello"]).assert_refused(&[]);
    place.run(&["client", "disable", "web"]).assert_ok();
    place.run(&["session", "add", "--user", "ana", "--client", "web"]).assert_refused(&[]);
    place.run(&["client", "enable", "web"]).assert_ok();
    place.run(&["client", "remove", "web"]).assert_ok();
    place.run(&["client", "show", "web"]).assert_refused(&[]);
}

#[test]
fn keys_and_events_are_listed() {
    let place = Place::new();
    place.furnish();
    let keys = place.json(&["key", "list"]);
    let active = |purpose: &str| {
        keys["items"].as_array().unwrap().iter().any(|k| k["purpose"] == purpose && k["state"] == "active")
    };
    assert!(active("sign-ES256") && active("refresh") && active("opaque"), "{keys}");
    place.run(&["key", "rotate", "--purpose", "sign-ES256"]).assert_ok();
    assert!(
        place.json(&["key", "list"])["items"].as_array().unwrap().len()
            > keys["items"].as_array().unwrap().len()
    );
    place.run(&["key", "rotate", "--purpose", "nothing"]).assert_refused(&[]);
    let events = place.run(&["event", "list", "--kind", "admin"]).assert_ok();
    assert!(events.out.contains("admin"), "{events:?}");
    assert_eq!(place.run(&["event", "list", "--kind", "gossip"]).status, 2);
}
