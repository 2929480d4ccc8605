//! Introspection: asked once, kept for a stated time, and never a yes or a no that nobody said.

use super::stub::Script;
use super::*;

const DELAY: Duration = Duration::from_millis(100);

async fn guard(stub: &Stub, delay: Duration) -> Guard {
    let guard = builder(stub).introspection(me(), delay).start().unwrap();
    guard.ready().await.unwrap();
    guard
}

fn active(stub: &Stub) -> Value {
    let mut answer = claims(stub, "j");
    answer["active"] = json!(true);
    answer["token_type"] = json!("Bearer");
    answer
}

#[tokio::test]
async fn an_opaque_token_is_asked_about_once_and_again_after_the_delay() {
    let stub = Stub::new(&Key::new("k")).await;
    stub.say("/introspect", active(&stub));
    let guard = guard(&stub, DELAY).await;
    let asks = (0..50).map(|_| {
        let guard = guard.clone();
        tokio::spawn(async move { check(&guard, "oat_x y").await.map(|verified| verified.jti.clone()) })
    });
    for ask in asks.collect::<Vec<_>>() {
        assert_eq!(ask.await.unwrap(), Ok("j".to_owned()));
    }
    // All at once, or at most one more if this machine was so slow that the delay was over.
    let asked = stub.asked("/introspect");
    assert!(asked.len() <= 2, "{asked:?}");
    assert!(asked[0].ends_with("token=oat_x%20y&token_type_hint=access_token"), "{asked:?}");
    stub.say("/introspect", json!({"active": false}));
    until("the no is seen", async || check(&guard, "oat_x y").await.is_err()).await;
    assert_eq!(check(&guard, "oat_x y").await.unwrap_err(), Rejection::Inactive.into());
    // A no is kept no longer than a yes.
    stub.say("/introspect", active(&stub));
    until("the yes is seen", async || check(&guard, "oat_x y").await.is_ok()).await;
}

#[tokio::test]
async fn what_is_no_answer_is_undecided_and_asked_again_at_once() {
    let stub = Stub::new(&Key::new("k")).await;
    let guard = guard(&stub, Duration::from_secs(3600)).await;
    for broken in [
        Script::Close,
        Script::Say(503, String::new()),
        Script::Say(401, json!({"error": "invalid_client"}).to_string()),
        Script::Say(200, "{}".to_owned()),
        Script::Say(200, "not json".to_owned()),
        Script::Say(200, json!({"active": "true"}).to_string()),
    ] {
        stub.script("/introspect", broken);
        assert_eq!(check(&guard, "oat_x").await.unwrap_err(), undecided(Undecided::Introspection));
    }
    stub.say("/introspect", active(&stub));
    assert!(check(&guard, "oat_x").await.is_ok());
    assert!(guard.check("oat_x", &Requirement::scope("write").unwrap(), NOW).await.is_err());
}

#[tokio::test]
async fn times_issuer_and_audience_are_compared_here_as_well() {
    let stub = Stub::new(&Key::new("k")).await;
    let guard = guard(&stub, Duration::from_secs(3600)).await;
    for (name, value, rejection) in [
        ("aud", json!("https://other.example"), Rejection::Audience),
        ("iss", json!("https://other.example"), Rejection::Issuer),
        ("exp", json!(NOW), Rejection::Expired),
        ("nbf", json!(NOW + 10), Rejection::NotYetValid),
    ] {
        let mut answer = active(&stub);
        answer[name] = value;
        stub.say("/introspect", answer);
        let token = format!("oat_{name}");
        assert_eq!(check(&guard, &token).await.unwrap_err(), rejection.into(), "{name}");
    }
    // A kept answer does not outlive the token.
    stub.say("/introspect", active(&stub));
    assert!(check(&guard, "oat_kept").await.is_ok());
    let later = guard.check("oat_kept", &Requirement::none(), NOW + 600).await;
    assert_eq!(later.unwrap_err(), Rejection::Expired.into());
}

#[tokio::test]
async fn without_introspection_an_opaque_token_is_not_for_this_api() {
    let stub = Stub::new(&Key::new("k")).await;
    let guard = builder(&stub).start().unwrap();
    guard.ready().await.unwrap();
    assert_eq!(check(&guard, "oat_x").await.unwrap_err(), Rejection::OpaqueToken.into());
}
