use countersign_wire::Algorithm;
use serde_json::{Value, json};

use super::*;
use crate::flows::policy::{KindLifetimes, SignInPolicy};
use crate::time::Timestamp;

fn policy() -> Policy {
    Policy {
        sign_in: SignInPolicy::default(),
        issuer: "https://auth.example".to_owned(),
        signing_algorithm: Algorithm::ES256,
        status_lists: false,
        lifetimes: KindLifetimes::default(),
        overlap: Duration::from_secs(10),
        lockstep_threshold: 3,
        sessions_per_user: 100,
        client_secret_overlap: Duration::from_secs(3600),
        cors_origins: Vec::new(),
    }
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
            "token_format": "sealed", "signing_alg": "HS256", "tenant": "a/b", "rotation": "reuse",
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
    for (member, value) in [
        ("post_logout_redirect_uris", json!(["https://a.example/"])),
        ("backchannel_logout_uri", json!("https://a.example/out")),
    ] {
        assert!(complaints("service", json!({member: value}))[0].starts_with(member));
    }
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

#[test]
fn how_people_are_signed_in() {
    let checked = add(json!({
        "id": "app", "kind": "web", "scope": "openid profile email offline_access address phone",
        "name": " Demo Shop ", "first_party": true, "allow_missing_pkce": true, "allow_missing_nonce": true,
        "require_pushed_requests": true, "id_token_alg": "RS256", "post_logout_redirect_uris": ["https://app.example/"],
        "backchannel_logout_uri": "https://app.example/out",
    }))
    .unwrap();
    assert_eq!(checked.settings.scope.to_string(), "address email offline_access openid phone profile");
    let expected = SignInSettings {
        name: Some("Demo Shop".to_owned()),
        first_party: true,
        allow_missing_pkce: true,
        allow_missing_nonce: true,
        require_pushed_requests: true,
        id_token_alg: Some(Algorithm::RS256),
        post_logout_redirect_uris: vec!["https://app.example/".to_owned()],
        backchannel_logout_uri: Some("https://app.example/out".to_owned()),
    };
    assert_eq!(checked.settings.sign_in, expected);
    assert_eq!(add(json!({"id": "app", "kind": "web"})).unwrap().settings.sign_in, SignInSettings::default());

    for (member, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(65))),
        ("name", json!("Shop\u{202e}kcap")),
        ("id_token_alg", json!("none")),
        ("post_logout_redirect_uris[1]", json!(["https://a.example/", "http://a.example/"])),
        ("backchannel_logout_uri", json!("com.example.app:/out")),
    ] {
        let given = member.split('[').next().unwrap();
        let found = complaints("web", json!({given: value}));
        assert!(found.len() == 1 && found[0].starts_with(&format!("{member}: ")), "{member}: {found:?}");
    }
    assert!(complaints("web", json!({"name": "\u{e9}".repeat(64)})).is_empty());
}

#[test]
fn only_a_client_with_a_secret_may_leave_pkce_out() {
    let found = complaints("spa", json!({"allow_missing_pkce": true}));
    assert!(found[0].starts_with("allow_missing_pkce: "), "{found:?}");
    assert!(complaints("spa", json!({"allow_missing_pkce": false})).is_empty());
    let found = complaints("web", json!({"allow_missing_nonce": true}));
    assert!(found[0].starts_with("allow_missing_nonce: "), "{found:?}");
}

#[test]
fn each_member_of_signing_in_goes_back_to_its_default() {
    let before = client(json!({
        "id": "app", "kind": "web", "name": "Shop", "first_party": true, "id_token_alg": "RS256",
        "post_logout_redirect_uris": ["https://app.example/"], "backchannel_logout_uri": "https://app.example/out",
    }));
    let back = json!({
        "name": null, "first_party": null, "allow_missing_pkce": null, "allow_missing_nonce": null, "require_pushed_requests": null,
        "id_token_alg": null, "post_logout_redirect_uris": null, "backchannel_logout_uri": null,
    });
    let after = change(&before, &serde_json::from_value(back).unwrap(), &policy()).unwrap();
    assert_eq!(after.settings.sign_in, SignInSettings::default());
}
