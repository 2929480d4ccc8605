//! A server with a person and some clients, and a program that meets them.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Place, Server, free_port};

/// The longest that a program may take, a slow machine and a device's polling included.
const LIMIT: Duration = Duration::from_secs(180);

const PERSON: &str = "ana";
pub(crate) const PASSWORD: &str = "correct horse battery staple";
const EMAIL: &str = "ana@example.com";
const API: &str = "https://api.example";
const SCOPE: &str = "openid profile email offline_access read";
/// Programs on loopback may listen on any port; nobody has to, for a person who is not there.
const REDIRECT_URI: &str = "http://127.0.0.1:53682/callback";
const POST_LOGOUT_REDIRECT_URI: &str = "http://127.0.0.1:53682/signed-out";

/// Runs a program against a server of its own; it must end well and in time.
pub(crate) fn meet(mut program: Command) {
    Stage::new(Server::start).run(&mut program);
}

/// A server, and what a program has to know to be its client.
pub(crate) struct Stage {
    pub(crate) place: Place,
    /// Ended with the stage.
    _server: Server,
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Stage {
    /// Starts the server once the people and clients are there.
    pub(crate) fn new(start: impl FnOnce(&Place, &[&str]) -> Server) -> Self {
        let place = Place::new();
        let user = ["user", "add", PERSON, "--email", EMAIL, "--password-stdin"];
        place.run_with(&user, PASSWORD).assert_ok();
        // The origin of a browser application is its address to the letter.
        let app = format!("http://127.0.0.1:{}", free_port());
        let app_callback = format!("{app}/callback");
        let with_people = |id, kind, more: &[&str]| {
            let all =
                [&["client", "add", id, "--kind", kind, "--scope", SCOPE, "--audience", API], more].concat();
            place.json(&all)
        };
        let back = ["--redirect-uri", REDIRECT_URI, "--post-logout-redirect-uri", POST_LOGOUT_REDIRECT_URI];
        let shop = with_people("shop", "web", &back);
        with_people("desktop", "native", &back);
        with_people("tv", "cli", &[]);
        let back = ["--redirect-uri", &app_callback, "--post-logout-redirect-uri", &app];
        with_people("spa", "spa", &back);
        let portal =
            with_people("portal", "web", &[&back[..], &["--name", "The portal", "--first-party"]].concat());
        let worker = place.json(&[
            "client",
            "add",
            "worker",
            "--kind",
            "service",
            "--scope",
            "read",
            "--audience",
            API,
            "--introspects",
            API,
        ]);
        let server = start(&place, &[]);
        let environment = vec![
            ("ISSUER", server.public.clone()),
            ("PERSON", PERSON.to_owned()),
            ("PASSWORD", PASSWORD.to_owned()),
            ("EMAIL", EMAIL.to_owned()),
            ("API", API.to_owned()),
            ("REDIRECT_URI", REDIRECT_URI.to_owned()),
            ("POST_LOGOUT_REDIRECT_URI", POST_LOGOUT_REDIRECT_URI.to_owned()),
            ("CLIENT_ID", "shop".to_owned()),
            ("CLIENT_SECRET", secret(&shop)),
            ("PUBLIC_ID", "desktop".to_owned()),
            ("DEVICE_ID", "tv".to_owned()),
            ("SERVICE_ID", "worker".to_owned()),
            ("SERVICE_SECRET", secret(&worker)),
            ("PORTAL_ID", "portal".to_owned()),
            ("PORTAL_SECRET", secret(&portal)),
            ("APP", app),
            ("APP_ID", "spa".to_owned()),
            ("SCREENSHOTS", screenshots()),
        ];
        Self { place, _server: server, environment }
    }

    pub(crate) fn run(&self, program: &mut Command) {
        let (mut output, end) = std::io::pipe().unwrap();
        let home = self.place.path("home");
        std::fs::create_dir_all(&home).unwrap();
        program.env("HOME", home).envs(self.environment.iter().map(|(name, value)| (name, value)));
        program.stdin(Stdio::null()).stdout(end.try_clone().unwrap()).stderr(end);
        // In a group of its own, so that a browser that it started ends with it.
        program.process_group(0);
        let mut child = program.spawn().unwrap_or_else(|error| panic!("{program:?}: {error}"));
        // The command holds our copies of the writing end.
        program.stdout(Stdio::null()).stderr(Stdio::null());

        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut said = Vec::new();
            let _ = output.read_to_end(&mut said);
            let _ = send.send(said);
        });
        let said = receive.recv_timeout(LIMIT);
        let group = rustix::process::Pid::from_child(&child);
        if said.is_err() {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let status = child.wait().unwrap();
        let in_time = said.is_ok();
        let said = said.or_else(|_| receive.recv()).unwrap_or_default();
        assert!(
            in_time && status.success(),
            "{:?} {}\n{}\nThe server:\n{}",
            program.get_args().next().unwrap_or_default(),
            if in_time { status.to_string() } else { format!("did not end within {LIMIT:?}") },
            String::from_utf8_lossy(&said),
            std::fs::read_to_string(self.place.path("server.log")).unwrap_or_default(),
        );
    }
}

/// Where a browser's program leaves pictures of our pages, to be looked at.
fn screenshots() -> String {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients/screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    folder.into_os_string().into_string().unwrap()
}

fn secret(client: &Value) -> String {
    client["client_secret"].as_str().unwrap().to_owned()
}
