//! `/resources`.

use http::Method;
use serde_json::{Value, json};

use crate::encrypted::{alice, bob, path, public};
use crate::on_both;
use crate::support::{AUDIENCE, Answer, TestServer};

async fn put(server: &TestServer, audience: &str, key: Value) -> Answer {
    server.admin(Method::PUT, &path(audience), json!({"encryption_key": key})).await
}

async fn get(server: &TestServer, path: &str) -> Answer {
    server.admin(Method::GET, path, Value::Null).await
}

on_both!(a_resource_is_added_shown_replaced_and_removed, |server| {
    get(&server, &path(AUDIENCE)).await.assert_error(404, "not_found");
    let added = put(&server, AUDIENCE, public(&bob())).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let expected = json!({
        "audience": AUDIENCE,
        "encryption_key": {
            "kty": "EC", "kid": "bob", "alg": "ECDH-ES", "use": "enc", "crv": "P-256",
            "x": bob()["x"], "y": bob()["y"],
        },
        "created_at": "2027-01-15T08:00:00Z", "changed_at": "2027-01-15T08:00:00Z",
    });
    assert_eq!(added.json(), expected);
    assert_eq!(get(&server, &path(AUDIENCE)).await.assert_ok().json(), expected);

    server.advance(std::time::Duration::from_secs(60));
    let replaced = put(&server, AUDIENCE, public(&alice())).await;
    assert_eq!(replaced.status, 200, "{}", replaced.text);
    let replaced = replaced.json();
    // Without a kid: RFC 7638.
    assert_eq!(replaced["encryption_key"]["kid"].as_str().unwrap().len(), 43);
    assert_eq!(
        (&replaced["created_at"], &replaced["changed_at"]),
        (&json!("2027-01-15T08:00:00Z"), &json!("2027-01-15T08:01:00Z"))
    );

    for audience in ["a", "b", "c"] {
        put(&server, audience, public(&bob())).await.assert_ok();
    }
    let first = get(&server, "/resources?limit=3").await.assert_ok().json();
    let names = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["audience"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&first), ["a", "b", "c"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = get(&server, &format!("/resources?limit=3&cursor={cursor}")).await.assert_ok().json();
    assert_eq!(names(&rest), [AUDIENCE]);

    let removed = server.admin(Method::DELETE, &path(AUDIENCE), Value::Null).await.assert_ok().json();
    assert_eq!(removed, replaced);
    server.admin(Method::DELETE, &path(AUDIENCE), Value::Null).await.assert_error(404, "not_found");
    get(&server, &path(AUDIENCE)).await.assert_error(404, "not_found");

    // Who looks back can see what was done.
    let events = get(&server, "/events?kind=admin").await.assert_ok().json();
    let details: Vec<&str> =
        events["items"].as_array().unwrap().iter().map(|event| event["detail"].as_str().unwrap()).collect();
    assert_eq!(details[0], format!("the resource {AUDIENCE} was removed"));
    assert_eq!(
        details.last().unwrap(),
        &format!("the resource {AUDIENCE} was added: its tokens are encrypted to the key bob")
    );
});

on_both!(keys_that_cannot_be_used_are_refused_with_a_way_out, |server| {
    let refused = async |key: Value| put(&server, AUDIENCE, key).await.assert_error(400, "invalid_request");
    let text = refused(bob()).await;
    assert!(text.contains("holds a private key") && text.contains("do not use it any more"), "{text}");
    let with = |name: &str, value: Value| {
        let mut key = public(&bob());
        key[name] = value;
        key
    };
    for (key, part) in [
        (with("kty", json!("RSA")), "kty EC and crv P-256"),
        (with("crv", json!("P-384")), "kty EC and crv P-256"),
        (with("use", json!("sig")), "its use must be enc"),
        (with("alg", json!("ECDH-ES+A256KW")), "its alg must be ECDH-ES"),
        (with("kid", json!("a\u{1b}")), "has a kid that cannot be used"),
        (with("x", bob()["y"].clone()), "not a point of the curve"),
        (with("x", json!("AA")), "32 bytes each"),
        (json!({"keys": [public(&bob())]}), "is a set of keys"),
        (json!("-----BEGIN PUBLIC KEY-----"), "must be a public key as a JWK"),
    ] {
        let text = refused(key).await;
        assert!(text.starts_with("encryption_key: ") && text.contains(part), "{text}");
    }
    let key = public(&bob());
    for audience in ["a%23b", "a%20b", "%22", "x%0a"] {
        let path = format!("/resources/{audience}");
        let answer = server.admin(Method::PUT, &path, json!({"encryption_key": key})).await;
        assert!(answer.assert_error(400, "invalid_request").starts_with("audience: "));
    }
    put(&server, &"a".repeat(1025), key.clone()).await.assert_error(400, "invalid_request");
    let answer = server.admin(Method::PUT, "/resources/a", json!({"encryption_keys": key})).await;
    let text = answer.assert_error(400, "invalid_request");
    assert!(text.contains("did you mean encryption_key?"), "{text}");
    server.admin(Method::PUT, "/resources/a", json!({})).await.assert_error(400, "invalid_request");
    assert_eq!(get(&server, "/resources").await.assert_ok().json(), json!({"items": []}));
});

on_both!(a_client_is_warned_of_what_keeps_it_from_tokens, |server| {
    put(&server, "with-key", public(&bob())).await.assert_ok();
    let added = async |id: &str, more: Value| -> Vec<String> {
        let mut body = json!({"id": id, "kind": "web", "scope": "read", "token_format": "encrypted"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = server.admin_post("/clients", body).await.assert_ok().json();
        answer["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(added("a", json!({"audience": ["with-key"]})).await, Vec::<String>::new());
    let warnings = added("b", json!({"audience": ["without"]})).await;
    assert!(warnings.len() == 1 && warnings[0].contains("without has no encryption key"), "{warnings:?}");
    let warnings = added("c", json!({"audience": ["with-key", "without"], "scope": "openid read"})).await;
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings[0].contains("must name it in resource"), "{warnings:?}");
    assert!(warnings[1].contains("opens neither userinfo"), "{warnings:?}");
    let warnings = added("d", json!({})).await;
    assert!(warnings.len() == 1 && warnings[0].contains("without an audience"), "{warnings:?}");
    // Claims that only the API can read are nobody else's to see.
    let more = json!({"audience": ["with-key"], "extra_claims": ["email"]});
    assert_eq!(added("e", more).await, Vec::<String>::new());

    let body = json!({"audience": ["other"]});
    let changed = server.admin(Method::PATCH, "/clients/a", body).await.assert_ok().json();
    assert!(changed["warnings"][0].as_str().unwrap().contains("countersign resource add"), "{changed}");
});
