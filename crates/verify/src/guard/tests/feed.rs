//! A feed that is broken, late, lying or absent.

use super::stub::Script;
use super::*;
use crate::WhenBehind;

fn piece(after: u64, cursor: u64, jtis: &[&str]) -> String {
    piece_until(NOW + 600, after, cursor, jtis)
}

fn piece_until(exp: u64, after: u64, cursor: u64, jtis: &[&str]) -> String {
    let entries: Vec<Value> = (after + 1..)
        .zip(jtis)
        .map(|(n, jti)| json!({"n": n, "exp": exp, "kind": "token", "jti": jti}))
        .collect();
    let piece = json!({"after": after, "cursor": cursor, "more": false, "entries": entries});
    format!("event: revocations\nid: {cursor}\ndata: {piece}\n\n{}", beat(cursor, 0))
}

fn beat(cursor: u64, age_ms: u64) -> String {
    format!("event: heartbeat\ndata: {}\n\n", json!({"cursor": cursor, "age_ms": age_ms}))
}

/// A guard that notices soon that it is behind.
async fn guard(stub: &Stub) -> Guard {
    let guard = builder(stub).feed(me()).behind_after(Duration::from_secs(5)).start().unwrap();
    guard.ready().await.unwrap();
    guard
}

fn is_in_time(guard: &Guard) -> bool {
    guard.status().feed.unwrap().lag.is_some_and(|lag| lag < Duration::from_secs(5))
}

#[tokio::test]
async fn what_was_revoked_before_and_since_is_refused() {
    let key = Key::new("k");
    let stub = Stub::new(&key).await;
    let [before, since, good] = ["before", "since", "good"].map(|jti| key.sign(&claims(&stub, jti)));
    let stream = stub.stream(&piece(0, 4, &["before"]));
    let guard = guard(&stub).await;
    until("the feed is read", async || is_in_time(&guard)).await;
    assert_eq!(check(&guard, &before).await.unwrap_err(), Rejection::Revoked.into());
    assert!(check(&guard, &since).await.is_ok());
    stream.send_modify(|text| text.push_str(&piece(4, 5, &["since"])));
    until("it is refused", async || check(&guard, &since).await.is_err()).await;
    assert!(check(&guard, &good).await.is_ok());
    let status = guard.status().feed.unwrap();
    assert_eq!((status.cursor, status.entries, status.error), (5, 2, None));
    // As the standard has it for client credentials, and from the beginning.
    assert_eq!(
        stub.asked("/token"),
        ["POST /token HTTP/1.1 grant_type=client_credentials&scope=revocations"]
    );
    assert!(stub.asked("/revocations")[0].contains("?after=0 "));
}

#[tokio::test]
async fn a_feed_that_was_never_read_is_behind_and_each_route_says_what_then() {
    let key = Key::new("k");
    let stub = Stub::new(&key).await;
    let token = key.sign(&claims(&stub, "j"));
    let mut answer = claims(&stub, "j");
    answer["active"] = json!(true);
    for absent in
        [Script::Say(404, String::new()), Script::Say(200, piece(0, 1, &[])), Script::Close, Script::Hang]
    {
        stub.script("/revocations", absent);
        let second = Duration::from_secs(1);
        let guard = builder(&stub).feed(me()).introspection(me(), second).start().unwrap();
        guard.ready().await.unwrap();
        let ask = async |what| guard.check(&token, &Requirement::none().when_behind(what), NOW).await;
        assert_eq!(ask(WhenBehind::Refuse).await.unwrap_err(), undecided(Undecided::Feed));
        assert!(ask(WhenBehind::Continue).await.is_ok());
        stub.say("/introspect", answer.clone());
        assert!(ask(WhenBehind::Introspect).await.is_ok());
        let other = key.sign(&claims(&stub, "other"));
        stub.script("/introspect", Script::Close);
        let what = Requirement::none().when_behind(WhenBehind::Introspect);
        let refusal = guard.check(&other, &what, NOW).await.unwrap_err();
        assert_eq!(refusal, undecided(Undecided::Introspection));
    }
}

#[tokio::test]
async fn a_feed_that_lies_or_breaks_is_asked_again_from_where_it_was() {
    let key = Key::new("k");
    let stub = Stub::new(&key).await;
    let token = key.sign(&claims(&stub, "j"));
    let guard_of = async |text: &str| {
        let stream = stub.stream(text);
        let guard = guard(&stub).await;
        (stream, guard)
    };
    for lie in [
        // A gap, one that goes back, and numbers out of order.
        piece(9, 12, &["j"]),
        piece(3, 12, &["j"]),
        piece(4, 4, &["j"]),
        "event: revocations\ndata: {\n\n".to_owned(),
        "event: heartbeat\ndata: {}\n\n".to_owned(),
        "data: \u{fffd}".repeat(400_000),
        "event: over\ndata: {\"reason\":\"the server stops\"}\n\n".to_owned(),
    ] {
        let (stream, guard) = guard_of(&piece(0, 4, &["other"])).await;
        until("the feed is read", async || is_in_time(&guard)).await;
        let asked = stub.count("/revocations");
        // What is connected to next goes on in the right way.
        let next = stub.stream(&piece(4, 6, &["j"]));
        stream.send_modify(|text| text.push_str(&lie));
        until("it is refused", async || check(&guard, &token).await.is_err()).await;
        let line = stub.asked("/revocations").into_iter().nth(asked).unwrap();
        assert!(line.contains("?after=4 "), "{line}");
        assert_eq!(guard.status().feed.unwrap().cursor, 6);
        drop(next);
    }
}

#[tokio::test]
async fn a_log_that_began_anew_is_read_anew() {
    let key = Key::new("k");
    let stub = Stub::new(&key).await;
    let [old, new] = ["old", "new"].map(|jti| key.sign(&claims(&stub, jti)));
    let stream = stub.stream(&piece(0, 40, &["old"]));
    let guard = guard(&stub).await;
    until("it is refused", async || check(&guard, &old).await.is_err_and(|r| r == Rejection::Revoked.into()))
        .await;
    stream.send_modify(|text| text.push_str("event: reset\nid: 0\ndata: {}\n\n"));
    until("nothing is known", async || guard.status().feed.unwrap().lag.is_none()).await;
    assert_eq!(check(&guard, &new).await.unwrap_err(), undecided(Undecided::Feed));
    stream.send_modify(|text| text.push_str(&piece(0, 2, &["new"])));
    until("the feed is read", async || is_in_time(&guard)).await;
    assert_eq!(check(&guard, &new).await.unwrap_err(), Rejection::Revoked.into());
    assert!(check(&guard, &old).await.is_ok());
}

#[tokio::test]
async fn a_reset_counts_whatever_comes_with_it() {
    let key = Key::new("k");
    let stub = Stub::new(&key).await;
    let token = key.sign(&claims(&stub, "j"));
    let stream = stub.stream(&piece(0, 40, &["j"]));
    let guard = guard(&stub).await;
    until("the feed is read", async || is_in_time(&guard)).await;
    stub.script("/revocations", Script::Hang);
    stream.send_modify(|text| text.push_str("event: reset\ndata: {}\n\nevent: heartbeat\ndata: ?\n\n"));
    // It was revoked, and nothing says so any more: it is never taken for good.
    until("nothing is known", async || {
        let refusal = check(&guard, &token).await.unwrap_err();
        refusal == undecided(Undecided::Feed)
    })
    .await;
}

#[tokio::test]
async fn a_feed_that_lags_or_falls_silent_is_behind() {
    let key = Key::new("k");
    let stub = Stub::new(&key).await;
    let token = key.sign(&claims(&stub, "j"));
    let stream = stub.stream(&beat(0, 0));
    let guard = builder(&stub).feed(me()).behind_after(Duration::from_millis(700)).start().unwrap();
    guard.ready().await.unwrap();
    until("the feed is read", async || check(&guard, &token).await.is_ok()).await;
    // It says by itself that its store is away, and that does not count as a sign of being up to date.
    let lagging = async || check(&guard, &token).await.is_err_and(|r| r == undecided(Undecided::Feed));
    let mut age = 1_000_000;
    until("it is behind", async || {
        age += 1;
        stream.send_modify(|text| text.push_str(&beat(0, age)));
        lagging().await
    })
    .await;
    // A heartbeat of another place in the log is none either.
    stream.send_modify(|text| text.push_str(&beat(7, 0)));
    assert!(lagging().await);
    stream.send_modify(|text| text.push_str(&beat(0, 0)));
    until("it is up to date", async || check(&guard, &token).await.is_ok()).await;
    // Silence: a new connection.
    let asked = stub.count("/revocations");
    until("it connects again", async || stub.count("/revocations") > asked).await;
}

#[tokio::test]
async fn more_entries_than_are_kept_are_no_silent_loss() {
    let key = Key::new("k");
    let stub = Stub::new(&key).await;
    let token = key.sign(&claims(&stub, "good"));
    // Long past: swept as soon as somebody looks, which nobody does before there is need.
    let stream = stub.stream(&piece_until(1, 0, 2, &["a", "b"]));
    let next = stub.clone();
    let guard = builder(&stub).feed(me()).most_revocations(2).behind_after(Duration::from_millis(300));
    let guard = guard.start().unwrap();
    guard.ready().await.unwrap();
    until("the feed is read", async || guard.status().feed.unwrap().cursor == 2).await;
    stream.send_modify(|text| text.push_str(&piece(2, 3, &["c"])));
    until("it is behind", async || {
        check(&guard, &token).await.is_err_and(|refusal| refusal == undecided(Undecided::Feed))
    })
    .await;
    assert_eq!(guard.status().feed.unwrap().cursor, 2);
    // What has expired makes room.
    let _stream = next.stream(&piece(2, 3, &["c"]));
    until("it is up to date", async || check(&guard, &token).await.is_ok()).await;
    let status = guard.status().feed.unwrap();
    assert_eq!((status.cursor, status.entries), (3, 1));
}
