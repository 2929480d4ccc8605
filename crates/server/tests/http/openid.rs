//! OpenID Connect: discovery, ID tokens as another library reads them, and userinfo.

use std::time::Duration;

use ::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_wire::Algorithm;
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};

use crate::browser::{Browser, ORIGIN};
use crate::on_both;
use crate::relying::{claims, request, request_with};
use crate::support::{Engine, START, TestServer};

/// Checks an ID token as a relying party does, by the published keys alone.
async fn checked(server: &TestServer, token: &str) -> Value {
    let keys: JwkSet = serde_json::from_str(&server.get("/.well-known/jwks.json").await.text).unwrap();
    let head = jsonwebtoken::decode_header(token).unwrap();
    let key = keys.find(head.kid.as_deref().unwrap()).unwrap();
    let mut rules = jsonwebtoken::Validation::new(head.alg);
    rules.set_audience(&["shop"]);
    rules.set_issuer(&[ORIGIN]);
    rules.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    // The clock of the test is in the future of this library's.
    rules.validate_exp = false;
    let key = jsonwebtoken::DecodingKey::from_jwk(key).unwrap();
    jsonwebtoken::decode::<Value>(token, &key, &rules).unwrap().claims
}

/// OpenID Connect Core section 3.1.3.6.
fn half_hash(algorithm: Algorithm, token: &str) -> String {
    use aws_lc_rs::digest::{SHA256, SHA512, digest};
    let hash = match algorithm {
        Algorithm::EdDSA => digest(&SHA512, token.as_bytes()),
        _ => digest(&SHA256, token.as_bytes()),
    };
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
}

on_both!(an_id_token_says_who_signed_in_when_and_how, |server| {
    let secret = server.shop().await;
    for algorithm in Algorithm::ALL {
        server.set_sign_in("shop", |settings| settings.id_token_alg = Some(algorithm)).await;
        let mut browser = Browser::new(&server);
        let signed_in = server.app.clock.now();
        let code = browser.code().await;
        server.advance(Duration::from_secs(30));
        let answer = server.exchange(&secret, &code).await.assert_ok();
        let token = answer.str("id_token");
        let head = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(format!("{:?}", head.alg), format!("{algorithm:?}"));
        assert_ne!(head.typ.as_deref(), Some("at+jwt"));
        let claims = checked(&server, &token).await;
        let access = answer.str("access_token");
        let of_access = crate::relying::claims(&access);
        assert_eq!(claims["aud"], "shop");
        assert_eq!(claims["nonce"], "n-1");
        assert_eq!(claims["at_hash"], half_hash(algorithm, &access));
        assert_eq!(claims["auth_time"], signed_in.seconds());
        assert_eq!(claims["iat"], signed_in.seconds() + 30);
        assert!(claims["exp"].as_u64().unwrap() > claims["iat"].as_u64().unwrap());
        assert_eq!((&claims["acr"], &claims["amr"]), (&json!("aal1"), &json!(["pwd"])));
        assert_eq!((&claims["sid"], &claims["sub"]), (&of_access["sid"], &of_access["sub"]));
        assert_eq!(of_access["auth_time"], claims["auth_time"]);
        // What is known of the person is at userinfo.
        assert!(claims.get("email").is_none() && claims.get("name").is_none(), "{claims}");
    }
});

on_both!(a_refresh_brings_an_id_token_of_the_same_sign_in_without_the_nonce, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let code = browser.code().await;
    let first = server.exchange(&secret, &code).await.assert_ok();
    server.advance(Duration::from_secs(100));
    let second = server.refresh_shop(&secret, &first.str("refresh_token")).await.assert_ok();
    let (before, after) = (claims(&first.str("id_token")), checked(&server, &second.str("id_token")).await);
    for claim in ["iss", "sub", "aud", "auth_time", "sid", "acr", "amr"] {
        assert_eq!(before[claim], after[claim], "{claim}");
    }
    assert!(after.get("nonce").is_none(), "{after}");
    assert_eq!(after["at_hash"], half_hash(Algorithm::ES256, &second.str("access_token")));
    // OpenID Connect Core section 12.2: iat is of the new token.
    assert_eq!(after["iat"], START.seconds() + 100);
});

on_both!(userinfo_tells_what_the_scope_allows, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let mut told = Vec::new();
    for scope in ["openid", "openid email", "openid profile"] {
        let code = browser.allow(&request_with(&[("scope", scope)])).await.parameter("code");
        let access = server.exchange(&secret, &code).await.assert_ok().str("access_token");
        let answer = server.get_as("/oauth/userinfo", &access).await.assert_ok();
        assert_eq!(answer.header(http::header::CACHE_CONTROL), "no-store");
        assert_eq!(answer.json()["sub"], claims(&access)["sub"]);
        let in_body = server.form("/oauth/userinfo", &[("access_token", &access)]).await.assert_ok();
        assert_eq!(in_body.json(), answer.json());
        let header = format!("Bearer {access}");
        let by_post =
            server.form_with("/oauth/userinfo", &[], &[("authorization", &header)]).await.assert_ok();
        assert_eq!(by_post.json(), answer.json());
        // RFC 6750 section 2: not in two ways at once, and never in the address.
        let both = server
            .form_with("/oauth/userinfo", &[("access_token", &access)], &[("authorization", &header)])
            .await;
        both.assert_error(400, "invalid_request");
        server
            .get(&format!("/oauth/userinfo?access_token={access}"))
            .await
            .assert_error(400, "invalid_request");
        told.push(answer.json());
    }
    assert_eq!(told[0].as_object().unwrap().len(), 1, "{}", told[0]);
    assert_eq!((&told[1]["email"], &told[1]["email_verified"]), (&json!("alice@example.com"), &json!(false)));
    assert_eq!(told[2]["preferred_username"], "alice");
    assert!(told[2].get("email").is_none() && told[1].get("preferred_username").is_none());
});

on_both!(userinfo_is_for_access_tokens_of_people_who_are_there, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let code = browser.allow(&request_with(&[("scope", "read")])).await.parameter("code");
    let plain = server.exchange(&secret, &code).await.assert_ok();
    // Without openid it is for another audience.
    let refused = server.get_as("/oauth/userinfo", &plain.str("access_token")).await;
    assert!(matches!(refused.status.as_u16(), 401 | 403), "{refused:?}");
    let code = browser.code().await;
    let answer = server.exchange(&secret, &code).await.assert_ok();
    for (token, error) in [
        (answer.str("refresh_token"), "invalid_token"),
        (answer.str("id_token"), "invalid_token"),
        ("x".to_owned(), "invalid_token"),
        ("x".repeat(10_000), "invalid_token"),
    ] {
        let refused = server.get_as("/oauth/userinfo", &token).await;
        refused.assert_error(401, error);
        assert!(refused.header(http::header::WWW_AUTHENTICATE).contains("error=\"invalid_token\""));
    }
    let missing = server.get("/oauth/userinfo").await;
    assert_eq!(missing.status, 401);
    assert!(!missing.header(http::header::WWW_AUTHENTICATE).contains("error"), "{missing:?}");
    let body = Request::post("/oauth/userinfo").header("content-type", "application/x-www-form-urlencoded");
    let twice = body.body("access_token=a&access_token=b".into()).unwrap();
    server.send(twice).await.assert_error(400, "invalid_request");
    server.admin_post("/users/alice/disable", json!({})).await.assert_ok();
    server.get_as("/oauth/userinfo", &answer.str("access_token")).await.assert_error(401, "invalid_token");
});

on_both!(discovery_names_what_is_there, |server| {
    server.shop().await;
    let answer = server.get("/.well-known/openid-configuration").await.assert_ok();
    let document = answer.json();
    assert_eq!(document["issuer"], ORIGIN);
    for (member, value) in document.as_object().unwrap() {
        let Some(path) = value.as_str().and_then(|url| url.strip_prefix(ORIGIN)) else { continue };
        if member == "issuer" {
            continue;
        }
        let answer = server.get(path).await;
        assert_ne!(answer.status, 404, "{member} leads nowhere: {path}");
    }
    assert_eq!(document["response_types_supported"], json!(["code"]));
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    assert_eq!(document["subject_types_supported"], json!(["public"]));
    // Discovery section 3: RS256 must be among them.
    let algorithms = document["id_token_signing_alg_values_supported"].as_array().unwrap();
    assert!(algorithms.contains(&json!("RS256")) && !algorithms.contains(&json!("none")));
    let mut browser = Browser::new(&server);
    let code = browser.allow(&request()).await;
    assert!(!code.url.is_empty());
});

/// A proxy in front takes the path away: what is sent to `/login/signin` arrives as `/signin`.
#[tokio::test]
async fn an_issuer_with_a_path_is_the_base_of_all_addresses() {
    const ISSUER: &str = "https://auth.example/login";
    let server = TestServer::start_with(Engine::Sqlite, &[("issuer", ISSUER)]).await;
    let secret = server.shop().await;
    let metadata = server.get("/.well-known/openid-configuration").await.assert_ok().json();
    assert_eq!(metadata["issuer"], ISSUER);
    for (name, value) in metadata.as_object().unwrap() {
        if let Some(address) =
            value.as_str().filter(|_| name.ends_with("_endpoint") || name.ends_with("_uri"))
        {
            assert!(address.starts_with("https://auth.example/login/"), "{name}: {address}");
        }
    }
    let mut browser = Browser::new(&server);
    browser.base = "/login";
    let page = browser.ask(&request()).await.page_at("/signin");
    for before in ["href=\"/", "src=\"/", "action=\"/"] {
        let mut links = page.answer.text.split(before).skip(1);
        assert!(links.all(|link| link.starts_with("login/")), "{before}: {}", page.answer.text);
    }
    let code = browser.code().await;
    let answer = server.exchange(&secret, &code).await.assert_ok();
    assert_eq!(claims(&answer.str("id_token"))["iss"], ISSUER);
}
