//! The attack list, continued: guessing passwords and user codes, and what guessing does to others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use countersign::http::peer::Peer;
use http::{Request, header};
use serde_json::json;

use crate::attack_list::Probe;
use crate::browser::Browser;
use crate::device_flow;
use crate::on_both;
use crate::relying::{PASSWORD, request};
use crate::sign_in::assert_page;
use crate::support::{Answer, TestServer, basic};

fn network(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(198, 51, number, 7))
}

/// One attempt in a browser of its own.
async fn attempt(server: &TestServer, from: IpAddr, username: &str, password: &str) -> Answer {
    let mut browser = Browser::at(server, from);
    let page = browser.ask(&request()).await.page_at("/signin");
    let form = page.form();
    let answer =
        browser.post(&form.action, &form.with(&[("username", username), ("password", password)])).await;
    // What differs from one request to the next is left out.
    let handle = form.action.split_once("i=").unwrap().1;
    let text = answer.text.replace(form.csrf(), "").replace(handle, "").replace(username, "");
    Answer { text, ..answer }
}

on_both!(case_51_one_counter_for_every_way_to_write_a_name, |server| {
    server.shop().await;
    let probe = Probe::new(&server).await.inert(&server).await;
    let near = |last: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 7, last, 0, 0, 0, last));
    for (at, name) in
        ["alice", "ALICE", " alice ", "\u{ff41}\u{ff4c}\u{ff49}\u{ff43}\u{ff45}", "aLiCe"].iter().enumerate()
    {
        assert_eq!(
            attempt(&server, near(u16::try_from(at).unwrap()), name, "wrong password").await.status,
            422
        );
    }
    let answer = attempt(&server, near(99), "Alice", PASSWORD).await;
    assert_eq!(answer.status, 429, "not looked at, right or wrong: {}", answer.text);
    assert_page(&answer);
    assert_eq!(answer.header(http::header::RETRY_AFTER), "30");
    // Headers of a stranger move nobody to another network.
    let mut browser = Browser::at(&server, near(3));
    let form = browser.ask(&request()).await.page_at("/signin").form();
    let headers = [
        ("sec-fetch-site", "same-origin"),
        ("x-forwarded-for", "203.0.113.9"),
        ("forwarded", "for=203.0.113.9"),
    ];
    let answer = browser
        .post_with(&form.action, &form.with(&[("username", "alice"), ("password", PASSWORD)]), &headers)
        .await;
    assert_eq!(answer.status, 429);
    server.advance(Duration::from_secs(30));
    assert_eq!(attempt(&server, near(1), "alice", PASSWORD).await.status, 303);
    probe.nothing_lost(&server).await;
});

on_both!(case_52_unknown_disabled_and_wrong_look_the_same, |server| {
    server.shop().await;
    server.person("gone").await;
    server.user("passwordless").await;
    server.admin_post("/users/gone/disable", json!({})).await.assert_ok();
    let probe = Probe::new(&server).await.inert(&server).await;
    let wrong = attempt(&server, network(1), "alice", "wrong password").await;
    assert_eq!(wrong.status, 422);
    let too_long = "x".repeat(2_000);
    for (number, (name, password, work)) in [
        ("nobody", PASSWORD, 1),
        ("gone", PASSWORD, 1),
        ("passwordless", PASSWORD, 1),
        ("alice", "wrong password", 1),
        ("alice", &too_long, 0),
        ("nobody", &too_long, 0),
    ]
    .iter()
    .enumerate()
    {
        let before = server.app.passwords.computed();
        let answer = attempt(&server, network(u8::try_from(number).unwrap() + 2), name, password).await;
        assert_eq!(server.app.passwords.computed() - before, *work, "the same work: {name}");
        assert_eq!((answer.status, &answer.text), (wrong.status, &wrong.text), "{name}");
        let names =
            |answer: &Answer| answer.headers.keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&answer), names(&wrong), "{name}");
    }
    // And the wait of one who guesses at nobody is the same.
    for _ in 0..4 {
        attempt(&server, network(2), "nobody", PASSWORD).await;
    }
    assert_eq!(attempt(&server, network(2), "nobody", PASSWORD).await.status, 429);
    probe.nothing_lost(&server).await;
});

on_both!(case_53_nobody_is_locked_out_by_others, |server| {
    server.shop().await;
    let probe = Probe::new(&server).await.inert(&server).await;
    assert_eq!(attempt(&server, network(200), "alice", PASSWORD).await.status, 303, "at home");
    // One attacker, from one network and then from many.
    for number in 1..=12 {
        for _ in 0..5 {
            attempt(&server, network(number), "alice", "wrong password").await;
        }
        assert_eq!(attempt(&server, network(number), "alice", PASSWORD).await.status, 429);
    }
    assert_eq!(attempt(&server, network(200), "alice", PASSWORD).await.status, 303, "still at home");
    server.person("bob").await;
    assert_eq!(attempt(&server, network(1), "bob", PASSWORD).await.status, 303, "somebody else");
    probe.nothing_lost(&server).await;
});

on_both!(case_53_whoever_has_signed_in_from_home_can_from_there_after_a_restart_too, |server| {
    server.shop().await;
    assert_eq!(attempt(&server, network(200), "alice", PASSWORD).await.status, 303, "at home");
    server.advance(Duration::from_secs(30 * 86_400));
    let server = server.restarted().await;
    let probe = Probe::new(&server).await.inert(&server).await;
    for name in ["alice", "nobody"] {
        for number in 1..=7 {
            let tries = if number == 7 { 2 } else { 5 };
            for _ in 0..tries {
                attempt(&server, network(number), name, "wrong password").await;
            }
        }
        // Those who guess wait together, and so does whoever is new where they are.
        for number in [7, 8, 9] {
            assert_eq!(attempt(&server, network(number), name, PASSWORD).await.status, 429, "{name}");
        }
    }
    assert_eq!(attempt(&server, network(200), "alice", "wrong password").await.status, 422, "at home");
    assert_eq!(attempt(&server, network(200), "alice", PASSWORD).await.status, 303, "at home");
    // Home is known of the account that was signed in to, and has its own limit.
    assert_eq!(attempt(&server, network(200), "nobody", PASSWORD).await.status, 429);
    for _ in 0..5 {
        attempt(&server, network(200), "alice", "wrong password").await;
    }
    assert_eq!(attempt(&server, network(200), "alice", PASSWORD).await.status, 429);
    probe.nothing_lost(&server).await;
});

on_both!(case_53_user_codes_are_guessed_slowly_and_that_stops_nobody_else, |server| {
    device_flow::set_up(&server).await;
    let (device, code) = device_flow::begin(&server).await;
    let mut far = Browser::at(&server, network(250));
    for number in 1..=12 {
        let mut guesser = Browser::at(&server, network(number));
        let form = device_flow::device_page(&mut guesser).await;
        for _ in 0..10 {
            assert_eq!(guesser.submit(&form, &[("user_code", "BBBB-BBBB")]).await.page().answer.status, 422);
        }
        let answer = guesser.submit(&form, &[("user_code", &code), ("action", "allow")]).await.page().answer;
        assert_eq!(answer.status, 429, "also the right code");
        assert_page(&answer);
    }
    device_flow::poll(&server, "tv", &device).await.assert_error(400, "authorization_pending");
    // Nor by names that are typed where people sign in.
    server.web_client("shop", crate::relying::CALLBACK).await;
    for number in 20..32 {
        for _ in 0..5 {
            attempt(&server, network(number), "user codes 198.51.250.0/24", "wrong password").await;
        }
    }
    let form = device_flow::device_page(&mut far).await;
    device_flow::decide(&mut far, &form, &code, "allow").await;
    server.advance(Duration::from_secs(5));
    device_flow::poll(&server, "tv", &device).await.assert_ok();
});

on_both!(case_53_user_codes_guessed_at_once_are_no_more_than_one_after_the_other, |server| {
    device_flow::set_up(&server).await;
    let (device, code) = device_flow::begin(&server).await;
    let mut guesser = Browser::at(&server, network(1));
    let form = device_flow::device_page(&mut guesser).await.form();
    let burst = (0..64).map(|number| {
        let (server, form, cookies) = (&server, &form, guesser.cookies.clone());
        async move {
            let mut tab = Browser::at(server, network(1));
            tab.cookies = cookies;
            let typed = format!("BBBB-BB{}B", char::from(b"BCDFGHJK"[number % 8]));
            tab.post(&form.action, &form.with(&[("user_code", &typed)])).await.status.as_u16()
        }
    });
    let answers = futures_util::future::join_all(burst).await;
    assert_eq!(answers.iter().filter(|status| **status == 422).count(), 10, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 54, "{answers:?}");

    // Right ones do not count, however many they are.
    let mut browser = Browser::at(&server, network(2));
    let page = device_flow::device_page(&mut browser).await;
    for _ in 0..20 {
        browser.submit(&page, &[("user_code", &code)]).await.page_at("/device");
    }
    device_flow::decide(&mut browser, &page, &code, "allow").await;
    device_flow::poll(&server, "tv", &device).await.assert_ok();
});

on_both!(a_network_that_begins_without_end_has_to_wait, |server| {
    let secret = server.shop().await;
    server.native_client("tv", "https://tv.example/cb").await;
    let mut at_home = Browser::at(&server, network(200));
    at_home.allow(&request()).await;
    // What is refused counts as well, and is quick.
    let mut stranger = Browser::at(&server, network(200));
    for _ in 0..2000 - 1 {
        assert_eq!(stranger.get("/oauth/authorize?client_id=nobody").await.status, 400);
    }
    for path in ["/oauth/authorize?client_id=nobody", "/account", "/device", "/console"] {
        let answer = stranger.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.header(http::header::RETRY_AFTER)), (429, "1"), "{path}");
        assert_page(&answer);
    }
    at_home.open("/account").await.page_at("/account");
    Browser::at(&server, network(201)).ask(&request()).await.page_at("/signin");
    server.advance(Duration::from_millis(50));
    stranger.ask(&request()).await.page_at("/signin");

    // A client without a secret can be anybody, one with a secret is itself.
    let from = |number| Peer::Tcp(SocketAddr::new(network(number), 50_000));
    let post = async |path: &str, fields: &[(&str, &str)], authorization: &str| {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if !authorization.is_empty() {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        server.send(request.extension(from(200)).body(Body::from(body)).unwrap()).await
    };
    let tv = [("client_id", "tv")];
    for path in ["/oauth/device_authorization", "/oauth/par"] {
        let answer = post(path, &tv, "").await;
        answer.assert_error(429, "temporarily_unavailable");
        assert_eq!(answer.header(header::RETRY_AFTER), "1", "{path}");
    }
    let all = request();
    let fields: Vec<_> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(post("/oauth/par", &fields, &basic("shop", &secret)).await.status, 201);
});

on_both!(case_68_passwords_that_are_too_long_or_too_many, |server| {
    server.shop().await;
    let probe = Probe::new(&server).await.inert(&server).await;
    let mut browser = Browser::new(&server);
    let page = browser.ask(&request()).await.page_at("/signin");
    let huge = "x".repeat(5 * 1024 * 1024);
    let answer = browser.submit(&page, &[("username", "alice"), ("password", &huge)]).await.page().answer;
    assert_eq!(answer.status, 413);
    assert_page(&answer);
    // The test's pool hashes two at once and lets eight wait: the rest is told to come again.
    let form = page.form();
    let burst = (0..64_u8).map(|number| {
        let (server, form, cookies) = (&server, &form, browser.cookies.clone());
        async move {
            let mut tab = Browser::at(server, network(number));
            tab.cookies = cookies;
            tab.post(&form.action, &form.with(&[("username", "alice"), ("password", "wrong password")])).await
        }
    });
    let (answers, health) = tokio::join!(futures_util::future::join_all(burst), server.get("/healthz"));
    assert_eq!(health.status, 200);
    let (busy, rest): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 503);
    assert!(!busy.is_empty() && !rest.is_empty(), "{} {}", busy.len(), rest.len());
    for answer in &busy {
        assert_page(answer);
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    }
    assert!(rest.iter().all(|answer| matches!(answer.status.as_u16(), 422 | 429)));
    probe.nothing_lost(&server).await;
});
