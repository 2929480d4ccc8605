//! A PostgreSQL of the tests' own: a fresh cluster in a temporary directory, started by the first
//! test that asks, ended and removed when the test process is gone, however it goes.
//!
//! Shared by the unit tests and the tests of this directory, by `#[path]`; not each of them uses
//! all of it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

/// What to say where PostgreSQL is missing. A test that did not run must not look like one that
/// passed.
const MISSING: &str = "PostgreSQL 14 or newer is not installed, and these tests start their own. \
    Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; \
    macOS: brew install postgresql. Its initdb must be in PATH or in /usr/lib/postgresql/*/bin.";

/// What keeps the server. It makes the cluster, starts it, obeys the lines of its standard input,
/// says `done` after each, and when that input ends, which it does with the test process, stops
/// the server and removes the directory. Nothing else ends it: neither an interrupt from the
/// keyboard, which is for the test process, nor that nobody hears its answers any more.
const KEEPER: &str = r#"
trap '' INT TERM HUP PIPE
ctl() { "$BIN/pg_ctl" -D "$DIR/data" -l "$DIR/log" -s "$@" >>"$DIR/log" 2>&1; }
fail() { cat "$DIR/log"; echo failed; }
start() { if ctl -w -t 60 -o "$OPTIONS" start; then echo done; else fail; fi; }
if "$BIN/initdb" --no-sync --no-locale -E UTF8 -A trust -U postgres -D "$DIR/data" >"$DIR/log" 2>&1
then start
else fail
fi
while read -r word; do
    case $word in
        start) start ;;
        *) ctl -w -m "$word" stop; echo done ;;
    esac
done
ctl -w -m immediate stop
rm -rf "$DIR"
"#;

/// A cluster.
pub(crate) struct Cluster {
    directory: PathBuf,
    port: u16,
    databases: AtomicU32,
    prepared: tokio::sync::OnceCell<String>,
    keeper: Mutex<Keeper>,
}

struct Keeper {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// The cluster that the tests of one process share. Nobody pulls its plug, so it need not sync.
pub(crate) fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::begin("off"))
}

impl Cluster {
    /// Makes and starts a durable cluster, for a test that is going to mistreat it.
    pub(crate) fn start() -> Self {
        Self::begin("on")
    }

    fn begin(fsync: &str) -> Self {
        let bin = binaries();
        let directory = tempfile::Builder::new().prefix("countersign-pg-").tempdir().unwrap().keep();
        let user = unprivileged(&directory);
        let port = free_port();
        // Small.
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={} -c fsync={fsync} \
             -c shared_buffers=32MB -c max_connections=300 -c log_min_messages=fatal -c timezone=UTC",
            directory.display()
        );
        let mut child = as_user(user, "sh")
            .args(["-c", KEEPER])
            .env("BIN", &bin)
            .env("DIR", &directory)
            .env("OPTIONS", options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut keeper = Keeper { child, orders, answers };
        keeper.hear_done();
        Self {
            directory,
            port,
            databases: AtomicU32::new(0),
            prepared: tokio::sync::OnceCell::new(),
            keeper: Mutex::new(keeper),
        }
    }

    /// A new, empty database, by its URL over the cluster's socket.
    pub(crate) async fn database(&self) -> String {
        let name = self.copy_of("template0").await;
        self.url(&name)
    }

    /// A new database, a copy of one that `prepare` was given the first time: it brings the
    /// schema, and has closed its connections when it returns.
    pub(crate) async fn prepared_database(&self, prepare: impl AsyncFnOnce(String)) -> String {
        let template = self.prepared.get_or_init(async || {
            let name = self.copy_of("template0").await;
            prepare(self.url(&name)).await;
            name
        });
        let name = self.copy_of(template.await).await;
        self.url(&name)
    }

    async fn copy_of(&self, template: &str) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::SeqCst));
        let (client, connection) =
            tokio_postgres::connect(&self.url("postgres"), tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
        name
    }

    /// The URL of a database over the cluster's socket.
    pub(crate) fn url(&self, database: &str) -> String {
        let host = self.directory.display();
        format!("postgres:///{database}?user=postgres&host={host}&port={}", self.port)
    }

    /// What `pg_dump` writes of a database.
    pub(crate) fn dump(&self, url: &str) -> Vec<u8> {
        let dumped = Command::new(binaries().join("pg_dump")).arg(url).output().unwrap();
        assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        dumped.stdout
    }

    /// The address to reach it by TCP, for a test that puts something in between.
    pub(crate) fn address(&self) -> (&'static str, u16) {
        ("127.0.0.1", self.port)
    }

    /// Stops the server in an orderly way: it ends its sessions and writes a checkpoint.
    pub(crate) fn stop(&self) {
        self.order("fast");
    }

    /// Stops it as a crash would: nothing is finished, and the next start recovers.
    pub(crate) fn crash(&self) {
        self.order("immediate");
    }

    /// Starts it again, at the same addresses.
    pub(crate) fn start_again(&self) {
        self.order("start");
    }

    fn order(&self, word: &str) {
        let mut keeper = self.keeper.lock().unwrap();
        writeln!(keeper.orders.as_mut().unwrap(), "{word}").unwrap();
        keeper.hear_done();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Ok(keeper) = self.keeper.get_mut() {
            keeper.orders = None;
            // The keeper removes what it made; a failure to would leave a directory in /tmp.
            let _ = keeper.child.wait();
        }
    }
}

impl Keeper {
    fn hear_done(&mut self) {
        let mut said = String::new();
        loop {
            let from = said.len();
            let read = self.answers.read_line(&mut said).unwrap();
            match said[from..].trim_end() {
                "done" => return,
                "failed" => panic!("PostgreSQL did not start:\n{said}"),
                _ => assert!(read > 0, "the keeper of PostgreSQL has gone:\n{said}"),
            }
        }
    }
}

/// Where initdb and pg_ctl are: in PATH, or the newest of those that Debian keeps out of it.
fn binaries() -> PathBuf {
    let on_path = Command::new("sh").args(["-c", "command -v initdb"]).output().unwrap();
    if on_path.status.success() {
        let found = PathBuf::from(String::from_utf8_lossy(&on_path.stdout).trim());
        let found = found.canonicalize().unwrap_or(found);
        return found.parent().unwrap().to_owned();
    }
    let version = |path: &Path| {
        path.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<u32>().ok())
    };
    std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .max_by_key(|bin| version(bin))
        .unwrap_or_else(|| panic!("{MISSING}"))
}

/// PostgreSQL refuses to run as root. Root gives the directory to another user and runs it as
/// that one.
fn unprivileged(directory: &Path) -> Option<(u32, u32)> {
    if std::fs::metadata(directory).unwrap().uid() != 0 {
        return None;
    }
    let id = |flag: &str, name: &str| -> Option<u32> {
        let output = Command::new("id").args([flag, name]).output().ok()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    };
    let (uid, gid) = ["postgres", "nobody"]
        .iter()
        .find_map(|name| Some((id("-u", name)?, id("-g", name)?)))
        .unwrap_or_else(|| panic!("root needs a user `postgres` or `nobody` to run PostgreSQL as"));
    std::os::unix::fs::chown(directory, Some(uid), Some(gid)).unwrap();
    Some((uid, gid))
}

fn as_user(user: Option<(u32, u32)>, program: impl AsRef<std::ffi::OsStr>) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    // The directory that the tests run in may be closed to that user.
    command.current_dir("/");
    command
}

fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
