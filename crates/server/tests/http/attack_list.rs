//! The attack list of `docs/attacks.md`: each test is named after its case and ends with one probe,
//! *nothing lost*. Cases that other tests provoke better are named in the page's table.

use std::time::Duration;

use ::http::{Method, Request, header};
use axum::body::Body;
use serde_json::{Value, json};

use crate::on_both;
use crate::support::{AUDIENCE, Pair, TestServer, basic};

/// A victim with two sessions, and what of the attack must not have changed. Whoever attacks may
/// lose a session of their own; these are other families. What was logged is searched for secrets
/// when the server is dropped.
pub(crate) struct Probe {
    app: Pair,
    tool: Pair,
    log: Value,
    sessions: usize,
    rows: Vec<countersign::store::Standing>,
}

impl Probe {
    pub(crate) async fn new(server: &TestServer) -> Self {
        server.user("victim").await;
        for client in ["victim-app", "victim-tool"] {
            server.public_client(client).await;
        }
        let app = server.session("victim", "victim-app").await;
        let tool = server.session("victim", "victim-tool").await;
        Self { app, tool, log: Value::Null, sessions: 0, rows: Vec::new() }
    }

    /// From here on the log of revocations must not grow, no session may begin, and nothing in the
    /// victim's rows may change.
    pub(crate) async fn inert(mut self, server: &TestServer) -> Self {
        (self.log, self.sessions) = (log(server).await, sessions(server).await);
        self.rows = self.rows_now(server).await;
        self
    }

    /// An access token of the victim's.
    pub(crate) fn access(&self) -> &str {
        &self.app.access
    }

    async fn rows_now(&self, server: &TestServer) -> Vec<countersign::store::Standing> {
        vec![server.standing(&self.app.sid).await, server.standing(&self.tool.sid).await]
    }

    pub(crate) async fn nothing_lost(self, server: &TestServer) {
        if !self.log.is_null() {
            assert_eq!(log(server).await, self.log, "something was revoked");
            assert_eq!(sessions(server).await, self.sessions, "a session began");
            assert_eq!(self.rows_now(server).await, self.rows, "a row changed");
        }
        for (client, pair) in [("victim-app", &self.app), ("victim-tool", &self.tool)] {
            assert_eq!(server.standing(&pair.sid).await.session.generation, 1);
            server.get_as("/api/profile", &pair.access).await.assert_ok();
            let next = server.refresh(client, &pair.refresh).await.assert_ok().str("refresh_token");
            server.refresh(client, &next).await.assert_ok();
            assert_eq!(server.standing(&pair.sid).await.session.generation, 3);
        }
        assert_eq!(server.get("/healthz").await.status, 200);
    }
}

async fn log(server: &TestServer) -> Value {
    server.admin(Method::GET, "/revocations", Value::Null).await.assert_ok().json()
}

async fn sessions(server: &TestServer) -> usize {
    let body = server.admin(Method::GET, "/sessions?limit=100", Value::Null).await.assert_ok().json();
    body["items"].as_array().unwrap().len()
}

on_both!(case_06_a_revoked_token_inside_the_grace_window, |server| {
    let probe = Probe::new(&server).await;
    let pair = server.alice().await;
    let next = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");
    server.form("/oauth/revoke", &[("client_id", "app"), ("token", &next)]).await.assert_ok();
    let probe = probe.inert(&server).await;
    for token in [&pair.refresh, &next] {
        server.refresh("app", token).await.assert_error(400, "invalid_grant");
    }
    probe.nothing_lost(&server).await;
});

on_both!(case_09_a_disabled_user_at_every_endpoint, |server| {
    let probe = Probe::new(&server).await;
    let pair = server.alice().await;
    let api = server.confidential_client("api", json!({"introspects": [AUDIENCE]})).await;
    let next = server.refresh("app", &pair.refresh).await.assert_ok();
    server.admin_post("/users/alice/disable", json!({})).await.assert_ok();
    for token in [&pair.refresh, &next.str("refresh_token")] {
        server.refresh("app", token).await.assert_error(400, "invalid_grant");
    }
    for token in [&pair.access, &next.str("access_token")] {
        server.get_as("/api/profile", token).await.assert_error(401, "invalid_token");
        assert_eq!(introspect(&server, ("api", &api), token).await, json!({"active": false}));
    }
    let start = json!({"user": "alice", "client": "app"});
    assert!(!server.admin_post("/sessions", start).await.status.is_success());
    probe.nothing_lost(&server).await;
});

on_both!(case_12_a_new_password_ends_what_was_before, |server| {
    let probe = Probe::new(&server).await;
    let pair = server.alice().await;
    let other = server.session("alice", "app").await;
    server
        .admin_post("/users/alice/password", json!({"password": "correct horse battery staple"}))
        .await
        .assert_ok();
    for pair in [&pair, &other] {
        server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
        server.get_as("/api/profile", &pair.access).await.assert_error(401, "invalid_token");
    }
    probe.nothing_lost(&server).await;
});

on_both!(case_15_the_right_session_and_a_wrong_secret_a_thousand_times, |server| {
    let probe = Probe::new(&server).await.inert(&server).await;
    let token = &probe.app.refresh;
    // The nonce and the mac are the last 32 bytes: 43 characters.
    let start = token.len() - 43;
    for n in 0..1000_usize {
        let mut bytes = token.clone().into_bytes();
        let at = start + n % 42;
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        bytes[start + (n / 42) % 42] = b"CDEFGHIJKLMNOPQRSTUVWXYZ"[n % 24];
        let edited = String::from_utf8(bytes).unwrap();
        if edited != *token {
            server.refresh("victim-app", &edited).await.assert_error(400, "invalid_grant");
        }
    }
    probe.nothing_lost(&server).await;
});

on_both!(case_19_another_client_revokes_or_introspects, |server| {
    let probe = Probe::new(&server).await.inert(&server).await;
    server.public_client("thief").await;
    let service = server.confidential_client("service", json!({})).await;
    for token in [&probe.app.refresh, &probe.app.access] {
        let revoke = server.form("/oauth/revoke", &[("client_id", "thief"), ("token", token)]).await;
        assert_eq!(revoke.status, 400, "{}", revoke.text);
        let header = basic("service", &service);
        let revoke =
            server.form_with("/oauth/revoke", &[("token", token)], &[("authorization", &header)]).await;
        assert_eq!(revoke.status, 400, "{}", revoke.text);
        assert_eq!(introspect(&server, ("service", &service), token).await, json!({"active": false}));
        let public = server.form("/oauth/introspect", &[("client_id", "thief"), ("token", token)]).await;
        public.assert_error(401, "invalid_client");
    }
    probe.nothing_lost(&server).await;
});

on_both!(case_21_roles_taken_away_are_gone_at_once, |server| {
    let probe = Probe::new(&server).await;
    let pair = server.alice().await;
    server.admin_post("/users/alice/roles", json!({"roles": ["admin", "dev"]})).await.assert_ok();
    let next = server.refresh("app", &pair.refresh).await.assert_ok();
    assert!(claims(&next.str("access_token"))["roles"].as_array().unwrap().contains(&json!("admin")));
    server.admin_post("/users/alice/roles", json!({"roles": ["dev"]})).await.assert_ok();
    // Whatever is answered now, the role is not in it, and the token that has it opens nothing.
    server.get_as("/api/profile", &next.str("access_token")).await.assert_error(401, "invalid_token");
    let after = server.refresh("app", &next.str("refresh_token")).await;
    assert_eq!(after.status, 400, "taking a role away ends the sessions: {}", after.text);
    probe.nothing_lost(&server).await;
});

on_both!(case_46_forwarding_headers_of_a_stranger, |server| {
    // What is believed of them is `http::peer`'s own test; here, that they break nothing.
    let probe = Probe::new(&server).await.inert(&server).await;
    for (name, value) in [
        ("x_forwarded_for", "203.0.113.9"),
        ("x-forwarded-for", "attacker.example"),
        ("x-forwarded-for", "203.0.113.9, 198.51.100.1"),
        ("forwarded", "for=attacker.example;proto=https"),
    ] {
        let pairs =
            [("grant_type", "refresh_token"), ("client_id", "victim-app"), ("refresh_token", "rft_x")];
        server.form_with("/oauth/token", &pairs, &[(name, value)]).await.assert_error(400, "invalid_grant");
    }
    probe.nothing_lost(&server).await;
});

on_both!(case_56_58_60_67_hostile_headers_of_a_jwt, |server| {
    let probe = Probe::new(&server).await.inert(&server).await;
    let payload = probe.app.access.split('.').nth(1).unwrap().to_owned();
    let signature = probe.app.access.split('.').nth(2).unwrap().to_owned();
    let kid = header_of(&probe.app.access)["kid"].clone();
    let long = "k".repeat(7000);
    for head in [
        json!({"alg": "none", "typ": "at+jwt"}),
        json!({"alg": "nOnE", "typ": "at+jwt", "kid": kid}),
        json!({"alg": "HS256", "typ": "at+jwt", "kid": kid}),
        json!({"alg": "ES256", "typ": "at+jwt", "kid": kid, "jwk": {"kty": "oct", "k": "AAAA"}}),
        json!({"alg": "ES256", "typ": "at+jwt", "kid": kid, "jku": "https://attacker.example/keys"}),
        json!({"alg": "ES256", "typ": "at+jwt", "kid": kid, "x5u": "https://attacker.example/cert"}),
        json!({"alg": "ES256", "typ": "at+jwt", "kid": kid, "crit": ["exp"]}),
        json!({"alg": "ES256", "typ": "at+jwt", "kid": kid, "crit": ["b64"], "b64": false}),
        json!({"alg": "ES256", "typ": "at+jwt", "kid": "../../dev/null"}),
        json!({"alg": "ES256", "typ": "at+jwt", "kid": "' OR 1=1 --"}),
        json!({"alg": "ES256", "typ": "at+jwt", "kid": long}),
        json!({"alg": "ES256", "typ": "at+jwt"}),
        json!({"alg": "ES256", "typ": "JWT", "kid": kid}),
        json!({"alg": "ES256", "typ": "logout+jwt", "kid": kid}),
    ] {
        for signature in ["", &signature, "AAAA"] {
            let token = format!("{}.{payload}.{signature}", base64(&head.to_string()));
            server.get_as("/api/profile", &token).await.assert_error(401, "invalid_token");
        }
    }
    probe.nothing_lost(&server).await;
});

on_both!(case_62_an_access_token_for_another_audience, |server| {
    let probe = Probe::new(&server).await;
    server.user("alice").await;
    for (id, audience) in [
        ("prefix", "https://api.exampl"),
        ("longer", "https://api.example.attacker.example"),
        ("slash", "https://api.example/"),
    ] {
        let body = json!({"id": id, "kind": "native", "scope": "read", "audience": [audience],
            "redirect_uris": ["https://app.example/callback"]});
        server.admin_post("/clients", body).await.assert_ok();
        let pair = server.session("alice", id).await;
        server.get_as("/api/profile", &pair.access).await.assert_error(401, "invalid_token");
        server.get_as("/api/profile", &pair.refresh).await.assert_error(401, "invalid_token");
    }
    probe.nothing_lost(&server).await;
});

on_both!(case_70_thousands_of_distinct_clients_and_keys, |server| {
    let probe = Probe::new(&server).await.inert(&server).await;
    for n in 0..2000 {
        let pairs = [("grant_type", "client_credentials"), ("client_id", &*format!("no-such-{n}"))];
        server.form("/oauth/token", &pairs).await.assert_error(401, "invalid_client");
    }
    let head = |n: u32| base64(&json!({"alg": "ES256", "typ": "at+jwt", "kid": format!("k{n}")}).to_string());
    for n in 0..1000 {
        let token = format!("{}.e30.AAAA", head(n));
        server.get_as("/api/profile", &token).await.assert_error(401, "invalid_token");
    }
    probe.nothing_lost(&server).await;
});

on_both!(case_73_what_could_forge_a_line_of_the_log, |server| {
    let probe = Probe::new(&server).await.inert(&server).await;
    for text in ["\u{1b}[31mred", "a\r\nlevel=ERROR forged", "a%0d%0aset-cookie:x", "\u{202e}txt", "\0"] {
        let pairs =
            [("grant_type", "refresh_token"), ("client_id", text), ("refresh_token", text), ("scope", text)];
        let answer = server.form("/oauth/token", &pairs).await;
        assert!(answer.status.is_client_error(), "{}", answer.status);
        assert!(!answer.text.contains(text), "{}", answer.text);
        assert!(answer.text.bytes().all(|b| b >= b' '), "{}", answer.text);
    }
    probe.nothing_lost(&server).await;
});

on_both!(case_75_tokens_in_the_url, |server| {
    let probe = Probe::new(&server).await.inert(&server).await;
    let url = format!("/api/profile?access_token={}", probe.app.access);
    let answer = server.get(&url).await;
    answer.assert_error(400, "invalid_request");
    assert_eq!(answer.header(header::REFERRER_POLICY), "no-referrer");
    let url = format!(
        "/oauth/token?grant_type=refresh_token&client_id=victim-app&refresh_token={}",
        probe.app.refresh
    );
    let form = Request::post(url).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    server.send(form.body(Body::empty()).unwrap()).await.assert_error(400, "invalid_request");
    probe.nothing_lost(&server).await;
});

on_both!(case_03_a_spent_token_after_the_window, |server| {
    let probe = Probe::new(&server).await;
    let pair = server.alice().await;
    let next = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");
    server.advance(Duration::from_secs(60));
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    server.refresh("app", &next).await.assert_error(400, "invalid_grant");
    probe.nothing_lost(&server).await;
});

async fn introspect(server: &TestServer, caller: (&str, &str), token: &str) -> Value {
    let header = basic(caller.0, caller.1);
    server.form_with("/oauth/introspect", &[("token", token)], &[("authorization", &header)]).await.json()
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

fn part(token: &str, number: usize) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn header_of(token: &str) -> Value {
    part(token, 0)
}

fn claims(token: &str) -> Value {
    part(token, 1)
}
