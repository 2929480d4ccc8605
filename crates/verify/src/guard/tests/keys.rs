//! Keys that are broken, late, lying or absent.

use super::stub::Script;
use super::*;

#[tokio::test]
async fn an_issuer_that_is_away_at_the_start_is_waited_for() {
    let key = Key::new("k");
    let stub = Stub::new(&key).await;
    let token = key.sign(&claims(&stub, "j"));
    for broken in [
        Script::Close,
        Script::Say(500, String::new()),
        Script::Say(200, "{".to_owned()),
        Script::Say(200, "[]".to_owned()),
        Script::Say(302, String::new()),
        Script::Say(200, " ".repeat(600 * 1024)),
    ] {
        for path in ["/.well-known/oauth-authorization-server", "/jwks"] {
            let stub = stub.clone();
            stub.script(path, broken.clone());
            let guard = builder(&stub).start().unwrap();
            let error = guard.ready().await.unwrap_err();
            assert!(error.to_string().contains(&stub.url), "{error}");
            assert_eq!(check(&guard, &token).await.unwrap_err(), undecided(Undecided::Keys));
            stub.say("/.well-known/oauth-authorization-server", stub.metadata());
            stub.say("/jwks", json!({ "keys": [key.jwk()] }));
            until("the keys are there", async || check(&guard, &token).await.is_ok()).await;
            assert_eq!(guard.status().keys_error, None);
        }
    }
}

#[tokio::test]
async fn openid_discovery_is_good_as_well() {
    let key = Key::new("k");
    let stub = Stub::new(&key).await;
    stub.script("/.well-known/oauth-authorization-server", Script::Say(404, String::new()));
    stub.say("/.well-known/openid-configuration", stub.metadata());
    let guard = builder(&stub).start().unwrap();
    guard.ready().await.unwrap();
    assert!(check(&guard, &key.sign(&claims(&stub, "j"))).await.is_ok());
}

#[tokio::test]
async fn another_issuers_metadata_is_not_followed() {
    let key = Key::new("k");
    let stub = Stub::new(&key).await;
    for (name, lie) in [("issuer", "https://evil.example"), ("jwks_uri", "http://evil.example/jwks")] {
        let mut metadata = stub.metadata();
        metadata[name] = json!(lie);
        stub.say("/.well-known/oauth-authorization-server", metadata);
        let guard = builder(&stub).start().unwrap();
        let error = guard.ready().await.unwrap_err();
        assert!(error.to_string().contains("evil.example"), "{error}");
        assert!(guard.status().keys_age.is_none());
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_once_for_all_who_show_it() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let stub = Stub::new(&old).await;
    let guard = builder(&stub).start().unwrap();
    guard.ready().await.unwrap();
    let first = old.sign(&claims(&stub, "j1"));
    assert!(check(&guard, &first).await.is_ok());
    // Those who come with nonsense cannot have it fetched more often than the pace.
    let nonsense = Key::new("nonsense").sign(&claims(&stub, "j2"));
    let begun = Instant::now();
    let refused =
        async |_| assert_eq!(check(&guard, &nonsense).await.unwrap_err(), Rejection::UnknownKey.into());
    for round in 0..200 {
        refused(round).await;
    }
    let fetches = u128::try_from(stub.count("/jwks")).unwrap();
    assert!(fetches <= 2 + begun.elapsed().as_millis() / QUICK.fetch_every.as_millis(), "{fetches} fetches");
    stub.say("/jwks", json!({ "keys": [old.jwk(), new.jwk()] }));
    let second = new.sign(&claims(&stub, "j3"));
    until("the new key is known", async || check(&guard, &second).await.is_ok()).await;
    assert!(check(&guard, &first).await.is_ok());
    // A key that is gone is not trusted any more, remembered tokens included.
    stub.say("/jwks", json!({ "keys": [new.jwk()] }));
    until("the old key is gone", async || {
        let _ = check(&guard, &nonsense).await;
        check(&guard, &first).await.is_err()
    })
    .await;
    assert!(check(&guard, &second).await.is_ok());
}

#[tokio::test]
async fn keys_outlive_an_issuer_that_is_away_for_a_stated_time() {
    let key = Key::new("k");
    let stub = Stub::new(&key).await;
    let token = key.sign(&claims(&stub, "j"));
    let unknown = Key::new("other").sign(&claims(&stub, "j"));
    let lasting = builder(&stub).start().unwrap();
    let short = builder(&stub).keys_survive(Duration::from_millis(300)).start().unwrap();
    for guard in [&lasting, &short] {
        guard.ready().await.unwrap();
        assert!(check(guard, &token).await.is_ok());
    }
    for broken in [Script::Close, Script::Say(200, json!({"keys": []}).to_string())] {
        stub.script("/jwks", broken);
        until("the failure is seen", async || {
            let _ = check(&lasting, &unknown).await;
            lasting.status().keys_error.is_some()
        })
        .await;
        assert!(check(&lasting, &token).await.is_ok());
        // A key that it would have published is not known to be an invention.
        until("it cannot tell", async || {
            check(&lasting, &unknown).await.is_err_and(|refusal| refusal == undecided(Undecided::Keys))
        })
        .await;
    }
    until("the keys are too old", async || {
        check(&short, &token).await.is_err_and(|refusal| refusal == undecided(Undecided::Keys))
    })
    .await;
}

#[tokio::test]
async fn a_key_set_with_one_bad_key_of_ours_changes_nothing() {
    let key = Key::new("k");
    let stub = Stub::new(&key).await;
    let guard = builder(&stub).start().unwrap();
    guard.ready().await.unwrap();
    let token = key.sign(&claims(&stub, "j"));
    let mut off_curve = Key::new("l").jwk();
    off_curve["x"] = off_curve["y"].clone();
    for lie in [json!([key.jwk(), key.jwk()]), json!([key.jwk(), off_curve])] {
        stub.say("/jwks", json!({ "keys": lie }));
        let unknown = Key::new("other").sign(&claims(&stub, "j"));
        until("it is refused", async || {
            let _ = check(&guard, &unknown).await;
            guard.status().keys_error.is_some()
        })
        .await;
        assert!(check(&guard, &token).await.is_ok());
    }
}
