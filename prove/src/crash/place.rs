//! A store with sessions in it, made through the library, and the service as a process on it.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use countersign::app::App;
use countersign::config::Settings;
use countersign::entropy;
use countersign::flows::Origin;
use countersign::flows::clients::hash_secret;
use countersign::flows::sessions::{self, StartRequest};
use countersign::server;
use countersign::store::{
    Client, ClientKind, ClientSettings, LifetimeSettings, Profile, Rotation, SecretHash, SignInSettings,
    TokenFormat, User,
};
use countersign::time::Timestamp;
use countersign_wire::{ClientSecret, SessionId, UserId};
use rustix::process::{Pid, Resource, Rlimit};

use super::http;
use crate::Outcome;

/// The client of every session: public, native, with the longest overlap window, since a restart
/// under a tracer on a busy machine takes as long as it takes.
pub(super) const CLIENT: &str = "crash-app";
const OVERLAP_MS: u64 = 600_000;
/// The API that the sessions' access tokens are for.
pub(super) const API: &str = "crash-api";
pub(super) const API_SECRET: &str = "cs_crash-api";
const AUDIENCE: &str = "https://api.crash.example";
/// The database's file in the data directory, and its log.
pub(super) const DATABASE: &str = "countersign.db";
pub(super) const LOG: &str = "countersign.db-wal";
/// How long the service may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two looks at a process.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A data directory, and a database elsewhere for PostgreSQL.
pub(super) struct Place {
    directory: tempfile::TempDir,
    database: Option<String>,
}

impl Place {
    /// An empty one.
    pub(super) fn new(database: Option<String>) -> Outcome<Self> {
        Ok(Self { directory: tempfile::Builder::new().prefix("countersign-crash-").tempdir()?, database })
    }

    /// Where the SQLite store and the keys are.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A file for what is no part of the store.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts so many sessions, and gives the first refresh token of each.
    pub(super) fn fill(&self, count: usize) -> Outcome<Vec<(SessionId, String)>> {
        let data_dir = self.data_dir();
        let data_dir = data_dir.to_str().ok_or("the directory's name is not UTF-8")?;
        let mut values = vec![("data_dir", data_dir)];
        values.extend(self.database.as_deref().map(|url| ("database", url)));
        let settings = Settings::from_values(&values)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let opened = server::open(&settings).await?;
            let filled = fill(&opened.app, count).await;
            opened.app.store.close().await;
            filled
        })
    }

    /// Starts the service and waits until it is ready.
    pub(super) fn serve(&self) -> Outcome<Server> {
        self.serve_as(Command::new(std::env::current_exe()?))
    }

    /// The same, with another program that takes this one's arguments.
    pub(super) fn serve_program(&self, program: &Path) -> Outcome<Server> {
        self.serve_as(Command::new(program))
    }

    /// The same, as a child of a shell that has done something before.
    pub(super) fn serve_after(&self, shell: &str) -> Outcome<Server> {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{shell}; exec \"$0\" \"$@\"")]).arg(std::env::current_exe()?);
        self.serve_as(command)
    }

    fn serve_as(&self, mut command: Command) -> Outcome<Server> {
        let [address, management] = free_addresses()?;
        command.args(["countersign", "--data-dir"]).arg(self.data_dir());
        if let Some(database) = &self.database {
            command.args(["--database", database]);
        }
        let log = self.beside("log");
        command
            .arg("serve")
            .args(["--listen", &address.to_string(), "--management-listen", &management.to_string()])
            // One issuer over all restarts, though each has a port of its own.
            .args(["--issuer", "https://crash.example"])
            .env_clear()
            .current_dir(self.data_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?);
        let mut server = Server { child: command.spawn()?, address };
        let start = Instant::now();
        while !server.is_ready() {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("the server ended: {status}\n{}", read_or_empty(&log)).into());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("the server is not ready\n{}", read_or_empty(&log)).into());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(server)
    }
}

/// The service's process, which is killed with this value.
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Server {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True when the store answers.
    pub(super) fn is_ready(&self) -> bool {
        http::get(self.address, "/readyz").is_ok_and(|answer| answer.status == 200)
    }

    /// From now on no file can be written beyond that length; `None` lifts the limit. A write that
    /// reaches it is cut short there, and the next one fails, as on a file system that is full.
    pub(super) fn limit_files(&self, bytes: Option<u64>) -> Outcome<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        let limit = Rlimit { current: bytes, maximum: None };
        rustix::process::prlimit(pid, Resource::Fsize, limit)?;
        Ok(())
    }

    /// kill -9.
    pub(super) fn kill(mut self) -> Outcome<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it as an operator would.
    pub(super) fn stop(mut self) -> Outcome<ExitStatus> {
        signal("TERM", self.pid())?;
        Ok(self.child.wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already, when it was killed or stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The standard library can only kill its children; every shell has a kill of its own.
pub(super) fn signal(name: &str, pid: impl std::fmt::Display) -> Outcome<()> {
    Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).stderr(Stdio::null()).status()?;
    Ok(())
}

fn read_or_empty(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Both are held until both are known, so that they differ.
fn free_addresses() -> Outcome<[SocketAddr; 2]> {
    let listeners = [TcpListener::bind(("127.0.0.1", 0))?, TcpListener::bind(("127.0.0.1", 0))?];
    let [a, b] = &listeners;
    Ok([a.local_addr()?, b.local_addr()?])
}

async fn fill(app: &App, count: usize) -> Outcome<Vec<(SessionId, String)>> {
    let now = app.clock.now();
    app.store.add_client(&client(now)?).await?;
    app.store.add_client(&api(now)?).await?;
    app.look_again().await?;
    let mut started = Vec::with_capacity(count);
    for index in 0..count {
        let user = user(index, now);
        app.store.add_user(&user).await?;
        let (id, answer) = sessions::start(app, &start_request(user.id)?, now)
            .await
            .map_err(|error| format!("{error:?}"))?;
        let token = answer.refresh_token.ok_or("a session without a refresh token")?;
        started.push((id, token.expose().to_owned()));
    }
    Ok(started)
}

fn client(now: Timestamp) -> Outcome<Client> {
    let settings = ClientSettings {
        kind: ClientKind::Native,
        public: true,
        secrets: Vec::new(),
        redirect_uris: vec!["http://127.0.0.1/callback".to_owned()],
        scope: "profile:read offline".parse()?,
        audience: vec![AUDIENCE.to_owned()],
        token_format: TokenFormat::Jwt,
        signing_alg: None,
        rotation: Rotation::Rotate,
        overlap_ms: OVERLAP_MS,
        lifetimes: LifetimeSettings::default(),
        longest_access: 15 * 60,
        allow_long_access_tokens: false,
        introspects: Vec::new(),
        extra_claims: Vec::new(),
        sign_in: SignInSettings::default(),
    };
    Ok(Client {
        id: CLIENT.parse()?,
        enabled: true,
        revision: 1,
        cut: 0,
        tenant: None,
        created_at: now,
        settings,
    })
}

fn api(now: Timestamp) -> Outcome<Client> {
    let mut api = client(now)?;
    api.id = API.parse()?;
    api.settings.kind = ClientKind::Service;
    api.settings.public = false;
    let sha256 = hash_secret(&ClientSecret::new(API_SECRET.to_owned()));
    api.settings.secrets = vec![SecretHash { sha256, created_at: now, expires_at: None }];
    api.settings.redirect_uris = Vec::new();
    api.settings.introspects = vec![AUDIENCE.to_owned()];
    Ok(api)
}

fn user(index: usize, now: Timestamp) -> User {
    let username = format!("user-{index}");
    User {
        id: UserId(entropy::uuid_v7(now)),
        canonical: username.clone(),
        email: None,
        username,
        password_hash: None,
        enabled: true,
        stamp: 1,
        tenant: None,
        roles: Vec::new(),
        created_at: now,
        profile: Profile::default(),
    }
}

fn start_request(user: UserId) -> Outcome<StartRequest> {
    Ok(StartRequest {
        user,
        client: CLIENT.parse()?,
        scope: None,
        resources: Vec::new(),
        device: None,
        remember: false,
        auth_time: None,
        acr: None,
        amr: Vec::new(),
        origin: Origin { network: "127.0.0.0/24".to_owned(), agent: "crash".to_owned() },
        sign_in: None,
        nonce: None,
    })
}
