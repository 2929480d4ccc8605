//! The attack list, continued: what is sent to a listening server, and what it does not speak.

use std::net::SocketAddr;

use countersign::config::Settings;
use http::{Method, Request, header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::attack_list::Probe;
use crate::on_both;
use crate::relying::CALLBACK;
use crate::support::{AUDIENCE, Engine, TestServer, basic};

/// The shortest that can be configured.
const PATIENCE: [(&str, &str); 2] = [("limits.header_timeout", "1s"), ("limits.body_timeout", "1s")];

/// Sends these bytes, and reads until the server closes or has answered and waits.
async fn answer_to(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have answered and closed before it has all.
    let _ = stream.write_all(bytes).await;
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

fn head(line: &str, more: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: auth.example\r\nconnection: close\r\n{more}")
}

async fn bodies_and_heads_without_end(engine: Engine) {
    let server = TestServer::start_with(engine, &PATIENCE).await;
    let limits = Settings::from_values(&PATIENCE).unwrap().limits;
    let address = server.listen(limits).await;
    let probe = Probe::new(&server).await.inert(&server).await;
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let chunked = format!("{form}transfer-encoding: chunked\r\n\r\n");
    let piece = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let many = "x: y\r\n".repeat(200);
    let fields = |number: usize| (0..number).map(|n| format!("p{n}=x&")).collect::<String>();
    let few_fields = fields(5_000);
    let sized = |length: usize, body: &str| format!("{form}content-length: {length}\r\n\r\n{body}");
    for (what, sent, status) in [
        ("a head that never ends", head("GET /healthz", "x: "), "408"),
        ("a head of 64 KB", head("GET /healthz", &format!("x: {}\r\n\r\n", "y".repeat(65_536))), "431"),
        ("two hundred fields in the head", head("GET /healthz", &format!("{many}\r\n")), "431"),
        (
            "a body without a length",
            head("POST /oauth/token", &format!("{chunked}{}", piece.repeat(8))),
            "413",
        ),
        ("a body of 1 GB", head("POST /oauth/token", &sized(1 << 30, "grant_type=")), "413"),
        ("a body that stops", head("POST /oauth/token", &sized(1_000, "grant_type=")), "408"),
        (
            "100,000 form fields",
            head("POST /oauth/token", &sized(fields(100_000).len(), &fields(100_000))),
            "413",
        ),
        ("as many as fit", head("POST /oauth/token", &sized(few_fields.len(), &few_fields)), "400"),
        (
            "parts",
            head(
                "POST /oauth/token",
                "content-type: multipart/form-data; boundary=x\r\ncontent-length: 5\r\n\r\n--x--",
            ),
            "400",
        ),
    ] {
        let answer = answer_to(address, sent.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
    }
    probe.nothing_lost(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_69_bodies_and_heads_without_end() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        bodies_and_heads_without_end(engine).await;
    }
}

on_both!(case_71_nothing_of_http_2_is_spoken, |server| {
    let address = server.listen(Settings::from_values(&[]).unwrap().limits).await;
    let probe = Probe::new(&server).await.inert(&server).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // A stream that is opened and reset; a head that goes on and on; data without anything in it.
    let reset = [0, 0, 0, 1, 4, 0, 0, 0, 1, 0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8];
    let continuation = [0, 0, 0, 9, 0, 0, 0, 0, 1];
    let empty = [0, 0, 0, 0, 0, 0, 0, 0, 1];
    for flood in [&reset[..], &continuation, &empty] {
        let sent = [&preface[..], &settings, &flood.repeat(10_000)].concat();
        let answer = answer_to(address, &sent).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    // Nor is anybody asked over to it.
    let upgrade = "upgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
    let answer = answer_to(address, head("GET /healthz", upgrade).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("h2c"), "{answer}");
    probe.nothing_lost(&server).await;
});

on_both!(case_31_script_as_an_address_of_a_client, |server| {
    let probe = Probe::new(&server).await.inert(&server).await;
    let clients =
        async || server.admin(Method::GET, "/clients?limit=100", Value::Null).await.assert_ok().text;
    let before = clients().await;
    let good = json!({"id": "evil", "kind": "web", "scope": "openid", "audience": [AUDIENCE],
        "redirect_uris": [CALLBACK]});
    for uri in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        " javascript:alert(1)",
        "javascript://app.example/%0aalert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
    ] {
        for change in [
            json!({"redirect_uris": [uri]}),
            json!({"post_logout_redirect_uris": [uri]}),
            json!({"backchannel_logout_uri": uri}),
        ] {
            let mut body = good.clone();
            for (name, value) in change.as_object().unwrap() {
                body[name] = value.clone();
            }
            server.admin_post("/clients", body).await.assert_error(400, "invalid_request");
            let changed = server.admin(Method::PATCH, "/clients/victim-app", change).await;
            changed.assert_error(400, "invalid_request");
        }
    }
    // There is no other address of a client that a page could show.
    for name in ["logo_uri", "policy_uri", "tos_uri", "client_uri"] {
        let mut body = good.clone();
        body[name] = json!("https://app.example/");
        server.admin_post("/clients", body).await.assert_error(400, "invalid_request");
    }
    assert_eq!(clients().await, before);
    probe.nothing_lost(&server).await;
});

on_both!(case_23_63_64_what_is_not_spoken_is_refused, |server| {
    let secret = server.confidential_client("service", json!({})).await;
    let over = server.alice().await;
    server.form("/oauth/revoke", &[("client_id", "app"), ("token", &over.refresh)]).await.assert_ok();
    let probe = Probe::new(&server).await.inert(&server).await;
    let basic = basic("service", &secret);
    // A token that has ended, in exchange for another; and assertions of whoever signed them.
    for (grant, name) in [
        ("urn:ietf:params:oauth:grant-type:token-exchange", "subject_token"),
        ("urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion"),
        ("urn:ietf:params:oauth:grant-type:saml2-bearer", "assertion"),
        ("password", "password"),
    ] {
        for token in [&over.access, &probe.access().to_owned()] {
            let pairs = [("grant_type", grant), (name, token.as_str())];
            let answer = server.form_with("/oauth/token", &pairs, &[("authorization", &basic)]).await;
            answer.assert_error(400, "unsupported_grant_type");
        }
    }
    // A client that says with a signature who it is says nothing here.
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "service"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", "e30.e30.AAAA"),
    ];
    for _ in 0..2 {
        server.form("/oauth/token", &pairs).await.assert_error(400, "invalid_request");
    }
    // A token of ours is not bound to a key, and nobody may believe that it is.
    for (scheme, proof) in [("DPoP", "e30.e30.AAAA"), ("dpop", "")] {
        let request = Request::get("/api/profile")
            .header(header::AUTHORIZATION, format!("{scheme} {}", probe.access()))
            .header("dpop", proof);
        let answer = server.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 401, "{}", answer.text);
    }
    probe.nothing_lost(&server).await;
});

/// The library is there for the public keys of passkeys, and nothing else may use it.
#[test]
fn case_77_no_private_key_of_rsa_is_used_by_code_that_leaks_it() {
    let lock = include_str!("../../../../Cargo.lock");
    let users = |name: &str| -> Vec<&str> {
        let entry = format!("\n \"{name}\"");
        let packages = lock.split("[[package]]").filter(|package| {
            package.contains(&format!("{entry},")) || package.contains(&format!("{entry} "))
        });
        packages.map(|package| package.split('"').nth(1).unwrap()).collect()
    };
    assert_eq!(users("rsa"), ["crypto-glue"]);
    assert_eq!(users("crypto-glue"), ["webauthn-attestation-ca", "webauthn-rs-core"]);
    assert!(users("aws-lc-rs").contains(&"countersign"), "what signs");
}
