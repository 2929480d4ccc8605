//! The authorization code from the application's button to its tokens (OAuth 2.1 section 4.1).

use ::http::{Method, header};
use serde_json::json;

use crate::attack_list::Probe;
use crate::browser::{Away, Browser, ORIGIN};
use crate::on_both;
use crate::relying::{
    CALLBACK, CHALLENGE, PASSWORD, SCOPE, VERIFIER, address, claims, request, request_with,
};
use crate::sign_in::{assert_error_page, assert_page};
use crate::support::AUDIENCE;

on_both!(a_person_signs_in_agrees_and_signs_out_again, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);

    let page = browser.ask(&request()).await.page_at("/signin");
    assert!(page.answer.text.contains("shop"), "the page says for whom: {}", page.answer.text);
    let page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/consent");
    let away = browser.submit(&page, &[("action", "allow")]).await.away();
    assert!(away.url.starts_with(&format!("{CALLBACK}?code=")), "{}", away.url);
    assert_eq!(away.parameter("state"), "s-1");
    assert_eq!(away.parameter("iss"), "https://auth.example");
    assert_eq!(away.parameters().len(), 3, "{}", away.url);

    let answer = server.exchange(&secret, &away.parameter("code")).await.assert_ok();
    assert_eq!(answer.json()["scope"], "openid read");
    let id = claims(&answer.str("id_token"));
    assert_eq!((&id["aud"], &id["nonce"]), (&json!("shop"), &json!("n-1")));
    let access = answer.str("access_token");
    assert_eq!(claims(&access)["aud"], json!([AUDIENCE, "https://auth.example"]));
    assert_eq!(server.get_as("/api/profile", &access).await.status, 200);
    let person = server.get_as("/oauth/userinfo", &access).await.assert_ok();
    assert_eq!(person.json(), json!({"sub": id["sub"]}));

    let refreshed = server.refresh_shop(&secret, &answer.str("refresh_token")).await.assert_ok();
    assert_eq!(claims(&refreshed.str("id_token"))["sub"], id["sub"]);

    assert!(browser.session().is_some());
    let page = browser.open("/oauth/logout").await.page_at("/oauth/logout");
    browser.submit(&page, &[("action", "yes")]).await.page_at("/oauth/logout");
    assert_eq!(browser.session(), None);
    let text = server
        .refresh_shop(&secret, &refreshed.str("refresh_token"))
        .await
        .assert_error(400, "invalid_grant");
    assert!(text.contains("signed out"), "{text}");
});

/// The parameters of a request.
type Pairs = Vec<(&'static str, String)>;

/// Requests that name no place to answer to, by what is wrong.
fn unanswerable() -> Vec<(&'static str, Pairs)> {
    let twice = |name: &'static str, value: &str| {
        let mut pairs = request();
        pairs.push((name, value.to_owned()));
        pairs
    };
    let long = "x".repeat(10_000);
    vec![
        ("no client", request_with(&[("client_id", "")])),
        ("an unknown client", request_with(&[("client_id", "nobody")])),
        ("a hostile client", request_with(&[("client_id", HOSTILE)])),
        ("a client of 10 KB", request_with(&[("client_id", &long)])),
        ("a client with a NUL", request_with(&[("client_id", "shop\0")])),
        ("a client with a line end", request_with(&[("client_id", "shop\r\nset-cookie: a=b")])),
        ("the client twice", twice("client_id", "shop")),
        ("another place", request_with(&[("redirect_uri", "https://evil.example/cb")])),
        ("a hostile place", request_with(&[("redirect_uri", HOSTILE)])),
        ("a place of 10 KB", request_with(&[("redirect_uri", &format!("{CALLBACK}?{long}"))])),
        ("a place with a line end", request_with(&[("redirect_uri", "https://shop.example/cb\r\nx: y")])),
        ("the place twice", twice("redirect_uri", CALLBACK)),
        ("a place and another", twice("redirect_uri", "https://evil.example/cb")),
        (
            "a request that nobody pushed",
            request_with(&[("request_uri", "urn:ietf:params:oauth:request_uri:x")]),
        ),
        ("nothing", Vec::new()),
    ]
}

const HOSTILE: &str = "\"><script>alert(1)</script>";

on_both!(without_a_client_and_a_place_there_is_a_page_and_no_redirect, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    for (what, pairs) in unanswerable() {
        let answer = browser.get(&address(&pairs)).await;
        assert_error_page(&answer);
        assert!(
            !answer.text.contains("evil.example") && !answer.text.contains("alert(1)"),
            "{what}: {}",
            answer.text
        );
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_error_page(&browser.post("/oauth/authorize", &pairs).await);
    }
    for query in ["client_id=%ff", "client_id=%zz", "client_id=shop&x=%", &"a=1&".repeat(100)] {
        assert_error_page(&browser.get(&format!("/oauth/authorize?{query}")).await);
    }
    server.admin_post("/clients/shop/disable", json!({})).await.assert_ok();
    assert_error_page(&browser.get(&address(&request())).await);
});

/// Requests that are refused at the client, by what is wrong with them.
fn refused() -> Vec<(&'static str, Pairs, &'static str)> {
    let with = request_with;
    let twice = |name: &'static str, value: &str| {
        let mut pairs = request_with(&[("state", "")]);
        pairs.push((name, value.to_owned()));
        pairs
    };
    let long = "x".repeat(10_000);
    let no_challenge = [("code_challenge", ""), ("code_challenge_method", "")];
    vec![
        ("no response type", with(&[("response_type", "")]), "invalid_request"),
        ("an implicit one", with(&[("response_type", "token")]), "unsupported_response_type"),
        ("a hybrid one", with(&[("response_type", "code id_token")]), "unsupported_response_type"),
        ("a hostile one", with(&[("response_type", HOSTILE)]), "unsupported_response_type"),
        ("the type twice", twice("response_type", "code"), "invalid_request"),
        ("the scope twice", twice("scope", "read"), "invalid_request"),
        ("the challenge twice", twice("code_challenge", CHALLENGE), "invalid_request"),
        (
            "something unknown twice",
            {
                let mut p = twice("x", "1");
                p.push(("x", "2".to_owned()));
                p
            },
            "invalid_request",
        ),
        ("another mode", with(&[("response_mode", "fragment")]), "invalid_request"),
        ("no challenge", with(&no_challenge), "invalid_request"),
        ("no method", with(&[("code_challenge_method", "")]), "invalid_request"),
        ("plain", with(&[("code_challenge_method", "plain")]), "invalid_request"),
        ("a method alone", with(&[("code_challenge", "")]), "invalid_request"),
        ("a short challenge", with(&[("code_challenge", "abc")]), "invalid_request"),
        ("a long challenge", with(&[("code_challenge", &long)]), "invalid_request"),
        ("a scope too many", with(&[("scope", "openid admin")]), "invalid_scope"),
        ("a malformed scope", with(&[("scope", "openid \"x\\")]), "invalid_scope"),
        ("a hostile scope", with(&[("scope", HOSTILE)]), "invalid_scope"),
        ("a scope with a line end", with(&[("scope", "openid\r\nx")]), "invalid_scope"),
        ("a scope of 10 KB", with(&[("scope", &long)]), "invalid_scope"),
        ("another API", with(&[("resource", "https://other.example")]), "invalid_target"),
        ("a relative API", with(&[("resource", "/api")]), "invalid_target"),
        ("a prompt that is none", with(&[("prompt", "create")]), "invalid_request"),
        ("none and login", with(&[("prompt", "none login")]), "invalid_request"),
        ("an age below zero", with(&[("max_age", "-1")]), "invalid_request"),
        ("an age beyond numbers", with(&[("max_age", "99999999999999999999999")]), "invalid_request"),
        ("a nonce of 10 KB", with(&[("nonce", &long)]), "invalid_request"),
        ("a hint of 10 KB", with(&[("login_hint", &long)]), "invalid_request"),
        ("a token hint of 10 KB", with(&[("id_token_hint", &long)]), "invalid_request"),
        ("many acr_values", with(&[("acr_values", &"a ".repeat(17))]), "invalid_request"),
        ("a request object", with(&[("request", "e30.e30.")]), "request_not_supported"),
        ("a request elsewhere", with(&[("request_uri", "https://a.example/r")]), "request_uri_not_supported"),
        ("a registration", with(&[("registration", "{}")]), "registration_not_supported"),
    ]
}

/// The characters of RFC 6749 appendix A.8.
fn is_described(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

on_both!(what_is_wrong_is_told_to_the_client_with_state_and_issuer, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    for (what, pairs, error) in refused() {
        for method in ["GET", "POST"] {
            let answer = match method {
                "GET" => browser.get(&address(&pairs)).await,
                _ => {
                    browser
                        .post(
                            "/oauth/authorize",
                            &pairs.iter().map(|(n, v)| (*n, v.as_str())).collect::<Vec<_>>(),
                        )
                        .await
                }
            };
            assert_eq!(answer.status, 303, "{what}: {}", answer.text);
            assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
            let away = Away { url: answer.header(header::LOCATION).to_owned() };
            assert!(away.url.starts_with("https://shop.example/cb?error="), "{what}: {}", away.url);
            let parameters = away.parameters();
            assert_eq!(parameters["error"], error, "{what}");
            assert_eq!(parameters["iss"], ORIGIN);
            let state = pairs.iter().find(|(name, _)| *name == "state").map(|(_, value)| value.as_str());
            assert_eq!(parameters.get("state").map(String::as_str), state, "{what}");
            assert!(is_described(&parameters["error_description"]), "{what}: {}", away.url);
        }
    }
});

on_both!(state_comes_back_as_it_was, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    browser.code().await;
    let long = "s".repeat(4_000);
    for state in [HOSTILE, "a\r\nset-cookie: x=y", "ü&iss=https://evil.example&code=x#", &long] {
        let away = browser.ask(&request_with(&[("state", state)])).await.away();
        assert_eq!(away.parameter("state"), state);
        assert_eq!(away.parameter("iss"), ORIGIN);
        assert!(!away.url.contains(['\r', '\n', '\0', '#', '<']), "{}", away.url);
    }
    let away = browser.ask(&request_with(&[("state", "")])).await.away();
    assert!(!away.parameters().contains_key("state"));
    // Too long to be kept: told so, at the client, and nothing is signed in to.
    let mut fresh = Browser::new(&server);
    let answer = fresh.get(&address(&request_with(&[("state", &"s".repeat(40_000))]))).await;
    assert!(answer.status.is_client_error() || answer.status == 303, "{answer:?}");
});

on_both!(case_36_a_form_post_answer_is_a_form_with_everything_escaped, |server| {
    let secret = server.shop().await;
    let probe = Probe::new(&server).await;
    let mut browser = Browser::new(&server);
    let asked = request_with(&[("response_mode", "form_post"), ("state", HOSTILE)]);
    let page = browser.ask(&asked).await.page_at("/signin");
    let page = browser.sign_in(&page, "alice", PASSWORD).await.page_at("/consent");
    let page = browser.submit(&page, &[("action", "allow")]).await.page();
    assert_page(&page.answer);
    let form = page.form();
    assert_eq!(form.action, CALLBACK);
    let value = |name: &str| form.fields.iter().find(|(n, _)| n == name).unwrap().1.clone();
    assert_eq!((value("state").as_str(), value("iss").as_str()), (HOSTILE, ORIGIN));
    assert_eq!(form.fields.len(), 3);
    server.exchange(&secret, &value("code")).await.assert_ok();
    let refused = request_with(&[("response_mode", "form_post"), ("scope", HOSTILE), ("state", HOSTILE)]);
    let page = browser.ask(&refused).await.page();
    assert_page(&page.answer);
    assert_eq!(page.form().fields[0], ("error".to_owned(), "invalid_scope".to_owned()));
    probe.nothing_lost(&server).await;
});

on_both!(a_request_may_come_as_a_form_from_the_applications_site, |server| {
    server.shop().await;
    let mut browser = Browser::new(&server);
    let open = browser.ask(&request_with(&[("state", "tab")])).await.page_at("/signin");
    // From another site, so without cookies; what the browser has must stay.
    let kept = std::mem::take(&mut browser.cookies);
    let asked = request();
    let pairs: Vec<_> = asked.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let headers = [("sec-fetch-site", "cross-site"), ("origin", "https://shop.example")];
    let answer = browser.post_with("/oauth/authorize", &pairs, &headers).await;
    assert!(browser.cookies.is_empty(), "{answer:?}");
    browser.cookies = kept;
    let page = browser.follow("/oauth/authorize", answer).await.page_at("/signin");
    browser.sign_in(&page, "alice", PASSWORD).await.page_at("/consent");
    browser.open(&open.path).await.page_at("/signin");
    // Whoever came back first has it.
    assert_error_page(&Browser::new(&server).get(&page.path).await);
    assert_error_page(
        &Browser::new(&server).get(&page.path.replace("/signin", "/oauth/authorize/continue")).await,
    );
});

on_both!(a_single_redirect_uri_may_be_left_out, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let code = browser.allow(&request_with(&[("redirect_uri", "")])).await.parameter("code");
    server.exchange_with(&secret, &[("code", &code), ("code_verifier", VERIFIER)]).await.assert_ok();
    let two = json!({"redirect_uris": [CALLBACK, "https://shop.example/other"]});
    server.admin(Method::PATCH, "/clients/shop", two).await.assert_ok();
    assert_error_page(&browser.get(&address(&request_with(&[("redirect_uri", "")]))).await);
    // With several, the error goes to the one that was named.
    let named = request_with(&[("redirect_uri", "https://shop.example/other"), ("scope", "admin")]);
    assert!(
        browser.ask(&named).await.away().url.starts_with("https://shop.example/other?error=invalid_scope")
    );
});

on_both!(an_exchange_is_refused_and_changes_nothing, |server| {
    let secret = server.shop().await;
    let mut browser = Browser::new(&server);
    let code = browser.code().await;
    let good = [("code", code.as_str()), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    let without = |name: &str| good.iter().copied().filter(|(n, _)| *n != name).collect::<Vec<_>>();
    let with = |name: &'static str, value: &'static str| {
        let mut pairs = without(name);
        pairs.push((name, value));
        pairs
    };
    let long: &'static str = "v".repeat(10_000).leak();
    for (pairs, error) in [
        (without("code"), "invalid_request"),
        (without("code_verifier"), "invalid_grant"),
        (with("code", "x"), "invalid_grant"),
        (with("code", long), "invalid_grant"),
        (with("code", "\0"), "invalid_request"),
        (with("redirect_uri", "https://shop.example/other"), "invalid_grant"),
        (with("redirect_uri", "https://shop.example/cb/"), "invalid_grant"),
        (with("code_verifier", "wrong-verifier-of-more-than-43-characters-000"), "invalid_grant"),
        (with("code_verifier", CHALLENGE), "invalid_grant"),
        (with("code_verifier", long), "invalid_grant"),
        (with("resource", "https://other.example"), "invalid_target"),
        ([good.as_slice(), &[("code", "x")]].concat(), "invalid_request"),
        ([good.as_slice(), &[("code_verifier", VERIFIER)]].concat(), "invalid_request"),
    ] {
        server.exchange_with(&secret, &pairs).await.assert_error(400, error);
    }
    server.exchange("wrong secret", &code).await.assert_error(401, "invalid_client");
    let anonymous =
        [&[("grant_type", "authorization_code"), ("client_id", "shop")], good.as_slice()].concat();
    server.form("/oauth/token", &anonymous).await.assert_error(401, "invalid_client");
    server.exchange_with(&secret, &good).await.assert_ok();
});

on_both!(what_was_asked_for_one_api_is_for_that_api, |server| {
    let more = json!({"kind": "web", "scope": SCOPE, "redirect_uris": [CALLBACK],
        "audience": [AUDIENCE, "https://two.example"]});
    server.person("alice").await;
    let secret = server.confidential_client("shop", more).await;
    let mut browser = Browser::new(&server);
    let asked = request_with(&[("scope", "read"), ("resource", "https://two.example")]);
    let code = browser.allow(&asked).await.parameter("code");
    let other = [
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("resource", AUDIENCE),
    ];
    server.exchange_with(&secret, &other).await.assert_error(400, "invalid_target");
    let answer = server.exchange(&secret, &code).await.assert_ok();
    assert_eq!(claims(&answer.str("access_token"))["aud"], "https://two.example");
    assert!(answer.json().get("id_token").is_none(), "openid was not asked for");
});

on_both!(a_confidential_client_may_be_let_off_the_challenge, |server| {
    let secret = server.shop().await;
    server.set_sign_in("shop", |settings| settings.allow_missing_pkce = true).await;
    let mut browser = Browser::new(&server);
    let bare = [("code_challenge", ""), ("code_challenge_method", "")];
    let code = browser.allow(&request_with(&bare)).await.parameter("code");
    let pairs = [("code", code.as_str()), ("redirect_uri", CALLBACK)];
    // Then the redirect URI is what binds the code.
    server.exchange_with(&secret, &pairs[..1]).await.assert_error(400, "invalid_grant");
    server.exchange_with(&secret, &pairs).await.assert_ok();
    // OAuth 2.1 section 7.5.1: it is the nonce that takes the challenge's place.
    let neither = [bare[0], bare[1], ("nonce", "")];
    assert_eq!(browser.ask(&request_with(&neither)).await.away().parameter("error"), "invalid_request");
    // OpenID Connect Core section 3.1.2.1 asks for neither: a second setting, for who must have that.
    server.set_sign_in("shop", |settings| settings.allow_missing_nonce = true).await;
    let code = browser.ask(&request_with(&neither)).await.away().parameter("code");
    let answer =
        server.exchange_with(&secret, &[("code", &code), ("redirect_uri", CALLBACK)]).await.assert_ok();
    assert!(claims(&answer.str("id_token")).get("nonce").is_none());
});
