//! A person with two browsers and sessions of all sorts, to see what an event ends. What it must
//! end stands in `docs/endings.md`: the page's rows are what the tests expect.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use countersign::flows::logout_notices;
use countersign_verify::Verifier;
use countersign_wire::{JwkSet, Revocation, Revocations};
use http::Method;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::relying::{PASSWORD, SCOPE, VERIFIER, claims, request_with};
use crate::support::{AUDIENCE, Answer, Engine, TestServer, basic};

/// The page that says what must happen.
pub(crate) const PAGE: &str = include_str!("../../../../docs/endings.md");

/// A test of one row on each engine.
#[macro_export]
macro_rules! row {
    ($test:ident, $row:literal, $settings:expr, |$scene:ident| $event:expr) => {
        async fn $test($scene: &mut $crate::endings_scene::Scene<'_>) {
            $event
        }

        mod $test {
            use super::$test as event;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                $crate::endings_scene::run($crate::support::Engine::Sqlite, $row, &$settings, event).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                $crate::endings_scene::run($crate::support::Engine::Postgres, $row, &$settings, event).await;
            }
        }
    };
    ($test:ident, $row:literal, |$scene:ident| $event:expr) => {
        $crate::row!($test, $row, [], |$scene| $event);
    };
}

/// Which browser a session began in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Here,
    Elsewhere,
}

/// An application's session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) person: &'static str,
    pub(crate) place: Place,
    pub(crate) client: &'static str,
    pub(crate) offline: bool,
    pub(crate) code: String,
    pub(crate) sid: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) id_token: String,
}

/// The clients: one with JWTs, one with opaque access tokens.
const CLIENTS: [(&str, &str); 2] = [("shop", "jwt"), ("mail", "opaque")];

/// Every session that alice begins; the first is the one that events of one session are about.
const SESSIONS: [(Place, &str, bool); 6] = [
    (Place::Here, "shop", false),
    (Place::Here, "shop", true),
    (Place::Here, "mail", false),
    (Place::Elsewhere, "shop", false),
    (Place::Elsewhere, "shop", true),
    (Place::Elsewhere, "mail", false),
];

/// Alice, her browsers and her sessions, and bob's session with one of the clients.
pub(crate) struct Scene<'s> {
    pub(crate) server: &'s TestServer,
    pub(crate) here: Browser<'s>,
    pub(crate) elsewhere: Browser<'s>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) bob: Session,
    pub(crate) user: String,
    secrets: Vec<String>,
    api: String,
    cookies: [String; 2],
}

/// Runs an event in a fresh scene and compares what came of it with the page's row.
pub(crate) async fn run(
    engine: Engine,
    row: &str,
    settings: &[(&str, &str)],
    event: impl AsyncFnOnce(&mut Scene<'_>),
) {
    let (of_person, cells) = cells(row);
    let server = TestServer::start_with(engine, settings).await;
    let mut scene = Scene::new(&server).await;
    event(&mut scene).await;
    match of_person {
        true => scene.check_person(&cells).await,
        false => scene.check_session(&cells).await,
    }
}

/// Whether a row is one of the first table, and its cells after the first.
fn cells(row: &str) -> (bool, Vec<&'static str>) {
    let start = format!("| {row} |");
    let mut found = PAGE.match_indices(&start).map(|(at, _)| PAGE.split_at(at));
    let (before, line) = found.next().unwrap_or_else(|| panic!("docs/endings.md has no row \"{row}\""));
    assert_eq!(found.next(), None, "two rows \"{row}\"");
    let cells = line.lines().next().unwrap().trim_matches('|').split('|').skip(1).map(str::trim).collect();
    (!before.contains("| event | browsers |"), cells)
}

/// Whether a cell says that something ends.
fn says_end(cell: &str) -> bool {
    let last = cell.split_whitespace().last().unwrap();
    match (cell.starts_with("stay"), matches!(last, "end" | "ends")) {
        (true, false) => false,
        (false, true) => true,
        _ => panic!("what does \"{cell}\" say?"),
    }
}

fn says_yes(cell: &str) -> bool {
    assert!(matches!(cell, "yes" | "no"), "what does \"{cell}\" say?");
    cell == "yes"
}

impl<'s> Scene<'s> {
    async fn new(server: &'s TestServer) -> Self {
        let alice = json!({"username": "alice", "password": PASSWORD, "email": "alice@example.com",
            "tenant": "acme", "roles": ["reader", "writer"]});
        let user = server.admin_post("/users", alice).await.assert_ok().str("user_id");
        server.user("bob").await;
        let mut secrets = Vec::new();
        for (client, format) in CLIENTS {
            let more = json!({"kind": "web", "scope": SCOPE, "redirect_uris": [callback(client)],
                "token_format": format, "backchannel_logout_uri": format!("https://{client}.example/out")});
            secrets.push(server.confidential_client(client, more).await);
        }
        let api = server.confidential_client("api", json!({"introspects": ["*"]})).await;
        let nobody = IpAddr::from(Ipv4Addr::new(198, 51, 100, 7));
        let mut scene = Self {
            server,
            here: Browser::new(server),
            elsewhere: Browser::at(server, nobody),
            sessions: Vec::new(),
            bob: bob(server).await,
            user,
            secrets,
            api,
            cookies: Default::default(),
        };
        scene.start(&SESSIONS).await;
        scene.begin().await;
        scene
    }

    /// Begins sessions, each a moment after the one before.
    async fn start(&mut self, which: &[(Place, &'static str, bool)]) {
        for (place, client, offline) in which {
            let session = self.start_one(*place, client, *offline).await;
            self.sessions.push(session);
        }
    }

    pub(crate) async fn start_one(&mut self, place: Place, client: &'static str, offline: bool) -> Session {
        self.server.advance(Duration::from_millis(10));
        let scope = if offline { "openid read offline_access" } else { "openid read" };
        let callback = callback(client);
        let asked = request_with(&[("client_id", client), ("redirect_uri", &callback), ("scope", scope)]);
        let code = self.browser(place).allow(&asked).await.parameter("code");
        let answer = self.exchange(client, &code).await.assert_ok();
        Session {
            person: "alice",
            place,
            client,
            offline,
            code,
            sid: claims(&answer.str("id_token"))["sid"].as_str().unwrap().to_owned(),
            access: answer.str("access_token"),
            refresh: answer.str("refresh_token"),
            id_token: answer.str("id_token"),
        }
    }

    /// Begins them all again, but for so many.
    pub(crate) async fn restart_all_but(&mut self, kept: usize) {
        self.sessions.truncate(kept);
        self.start(&SESSIONS[kept..]).await;
        self.bob = bob(self.server).await;
        self.begin().await;
    }

    /// Whatever happened so far is not what is looked at.
    pub(crate) async fn begin(&mut self) {
        self.told().await;
        self.cookies = [&self.here, &self.elsewhere].map(|browser| browser.session().unwrap().to_owned());
    }

    /// The session that events of one session are about.
    pub(crate) fn target(&self) -> &Session {
        &self.sessions[0]
    }

    pub(crate) fn browser(&mut self, place: Place) -> &mut Browser<'s> {
        match place {
            Place::Here => &mut self.here,
            Place::Elsewhere => &mut self.elsewhere,
        }
    }

    /// A form of the account page, in the browser that is here.
    pub(crate) async fn account(&mut self, path: &str, fields: &[(&str, &str)]) {
        let page = self.here.open("/account").await.page_at("/account");
        let csrf = page.form().csrf().to_owned();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        let answer = self.here.post(path, &all).await;
        assert!(answer.status == 303 || answer.status == 200, "{}: {}", answer.status, answer.text);
        let page = self.here.follow(path, answer).await.page();
        assert!(!page.path.contains("done=gone") && page.answer.status.is_success(), "{}", page.path);
    }

    /// A command of an operator about alice.
    pub(crate) async fn operator(&self, method: Method, path: &str, body: Value) {
        self.server.admin(method, path, body).await.assert_ok();
    }

    /// What the client asks with its own credentials.
    pub(crate) async fn as_client(&self, client: &str, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let at = CLIENTS.iter().position(|(id, _)| *id == client).unwrap();
        self.server.form_with(path, pairs, &[("authorization", &basic(client, &self.secrets[at]))]).await
    }

    pub(crate) async fn exchange(&self, client: &str, code: &str) -> Answer {
        let callback = callback(client);
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &callback),
            ("code_verifier", VERIFIER),
        ];
        self.as_client(client, "/oauth/token", &pairs).await
    }

    pub(crate) async fn refresh(&self, session: &Session) -> Answer {
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", session.refresh.as_str())];
        self.as_client(session.client, "/oauth/token", &pairs).await
    }

    /// The sessions that clients are told of, which their tokens name.
    async fn told(&self) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let taken = logout_notices::take(&self.server.app, &[], self.server.app.clock.now()).await;
            let taken = taken.unwrap_or_else(|error| panic!("{error:?}"));
            if taken.is_empty() {
                told.sort();
                return told;
            }
            for delivery in taken {
                let claims = claims(delivery.token.expose());
                assert_eq!(delivery.uri, format!("https://{}.example/out", claims["aud"].as_str().unwrap()));
                told.push(claims["sid"].as_str().unwrap().to_owned());
            }
        }
    }

    /// What the revocation feed tells.
    async fn feed(&self) -> Vec<Revocation> {
        let secret = self.server.confidential_client("feed", json!({"scope": "revocations"})).await;
        let grant = [("grant_type", "client_credentials")];
        let header = basic("feed", &secret);
        let answer = self.server.form_with("/oauth/token", &grant, &[("authorization", &header)]).await;
        let answer = self.server.get_as("/revocations", &answer.assert_ok().str("access_token")).await;
        serde_json::from_str::<Revocations>(&answer.assert_ok().text).unwrap().entries
    }

    async fn check_person(&mut self, cells: &[&str]) {
        let [here, elsewhere, begun_here, here_offline, begun_elsewhere, elsewhere_offline, told] =
            *cells.as_array().unwrap();
        self.check_browser(Place::Here, here).await;
        self.check_browser(Place::Elsewhere, elsewhere).await;
        let ended = |session: &Session| {
            session.person == "alice"
                && says_end(match (session.place, session.offline) {
                    (Place::Here, false) => begun_here,
                    (Place::Here, true) => here_offline,
                    (Place::Elsewhere, false) => begun_elsewhere,
                    (Place::Elsewhere, true) => elsewhere_offline,
                })
        };
        self.check_sessions(ended, "over at once", says_yes(told)).await;
    }

    async fn check_session(&mut self, cells: &[&str]) {
        let [browsers, target, same_client, other_clients, other_people, access, told] =
            *cells.as_array().unwrap();
        self.check_browser(Place::Here, browsers).await;
        self.check_browser(Place::Elsewhere, browsers).await;
        let first = self.target().sid.clone();
        let ended = |session: &Session| {
            says_end(match session {
                session if session.sid == first => target,
                session if session.person == "bob" => other_people,
                session if session.client == "shop" => same_client,
                _ => other_clients,
            })
        };
        self.check_sessions(ended, access, says_yes(told)).await;
    }

    async fn check_browser(&mut self, place: Place, cell: &str) {
        let before = self.cookies[place as usize].clone();
        let browser = self.browser(place);
        let page = browser.open("/account").await.page();
        let is_in = page.path == "/account" && page.answer.text.contains("alice");
        assert_eq!(!is_in, says_end(cell), "{place:?}: {cell}: {}", page.path);
        if is_in {
            let is_new = browser.session().unwrap() != before;
            assert_eq!(is_new, cell.ends_with("new cookie"), "{place:?}: {cell}");
        }
    }

    /// Every session, by its refresh token and its access token, and what the clients are told.
    async fn check_sessions(&self, ended: impl Fn(&Session) -> bool, access: &str, told: bool) {
        let now = self.server.app.clock.now().seconds();
        let keys = self.server.get("/.well-known/jwks.json").await.json();
        let keys: JwkSet = serde_json::from_value(keys).unwrap();
        let verifier = Verifier::new("https://auth.example", AUDIENCE, keys).unwrap();
        let mut all = self.sessions.clone();
        all.push(self.bob.clone());
        let told_by_feed = self.feed().await;
        for session in &all {
            let is_over = ended(session);
            let is_first = session.sid == self.target().sid;
            let (asked, local) = match access {
                "over at once" => (!is_over, true),
                "that one, at once" => (!is_first, true),
                "go on until they expire" => (true, true),
                "live on" => (true, true),
                "expire with it" => (!is_over, !is_over),
                other => panic!("what does \"{other}\" say?"),
            };
            let pairs = [("token", session.access.as_str())];
            let header = basic("api", &self.api);
            let answer =
                self.server.form_with("/oauth/introspect", &pairs, &[("authorization", &header)]).await;
            assert_eq!(answer.json()["active"], asked, "introspection of {session:?}");
            // An API that listens to the feed knows what introspection knows.
            if let Ok(claims) = verifier.verify(&session.access, now) {
                let is_over = told_by_feed.iter().any(|entry| entry.ends(&claims));
                assert_eq!(!is_over, asked, "the feed of {session:?}");
            }
            // Bob's has no `openid`.
            if session.person == "alice" {
                let told = self.server.get_as("/oauth/userinfo", &session.access).await;
                assert_eq!(told.status, if asked { 200 } else { 401 }, "userinfo of {session:?}");
            }
            if session.access.starts_with("oat_") {
                assert!(verifier.verify(&session.access, now).is_err(), "{session:?}");
            } else {
                assert_eq!(verifier.verify(&session.access, now).is_ok(), local, "{session:?}");
            }
        }
        for session in &all {
            let answer = self.refresh(session).await;
            match ended(session) {
                false => drop(answer.assert_ok()),
                true => assert!(matches!(answer.status.as_u16(), 400 | 401), "{session:?}: {answer:?}"),
            }
        }
        let mut expected: Vec<_> =
            all.iter().filter(|session| told && ended(session)).map(|session| session.sid.clone()).collect();
        expected.sort();
        assert_eq!(self.told().await, expected);
    }
}

impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        self.sid == other.sid
    }
}

async fn bob(server: &TestServer) -> Session {
    let pair = server.session("bob", "shop").await;
    Session {
        person: "bob",
        place: Place::Elsewhere,
        client: "shop",
        offline: false,
        code: String::new(),
        sid: pair.sid,
        access: pair.access,
        refresh: pair.refresh,
        id_token: String::new(),
    }
}

fn callback(client: &str) -> String {
    format!("https://{client}.example/cb")
}
