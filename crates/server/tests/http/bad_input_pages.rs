//! Bad input where people are: every parameter of every page and form missing, twice, malformed,
//! oversized and hostile, bodies that are none, the wrong type, method and place. Never is the server
//! at a loss, nothing is changed, nothing is echoed as it came, and nobody is sent anywhere else.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ::http::{Method, Request, header};
use axum::body::Body;
use countersign::store::TABLES;
use serde_json::{Value, json};

use crate::attack_list::Probe;
use crate::browser::{Browser, ORIGIN};
use crate::device_flow;
use crate::on_both;
use crate::relying::{CALLBACK, PASSWORD, address, request, request_with};
use crate::support::{Answer, TestServer, basic};

const FORM: &str = "application/x-www-form-urlencoded";
const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

/// Values that no parameter should have.
fn bad_values() -> Vec<String> {
    let text = [
        "",
        " ",
        "x",
        "\0",
        HOSTILE,
        "a\r\nlocation: https://evil.example/\r\nx-evil: 1",
        "https://evil.example/",
        "//evil.example/",
        "\\\\evil.example",
        "javascript:alert(1)",
        "../../etc/passwd",
        "' OR 1=1 --",
        "{{7*7}}${7*7}",
        "\u{202e}\u{0}\u{fffd}\u{1f980}é",
        "-1",
        "18446744073709551616",
        "00000000-0000-0000-0000-000000000000",
        "[]",
    ];
    text.into_iter().map(str::to_owned).chain([HOSTILE.repeat(100), "9".repeat(10_000)]).collect()
}

/// Bodies and queries that are not well formed, or are too much.
fn raw() -> Vec<String> {
    let bad = ["", "%", "%zz=1", "csrf=%ff%fe", "&&=&", "=", "csrf", "a=1&a=1", "+=+"];
    let many = (0..200).map(|n| format!("p{n}=1&")).collect();
    bad.into_iter().map(str::to_owned).chain([many, "x".repeat(20_000)]).collect()
}

fn encode<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Who sends bad input, from a network of their own each time: nothing is held back for having been
/// sent too often.
struct Sender<'s> {
    browser: Browser<'s>,
    /// The token of this browser's forms.
    csrf: String,
    networks: u16,
}

impl<'s> Sender<'s> {
    /// Somebody who has opened a page, and has signed in there if there is a name.
    async fn new(server: &'s TestServer, name: Option<&str>) -> Self {
        let mut browser = Browser::new(server);
        let mut page = browser.open("/account").await.page_at("/signin");
        if let Some(name) = name {
            page = browser.sign_in(&page, name, PASSWORD).await.page_at("/account");
        }
        let csrf = page.form().csrf().to_owned();
        Self { browser, csrf, networks: 0 }
    }

    /// Sends it, and looks at the answer. Only `elsewhere` may the browser be sent, besides here.
    async fn send(&mut self, request: Request<Body>, elsewhere: Option<&str>) -> Answer {
        let what = format!("{} {:.200}", request.method(), request.uri().to_string());
        self.networks += 1;
        let [high, low] = self.networks.to_be_bytes();
        self.browser.address = Ipv4Addr::new(10, high, low, 1).into();
        let cookies = self.browser.cookies.clone();
        let answer = self.browser.send(request).await;
        assert!(self.browser.session() == cookies.get("__Host-countersign").map(String::as_str), "{what}");
        assert!(answer.status.as_u16() < 500, "{what}: {} {}", answer.status, answer.text);
        for echo in ["<script>alert(1)", "\"'><img", "{49}"] {
            assert!(!answer.text.contains(echo), "{what}: {}", answer.text);
        }
        assert!(!answer.headers.contains_key("x-evil"), "{what}: {answer:?}");
        if let Some(to) = answer.headers.get(header::LOCATION) {
            let to = to.to_str().unwrap();
            let is_here = to.strip_prefix(ORIGIN).unwrap_or(to).starts_with('/') && !to.starts_with("//");
            let is_there = elsewhere.is_some_and(|there| to.starts_with(&format!("{there}?")));
            assert!((is_here || is_there) && !to.starts_with("/\\"), "{what} leads to {to}");
        }
        answer
    }

    async fn get(&mut self, path: &str, query: &str) -> Answer {
        let uri = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let request = Request::get(uri).header("sec-fetch-site", "none").body(Body::empty()).unwrap();
        self.send(request, None).await
    }

    /// A form as a page of ours would send it.
    async fn post(&mut self, path: &str, body: String) -> Answer {
        self.send(form(Method::POST, path, &[FORM], body), None).await
    }

    /// Everything that can be wrong about a form, of which the fields as they are would be right.
    async fn misuse(&mut self, path: &str, fields: &[(&str, &str)]) {
        let csrf = self.csrf.clone();
        let with = |token: &str| encode(&[&[("csrf", token)], fields].concat());
        let right = with(&csrf);
        for token in ["", "x", HOSTILE, &"A".repeat(43)] {
            self.post(path, with(token)).await;
        }
        self.post(path, encode(fields)).await;
        self.post(path, format!("{right}&csrf={csrf}")).await;
        for (at, (name, value)) in fields.iter().enumerate() {
            let mut pairs = [&[("csrf", csrf.as_str())], fields].concat();
            self.post(path, format!("{right}&{}", encode(&[(name, value)]))).await;
            pairs.remove(at + 1);
            self.post(path, encode(&pairs)).await;
            for bad in bad_values() {
                let body = format!("{}&{}", encode(&pairs), encode(&[(*name, bad.as_str())]));
                self.post(path, body).await;
            }
        }
        for raw in raw() {
            self.post(path, raw).await;
        }
        let answer = self.post(path, "x".repeat(70_000)).await;
        assert!(matches!(answer.status.as_u16(), 413 | 404), "{path}: {}", answer.status);
        // Right, but for the type, the place, the method and the site.
        for kinds in
            [&[][..], &[""], &["text/plain"], &["application/json"], &["multipart/form-data; boundary=x"]]
        {
            self.send(form(Method::POST, path, kinds, right.clone()), None).await;
        }
        let separator = if path.contains('?') { '&' } else { '?' };
        let in_the_query = format!("{path}{separator}{right}");
        self.post(&in_the_query, String::new()).await;
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
        {
            self.send(form(method, &in_the_query, &[FORM], right.clone()), None).await;
        }
        let mut foreign = form(Method::POST, path, &[FORM], right);
        foreign.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
        self.send(foreign, None).await;
    }

    /// Everything that can be wrong about the query of a page.
    async fn mislead(&mut self, path: &str, names: &[&str]) {
        for name in names {
            for bad in bad_values() {
                self.get(path, &encode(&[(*name, bad.as_str())])).await;
            }
            self.get(path, &format!("{name}=x&{name}=x")).await;
        }
        for raw in raw() {
            self.get(path, &raw).await;
        }
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            self.send(form(method, path, &[FORM], String::new()), None).await;
        }
    }
}

fn form(method: Method, path: &str, kinds: &[&str], body: String) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header("sec-fetch-site", "same-origin");
    for kind in kinds {
        request = request.header(header::CONTENT_TYPE, *kind);
    }
    request.body(Body::from(body)).unwrap()
}

/// All that is stored and stays: not the tickets of what is under way.
async fn stored(server: &TestServer) -> BTreeMap<&'static str, Vec<Value>> {
    let mut all = BTreeMap::new();
    for table in TABLES {
        all.insert(table.name, server.app.store.export(table.name, 0, 100_000).await.unwrap());
    }
    all
}

/// The handle of a sign-in for `shop` that is under way in this browser.
async fn under_way(sender: &mut Sender<'_>) -> String {
    let page = sender.browser.open(&address(&request_with(&[("prompt", "consent")]))).await.page();
    page.path.split_once("i=").unwrap().1.to_owned()
}

/// What of alice's and of `shop` forms could be about.
struct Scene {
    secret: String,
    browser: String,
    session: String,
    user_code: String,
}

async fn scene(server: &TestServer) -> Scene {
    let secret = server.shop().await;
    server.native_client("tv", "https://tv.example/cb").await;
    let root = json!({"username": "root", "password": PASSWORD, "roles": ["countersign-admin"]});
    server.admin_post("/users", root).await.assert_ok();
    // Alice elsewhere, with a session and a consent.
    let mut elsewhere = Browser::at(server, Ipv4Addr::new(203, 0, 113, 9));
    let code = elsewhere.allow(&request()).await.parameter("code");
    let session = server.exchange(&secret, &code).await.assert_ok().str("access_token");
    let session = crate::relying::claims(&session)["sid"].as_str().unwrap().to_owned();
    let alice = server.app.store.find_user_by_name("alice").await.unwrap().unwrap();
    let browsers = server.app.store.browser_sessions(alice.id, server.app.clock.now()).await.unwrap();
    let (_, user_code) = device_flow::begin(server).await;
    Scene { secret, browser: browsers[0].session.id.to_string(), session, user_code }
}

on_both!(no_form_is_at_a_loss, |server| {
    let scene = scene(&server).await;
    let probe = Probe::new(&server).await;
    let mut nobody = Sender::new(&server, None).await;
    let mut alice = Sender::new(&server, Some("alice")).await;
    let mut root = Sender::new(&server, Some("root")).await;
    let probe = probe.inert(&server).await;
    let before = stored(&server).await;

    for sender in [&mut nobody, &mut alice] {
        let i = under_way(sender).await;
        let wrong =
            [("username", "alice"), ("password", "wrong password"), ("remember", "1"), ("action", "sign_in")];
        for path in ["/signin", "/signin/confirm"] {
            sender.misuse(&format!("{path}?i={i}"), &wrong).await;
        }
        sender.misuse(&format!("/signin/factor?i={i}"), &[("code", "000000"), ("action", "verify")]).await;
        sender.misuse(&format!("/signin/factor?i={i}"), &[("recovery_code", "AAAA-AAAA")]).await;
        for path in ["/signin/factor/passkey", "/signin/passkey", "/signin/confirm/passkey"] {
            sender.misuse(&format!("{path}?i={i}"), &[("credential", "{}"), ("remember", "1")]).await;
        }
        sender.misuse(&format!("/consent?i={i}"), &[("action", "perhaps")]).await;
        // Somebody else's, or none.
        for bad in bad_values() {
            for path in ["/signin", "/signin/confirm", "/signin/factor", "/signin/passkey", "/consent"] {
                let path = format!("{path}?{}", encode(&[("i", &bad)]));
                let fields = [("csrf", sender.csrf.clone()), ("action", "allow".to_owned())];
                sender.post(&path, encode(&fields)).await;
                sender.post(&path, String::new()).await;
            }
        }
        sender.misuse("/device", &[("user_code", &scene.user_code), ("action", "perhaps")]).await;
        let fields = [
            ("id_token_hint", "x"),
            ("client_id", "shop"),
            ("post_logout_redirect_uri", CALLBACK),
            ("state", "s"),
            ("action", "perhaps"),
        ];
        sender.misuse("/oauth/logout", &fields).await;
    }
    for (path, id) in [
        ("/account/sign-ins/accept", &scene.browser),
        ("/account/sign-ins/refuse", &scene.browser),
        ("/account/browsers/end", &scene.browser),
        ("/account/sessions/end", &scene.session),
        ("/account/permissions/withdraw", &"shop".to_owned()),
        ("/account/passkeys/remove", &scene.browser),
    ] {
        alice.misuse(path, &[("id", id)]).await;
        nobody.misuse(path, &[("id", id)]).await;
    }
    let passwords = [("current_password", "wrong password"), ("new_password", "another correct horse")];
    alice.misuse("/account/password", &passwords).await;
    alice.misuse("/account/totp", &[("code", "000000")]).await;
    alice.misuse("/account/totp?e=x", &[("code", "000000")]).await;
    alice.misuse("/account/passkeys/add", &[("credential", "{}"), ("label", "key")]).await;
    for path in
        ["/account/end-others", "/account/totp/add", "/account/totp/remove", "/account/recovery-codes"]
    {
        alice.misuse(path, &[]).await;
    }
    for path in ["users/alice/disable", "users/alice/sign-out", "clients/shop/disable", "keys/rotate"] {
        for sender in [&mut root, &mut alice, &mut nobody] {
            sender.misuse(&format!("/console/{path}"), &[]).await;
        }
    }
    root.misuse("/console/revoke", &[("kind", "user"), ("target", "alice"), ("action", "preview")]).await;
    for bad in bad_values() {
        let bad: String = form_urlencoded::byte_serialize(bad.as_bytes()).collect();
        for path in [
            "users/{}/disable",
            "users/{}/enable",
            "users/{}/sign-out",
            "clients/{}/disable",
            "clients/{}/enable",
        ] {
            let path = format!("/console/{}", path.replace("{}", &bad));
            let csrf = root.csrf.clone();
            root.post(&path, encode(&[("csrf", &csrf)])).await;
            nobody.post(&path, encode(&[("csrf", "x")])).await;
        }
    }

    assert_eq!(stored(&server).await, before, "something was changed");
    for sender in [&mut alice, &mut root] {
        sender.browser.open("/account").await.page_at("/account");
    }
    probe.nothing_lost(&server).await;
});

on_both!(no_page_is_at_a_loss, |server| {
    scene(&server).await;
    let probe = Probe::new(&server).await;
    let mut nobody = Sender::new(&server, None).await;
    let mut alice = Sender::new(&server, Some("alice")).await;
    let mut root = Sender::new(&server, Some("root")).await;
    let probe = probe.inert(&server).await;
    let before = stored(&server).await;
    let carried = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"];
    for (path, names) in [
        ("/signin", &["i"][..]),
        ("/signin/confirm", &["i"]),
        ("/signin/factor", &["i", "method"]),
        ("/signin/factor/passkey", &["i"]),
        ("/signin/passkey", &["i"]),
        ("/signin/confirm/passkey", &["i"]),
        ("/consent", &["i"]),
        ("/oauth/authorize/continue", &["i"]),
        ("/oauth/logout", &carried),
        ("/device", &["user_code"]),
        ("/device/qr", &["user_code"]),
        ("/account", &["done"]),
        ("/account/totp", &["e"]),
    ] {
        for sender in [&mut nobody, &mut alice] {
            sender.mislead(path, names).await;
        }
    }
    for (path, names) in [
        ("/console", &[][..]),
        ("/console/users", &["name", "tenant", "state", "cursor"]),
        ("/console/clients", &["tenant", "state", "cursor"]),
        ("/console/sessions", &["user", "client", "state", "cursor"]),
        ("/console/events", &["user", "client", "session", "kind", "cursor"]),
        ("/console/now", &[]),
        ("/console/keys", &["purpose", "cursor"]),
        ("/console/revoke", &["kind", "target"]),
    ] {
        for sender in [&mut root, &mut nobody] {
            sender.mislead(path, names).await;
        }
    }
    for bad in bad_values() {
        let bad: String = form_urlencoded::byte_serialize(bad.as_bytes()).collect();
        for section in ["users", "clients", "sessions"] {
            for sender in [&mut root, &mut alice, &mut nobody] {
                sender.get(&format!("/console/{section}/{bad}"), "").await;
            }
        }
    }
    assert_eq!(stored(&server).await, before, "something was changed");
    probe.nothing_lost(&server).await;
});

on_both!(no_request_of_an_application_is_at_a_loss, |server| {
    let scene = scene(&server).await;
    let probe = Probe::new(&server).await;
    let mut nobody = Sender::new(&server, None).await;
    let mut alice = Sender::new(&server, Some("alice")).await;
    let probe = probe.inert(&server).await;
    let before = stored(&server).await;
    let mut good = request();
    good.extend([
        ("response_mode", "query".to_owned()),
        ("prompt", "login consent".to_owned()),
        ("max_age", "60".to_owned()),
        ("login_hint", "alice".to_owned()),
        ("id_token_hint", "x".to_owned()),
        ("acr_values", "aal1".to_owned()),
        ("ui_locales", "de".to_owned()),
        ("resource", crate::support::AUDIENCE.to_owned()),
        ("request", "x".to_owned()),
        ("request_uri", "x".to_owned()),
        ("claims", "{}".to_owned()),
    ]);
    good.retain(|(name, _)| !["id_token_hint", "request", "request_uri", "claims"].contains(name));
    let extra = ["id_token_hint", "request", "request_uri", "claims"];
    let names: Vec<&str> = good.iter().map(|(name, _)| *name).chain(extra).collect();
    for name in names {
        let mut queries: Vec<String> = bad_values()
            .into_iter()
            .map(|bad| {
                let mut pairs = good.clone();
                pairs.retain(|(known, _)| *known != name);
                pairs.push((name, bad));
                encode(&pairs)
            })
            .collect();
        let kept: Vec<_> = good.iter().filter(|(known, _)| *known != name).collect();
        queries.push(encode(&kept.iter().map(|(n, v)| (*n, v.as_str())).collect::<Vec<_>>()));
        queries.push(format!("{}&{name}=x&{name}=x", encode(&good)));
        // Until it is known who asks and where the answer goes, nobody is sent anywhere.
        let elsewhere = (!["client_id", "redirect_uri"].contains(&name)).then_some(CALLBACK);
        for query in queries {
            for sender in [&mut nobody, &mut alice] {
                let to = if query.contains("redirect_uri=") { elsewhere } else { Some(CALLBACK) };
                let path = format!("/oauth/authorize?{query}");
                let get =
                    Request::get(path).header("sec-fetch-site", "cross-site").body(Body::empty()).unwrap();
                sender.send(get, to).await;
                sender.send(form(Method::POST, "/oauth/authorize", &[FORM], query.clone()), to).await;
            }
            let mut push = form(Method::POST, "/oauth/par", &[FORM], query.clone());
            push.headers_mut().insert(header::AUTHORIZATION, basic("shop", &scene.secret).parse().unwrap());
            let answer = nobody.send(push, None).await;
            assert!(!answer.text.contains('<'), "{}", answer.text);
        }
    }
    for path in ["/oauth/authorize", "/oauth/par", "/oauth/device_authorization"] {
        for body in raw().into_iter().chain(["x".repeat(70_000)]) {
            nobody.post(path, body).await;
        }
        for kind in ["", "text/plain", "application/json", "multipart/form-data; boundary=x"] {
            let body = "client_id=tv&scope=read".to_owned();
            let answer = nobody.send(form(Method::POST, path, &[kind], body), None).await;
            assert!(matches!(answer.status.as_u16(), 400 | 415), "{path} {kind}: {}", answer.status);
        }
        for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD] {
            let request = form(method, &format!("{path}?client_id=tv"), &[FORM], String::new());
            nobody.send(request, Some("https://tv.example/cb")).await;
        }
    }
    for name in
        ["client_id", "scope", "resource", "client_secret", "client_assertion", "client_assertion_type"]
    {
        for bad in bad_values() {
            let mut pairs = vec![("client_id", "tv".to_owned()), ("scope", "read".to_owned())];
            pairs.retain(|(known, _)| *known != name);
            pairs.push((name, bad));
            let answer = nobody.post("/oauth/device_authorization", encode(&pairs)).await;
            assert!(!answer.text.contains('<'), "{}", answer.text);
        }
    }
    assert_eq!(stored(&server).await, before, "something was changed");
    probe.nothing_lost(&server).await;
});
