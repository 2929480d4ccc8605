//! Lost answers and thieves: honest clients on a bad network and thieves among them, against our
//! own service or any OAuth token endpoint, with a scoreboard. docs/proof.md says how to read it.

mod board;
mod cluster;
mod honest;
mod ledger;
mod server;
mod session;
mod thief;
mod wire;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use crate::Outcome;
use board::{Board, Honest};
use cluster::Cluster;
use honest::Life;
use server::{NewClient, Server};
use session::{Counts, Rules, Session, World};
use thief::{Heist, Kind};
use wire::{Credentials, Node};

/// Time between two looks at how far the run is.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Time between two lines that say how far it is.
const SAY_EVERY: Duration = Duration::from_secs(30);
/// How late a tab with a retry proof may come with a token that it read: far beyond the window of
/// any client that is added here for such tabs.
const LATE_WITH_PROOF: Duration = Duration::from_secs(3);
/// The part of the window in which a client without a proof sends its repetitions.
const RETRY_SHARE: f64 = 0.4;
/// Pauses of thieves and their victims, in overlap windows: from well inside to well outside.
const THEFT_PACE: (f64, f64) = (0.2, 2.5);

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The store of our own service.
    #[arg(long, value_enum, default_value_t = Engine::Sqlite)]
    engine: Engine,
    /// Nodes of our own service on one PostgreSQL.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    nodes: u8,
    /// An empty PostgreSQL database to use, in place of a cluster of the run's own.
    #[arg(long)]
    database: Option<String>,

    /// Another server's token endpoint, in place of our own service.
    #[arg(long, requires = "client_id", requires = "sessions", conflicts_with_all = ["engine", "nodes", "database", "restarts", "theft_overlap"])]
    token_endpoint: Option<Url>,
    /// The client at that server.
    #[arg(long)]
    client_id: Option<String>,
    /// The environment variable that holds the client's secret, for a confidential one.
    #[arg(long, value_name = "NAME")]
    client_secret_env: Option<String>,
    /// Send the secret in the body, not by HTTP Basic.
    #[arg(long)]
    secret_in_body: bool,
    /// The `scope` to send with each refresh, for servers that want one.
    #[arg(long)]
    scope: Option<String>,
    /// One refresh token a line, or JSON lines with a member `refresh_token`; each of a session of its own.
    #[arg(long, value_name = "FILE")]
    sessions: Option<PathBuf>,
    /// Send an Idempotency-Key with the refreshes of every second session at that server.
    #[arg(long)]
    proofs: bool,

    /// Honest refreshes to make.
    #[arg(long, default_value_t = 5000)]
    refreshes: u64,
    /// Honest sessions at our own service.
    #[arg(long, default_value_t = 200)]
    honest: usize,
    /// Thieves of each kind, for each kind of victim.
    #[arg(long, default_value_t = 5)]
    thieves: usize,
    /// Refreshes of a victim after which an unnoticed thief counts as not caught; one that is promised
    /// nothing is watched for six at most.
    #[arg(long, default_value_t = 40)]
    thief_patience: u64,
    /// Tabs and processes of each session.
    #[arg(long, default_value_t = 3)]
    tabs: usize,
    /// Share of requests that are lost or doubled.
    #[arg(long, default_value_t = 0.3)]
    loss: f64,
    /// Seconds for which the server answers a spent token of an honest client again.
    #[arg(long, default_value_t = 10)]
    overlap: u64,
    /// The same for the thieves' victims at our own service: short, so that thefts are soon over.
    #[arg(long, default_value_t = 1)]
    theft_overlap: u64,
    /// Seconds within which a client without a proof repeats a request; 40 % of the overlap if absent.
    #[arg(long)]
    retry_within: Option<f64>,
    /// Refreshes a second of one honest session.
    #[arg(long, default_value_t = 1.0)]
    rate: f64,
    /// Restarts of our own service, by SIGKILL and SIGTERM in turn.
    #[arg(long, default_value_t = 2)]
    restarts: u64,
    /// What all random choices come from; printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Print the scoreboard as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

/// Does it.
#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    check(arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let board = runtime.block_on(simulate(arguments))?;
    if arguments.json {
        println!("{}", board.json());
    } else {
        println!("{}", board.text());
    }
    if !board.is_good() {
        return Err("a promise was broken".into());
    }
    if board.honest.unusable > 0 {
        return Err("some sessions were refused at their first refresh: look at client and tokens".into());
    }
    Ok(())
}

/// A line of progress.
#[expect(clippy::print_stderr, reason = "the report is what this program is for")]
fn say(line: &str) {
    eprintln!("{line}");
}

fn check(arguments: &Arguments) -> Outcome<()> {
    if !(0.0..=0.9).contains(&arguments.loss) {
        return Err("--loss is a share from 0 to 0.9".into());
    }
    if !(arguments.rate > 0.0 && arguments.rate <= 100.0) {
        return Err("--rate is more than 0 and at most 100".into());
    }
    if arguments.retry_within.is_some_and(|seconds| !(0.0..=600.0).contains(&seconds)) {
        return Err("--retry-within is a number of seconds from 0 to 600".into());
    }
    if arguments.nodes > 1 && arguments.engine == Engine::Sqlite {
        return Err("two nodes need --engine postgres".into());
    }
    Ok(())
}

/// Sessions to play with, and what keeps their server there.
struct Stage {
    target: String,
    urls: Vec<Url>,
    honest: Vec<(Rules, String)>,
    victims: Vec<(Rules, Kind, String)>,
    servers: Vec<Server>,
    /// Dropped after the servers: fields are dropped in order.
    _cluster: Option<Cluster>,
    _directory: Option<tempfile::TempDir>,
}

async fn simulate(arguments: &Arguments) -> Outcome<Board> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut stage = match &arguments.token_endpoint {
        Some(url) => theirs(arguments, url)?,
        None => ours(arguments).await?,
    };
    let nodes = stage.urls.iter().map(Node::of).collect::<Outcome<_>>()?;
    let world = Arc::new(World::new(nodes));
    let stop = Arc::new(AtomicBool::new(false));
    let start = Instant::now();

    let mut session = |rules: Rules, token| {
        let session = Arc::new(Session::new(world.clone(), rules, token, &mut rng));
        (session, rng.fork())
    };
    let mut lives = Vec::new();
    for (rules, token) in std::mem::take(&mut stage.honest) {
        let (session, rng) = session(rules, token);
        lives.push((session.clone(), tokio::spawn(honest::live(session, rng, stop.clone()))));
    }
    let mut heists = JoinSet::new();
    let mut stolen = Vec::new();
    let overlap = stage.victims.first().map_or(Duration::ZERO, |(rules, ..)| rules.overlap);
    for (rules, kind, token) in std::mem::take(&mut stage.victims) {
        let (session, rng) = session(rules, token);
        stolen.push(session.clone());
        heists.spawn(thief::steal(session, kind, rng, kind.patience(arguments.thief_patience)));
    }

    let restarts = play(arguments, &world, &mut stage.servers, &lives).await?;
    stop.store(true, Ordering::Relaxed);
    let mut board = Board {
        seed,
        target: stage.target.clone(),
        restarts,
        overlap,
        honest: Honest { sessions: lives.len(), ..Honest::default() },
        ..Board::default()
    };
    for (session, life) in lives {
        add_life(&mut board, &session, life.await?);
    }
    let heists: Vec<Option<Heist>> = heists.join_all().await;
    board.heists_void = heists.iter().filter(|heist| heist.is_none()).count();
    board.heists = heists.into_iter().flatten().collect();
    for session in &stolen {
        add_ledger(&mut board, session);
    }
    board.honest.refreshes = world.refreshes.load(Ordering::Relaxed);
    board.elapsed = start.elapsed();
    add_counts(&mut board, &world.counts);
    Ok(board)
}

/// Restarts the servers now and then until the honest clients have done enough, or are gone.
async fn play(
    arguments: &Arguments,
    world: &World,
    servers: &mut [Server],
    lives: &[(Arc<Session>, JoinHandle<Life>)],
) -> Outcome<u64> {
    let mut restarts = 0;
    let mut said = Instant::now();
    loop {
        let done = world.refreshes.load(Ordering::Relaxed);
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            say(&format!("simulate: {done} of {} honest refreshes", arguments.refreshes));
        }
        if done >= arguments.refreshes || lives.iter().all(|(_, life)| life.is_finished()) {
            return Ok(restarts);
        }
        let due = done.saturating_mul(arguments.restarts + 1) / arguments.refreshes.max(1);
        if due > restarts && restarts < arguments.restarts && !servers.is_empty() {
            let index = usize::try_from(restarts)? % servers.len();
            if let Some(server) = servers.get_mut(index) {
                server.restart(restarts % 2 == 0).await?;
            }
            restarts += 1;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn add_life(board: &mut Board, session: &Session, life: Life) {
    let honest = &mut board.honest;
    honest.recovered += life.recovered;
    honest.unrecovered += life.unrecovered;
    honest.converged += life.converged;
    honest.diverged += life.diverged;
    honest.forfeited += usize::from(life.forfeited);
    honest.unusable += usize::from(life.unusable);
    honest.ended.extend(life.ended);
    let tally = session.ledger().tally;
    honest.tally.rotations += tally.rotations;
    honest.tally.repeats += tally.repeats;
    add_ledger(board, session);
}

fn add_ledger(board: &mut Board, session: &Session) {
    let ledger = session.ledger();
    board.live_forks += ledger.live_forks();
    let (sum, tally) = (&mut board.tally, ledger.tally);
    sum.rotations += tally.rotations;
    sum.repeats += tally.repeats;
    sum.forks += tally.forks;
    sum.graceless += tally.graceless;
    sum.revived += tally.revived;
}

fn add_counts(board: &mut Board, counts: &Counts) {
    let named = [
        ("answers read", &counts.answers),
        ("lost before sending", &counts.unsent),
        ("sent, then closed", &counts.abandoned),
        ("answers thrown away", &counts.discarded),
        ("sent twice at once", &counts.doubled),
        ("lost by themselves", &counts.lost),
        ("5xx", &counts.server_errors),
    ];
    board.wire = named.map(|(name, count)| (name, count.load(Ordering::Relaxed))).into();
    board.refusals = counts.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone();
}

/// A client without a proof.
fn plain(arguments: &Arguments, client: &Arc<Credentials>, overlap: Duration) -> Rules {
    // What is given is for the honest clients' window; victims have a window of their own.
    let given = arguments.retry_within.filter(|_| overlap.as_secs() == arguments.overlap);
    let retry_within = given.map_or(overlap.mul_f64(RETRY_SHARE), Duration::from_secs_f64);
    let second = Duration::from_secs(1);
    Rules {
        client: client.clone(),
        proves: false,
        overlap,
        retry_within,
        loss: arguments.loss,
        pace: (second.div_f64(2.0 * arguments.rate), second.mul_f64(1.5 / arguments.rate)),
        tabs: arguments.tabs,
        late: retry_within / 2,
    }
}

fn proving(rules: Rules) -> Rules {
    Rules { proves: true, late: LATE_WITH_PROOF, ..rules }
}

/// Somebody whom a thief robs: its pauses reach from inside the window to outside of it.
fn victim(rules: Rules) -> Rules {
    let pace = (rules.overlap.mul_f64(THEFT_PACE.0), rules.overlap.mul_f64(THEFT_PACE.1));
    Rules { pace, late: rules.late.min(rules.overlap / 4), ..rules }
}

fn public(id: &str) -> Arc<Credentials> {
    Arc::new(Credentials { id: id.to_owned(), secret: None, secret_in_body: false, scope: None })
}

/// Our own service, with clients and sessions.
async fn ours(arguments: &Arguments) -> Outcome<Stage> {
    let directory = tempfile::tempdir()?;
    let (cluster, database) = match (&arguments.database, arguments.engine) {
        (Some(url), Engine::Postgres) => (None, Some(url.clone())),
        (Some(_), Engine::Sqlite) => return Err("--database goes with --engine postgres".into()),
        (None, Engine::Postgres) => {
            let cluster = Cluster::start()?;
            let url = cluster.url();
            (Some(cluster), Some(url))
        }
        (None, Engine::Sqlite) => (None, None),
    };
    let mut servers: Vec<Server> = Vec::new();
    for index in 0..arguments.nodes {
        let data_dir = directory.path().join(format!("node-{index}"));
        server::make_directory(&data_dir, (index > 0).then(|| directory.path().join("node-0")).as_deref())?;
        servers.push(Server::start(&data_dir, database.as_deref()).await?);
    }
    let first = servers.first().ok_or("no node")?;

    let seconds = Duration::from_secs;
    let (overlap, theft) = (seconds(arguments.overlap), seconds(arguments.theft_overlap));
    let clients = [
        NewClient { id: "plain", rotation: "rotate", overlap },
        // A window that is over before most late tabs come, and none at all: the proof alone carries.
        NewClient { id: "proving", rotation: "rotate", overlap: seconds(1) },
        NewClient { id: "strict", rotation: "rotate-strict", overlap: seconds(0) },
        NewClient { id: "victim", rotation: "rotate", overlap: theft },
    ];
    for client in &clients {
        first.add_client(client).await?;
    }
    let half = arguments.honest.div_ceil(2);
    let quarter = (arguments.honest - half).div_ceil(2);
    let shares = [half, quarter, arguments.honest - half - quarter];
    let mut honest = Vec::new();
    for (client, share) in clients.iter().zip(shares) {
        let rules = plain(arguments, &public(client.id), client.overlap);
        let rules = if client.id == "plain" { rules } else { proving(rules) };
        let tokens = first.add_sessions(client.id, share).await?;
        honest.extend(tokens.into_iter().map(|token| (rules.clone(), token)));
    }
    let rules = plain(arguments, &public("victim"), theft);
    let kinds: Vec<_> = [victim(rules.clone()), victim(proving(rules))]
        .into_iter()
        .flat_map(|rules| Kind::of_victims(rules.proves).iter().map(move |kind| (rules.clone(), *kind)))
        .flat_map(|robbed| std::iter::repeat_n(robbed, arguments.thieves))
        .collect();
    let tokens = first.add_sessions("victim", kinds.len()).await?;
    let victims = kinds.into_iter().zip(tokens).map(|((rules, kind), token)| (rules, kind, token)).collect();

    let engine = if arguments.engine == Engine::Sqlite { "SQLite" } else { "PostgreSQL" };
    Ok(Stage {
        target: format!("countersign on {engine}, {} node(s)", servers.len()),
        urls: servers
            .iter()
            .map(|server| Url::parse(&format!("{}/oauth/token", server.url())))
            .collect::<Result<_, _>>()?,
        honest,
        victims,
        servers,
        _cluster: cluster,
        _directory: Some(directory),
    })
}

/// Another server, with the sessions of a file: first the thieves' victims, then honest ones.
fn theirs(arguments: &Arguments, url: &Url) -> Outcome<Stage> {
    let id = arguments.client_id.clone().ok_or("--client-id is missing")?;
    #[expect(clippy::disallowed_methods, reason = "the person names the variable")]
    let secret = arguments
        .client_secret_env
        .as_ref()
        .map(|name| std::env::var(name).map_err(|error| format!("{name}: {error}")))
        .transpose()?;
    let client = Arc::new(Credentials {
        id,
        secret,
        secret_in_body: arguments.secret_in_body,
        scope: arguments.scope.clone(),
    });
    let path = arguments.sessions.as_ref().ok_or("--sessions is missing")?;
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut tokens = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(token_of);

    let rules = plain(arguments, &client, Duration::from_secs(arguments.overlap));
    let mut kinds = Vec::new();
    for proves in [false, true] {
        let rules = victim(if proves { proving(rules.clone()) } else { rules.clone() });
        if !proves || arguments.proofs {
            let each = Kind::of_victims(proves).iter().map(|kind| (rules.clone(), *kind));
            kinds.extend(each.flat_map(|robbed| std::iter::repeat_n(robbed, arguments.thieves)));
        }
    }
    let needed = kinds.len();
    let mut victims = Vec::new();
    for (rules, kind) in kinds {
        let token = tokens.next().ok_or_else(|| {
            format!(
                "the thieves alone need {needed} sessions, and honest clients need some too: see --thieves"
            )
        })??;
        victims.push((rules, kind, token));
    }
    let mut honest = Vec::new();
    for (index, token) in tokens.enumerate() {
        let proves = arguments.proofs && index % 2 == 1;
        honest.push((if proves { proving(rules.clone()) } else { rules.clone() }, token?));
    }
    Ok(Stage {
        target: url.to_string(),
        urls: vec![url.clone()],
        honest,
        victims,
        servers: Vec::new(),
        _cluster: None,
        _directory: None,
    })
}

/// A line of the sessions' file. What is not JSON is a token, of whatever form.
fn token_of(line: &str) -> Outcome<String> {
    #[derive(serde::Deserialize)]
    struct Line {
        refresh_token: String,
    }
    if !line.starts_with('{') {
        return Ok(line.to_owned());
    }
    // The parser's words could quote the line.
    let line: Line = serde_json::from_str(line).map_err(|_| "a line of JSON without a refresh_token")?;
    Ok(line.refresh_token)
}
