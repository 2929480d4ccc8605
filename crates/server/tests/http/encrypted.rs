//! Encrypted access tokens: made for one API, opened there, and refused in time where they cannot
//! be made.

use countersign_verify::{DecryptionKey, Rejection, Verifier};
use countersign_wire::JwkSet;
use http::Method;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::on_both;
use crate::relying::{claims, request_with};
use crate::support::{AUDIENCE, Answer, Engine, START, TestServer, basic};

const OTHER: &str = "https://other.example";

/// A private key: Bob's of RFC 7518 appendix C.
pub(crate) fn bob() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "kid": "bob",
        "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
        "d": "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
    })
}

/// Another: Alice's, without a name.
pub(crate) fn alice() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
        "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
        "d": "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo",
    })
}

/// What is registered of a key.
pub(crate) fn public(private: &Value) -> Value {
    let mut public = private.clone();
    public.as_object_mut().unwrap().remove("d");
    public
}

/// The path of an API in the admin API.
pub(crate) fn path(audience: &str) -> String {
    format!("/resources/{}", audience.replace(':', "%3A").replace('/', "%2F"))
}

async fn register(server: &TestServer, audience: &str, private: &Value) {
    let body = json!({"encryption_key": public(private)});
    server.admin(Method::PUT, &path(audience), body).await.assert_ok();
}

async fn forget(server: &TestServer, audience: &str) {
    server.admin(Method::DELETE, &path(audience), Value::Null).await.assert_ok();
}

async fn plain_verifier(server: &TestServer, audience: &str) -> Verifier {
    let keys: JwkSet = serde_json::from_value(server.get("/.well-known/jwks.json").await.json()).unwrap();
    Verifier::new("https://auth.example", audience, keys).unwrap()
}

async fn verifier(server: &TestServer, private: &Value) -> Verifier {
    let key = DecryptionKey::from_jwk(&private.to_string()).unwrap();
    plain_verifier(server, AUDIENCE).await.with_decryption_key(key).unwrap().require_encrypted()
}

/// A public client whose tokens are encrypted, and a user.
async fn app(server: &TestServer, audience: &[&str]) {
    server.user("alice").await;
    let body = json!({"id": "app", "kind": "native", "scope": "openid read", "audience": audience,
        "token_format": "encrypted", "redirect_uris": ["https://app.example/callback"]});
    server.admin_post("/clients", body).await.assert_ok();
}

async fn start(server: &TestServer) -> Answer {
    server.admin_post("/sessions", json!({"user": "alice", "client": "app"})).await
}

fn assert_target(answer: &Answer, part: &str) {
    let text = answer.assert_error(400, "invalid_target");
    assert!(text.contains(part), "{text}");
}

on_both!(a_token_is_opened_by_its_api_and_by_nobody_else, |server| {
    register(&server, AUDIENCE, &bob()).await;
    app(&server, &[AUDIENCE]).await;
    let mut pair = server.session("alice", "app").await;
    for _ in 0..3 {
        let token = &pair.access;
        assert_eq!(token.split('.').count(), 5);
        let opened = verifier(&server, &bob()).await.verify(token, START.seconds()).unwrap();
        // It has the scope openid, and is for the one API all the same.
        assert_eq!(opened.aud.iter().collect::<Vec<_>>(), [AUDIENCE]);
        assert_eq!((opened.scope.to_string(), opened.exp - opened.iat), ("openid read".to_owned(), 900));
        assert_eq!(opened.sid.unwrap().to_string(), pair.sid);
        let closed = plain_verifier(&server, AUDIENCE).await.verify(token, START.seconds());
        assert_eq!(closed.unwrap_err(), Rejection::Encrypted);
        let other = verifier(&server, &alice()).await.verify(token, START.seconds());
        assert_eq!(other.unwrap_err(), Rejection::UnknownDecryptionKey);
        let next = server.refresh("app", &pair.refresh).await.assert_ok();
        (pair.access, pair.refresh) = (next.str("access_token"), next.str("refresh_token"));
        assert_eq!(
            claims(&next.str("id_token"))["aud"],
            "app",
            "ID tokens are for the client, and signed only"
        );
    }
    let more = json!({"token_format": "encrypted", "signing_alg": "EdDSA"});
    let secret = server.confidential_client("svc", more).await;
    let headers = [("authorization", basic("svc", &secret))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = server.form_with("/oauth/token", &[("grant_type", "client_credentials")], &headers).await;
    let token = answer.assert_ok().str("access_token");
    assert_eq!(verifier(&server, &bob()).await.verify(&token, START.seconds()).unwrap().sub, "svc");
});

on_both!(another_key_is_used_from_the_next_token_on, |server| {
    register(&server, AUDIENCE, &bob()).await;
    app(&server, &[AUDIENCE]).await;
    let pair = server.session("alice", "app").await;
    register(&server, AUDIENCE, &alice()).await;
    let token = server.refresh("app", &pair.refresh).await.assert_ok().str("access_token");
    assert!(verifier(&server, &alice()).await.verify(&token, START.seconds()).is_ok());
    // While the last tokens to the old key live, the API has both.
    let key = DecryptionKey::from_jwk(&bob().to_string()).unwrap();
    let both = verifier(&server, &alice()).await.with_decryption_key(key).unwrap();
    assert!(both.verify(&pair.access, START.seconds()).is_ok());
    assert!(both.verify(&token, START.seconds()).is_ok());
});

on_both!(without_a_key_there_is_no_token_and_nothing_has_changed, |server| {
    app(&server, &[AUDIENCE]).await;
    assert_target(&start(&server).await, AUDIENCE);
    let sessions = server.admin(Method::GET, "/sessions", Value::Null).await.assert_ok().json();
    assert_eq!(sessions["items"], json!([]));

    register(&server, AUDIENCE, &bob()).await;
    let pair = server.session("alice", "app").await;
    let live = server.refresh("app", &pair.refresh).await.assert_ok().str("refresh_token");
    forget(&server, AUDIENCE).await;
    let before = server.standing(&pair.sid).await;
    assert_target(&server.refresh("app", &live).await, "no key");
    assert_target(&server.refresh_with_key("app", &live, "proof").await, "no key");
    assert_eq!(server.standing(&pair.sid).await, before, "the refresh token was not used up");
    register(&server, AUDIENCE, &bob()).await;
    let next = server.refresh("app", &live).await.assert_ok().str("refresh_token");

    // Theft is seen whether there is a key or not.
    forget(&server, AUDIENCE).await;
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
    server.refresh("app", &next).await.assert_error(400, "invalid_grant");

    let secret = server.confidential_client("svc", json!({"token_format": "encrypted"})).await;
    let header = basic("svc", &secret);
    let grant = [("grant_type", "client_credentials")];
    assert_target(&server.form_with("/oauth/token", &grant, &[("authorization", &header)]).await, AUDIENCE);
});

on_both!(a_token_is_for_one_api_which_the_client_names, |server| {
    register(&server, AUDIENCE, &bob()).await;
    app(&server, &[AUDIENCE, OTHER]).await;
    assert_target(&start(&server).await, "name it in the parameter resource");
    let one = |resource: &str| json!({"user": "alice", "client": "app", "resource": [resource]});
    assert_target(&server.admin_post("/sessions", one(OTHER)).await, OTHER);
    let answer = server.admin_post("/sessions", one(AUDIENCE)).await.assert_ok();
    let token = answer.str("access_token");
    assert!(verifier(&server, &bob()).await.verify(&token, START.seconds()).is_ok());
    // The session is for that API, so that a refresh need not name it.
    let next = server.refresh("app", &answer.str("refresh_token")).await.assert_ok();
    assert!(verifier(&server, &bob()).await.verify(&next.str("access_token"), START.seconds()).is_ok());

    // A client that has lost its API: told at each refresh, and nothing is used up.
    let sid = answer.str("session_id");
    server.admin(Method::PATCH, "/clients/app", json!({"audience": [OTHER]})).await.assert_ok();
    let before = server.standing(&sid).await;
    for _ in 0..2 {
        assert_target(&server.refresh("app", &next.str("refresh_token")).await, "no API is left");
    }
    assert_eq!(server.standing(&sid).await.session, before.session);
    server.admin(Method::PATCH, "/clients/app", json!({"audience": [AUDIENCE]})).await.assert_ok();
    server.refresh("app", &next.str("refresh_token")).await.assert_ok();
});

on_both!(a_code_is_not_spent_on_a_token_that_cannot_be_made, |server| {
    let secret = server.shop().await;
    server.admin(Method::PATCH, "/clients/shop", json!({"token_format": "encrypted"})).await.assert_ok();
    let mut browser = Browser::new(&server);
    let code = browser.allow(&request_with(&[("scope", "read")])).await.parameter("code");
    assert_target(&server.exchange(&secret, &code).await, AUDIENCE);
    register(&server, AUDIENCE, &bob()).await;
    let token = server.exchange(&secret, &code).await.assert_ok().str("access_token");
    assert!(verifier(&server, &bob()).await.verify(&token, START.seconds()).is_ok());
});

on_both!(the_issuer_cannot_open_it_and_says_so_where_that_helps, |server| {
    register(&server, AUDIENCE, &bob()).await;
    app(&server, &[AUDIENCE]).await;
    let pair = server.session("alice", "app").await;
    let secret = server.confidential_client("api", json!({"introspects": ["*"]})).await;
    let caller = basic("api", &secret);
    let introspect = async |token: &str| {
        let headers = [("authorization", caller.as_str())];
        server.form_with("/oauth/introspect", &[("token", token)], &headers).await.assert_ok().json()
    };
    // RFC 7662 section 2.2 and RFC 7009 section 2.2: as of any text that is no token of ours.
    assert_eq!(introspect(&pair.access).await, json!({"active": false}));
    let before = server.standing(&pair.sid).await;
    let pairs = [("client_id", "app"), ("token", pair.access.as_str())];
    server.form("/oauth/revoke", &pairs).await.assert_ok();
    server.form("/leaked-tokens", &[("token", &pair.access)]).await.assert_ok();
    assert_eq!(server.standing(&pair.sid).await, before);
    for path in ["/oauth/userinfo", "/api/profile", "/verify?audience=https%3A%2F%2Fapi.example"] {
        let answer = server.get_as(path, &pair.access).await;
        assert_eq!(answer.status, 401, "{path}: {}", answer.text);
        let said = answer.header(http::header::WWW_AUTHENTICATE);
        assert!(said.contains("invalid_token") && said.contains("encrypted"), "{path}: {said}");
    }
    // What the API found in it is introspected as any token: the signed one is ours.
    let opened = verifier(&server, &bob()).await.verify(&pair.access, START.seconds()).unwrap();
    let body = json!({"target": "token", "subject": opened.jti});
    server.admin_post("/revocations", body).await.assert_ok();
    let revoked = server.admin(Method::GET, "/revocations", Value::Null).await.assert_ok().json();
    assert_eq!(revoked["items"][0]["subject"], opened.jti.as_str());
    // The session, the user and the rest end as ever.
    server.admin_post(&format!("/sessions/{}/revoke", pair.sid), json!({})).await.assert_ok();
    let revoked = server.admin(Method::GET, "/revocations", Value::Null).await.assert_ok().json();
    assert_eq!(revoked["items"][1]["subject"], opened.sid.unwrap().to_string());
    server.refresh("app", &pair.refresh).await.assert_error(400, "invalid_grant");
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_uses_what_was_registered_on_the_first() {
    let first = TestServer::start(Engine::Postgres).await;
    register(&first, AUDIENCE, &bob()).await;
    app(&first, &[AUDIENCE]).await;
    let second = first.node_beside().await;
    let pair = first.session("alice", "app").await;
    let before = second.app.store.version().await.unwrap();
    register(&first, AUDIENCE, &alice()).await;
    // What a node does when it sees the version move.
    assert!(second.app.store.version().await.unwrap() > before);
    second.app.look_again().await.unwrap();
    let next = second.refresh("app", &pair.refresh).await.assert_ok();
    let opened = verifier(&first, &alice()).await.verify(&next.str("access_token"), START.seconds());
    assert!(opened.is_ok(), "{opened:?}");
    forget(&first, AUDIENCE).await;
    second.app.look_again().await.unwrap();
    assert_target(&second.refresh("app", &next.str("refresh_token")).await, "no key");
}
