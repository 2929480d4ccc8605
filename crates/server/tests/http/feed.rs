//! The revocation feed.

use std::time::Duration;

use ::http::{Request, header};
use axum::body::{Body, BodyDataStream};
use countersign_wire::{Revocation, Revocations, Revoked};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::on_both;
use crate::support::{Engine, TestServer, basic};

/// Longer than anything here takes, but for what must not happen.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// An access token of an API that may read the feed.
pub(crate) async fn reader(server: &TestServer, id: &str) -> String {
    let secret = server.confidential_client(id, json!({"scope": "revocations"})).await;
    token(server, id, &secret).await
}

async fn token(server: &TestServer, id: &str, secret: &str) -> String {
    let headers = [("authorization", basic(id, secret))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = server.form_with("/oauth/token", &[("grant_type", "client_credentials")], &headers).await;
    answer.assert_ok().str("access_token")
}

async fn poll(server: &TestServer, token: &str, query: &str) -> Revocations {
    let answer = server.get_as(&format!("/revocations{query}"), token).await.assert_ok();
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    serde_json::from_str(&answer.text).unwrap()
}

/// An open stream of events.
pub(crate) struct Events {
    body: BodyDataStream,
    text: String,
}

#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    id: String,
    data: Value,
}

impl Events {
    pub(crate) async fn open(server: &TestServer, token: &str, last: Option<u64>) -> Self {
        let mut request = Request::get("/revocations")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::ACCEPT, "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = server.stream(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let value = event.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
                    value.unwrap_or_default().to_owned()
                };
                let data = serde_json::from_str(&field("data")).unwrap();
                let event = Event { name: field("event"), id: field("id"), data };
                self.text = rest.to_owned();
                return Some(event);
            }
            let bytes = tokio::time::timeout(LIMIT, self.body.next()).await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&bytes.unwrap()).unwrap());
        }
    }

    /// The next piece of the log, without signs of life.
    async fn piece(&mut self) -> Revocations {
        loop {
            let event = self.next().await.unwrap();
            match event.name.as_str() {
                "heartbeat" => {}
                "revocations" => {
                    let piece: Revocations = serde_json::from_value(event.data).unwrap();
                    assert_eq!(event.id, piece.cursor.to_string());
                    return piece;
                }
                other => panic!("{other}: {}", event.data),
            }
        }
    }

    /// All entries up to a number; pieces must join.
    async fn up_to(&mut self, after: u64, number: u64) -> Vec<Revocation> {
        let (mut cursor, mut all) = (after, Vec::new());
        while cursor < number {
            let piece = self.piece().await;
            assert_eq!(piece.after, cursor, "a gap");
            cursor = piece.cursor;
            all.extend(piece.entries);
        }
        all
    }
}

/// Follows the log, as a running server does.
pub(crate) fn follow(server: &TestServer) -> tokio::task::JoinHandle<()> {
    let app = server.app.clone();
    tokio::spawn(async move { app.feed.follow(&app).await })
}

async fn revoke(server: &TestServer, target: &str, subject: &str) {
    let body = json!({"target": target, "subject": subject});
    server.admin_post("/revocations", body).await.assert_ok();
}

on_both!(an_entry_is_told_for_as_long_as_leeway_lets_its_tokens_live, |server| {
    server.user("ana").await;
    let app = server.public_client("app").await;
    let pair = server.session("ana", &app).await;
    revoke(&server, "session", &pair.sid).await;
    let exp = poll(&server, &reader(&server, "api").await, "").await.entries[0].exp;
    let left = exp - server.app.clock.now().seconds();
    for (wait, is_told) in [(left, true), (58, true), (4, false)] {
        server.advance(Duration::from_secs(wait));
        let token = reader(&server, &format!("api-{wait}")).await;
        let told = poll(&server, &token, "").await.entries.iter().any(|entry| entry.exp == exp);
        assert_eq!(told, is_told, "{wait}");
    }
});

on_both!(the_feed_is_for_who_was_allowed_to_read_it, |server| {
    server.user("ana").await;
    let app = server.public_client("app").await;
    let pair = server.session("ana", &app).await;
    let token = reader(&server, "api").await;
    for (path, bearer, status, error) in [
        ("/revocations", "", 401, ""),
        ("/revocations", pair.access.as_str(), 401, "invalid_token"),
        ("/revocations", pair.refresh.as_str(), 401, "invalid_token"),
        ("/revocations?access_token=x", token.as_str(), 400, "invalid_request"),
        ("/revocations?after=x", token.as_str(), 400, "invalid_request"),
        ("/revocations?befor=1", token.as_str(), 400, "invalid_request"),
    ] {
        let answer = match bearer {
            "" => server.get(path).await,
            bearer => server.get_as(path, bearer).await,
        };
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        if !error.is_empty() {
            assert_eq!(answer.json()["error"], error, "{path}");
        }
    }
    // For this issuer's own API, and without the scope.
    let secret = server.confidential_client("other", json!({"scope": "read", "audience": []})).await;
    let other = self::token(&server, "other", &secret).await;
    let answer = server.get_as("/revocations", &other).await;
    assert_eq!(answer.status, 403);
    assert!(answer.header(header::WWW_AUTHENTICATE).contains("scope=\"revocations\""), "{answer:?}");
    assert_eq!(poll(&server, &token, "").await.entries, []);
});

on_both!(every_kind_of_end_is_told_in_order, |server| {
    let token = reader(&server, "api").await;
    let body = json!({"username": "ana", "tenant": "acme"});
    let user = server.admin_post("/users", body).await.assert_ok().str("user_id");
    let app = server.public_client("app").await;
    let pair = server.session("ana", &app).await;
    let jti = crate::relying::claims(&pair.access)["jti"].as_str().unwrap().to_owned();
    revoke(&server, "token", &jti).await;
    revoke(&server, "session", &pair.sid).await;
    revoke(&server, "user", &user).await;
    revoke(&server, "client", &app).await;
    revoke(&server, "tenant", "acme").await;
    let all = poll(&server, &token, "").await;
    assert_eq!((all.after, all.cursor, all.more), (0, 5, false));
    assert_eq!(all.entries.iter().map(|entry| entry.n).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let [first, second, third, fourth, fifth] = &*all.entries else { panic!("{all:?}") };
    assert_eq!(first.revoked, Revoked::Token { jti });
    assert_eq!(second.revoked, Revoked::Session { sid: pair.sid.parse().unwrap() });
    assert!(matches!(&third.revoked, Revoked::User { sub, stv } if *sub == user && *stv > 0));
    assert_eq!(fourth.revoked, Revoked::Client { client_id: app.parse().unwrap() });
    assert_eq!(fifth.revoked, Revoked::Tenant { tenant: "acme".to_owned() });
    // As others read it.
    let text = server.get_as("/revocations?after=1&limit=1", &token).await.text;
    let expected = json!({"after": 1, "cursor": 2, "more": true,
        "entries": [{"n": 2, "exp": second.exp, "kind": "session", "sid": pair.sid}]});
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    let rest = poll(&server, &token, "?after=2&limit=1000").await;
    assert_eq!((rest.cursor, rest.more, rest.entries.len()), (5, false, 3));
    assert_eq!(poll(&server, &token, "?after=5").await.entries, []);
    // From another log, or from nowhere: everything, and it is said.
    let again = poll(&server, &token, "?after=77").await;
    assert_eq!((again.after, again.entries.len()), (0, 5));
    // What concerns no living token is forgotten, and the cursor goes on.
    server.advance(Duration::from_secs(2 * 60 * 60));
    let api = server.admin_post("/clients/api/rotate-secret", Value::Null).await.assert_ok();
    let token = self::token(&server, "api", &api.str("client_secret")).await;
    let later = poll(&server, &token, "").await;
    assert_eq!((later.cursor, later.entries), (5, Vec::new()));
    // Everything is over, the reader's token too.
    revoke(&server, "everything", "").await;
    assert_eq!(server.get_as("/revocations", &token).await.status, 401);
    let token = self::token(&server, "api", &api.str("client_secret")).await;
    assert_eq!(poll(&server, &token, "?after=5").await.entries[0].revoked, Revoked::Everything);
});

on_both!(a_stream_tells_what_was_and_what_comes_and_goes_on_where_it_was, |server| {
    let token = reader(&server, "api").await;
    server.user("ana").await;
    let app = server.public_client("app").await;
    let mut ended = Vec::new();
    let end = async |ended: &mut Vec<String>| {
        let pair = server.session("ana", &app).await;
        revoke(&server, "session", &pair.sid).await;
        ended.push(pair.sid);
    };
    for _ in 0..3 {
        end(&mut ended).await;
    }
    let task = follow(&server);
    let mut events = Events::open(&server, &token, None).await;
    let mut seen = events.up_to(0, 3).await;
    let beat = events.next().await.unwrap();
    assert_eq!((beat.name.as_str(), &beat.data["cursor"]), ("heartbeat", &json!(3)));
    assert!(beat.data["age_ms"].as_u64().is_some());
    for number in 4..=40 {
        end(&mut ended).await;
        seen.extend(events.up_to(number - 1, number).await);
    }
    let readers = server.app.feed.readers(server.app.clock.now());
    assert_eq!(readers.len(), 1);
    assert_eq!((readers[0].client.as_str(), readers[0].streams, readers[0].cursor), ("api", true, 40));
    drop(events);
    assert!(server.app.feed.readers(server.app.clock.now()).is_empty(), "who is gone has no place");

    // While nobody listened: more than is kept of the last pieces.
    for _ in 41..=150 {
        end(&mut ended).await;
    }
    let mut events = Events::open(&server, &token, Some(40)).await;
    seen.extend(events.up_to(40, 150).await);
    // Slow: nothing is taken while a lot happens.
    for _ in 151..=250 {
        end(&mut ended).await;
    }
    seen.extend(events.up_to(150, 250).await);
    let sids: Vec<_> = seen
        .iter()
        .map(|entry| match &entry.revoked {
            Revoked::Session { sid } => sid.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sids, ended);

    // From another log.
    let mut lost = Events::open(&server, &token, Some(9999)).await;
    assert_eq!(lost.next().await.unwrap().name, "reset");
    assert_eq!(lost.up_to(0, 250).await.len(), 250);
    // The node stops: every stream ends.
    task.abort();
    server.app.feed.close();
    for mut events in [events, lost] {
        let mut last = None;
        while let Some(event) = events.next().await {
            last = Some(event.name);
        }
        assert_eq!(last.as_deref(), Some("over"));
    }
});

on_both!(a_subscriber_stays_as_long_as_its_token_is_good, |server| {
    let token = reader(&server, "api").await;
    let task = follow(&server);
    let mut events = Events::open(&server, &token, None).await;
    assert_eq!(events.next().await.unwrap().name, "heartbeat");
    server.admin_post("/clients/api/disable", Value::Null).await.assert_ok();
    // It is the last to be told of that, and then let go with the next sign of life.
    assert_eq!(events.piece().await.entries.len(), 1);
    let over = events.next().await.unwrap();
    assert_eq!(over.name, "over", "{over:?}");
    assert!(events.next().await.is_none());
    task.abort();
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_is_the_same_on_every_node() {
    const ROUNDS: usize = 60;
    let first = TestServer::start(Engine::Postgres).await;
    let second = first.node_beside().await;
    let token = reader(&first, "api").await;
    first.user("ana").await;
    let app = first.public_client("app").await;
    let tasks = [follow(&first), follow(&second)];
    let mut here = Events::open(&first, &token, None).await;
    let mut there = Events::open(&second, &token, None).await;
    // Both nodes end sessions at once.
    let end = async |server: &TestServer| {
        for _ in 0..ROUNDS {
            let pair = server.session("ana", &app).await;
            revoke(server, "session", &pair.sid).await;
        }
    };
    let all = 2 * u64::try_from(ROUNDS).unwrap();
    let ((), (), here_seen, there_seen) =
        tokio::join!(end(&first), end(&second), here.up_to(0, all), there.up_to(0, all));
    assert_eq!(here_seen.len(), 2 * ROUNDS);
    assert_eq!(here_seen, there_seen);
    // A reader that comes from a node which was a little ahead of this one is not sent back.
    let mut moved = Events::open(&second, &token, Some(all)).await;
    assert_eq!(moved.next().await.unwrap().name, "heartbeat");
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn thousands_of_subscribers_hear_of_one_end() {
    const SUBSCRIBERS: usize = 3_000;
    let server = TestServer::start(Engine::Sqlite).await;
    let token = reader(&server, "api").await;
    server.user("ana").await;
    let app = server.public_client("app").await;
    let task = follow(&server);
    let mut all = Vec::with_capacity(SUBSCRIBERS);
    for _ in 0..SUBSCRIBERS {
        let mut events = Events::open(&server, &token, None).await;
        assert_eq!(events.next().await.unwrap().name, "heartbeat");
        all.push(events);
    }
    assert_eq!(server.app.feed.readers(server.app.clock.now()).len(), SUBSCRIBERS);
    let pair = server.session("ana", &app).await;
    revoke(&server, "session", &pair.sid).await;
    for events in &mut all {
        let entries = events.piece().await.entries;
        assert_eq!(entries[0].revoked, Revoked::Session { sid: pair.sid.parse().unwrap() });
    }
    // The next has room, and they had none to give back but their own.
    drop(all);
    assert!(server.app.feed.readers(server.app.clock.now()).is_empty());
    task.abort();
}
