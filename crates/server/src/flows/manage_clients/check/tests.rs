use serde_json::{Value, json};

use super::*;
use crate::time::Timestamp;

fn policy() -> Policy {
    let settings = crate::config::Settings::from_values(&[("issuer", "https://auth.example")]).unwrap();
    crate::server::policy(&settings)
}

fn add(body: Value) -> Result<Checked, Vec<String>> {
    new_client(serde_json::from_value(body).unwrap(), &policy())
        .map(|(_, checked)| checked)
        .map_err(|complaints| complaints.iter().map(str::to_owned).collect())
}

/// The members that are complained about when the members are added to a good client.
fn complaints(kind: &str, members: Value) -> Vec<String> {
    let mut body = json!({"id": "app", "kind": kind});
    let (Value::Object(body_members), Value::Object(more)) = (&mut body, members) else { panic!() };
    body_members.extend(more);
    match add(body) {
        Ok(_) => Vec::new(),
        Err(complaints) => complaints,
    }
}

fn client(body: Value) -> Client {
    let checked = add(body).unwrap();
    Client {
        id: "app".parse().unwrap(),
        enabled: true,
        revision: 1,
        cut: 0,
        tenant: checked.tenant,
        created_at: Timestamp(0),
        settings: checked.settings,
    }
}

#[test]
fn kinds_decide_who_is_public() {
    let public = |kind: &str, public: Value| {
        add(json!({"id": "app", "kind": kind, "public": public})).map(|checked| checked.settings.public)
    };
    for kind in ["spa", "native", "cli"] {
        assert_eq!(public(kind, Value::Null), Ok(true), "{kind}");
        assert_eq!(public(kind, json!(false)), Ok(false), "{kind}");
    }
    assert_eq!(public("web", Value::Null), Ok(false));
    assert_eq!(public("web", json!(true)), Ok(true));
    assert_eq!(public("service", Value::Null), Ok(false));
    assert!(public("service", json!(true)).unwrap_err()[0].starts_with("public: "));
}

#[test]
fn every_complaint_is_told_at_once_and_names_its_member() {
    let found = complaints(
        "spa",
        json!({
            "id": "a b", "redirect_uris": ["http://app.example/"], "scope": "a  b", "audience": ["a b"],
            "token_format": "encrypted", "signing_alg": "HS256", "tenant": "a/b", "rotation": "reuse",
            "overlap_seconds": 601, "lifetimes": {"access": 3601, "idle": 10, "absolute": 9},
            "introspects": ["*"], "extra_claims": ["phone_number", "shoe_size"],
        }),
    );
    let members = [
        "id: ",
        "redirect_uris[0]: ",
        "scope: ",
        "audience[0]: ",
        "token_format: ",
        "signing_alg: ",
        "tenant: ",
        "rotation: ",
        "overlap_seconds: ",
        "lifetimes: ",
        "introspects: ",
        "extra_claims[0]: ",
        "extra_claims[1]: ",
    ];
    for member in members {
        assert!(found.iter().any(|c| c.starts_with(member)), "{member} is missing in {found:#?}");
    }
    assert!(found.iter().any(|c| c.contains("never put into a token")), "{found:#?}");
    assert_eq!(
        complaints("robot", json!({}))[0],
        "kind: must be one of spa, web, native, cli, service, not robot"
    );
}

#[test]
fn limits_are_exact() {
    let many = |n: usize| (0..n).map(|i| format!("https://app.example/{i}")).collect::<Vec<_>>();
    assert!(complaints("web", json!({"redirect_uris": many(32)})).is_empty());
    assert_eq!(complaints("web", json!({"redirect_uris": many(33)})).len(), 1);
    assert!(
        complaints("web", json!({"audience": (0..16).map(|i| i.to_string()).collect::<Vec<_>>()})).is_empty()
    );
    assert_eq!(
        complaints("web", json!({"audience": (0..17).map(|i| i.to_string()).collect::<Vec<_>>()})).len(),
        1
    );
    assert!(complaints("web", json!({"audience": ["x".repeat(1024)]})).is_empty());
    assert_eq!(complaints("web", json!({"audience": ["x".repeat(1025)]})).len(), 1);
    let scope = |n: usize| (0..n).map(|i| format!("{i:0>63}")).collect::<Vec<_>>().join(" ");
    assert!(complaints("web", json!({"scope": scope(16)})).is_empty());
    assert_eq!(complaints("web", json!({"scope": scope(17)})).len(), 1);
    assert!(complaints("web", json!({"overlap_seconds": 600})).is_empty());
    assert!(complaints("web", json!({"overlap_seconds": u64::MAX})).len() == 1);
    assert!(complaints("web", json!({"lifetimes": {"access": 3600}})).is_empty());
    assert!(
        complaints("web", json!({"lifetimes": {"access": 86400}, "allow_long_access_tokens": true}))
            .is_empty()
    );
    assert_eq!(complaints("web", json!({"lifetimes": {"access": 0}})).len(), 1);
}

#[test]
fn what_a_kind_has_no_use_for_is_refused() {
    assert!(
        complaints("service", json!({"redirect_uris": ["https://a.example/"]}))[0]
            .starts_with("redirect_uris")
    );
    assert!(complaints("service", json!({"lifetimes": {"idle": 60}}))[0].starts_with("lifetimes"));
    assert!(complaints("web", json!({"rotation": "reuse", "introspects": ["*", "billing"]})).is_empty());
}

#[test]
fn texts_are_kept_as_they_are() {
    let uri = "HTTPS://App.Example:443/../callback?a=%7e";
    let checked = add(json!({"id": "app", "kind": "web", "redirect_uris": [uri], "scope": "b a"})).unwrap();
    assert_eq!(checked.settings.redirect_uris, [uri]);
    assert_eq!(checked.settings.scope.to_string(), "a b");
    assert_eq!(checked.settings.overlap_ms, 10_000);
    assert_eq!(checked.settings.longest_access, 600);
}

#[test]
fn personal_data_is_warned_of() {
    let warnings = |format: &str| {
        let body = json!({"id": "app", "kind": "web", "extra_claims": ["email", "username"], "token_format": format});
        add(body).unwrap().warnings.len()
    };
    assert_eq!(warnings("jwt"), 2);
    assert_eq!(warnings("opaque"), 0);
}

#[test]
fn a_change_keeps_what_it_does_not_name() {
    let before = client(json!({
        "id": "app", "kind": "web", "scope": "read", "tenant": "acme", "lifetimes": {"access": 1800, "idle": 60},
    }));
    let change =
        |fields: Value| change(&before, &serde_json::from_value(fields).unwrap(), &policy()).unwrap();

    assert_eq!(change(json!({})).settings, before.settings);
    assert_eq!(change(json!({})).tenant.as_deref(), Some("acme"));
    assert_eq!(change(json!({"tenant": null})).tenant, None);
    assert_eq!(change(json!({"scope": null})).settings.scope, Scope::default());

    let shorter = change(json!({"lifetimes": {"access": 60}})).settings;
    assert_eq!(shorter.lifetimes.access, Some(60));
    assert_eq!(shorter.lifetimes.idle, Some(60));
    assert_eq!(shorter.longest_access, 1800, "older access tokens may still live");
    assert_eq!(change(json!({"lifetimes": {"access": 3600}})).settings.longest_access, 3600);
    assert_eq!(change(json!({"lifetimes": null})).settings.lifetimes, LifetimeSettings::default());
}
