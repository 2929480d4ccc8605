//! `countersign resource`: an API's public key, from a file or a pipe.

use serde_json::{Value, json};

use crate::program::Place;

const API: &str = "https://api.example";
/// Bob's key of RFC 7518 appendix C.
const X: &str = "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ";
const Y: &str = "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck";
const D: &str = "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw";

fn key() -> Value {
    json!({"kty": "EC", "crv": "P-256", "kid": "api-1", "x": X, "y": Y})
}

#[test]
fn a_key_is_registered_shown_replaced_and_forgotten() {
    let place = Place::new();
    std::fs::write(place.path("key.json"), key().to_string()).unwrap();
    let added = place.run(&["resource", "add", API, "--encryption-key", "key.json"]).assert_ok();
    for part in [API, "api-1", "ECDH-ES", "P-256"] {
        assert!(added.out.contains(part), "no {part:?} in {added:?}");
    }
    assert_eq!(place.json(&["resource", "show", API])["encryption_key"]["x"], X);
    let listed = place.run(&["resource", "list"]).assert_ok();
    assert!(listed.out.contains(API) && listed.out.contains("api-1"), "{listed:?}");
    assert_eq!(place.json(&["resource", "list"])["items"].as_array().unwrap().len(), 1);

    let mut unnamed = key();
    unnamed.as_object_mut().unwrap().remove("kid");
    let add = ["resource", "add", API, "--encryption-key", "-", "--json"];
    let replaced = place.run_with(&add, &unnamed.to_string()).assert_ok();
    assert_ne!(replaced.json()["encryption_key"]["kid"], "api-1");
    assert!(replaced.err.contains("keep its private half"), "{replaced:?}");

    let removed = place.run(&["resource", "remove", API]).assert_ok();
    assert!(removed.out.contains(API), "{removed:?}");
    place.run(&["resource", "show", API]).assert_refused(&["no resource of that audience"]);
    place.run(&["resource", "remove", API]).assert_refused(&["no resource of that audience"]);
}

#[test]
fn a_private_key_goes_nowhere() {
    let place = Place::new();
    let mut private = key();
    private["d"] = json!(D);
    // Nothing is there to send it to: it is refused before that is found out.
    let add = ["resource", "add", API, "--encryption-key", "-", "--server", "https://admin.invalid"];
    let run = place.run_with(&add, &private.to_string());
    run.assert_refused(&["holds a private key", "do not use it any more", "register the public half"]);
    assert!(!run.err.contains(D) && !run.out.contains(D), "{run:?}");
    let add = ["resource", "add", API, "--encryption-key", "-"];
    place.run_with(&add, "hello").assert_refused(&["must be a public key as a JWK"]);
    place.run(&["resource", "add", API, "--encryption-key", "none.json"]).assert_refused(&["none.json"]);
    assert_eq!(place.run(&["resource", "add", API]).status, 2);
}

#[test]
fn a_client_with_encrypted_tokens_is_told_what_is_missing() {
    let place = Place::new();
    let add = ["client", "add", "svc", "--kind", "service", "--scope", "read", "--audience", API];
    let run = place.run(&[&add[..], &["--token-format", "encrypted"]].concat()).assert_ok();
    assert!(run.err.contains("has no encryption key yet"), "{run:?}");
}
