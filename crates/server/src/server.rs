//! The running service: puts the parts together, keeps house beside the requests, and stops
//! without losing any.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign_wire::AdminToken;
use tokio::net::{TcpListener, UnixListener};

use crate::app::App;
use crate::config::{self, Database, Settings};
use crate::factors::passkey::Passkeys;
use crate::flows::policy::{
    BrowserLifetimes, KindLifetimes, Lifetimes, MAX_ABSOLUTE, MAX_LONG_ACCESS, Policy, Sensitive,
    SignInPolicy,
};
use crate::http::layers::{self, Observer};
use crate::http::listen::{self, Listener};
use crate::http::shutdown::Shutdown;
use crate::http::{Public, router};
use crate::keys::{KeyEncryptionKey, KeySchedule, Keys};
use crate::metrics::Metrics;
use crate::passwords::Passwords;
use crate::store::Store;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::telemetry;
use crate::time::{Clock, SystemClock};

mod dev;
mod feed;
mod notices;
mod upkeep;

/// The Unix socket in the data directory by which the command line reaches the server.
pub const SOCKET: &str = "countersign.sock";
/// The file in the data directory that holds the management listener's token.
pub const ADMIN_TOKEN_FILE: &str = "admin-token";
/// The file in the data directory that holds the key-encryption key.
pub const KEK_FILE: &str = "kek";
/// The file in the data directory that one process at a time holds.
const LOCK_FILE: &str = "lock";

/// Why the service does not run: a sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ServerError(String);

impl ServerError {
    fn new(what: impl std::fmt::Display, error: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}

/// What was opened, with the lock on the data directory.
pub struct Opened {
    /// The application.
    pub app: Arc<App>,
    _lock: Option<File>,
}

/// Opens the store and the keys, without listening: for the command line when no server runs, and
/// for [`run`].
///
/// # Errors
/// A sentence that names what is wrong and how to mend it.
pub async fn open(settings: &Settings) -> Result<Opened, ServerError> {
    let OpenedStore { store, clock, lock } = open_store(settings).await?;
    let kek = match &settings.key_encryption_key {
        Some(key) => KeyEncryptionKey::from_bytes(key.expose()),
        None => kek_of_file(&settings.data_dir.join(KEK_FILE), store.as_ref()).await?,
    };
    let now = clock.now();
    let schedule = KeySchedule {
        rotate_every: settings.keys.rotate_every,
        publish_ahead: settings.keys.publish_ahead,
        // The limits over all clients that ever were, not what is configured today: a lifetime
        // that is lowered must not cost a living token its key.
        longest_access: MAX_LONG_ACCESS,
        longest_session: MAX_ABSOLUTE,
        ..KeySchedule::default()
    };
    let keys = Keys::open(store.clone(), kek, schedule, now)
        .await
        .map_err(|error| ServerError::new("the keys could not be opened", error))?;
    let passwords = Passwords::new(settings.limits.password_threads, settings.limits.password_queue);
    let passkeys = Passkeys::new(&settings.issuer, &settings.brand.name)
        .map_err(|error| ServerError::new("passkeys could not be set up", error))?;
    let app = App::new(store, keys, clock, policy(settings), passwords, passkeys, Arc::new(Metrics::new()))
        .await
        .map_err(|error| ServerError::new("the store could not be read", error))?;
    Ok(Opened { app, _lock: lock })
}

/// The store alone, with the lock on the data directory.
pub struct OpenedStore {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    lock: Option<File>,
}

/// Opens the store and makes no keys in it: for restoring into it and for looking at it.
///
/// # Errors
/// A sentence that names what is wrong and how to mend it.
pub async fn open_store(settings: &Settings) -> Result<OpenedStore, ServerError> {
    make_private_directory(&settings.data_dir)?;
    let lock = match &settings.database {
        Database::Sqlite(_) => Some(lock(&settings.data_dir)?),
        Database::Postgres(_) => None,
    };
    let (store, clock) = connect(settings).await?;
    Ok(OpenedStore { store, clock, lock })
}

/// Runs the service until it is told to stop.
///
/// # Errors
/// A sentence that names what is wrong and how to mend it.
pub async fn run(settings: Settings, dev: bool) -> Result<(), ServerError> {
    let telemetry = telemetry::start(&settings).map_err(|error| ServerError::new("logs", error))?;
    if dev && !(settings.listen.ip().is_loopback() && settings.management_listen.ip().is_loopback()) {
        return Err(ServerError(format!(
            "--dev has demo users without passwords and listens on loopback only, not on {}: leave --dev out, or \
             set listen and management_listen to 127.0.0.1",
            settings.listen
        )));
    }
    let listener = bind(settings.listen, "listen").await?;
    let management = bind(settings.management_listen, "management_listen").await?;
    let settings = match listener.local_addr() {
        Ok(address) => settings.bound_to(address),
        Err(_) => settings,
    };
    let opened = open(&settings).await?;
    let app = opened.app.clone();
    let admin_token = admin_token(&settings)?;
    let socket = bind_socket(&settings.data_dir.join(SOCKET))?;

    let demo = if dev { Some(dev::seed(&app).await?) } else { None };
    // A listener of the inside is no browser's business, and has no TLS of its own.
    let observer = |tls_only| {
        Arc::new(Observer {
            metrics: app.metrics.clone(),
            request_timeout: settings.limits.request_timeout,
            spans: telemetry.exports_spans(),
            tls_only,
        })
    };
    let (outside, inside) = (observer(settings.issuer.starts_with("https:")), observer(false));
    let public = Arc::new(Public::new(app.clone(), &settings));
    let routers = [
        (
            Listener::Tcp(listener),
            router::public(public, demo.as_ref().map(|demo| demo.api.clone())),
            outside,
        ),
        (
            Listener::Tcp(management),
            router::management(app.clone(), settings.limits, Some(admin_token)),
            inside.clone(),
        ),
        (Listener::Unix(socket), router::management(app.clone(), settings.limits, None), inside),
    ];
    let shutdown = Shutdown::new();
    let upkeep = tokio::spawn(upkeep::run(app.clone(), settings.events_keep, shutdown.clone()));
    let feed = tokio::spawn(feed::run(app.clone(), shutdown.clone()));
    let notices = tokio::spawn(notices::run(app.clone(), shutdown.clone()));
    let mut listeners = tokio::task::JoinSet::new();
    for (listener, router, observer) in routers {
        let (router, shutdown) = (layers::observe(router, observer), shutdown.clone());
        let limits = settings.limits;
        listeners.spawn(async move { listen::serve(listener, router, &limits, &shutdown).await });
    }

    tracing::info!(
        listen = %settings.listen, management = %settings.management_listen, issuer = %settings.issuer,
        store = %app.store.engine(), version = env!("CARGO_PKG_VERSION"), "ready"
    );
    if demo.is_some() {
        dev::print(&settings);
    }
    told_to_stop().await;
    tracing::info!("stopping: finishing the requests in flight");
    shutdown.begin();
    while listeners.join_next().await.is_some() {}
    let _ = upkeep.await;
    let _ = notices.await;
    let _ = feed.await;
    app.store.close().await;
    let _ = std::fs::remove_file(settings.data_dir.join(SOCKET));
    tracing::info!("stopped");
    telemetry.stop().await;
    Ok(())
}

async fn connect(settings: &Settings) -> Result<(Arc<dyn Store>, Arc<dyn Clock>), ServerError> {
    let failed = |error| ServerError::new(settings.database.describe(), error);
    Ok(match &settings.database {
        Database::Sqlite(path) => (SqliteStore::open(path).map_err(failed)?, Arc::new(SystemClock)),
        Database::Postgres(url) => {
            let store = PostgresStore::open_with(url.expose(), settings.limits.store_timeout)
                .await
                .map_err(failed)?;
            let clock = store.clock();
            (store, clock)
        }
    })
}

/// The key-encryption key in the data directory. It is made only for a store without keys: a new
/// one beside keys that an old one sealed would hide that the old one is missing.
async fn kek_of_file(path: &Path, store: &dyn Store) -> Result<KeyEncryptionKey, ServerError> {
    let keys = store.keys().await.map_err(|error| ServerError::new("the keys could not be read", error))?;
    let kek =
        if keys.is_empty() { KeyEncryptionKey::load_or_create(path) } else { KeyEncryptionKey::load(path) };
    kek.map_err(|error| ServerError(error.to_string()))
}

/// What the settings decide, as the flows need it.
pub fn policy(settings: &Settings) -> Policy {
    Policy {
        sign_in: SignInPolicy {
            brand: settings.brand.name.clone(),
            session: BrowserLifetimes { idle: settings.sign_in.idle, absolute: settings.sign_in.absolute },
            remembered: BrowserLifetimes {
                idle: settings.sign_in.remember_idle,
                absolute: settings.sign_in.remember_absolute,
            },
            sensitive: Sensitive {
                scopes: settings.sign_in.sensitive_scopes.clone(),
                max_age: settings.sign_in.sensitive_max_age,
            },
        },
        issuer: settings.issuer.clone(),
        signing_algorithm: settings.signing_algorithm,
        status_lists: settings.status_lists,
        lifetimes: KindLifetimes {
            spa: lifetimes(&settings.lifetimes.spa),
            web: lifetimes(&settings.lifetimes.web),
            native: lifetimes(&settings.lifetimes.native),
            cli: lifetimes(&settings.lifetimes.cli),
            service: lifetimes(&settings.lifetimes.service),
        },
        overlap: settings.rotation.overlap,
        lockstep_threshold: settings.rotation.lockstep_threshold,
        sessions_per_user: settings.sessions_per_user,
        client_secret_overlap: settings.client_secret_overlap,
        cors_origins: settings.cors_origins.clone(),
    }
}

fn lifetimes(configured: &config::KindLifetimes) -> Lifetimes {
    let session = configured.refresh;
    let or_zero = |of: fn(config::RefreshLifetimes) -> Duration| session.map_or(Duration::ZERO, of);
    Lifetimes {
        access: configured.access,
        idle: or_zero(|session| session.idle),
        absolute: or_zero(|session| session.absolute),
        remember_idle: or_zero(|session| session.remember_idle),
        remember_absolute: or_zero(|session| session.remember_absolute),
    }
}

/// The configured admin token, or the one in the data directory, made on the first start.
fn admin_token(settings: &Settings) -> Result<AdminToken, ServerError> {
    if let Some(token) = &settings.admin_token {
        return Ok(token.clone());
    }
    let path = settings.data_dir.join(ADMIN_TOKEN_FILE);
    let failed = |error: std::io::Error| ServerError::new(path.display(), error);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(AdminToken::new(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            use base64::Engine as _;
            use std::io::Write as _;
            let secret =
                base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(crate::entropy::bytes::<32>());
            let token = AdminToken::new(format!("csa_{secret}"));
            let mut file = owner_only().create_new(true).open(&path).map_err(failed)?;
            writeln!(file, "{}", token.expose()).and_then(|()| file.sync_all()).map_err(failed)?;
            Ok(token)
        }
        Err(error) => Err(failed(error)),
    }
}

fn make_private_directory(path: &Path) -> Result<(), ServerError> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| ServerError::new(format!("data_dir {} could not be made", path.display()), error))
}

/// One process at a time owns a SQLite store.
fn lock(data_dir: &Path) -> Result<File, ServerError> {
    let path = data_dir.join(LOCK_FILE);
    let file = owner_only()
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| ServerError::new(path.display(), error))?;
    file.try_lock().map_err(|_| {
        ServerError(format!(
            "another countersign process uses {}: stop it, or give this one another --data-dir",
            data_dir.display()
        ))
    })?;
    Ok(file)
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

async fn bind(address: std::net::SocketAddr, key: &str) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| ServerError::new(format!("{key} {address} could not be opened"), error))
}

/// The socket of an earlier process may be left over. For SQLite the lock says that it is dead;
/// for PostgreSQL it is asked.
fn bind_socket(path: &Path) -> Result<UnixListener, ServerError> {
    let failed = |error| ServerError::new(path.display(), error);
    if path.exists() {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(ServerError(format!(
                "another countersign process listens on {}: give this one another --data-dir",
                path.display()
            )));
        }
        std::fs::remove_file(path).map_err(failed)?;
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// SIGINT or SIGTERM.
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// How long the store may take to say that nothing changed.
const WATCH_WAIT: Duration = Duration::from_secs(1);
