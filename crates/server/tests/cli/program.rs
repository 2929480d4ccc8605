//! The program, a directory for it, and a server of it.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;
use tempfile::TempDir;

/// A directory in which the program is run, with nothing of this machine's configuration.
pub(crate) struct Place {
    dir: TempDir,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program with these arguments, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.env_clear().current_dir(self.dir.path()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        finish(self.command(arguments).spawn().unwrap())
    }

    /// With this on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        finish(child)
    }

    /// Its result, which must be JSON and a success.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let mut with_json = arguments.to_vec();
        with_json.push("--json");
        self.run(&with_json).assert_ok().json()
    }

    /// Adds a user and a client to begin with.
    #[track_caller]
    pub(crate) fn furnish(&self) {
        self.run(&["user", "add", "ana", "--role", "reader"]).assert_ok();
        let client = [
            "client",
            "add",
            "web",
            "--kind",
            "web",
            "--scope",
            "read write",
            "--audience",
            "https://api.example",
        ];
        self.run(&client).assert_ok();
    }
}

fn finish(child: Child) -> Run {
    let output = child.wait_with_output().unwrap();
    Run {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Run {
    #[track_caller]
    pub(crate) fn assert_ok(self) -> Self {
        assert_eq!(self.status, 0, "{self:?}");
        self
    }

    /// Refused with a sentence that has all these parts.
    #[track_caller]
    pub(crate) fn assert_refused(&self, parts: &[&str]) {
        assert_eq!(self.status, 1, "{self:?}");
        assert!(self.err.lines().any(|line| line.starts_with("error: ")), "{self:?}");
        for part in parts {
            assert!(self.err.contains(part), "no {part:?} in {self:?}");
        }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A running server, ended when it is dropped.
pub(crate) struct Server {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
    pub(crate) public: String,
    pub(crate) management: String,
}

impl Server {
    /// What it prints on standard output, up to a line with this text.
    pub(crate) fn printed_until(&mut self, text: &str) -> String {
        let out = self.out.as_mut().unwrap();
        let mut printed = String::new();
        while !printed.lines().last().is_some_and(|line| line.contains(text)) {
            assert_ne!(out.read_line(&mut printed).unwrap(), 0, "the server ended: {printed}");
        }
        printed
    }

    /// Its public and its management port, for one that takes its place.
    pub(crate) fn ports(&self) -> (u16, u16) {
        let port = |url: &str| url.rsplit_once(':').unwrap().1.parse().unwrap();
        (port(&self.public), port(&self.management))
    }

    /// Starts one in a place and waits until it says that it is ready.
    pub(crate) fn start(place: &Place, arguments: &[&str]) -> Self {
        Self::start_at("127.0.0.1", place, arguments)
    }

    /// The same by another name of this machine.
    pub(crate) fn start_at(host: &str, place: &Place, arguments: &[&str]) -> Self {
        Self::start_on(host, (free_port(), free_port()), place, arguments)
    }

    /// The same on a public and a management port of the caller's choice.
    pub(crate) fn start_on(host: &str, ports: (u16, u16), place: &Place, arguments: &[&str]) -> Self {
        let (public, management) = ports;
        let (listen, manage) = (format!("127.0.0.1:{public}"), format!("127.0.0.1:{management}"));
        let issuer = format!("http://{host}:{public}");
        let mut all = vec!["serve", "--listen", &listen, "--management-listen", &manage, "--issuer", &issuer];
        all.extend_from_slice(arguments);
        let mut child = place.command(&all).env("COUNTERSIGN_LOG_FORMAT", "json").spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut seen = String::new();
        loop {
            let start = seen.len();
            assert_ne!(log.read_line(&mut seen).unwrap(), 0, "the server ended: {seen}");
            if seen[start..].contains("\"ready\"") {
                break;
            }
        }
        // It may not wait for us to read the rest; who wonders finds it.
        let mut kept = std::fs::File::create(place.path("server.log")).unwrap();
        std::thread::spawn(move || std::io::copy(&mut log, &mut kept));
        let out = child.stdout.take().map(BufReader::new);
        Self { child, out, public: issuer, management: format!("http://{manage}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on. The system may give one again as soon as it is let go, so those
/// that another test has yet to use are remembered.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

/// The rights of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().unwrap().permissions().mode() & 0o777
}
