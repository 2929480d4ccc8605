//! Stores full of sessions, made through the library as the service itself would make them.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

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
use countersign_wire::{Algorithm, ClientId, ClientSecret, UserId};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Outcome;
use crate::chains::{AGENT, Tokens};

/// A public client; its access tokens are as they come without being asked: JWTs, ES256.
pub(crate) const APP: &str = "bench-app";
/// A public client whose access tokens are opaque.
pub(crate) const OPAQUE_APP: &str = "bench-opaque";
/// A confidential client for client credentials, with EdDSA, and for introspection.
pub(crate) const SERVICE: &str = "bench-service";
/// The same with opaque tokens.
pub(crate) const OPAQUE_SERVICE: &str = "bench-opaque-service";
/// A confidential client that may read the revocation feed.
pub(crate) const FEED: &str = "bench-feed";
/// Whom the access tokens are for.
pub(crate) const AUDIENCE: &str = "https://api.bench.example";
/// The secret of all of them. It opens nothing but stores that hold nothing.
pub(crate) const SERVICE_SECRET: &str = "countersign-bench-is-not-a-real-service-and-has-no-secrets";

/// Sessions of one user.
const SESSIONS_PER_USER: usize = 10;
/// One session in so many has opaque access tokens.
const OPAQUE_SHARE: usize = 100;
/// Requests to the store at once: it commits many together.
const AT_ONCE: usize = 256;
/// A stored seed is not used when it is older: its sessions would end of idleness.
const FRESH: Duration = Duration::from_secs(5 * 24 * 3600);
/// Moves on when seeds are made in another way.
const FORMAT: u32 = 6;
/// Written last, so that a directory without it is no seed.
const MARK: &str = "complete";

/// The first refresh tokens of a store's sessions.
pub(crate) struct Seeded {
    /// Those of [`APP`].
    pub(crate) app: Tokens,
    /// Those of [`OPAQUE_APP`].
    pub(crate) opaque: Tokens,
}

/// A SQLite data directory with so many sessions, made now or kept from an earlier run.
pub(crate) fn sqlite(work_dir: &Path, count: usize) -> Outcome<(PathBuf, Seeded)> {
    let directory = work_dir.join(format!("seed-{FORMAT}-{count}"));
    let data_dir = directory.join("data");
    if is_usable(&directory) {
        let app = read(&directory.join("app.tokens"))?;
        let opaque = read(&directory.join("opaque.tokens"))?;
        return Ok((data_dir, Seeded { app, opaque }));
    }
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    DirBuilder::new().recursive(true).mode(0o700).create(&data_dir)?;
    let seeded = fill(&data_dir, None, count)?;
    write(&directory.join("app.tokens"), &seeded.app)?;
    write(&directory.join("opaque.tokens"), &seeded.opaque)?;
    std::fs::File::create(directory.join(MARK))?.sync_all()?;
    Ok((data_dir, seeded))
}

#[expect(clippy::disallowed_methods, reason = "the age of a file by the machine's own clock")]
fn is_usable(directory: &Path) -> bool {
    let made = std::fs::metadata(directory.join(MARK)).and_then(|mark| mark.modified());
    made.is_ok_and(|made| SystemTime::now().duration_since(made).is_ok_and(|age| age < FRESH))
}

fn write(path: &Path, tokens: &Tokens) -> Outcome<()> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(&tokens.to_lines())?;
    Ok(())
}

fn read(path: &Path) -> Outcome<Tokens> {
    let mut tokens = Tokens::default();
    for line in std::fs::read(path)?.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        tokens.push(line)?;
    }
    Ok(tokens)
}

/// Fills the store of a data directory.
pub(crate) fn fill(data_dir: &Path, database: Option<&str>, count: usize) -> Outcome<Seeded> {
    let data_dir = data_dir.to_str().ok_or("the directory's name is not UTF-8")?;
    let mut values = vec![("data_dir", data_dir)];
    values.extend(database.map(|url| ("database", url)));
    let settings = Settings::from_values(&values)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let opened = server::open(&settings).await?;
        let seeded = fill_app(&opened.app, count).await;
        opened.app.store.close().await;
        seeded
    })
}

async fn fill_app(app: &Arc<App>, count: usize) -> Outcome<Seeded> {
    for client in clients(app.clock.now())? {
        app.store.add_client(&client).await?;
    }
    app.look_again().await?;

    let users: Arc<Vec<UserId>> = Arc::new(
        (0..count.div_ceil(SESSIONS_PER_USER)).map(|_| UserId(entropy::uuid_v7(app.clock.now()))).collect(),
    );
    let shared = (app.clone(), users.clone());
    at_once("users", users.len(), move |index| {
        let (app, users) = shared.clone();
        async move {
            let id = *users.get(index).ok_or("no such user")?;
            app.store.add_user(&user(id, index, app.clock.now())).await?;
            Ok(())
        }
    })
    .await?;

    let shared = (app.clone(), users);
    let started = at_once("sessions", count, move |index| {
        let (app, users) = shared.clone();
        async move {
            let id = *users.get(index % users.len().max(1)).ok_or("no such user")?;
            let opaque = index % OPAQUE_SHARE == 0;
            let request = start_request(id, if opaque { OPAQUE_APP } else { APP })?;
            let (_, answer) = sessions::start(&app, &request, app.clock.now())
                .await
                .map_err(|error| format!("{error:?}"))?;
            let token = answer.refresh_token.ok_or("a session without a refresh token")?;
            Ok((opaque, token))
        }
    })
    .await?;

    let mut seeded = Seeded { app: Tokens::default(), opaque: Tokens::default() };
    for (opaque, token) in started {
        let tokens = if opaque { &mut seeded.opaque } else { &mut seeded.app };
        tokens.push(token.expose().as_bytes())?;
    }
    Ok(seeded)
}

/// Does something for each index, many at once, under a progress bar.
async fn at_once<T, F>(
    what: &str,
    count: usize,
    work: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Outcome<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Outcome<T>> + Send + 'static,
{
    let bar = ProgressBar::with_draw_target(Some(u64::try_from(count)?), ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(
        "{msg} {wide_bar} {human_pos}/{human_len} {per_sec}, {eta} left",
    )?);
    bar.set_message(format!("seeding {what}"));
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (next, work, bar) = (next.clone(), work.clone(), bar.clone());
            tokio::spawn(async move {
                let mut done = Vec::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return Ok::<_, Box<dyn std::error::Error + Send + Sync>>(done);
                    }
                    done.push(work(index).await?);
                    bar.inc(1);
                }
            })
        })
        .collect();
    let mut all = Vec::with_capacity(count);
    for worker in workers {
        all.extend(worker.await??);
    }
    bar.finish_and_clear();
    Ok(all)
}

fn clients(now: Timestamp) -> Outcome<Vec<Client>> {
    let secret = SecretHash {
        sha256: hash_secret(&ClientSecret::new(SERVICE_SECRET.to_owned())),
        created_at: now,
        expires_at: None,
    };
    let client = |id: &str, settings: ClientSettings| -> Outcome<Client> {
        let id: ClientId = id.parse()?;
        Ok(Client { id, enabled: true, revision: 1, cut: 0, tenant: None, created_at: now, settings })
    };
    let app = ClientSettings {
        kind: ClientKind::Native,
        public: true,
        secrets: Vec::new(),
        redirect_uris: vec!["http://127.0.0.1/callback".to_owned()],
        scope: "profile:read profile:write offline".parse()?,
        audience: vec![AUDIENCE.to_owned()],
        token_format: TokenFormat::Jwt,
        signing_alg: None,
        rotation: Rotation::Rotate,
        overlap_ms: 10_000,
        lifetimes: LifetimeSettings::default(),
        longest_access: 15 * 60,
        allow_long_access_tokens: false,
        introspects: Vec::new(),
        extra_claims: Vec::new(),
        sign_in: SignInSettings::default(),
    };
    let service = ClientSettings {
        kind: ClientKind::Service,
        public: false,
        secrets: vec![secret],
        redirect_uris: Vec::new(),
        signing_alg: Some(Algorithm::EdDSA),
        introspects: vec!["*".to_owned()],
        ..app.clone()
    };
    Ok(vec![
        client(OPAQUE_APP, ClientSettings { token_format: TokenFormat::Opaque, ..app.clone() })?,
        client(APP, app)?,
        client(FEED, ClientSettings { scope: "revocations".parse()?, ..service.clone() })?,
        client(OPAQUE_SERVICE, ClientSettings { token_format: TokenFormat::Opaque, ..service.clone() })?,
        client(SERVICE, service)?,
    ])
}

fn user(id: UserId, index: usize, now: Timestamp) -> User {
    let username = format!("user-{index}");
    User {
        id,
        canonical: username.clone(),
        email: Some(format!("{username}@bench.example")),
        username,
        password_hash: None,
        enabled: true,
        stamp: 1,
        tenant: None,
        roles: vec!["reader".to_owned()],
        created_at: now,
        profile: Profile::default(),
    }
}

fn start_request(user: UserId, client: &str) -> Outcome<StartRequest> {
    Ok(StartRequest {
        user,
        client: client.parse()?,
        scope: None,
        resources: Vec::new(),
        device: None,
        remember: false,
        auth_time: None,
        acr: None,
        amr: Vec::new(),
        origin: Origin { network: "127.0.0.0/24".to_owned(), agent: AGENT.to_owned() },
        sign_in: None,
        nonce: None,
    })
}
