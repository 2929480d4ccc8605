//! The attack list, continued: what is told to whom. Everything issued is searched for in what is
//! logged and stored, and the feed of revocations in what an attacker makes of it.

use std::sync::Arc;

use axum::body::Body;
use countersign_verify::{FeedReader, FeedStep, FeedViolation, RevokedSet};
use countersign_wire::AccessClaims;
use futures_util::StreamExt as _;
use http::{Request, header};
use serde_json::{Value, json};

use crate::attack_list::Probe;
use crate::browser::Browser;
use crate::feed::{LIMIT, follow, reader};
use crate::on_both;
use crate::relying::{PASSWORD, claims, request, request_with};
use crate::support::{AUDIENCE, TestServer, basic};
use crate::{device_flow, second_factor};

on_both!(case_74_no_secret_stands_in_what_is_logged_or_stored, |server| {
    let secret = server.shop().await;
    server.native_client("tv", "https://tv.example/cb").await;
    let api = server.confidential_client("api", json!({"introspects": [AUDIENCE]})).await;
    let probe = Probe::new(&server).await;
    let as_api = basic("api", &api);

    // Every flow, good and refused.
    let mut browser = Browser::new(&server);
    let page =
        browser.ask(&request_with(&[("scope", "openid offline_access read")])).await.page_at("/signin");
    browser.sign_in(&page, "alice", "not the password").await.page();
    let code = browser.code().await;
    let pair = server.exchange(&secret, &code).await.assert_ok();
    server.exchange(&secret, &code[1..]).await.assert_error(400, "invalid_grant");
    let next = server.refresh_shop(&secret, &pair.str("refresh_token")).await.assert_ok();
    server
        .refresh_shop("not the secret", &next.str("refresh_token"))
        .await
        .assert_error(401, "invalid_client");
    for token in [next.str("access_token"), next.str("refresh_token"), pair.str("access_token")] {
        server.get_as("/userinfo", &token).await;
        server.form_with("/oauth/introspect", &[("token", &token)], &[("authorization", &as_api)]).await;
        server.get(&format!("/api/profile?access_token={token}")).await;
    }
    let pushed: Vec<_> = request();
    let pushed: Vec<_> = pushed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let shop = basic("shop", &secret);
    server.form_with("/oauth/par", &pushed, &[("authorization", &shop)]).await.assert_ok();
    let (device, typed) = device_flow::begin(&server).await;
    let page = browser.open("/device").await.page_at("/device");
    device_flow::decide(&mut browser, &page, &typed, "allow").await;
    device_flow::poll(&server, "tv", &device).await.assert_ok();
    let page = browser.open("/account").await.page_at("/account");
    second_factor::add_app(&server, &mut browser, &page).await;
    // Reuse, a revocation, another password, another secret.
    server.advance(std::time::Duration::from_secs(60));
    server.refresh_shop(&secret, &pair.str("refresh_token")).await.assert_error(400, "invalid_grant");
    let form = [("token", next.str("refresh_token"))];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    server.form_with("/oauth/revoke", &form, &[("authorization", &shop)]).await;
    server.admin_post("/users/alice/password", json!({"password": PASSWORD})).await.assert_ok();
    server.admin_post("/clients/shop/rotate-secret", Value::Null).await.assert_ok();
    for list in ["/sessions", "/events", "/users", "/clients", "/revocations"] {
        server.admin(http::Method::GET, &format!("{list}?limit=100"), Value::Null).await.assert_ok();
    }

    probe.nothing_lost(&server).await;
    let searched = server.searched();
    assert!(searched.secrets > 200, "pieces of what was issued: {searched:?}");
    assert!(searched.traces > 20, "lines at TRACE and DEBUG: {searched:?}");
    assert!(searched.stored > 10_000, "bytes of the database: {searched:?}");
});

/// The piece of the feed that follows a number, as it stands in a stream.
async fn piece(server: &TestServer, token: &str, after: usize) -> String {
    let data = server.get_as(&format!("/revocations?after={after}&limit=1"), token).await.assert_ok().text;
    format!("event: revocations\nid: {}\ndata: {data}\n\n", after + 1)
}

/// A reader, and what it takes for revoked.
fn api() -> (FeedReader, Arc<RevokedSet>) {
    let revoked = Arc::new(RevokedSet::new());
    (FeedReader::new(revoked.clone(), 1000), revoked)
}

fn push(reader: &mut FeedReader, text: &str) -> Result<Vec<FeedStep>, FeedViolation> {
    let mut told = Vec::new();
    // A new connection each time: what the last one began to say is forgotten.
    reader.reconnect();
    reader.push(text.as_bytes(), |step| told.push(step)).map(|()| told)
}

/// Asks the server from where the reader is, until it knows everything up to a number.
async fn catch_up(server: &TestServer, token: &str, reader: &mut FeedReader, number: u64) {
    let request = Request::get("/revocations")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::ACCEPT, "text/event-stream")
        .header("last-event-id", reader.cursor());
    let answer = server.stream(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body().into_data_stream();
    reader.reconnect();
    let mut is_up_to_date = false;
    while reader.cursor() < number || !is_up_to_date {
        let bytes = tokio::time::timeout(LIMIT, body.next()).await.unwrap().unwrap().unwrap();
        reader.push(&bytes, |step| is_up_to_date = matches!(step, FeedStep::UpToDate(_))).unwrap();
    }
}

on_both!(case_79_a_feed_replayed_cut_doubled_and_in_another_order, |server| {
    let probe = Probe::new(&server).await;
    let token = reader(&server, "api").await;
    server.alice().await;
    let mut ended = Vec::new();
    let mut pieces = Vec::new();
    for after in 0..3 {
        let pair = server.session("alice", "app").await;
        // An ordinary client is told nothing.
        server.get_as("/revocations", &pair.access).await.assert_error(401, "invalid_token");
        server.admin_post(&format!("/sessions/{}/revoke", pair.sid), json!({})).await.assert_ok();
        pieces.push(piece(&server, &token, after).await);
        ended.push(serde_json::from_value::<AccessClaims>(claims(&pair.access)).unwrap());
    }
    let task = follow(&server);
    let ends = |revoked: &RevokedSet| ended.iter().filter(|claims| revoked.ends(claims)).count();

    let (mut reader, revoked) = api();
    for piece in &pieces {
        push(&mut reader, piece).unwrap();
    }
    assert_eq!((reader.cursor(), ends(&revoked)), (3, 3));
    // The recording of an old connection, from any place of it: seen to be none, and nothing forgotten.
    for old in &pieces {
        assert!(matches!(push(&mut reader, old), Err(FeedViolation::Gap { .. })));
    }
    assert_eq!((reader.cursor(), ends(&revoked)), (3, 3));

    // Left out, doubled, in another order: the first piece counts and nothing after the gap, and from
    // there the true feed goes on.
    for (sent, known) in [([0, 2], 1), ([0, 0], 1), ([1, 0], 1), ([2, 1], 0)] {
        let (mut reader, revoked) = api();
        let told: Vec<_> = sent.iter().map(|place| push(&mut reader, &pieces[*place])).collect();
        assert!(told.iter().any(|told| matches!(told, Err(FeedViolation::Gap { .. }))), "{told:?}");
        assert_eq!((reader.cursor(), ends(&revoked)), (known, usize::try_from(known).unwrap()), "{sent:?}");
        catch_up(&server, &token, &mut reader, 3).await;
        assert_eq!(ends(&revoked), 3, "{sent:?}");
    }
    // Signs of life alone, while everything else is held back.
    let (mut reader, _) = api();
    let told = push(&mut reader, "event: heartbeat\ndata: {\"cursor\":3,\"age_ms\":0}\n\n").unwrap();
    assert_eq!(told, [FeedStep::Behind], "who is behind asks the server instead");
    task.abort();
    probe.nothing_lost(&server).await;
});
