//! The guides for APIs in other languages, `docs/node.md` and `docs/python.md`: their programs, run
//! as they stand there beside a real server.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::config::Settings;
use countersign::server;
use countersign_wire::{AccessClaims, Algorithm, IdClaims};
use serde_json::Value;

use crate::ask::{Answer, ask};
use crate::installed::{node, node_folder, python};
use crate::program::{Place, Server, free_port};

/// The longest that anything here may take, a slow machine and a wait before a new connection included.
const LIMIT: Duration = Duration::from_secs(60);
/// In how much time the guides' APIs hear of an end: a second, and as much as a busy machine takes.
const SOON: Duration = Duration::from_secs(5);
/// What the guides' APIs are told to bear: not much more than the time between two heartbeats.
const FEED_LIMIT: &str = "7";
const API: &str = "https://api.example";
const NOT_OURS: &str = "not an access token of this issuer for this API";

/// A guide.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Guide {
    Node,
    Python,
}

/// The API of a guide; ended when it is dropped.
pub(crate) struct Api {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Api {
    /// Writes the guide's programs down and runs them. They are given what they ask for in the
    /// environment, and nothing in them is changed.
    pub(crate) fn start(guide: Guide, place: &Place, environment: &[(&str, &str)]) -> Self {
        let (page, fence, main) = match guide {
            Guide::Node => (include_str!("../../../../docs/node.md"), "```js\n", "api.mjs"),
            Guide::Python => (include_str!("../../../../docs/python.md"), "```python\n", "api.py"),
        };
        let dir = place.path("guide");
        fs::create_dir_all(&dir).unwrap();
        for block in page.split(fence).skip(1) {
            let program = block.split("```").next().unwrap();
            // The first line says the file's name.
            let name = program.split(':').next().unwrap().trim_start_matches(['/', '#', ' ']);
            fs::write(dir.join(name), program).unwrap();
        }
        let file = dir.join(main);
        let mut program = match guide {
            Guide::Node => {
                let modules = dir.join("node_modules");
                if !modules.exists() {
                    std::os::unix::fs::symlink(node_folder().join("node_modules"), modules).unwrap();
                }
                node(file.to_str().unwrap())
            }
            Guide::Python => python(file.to_str().unwrap()),
        };
        let port = free_port();
        let log = place.path("guide.log");
        let end = File::options().create(true).append(true).open(&log).unwrap();
        program.envs(environment.iter().copied()).env("PORT", port.to_string()).env("HOME", &dir);
        program.stdin(Stdio::null()).stdout(end.try_clone().unwrap()).stderr(end);
        let mut child = program.spawn().unwrap();
        until("the guide's API listens", || {
            let log = || fs::read_to_string(&log).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "the guide's API ended: {}", log());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { child, port, log }
    }

    /// Asks once, with these values of the header `Authorization`.
    pub(crate) fn ask(&self, route: &str, authorization: &[&str]) -> Answer {
        let (method, path) = route.split_once(' ').unwrap();
        let headers: Vec<_> = authorization.iter().map(|value| ("authorization", *value)).collect();
        ask(self.port, method, path, &headers, "")
    }

    /// Asks with a token, and again as long as the API cannot decide, as its answer says.
    pub(crate) fn decide(&self, route: &str, token: &str) -> Answer {
        let mut answer = self.ask(route, &[&format!("Bearer {token}")]);
        until("the API decides", || {
            if answer.status == 503 {
                assert_eq!(answer.header("retry-after"), "1");
                answer = self.ask(route, &[&format!("Bearer {token}")]);
            }
            answer.status != 503
        });
        answer
    }

    #[track_caller]
    pub(crate) fn accepts(&self, token: &str) {
        let answer = self.decide("GET /profile", token);
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    #[track_caller]
    pub(crate) fn refuses(&self, token: &str, why: &str) {
        refused(&self.decide("GET /profile", token), 401, &["error=\"invalid_token\"", why]);
    }

    /// Waits until a token that was good is not, and says how long that took.
    #[track_caller]
    fn hears_of_the_end_of(&self, token: &str) -> Duration {
        let start = Instant::now();
        until("the API hears of it", || self.decide("GET /profile", token).status != 200);
        let took = start.elapsed();
        self.refuses(token, "the access token was revoked");
        took
    }
}

impl Drop for Api {
    #[expect(clippy::print_stderr, reason = "who looks at a failed test wants to know")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("The guide's API said:\n{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn refused(answer: &Answer, status: u16, parts: &[&str]) {
    assert_eq!(answer.status, status, "{answer:?}");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer realm=\"api\""), "{answer:?}");
    for part in parts {
        assert!(challenge.contains(part), "no {part:?} in {answer:?}");
    }
}

/// Looks again and again until it is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs a guide's API through all that its page says of it.
pub(crate) fn followed(guide: Guide) {
    let place = Place::new();
    for (user, tenant) in [("ana", "home"), ("bo", "home"), ("cy", "acme")] {
        place.run(&["user", "add", user, "--tenant", tenant]).assert_ok();
    }
    for (client, audience, algorithm) in [
        ("es256", API, "ES256"),
        ("eddsa", API, "EdDSA"),
        ("rs256", API, "RS256"),
        ("other", "https://other.example", "ES256"),
    ] {
        let add = ["client", "add", client, "--kind", "web", "--scope", "read write", "--audience", audience];
        place.run(&[&add[..], &["--signing-alg", algorithm]].concat()).assert_ok();
    }
    let reader = place.json(&["client", "add", "my-api", "--kind", "service", "--scope", "revocations"]);
    let secret = text(&reader, "client_secret");
    let ports = (free_port(), free_port());
    let start = || Server::start_on("127.0.0.1", ports, &place, &[]);
    let server = start();
    let issuer = server.public.clone();
    let environment = [
        ("ISSUER", issuer.as_str()),
        ("AUDIENCE", API),
        ("CLIENT_ID", "my-api"),
        ("CLIENT_SECRET", secret.as_str()),
        ("FEED_LIMIT", FEED_LIMIT),
    ];
    let api = Api::start(guide, &place, &environment);

    it_takes_tokens_as_they_are(&api, &place);
    it_says_what_is_wrong(&api, &place);
    let (good, ended) = it_hears_of_every_kind_of_end(&api, &place);

    // Countersign goes away and comes back.
    drop(server);
    let bearer = format!("Bearer {good}");
    until("the API can no longer decide", || api.ask("GET /profile", &[&bearer]).status == 503);
    let undecided = api.ask("GET /profile", &[&format!("Bearer {ended}")]);
    assert_eq!((undecided.status, undecided.header("retry-after")), (503, "1"), "{undecided:?}");
    assert_eq!(undecided.header("www-authenticate"), "");
    assert_eq!(api.ask("GET /profile", &[]).status, 401, "that can be said without Countersign");
    let Crafted { expired, foreign, id_token } = Crafted::new(&place, &issuer, &good);
    let server = start();
    api.accepts(&good);
    api.refuses(&ended, "was revoked");
    api.refuses(&expired, "the access token expired");
    api.refuses(&foreign, NOT_OURS);
    api.refuses(&id_token, NOT_OURS);
    // An API that was not there when it happened.
    drop(api);
    let api = Api::start(guide, &place, &environment);
    api.refuses(&ended, "was revoked");
    api.accepts(&good);

    // The end of everything ends the reader's own token too, and it comes back with another.
    place.run(&["revoke", "everything", "--yes"]).assert_ok();
    api.hears_of_the_end_of(&good);
    api.accepts(&signed_in(&place, "ana", "rs256"));
    drop(server);
}

/// Whatever they are signed with.
fn it_takes_tokens_as_they_are(api: &Api, place: &Place) {
    for (client, algorithm) in [("es256", "ES256"), ("eddsa", "EdDSA"), ("rs256", "RS256")] {
        let token = signed_in(place, "ana", client);
        assert_eq!(text(&part(&token, 0), "alg"), algorithm);
        let answer = api.decide("GET /profile", &token);
        assert_eq!(answer.status, 200, "{answer:?}");
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(text(&told, "sub"), text(&part(&token, 1), "sub"));
        assert_eq!(text(&told, "scope"), "read");
    }
}

/// Of the request, of the token, and of what the token is good for.
fn it_says_what_is_wrong(api: &Api, place: &Place) {
    let pair = session(place, "ana", "es256", "read", "aal1");
    let good = text(&pair, "access_token");
    let bearer = format!("Bearer {good}");
    let in_the_url = format!("GET /profile?access_token={good}");
    for route in ["GET /profile", &in_the_url] {
        let none = api.ask(route, &[]);
        assert_eq!((none.status, none.header("www-authenticate")), (401, "Bearer realm=\"api\""));
    }
    let other = api.ask("GET /profile", &["Basic eDp4"]);
    assert_eq!((other.status, other.header("www-authenticate")), (401, "Bearer realm=\"api\""));
    for bad in [&["Bearer"][..], &["Bearer a b"], &[&bearer, &bearer]] {
        refused(&api.ask("GET /profile", bad), 400, &["error=\"invalid_request\""]);
    }
    assert_eq!(api.ask("GET /elsewhere", &[&bearer]).status, 404);

    api.refuses(&text(&pair, "refresh_token"), "this is a refresh token");
    api.refuses(&signed_in(place, "ana", "other"), NOT_OURS);
    let edited = good.replacen('.', ".AAAA", 1);
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{}.", good.split('.').nth(1).unwrap());
    let deep = format!("{0}.{0}.{0}", "W1tb".repeat(1200));
    for garbage in ["x", "a.b.c", "..", "oat_AQAA", &edited, &unsigned, &deep] {
        api.refuses(garbage, NOT_OURS);
    }

    let narrow = api.decide("POST /transfers", &good);
    refused(&narrow, 403, &["error=\"insufficient_scope\"", "scope=\"write\""]);
    let transfer = |acr: &str| {
        let pair = session(place, "ana", "es256", "write", acr);
        api.decide("POST /transfers", &text(&pair, "access_token"))
    };
    let parts = ["error=\"insufficient_user_authentication\"", "acr_values=\"aal2\""];
    refused(&transfer("aal1"), 401, &parts);
    assert_eq!(transfer("aal2").status, 200);
}

/// And what it does not end goes on. Gives a token that is good, and one that is over.
fn it_hears_of_every_kind_of_end(api: &Api, place: &Place) -> (String, String) {
    let bystander = signed_in(place, "ana", "rs256");
    let pair = session(place, "ana", "es256", "read", "aal1");
    let good = text(&pair, "access_token");
    let end = |token: &str, command: &[&str]| {
        api.accepts(token);
        place.run(command).assert_ok();
        api.hears_of_the_end_of(token)
    };

    let token = signed_in(place, "ana", "es256");
    end(&token, &["revoke", "token", &text(&part(&token, 1), "jti")]);
    let took = end(&good, &["session", "revoke", &text(&pair, "session_id")]);
    assert!(took < SOON, "it took the API {took:?} to hear of it");
    let token = signed_in(place, "bo", "es256");
    end(&token, &["user", "disable", "bo"]);
    // Whoever comes back comes with new tokens.
    place.run(&["user", "enable", "bo"]).assert_ok();
    api.accepts(&signed_in(place, "bo", "es256"));
    api.refuses(&token, "was revoked");
    end(&signed_in(place, "bo", "eddsa"), &["revoke", "client", "eddsa"]);
    api.accepts(&signed_in(place, "bo", "eddsa"));
    end(&signed_in(place, "cy", "es256"), &["revoke", "tenant", "acme", "--yes"]);
    api.accepts(&signed_in(place, "cy", "es256"));
    api.accepts(&bystander);
    (bystander, good)
}

/// Tokens that the server would not hand out, signed with its keys.
struct Crafted {
    expired: String,
    foreign: String,
    id_token: String,
}

impl Crafted {
    /// Made from a good one, while no server holds the store.
    fn new(place: &Place, issuer: &str, good: &str) -> Self {
        let data = place.path("countersign-data");
        let settings =
            Settings::from_values(&[("data_dir", data.to_str().unwrap()), ("issuer", issuer)]).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let opened = runtime.block_on(server::open(&settings)).unwrap();
        let (keys, now) = (opened.app.keys.snapshot(), opened.app.clock.now());
        let claims: AccessClaims = serde_json::from_value(part(good, 1)).unwrap();
        let sign =
            |claims: &AccessClaims| keys.sign(Algorithm::ES256, claims, now).unwrap().expose().to_owned();
        let id_claims = IdClaims {
            iss: issuer.to_owned(),
            sub: claims.sub.clone(),
            aud: API.to_owned(),
            exp: claims.exp,
            iat: claims.iat,
            auth_time: claims.iat,
            sid: claims.sid.unwrap(),
            nonce: None,
            acr: None,
            amr: Vec::new(),
            at_hash: None,
        };
        Self {
            expired: sign(&AccessClaims { exp: now.seconds() - 60, ..claims.clone() }),
            foreign: sign(&AccessClaims { iss: "https://evil.example".to_owned(), ..claims.clone() }),
            id_token: keys.sign_id_token(Algorithm::ES256, &id_claims, now).unwrap().expose().to_owned(),
        }
    }
}

fn session(place: &Place, user: &str, client: &str, scope: &str, acr: &str) -> Value {
    let add = ["session", "add", "--user", user, "--client", client, "--scope", scope, "--acr", acr];
    place.json(&add)
}

/// An access token with the scope `read`.
fn signed_in(place: &Place, user: &str, client: &str) -> String {
    text(&session(place, user, client, "read", "aal1"), "access_token")
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap().to_owned()
}

/// A token's header or claims.
fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
