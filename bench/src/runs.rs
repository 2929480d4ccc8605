//! What is measured, in the order of the table.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Connection, OpenFlags};

use crate::ceiling::SIGNED;
use crate::chains::{Pool, Refreshes, form, get};
use crate::disk::{self, Stall};
use crate::load::{self, Measured, Plan};
use crate::process::{self, Running};
use crate::report::{Goal, Row, Unit};
use crate::seed::{self, Seeded};
use crate::{Arguments, Outcome, Part, apis, procfs, raw};

/// Not measured at the beginning of each load.
const WARM_UP: Duration = Duration::from_secs(2);
/// Sessions in the PostgreSQL store, at most: it takes them in more slowly than SQLite.
const POSTGRES_SESSIONS: usize = 200_000;
/// Sessions of the store that gateways and APIs ask.
const API_SESSIONS: usize = 16_384;
/// How long the service is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(10);
/// How long each raw figure is measured.
const RAW_WINDOW: Duration = Duration::from_secs(1);
/// The file of the SQLite store in a data directory.
const DATABASE: &str = "countersign.db";

/// What refreshes on SQLite must reach.
const REFRESH_GOAL: Goal = Goal::AtLeastWithin { least: 16_000.0, p99_ms: 20.0, max_ms: 100.0 };
/// What asks for no write must reach of the ceiling, in percent.
const SHARE_OF_CEILING: f64 = 60.0;
/// What a gateway's question must reach of it.
const GATEWAY_SHARE_OF_CEILING: f64 = 70.0;
/// How often each store is measured when growth is asked for.
const GROWTH_TURNS: usize = 5;
/// From how long a run on it is looked at whether its memory stays as it is.
const LONG: u64 = 60;

/// Measures everything that was asked for.
pub(crate) fn all(arguments: &Arguments) -> Outcome<Vec<Row>> {
    let bench = Bench::new(arguments)?;
    let mut rows = Vec::new();
    if let Some(sizes) = &arguments.growth {
        bench.growth(sizes, &mut rows)?;
        return Ok(rows);
    }
    if bench.wants(Part::Raw) {
        bench.raw(&mut rows)?;
    }
    let ceiling = if bench.wants(Part::Ceiling) { Some(bench.ceiling(&mut rows)?) } else { None };
    let on_sqlite = [Part::Footprint, Part::Refresh, Part::Introspection, Part::ClientCredentials];
    if on_sqlite.into_iter().any(|part| bench.wants(part)) {
        bench.sqlite(ceiling, &mut rows)?;
    }
    if bench.wants(Part::RefreshEddsa) {
        bench.eddsa(&mut rows)?;
    }
    if bench.wants(Part::Postgres) {
        bench.postgres(&mut rows)?;
    }
    if bench.wants(Part::Checks) {
        apis::checks(&mut rows)?;
    }
    if bench.wants(Part::Gateway) || bench.wants(Part::Feed) {
        bench.apis(ceiling, &mut rows)?;
    }
    Ok(rows)
}

/// A copy of a seeded store, served.
struct Served {
    running: Running,
    ready_after: Duration,
    data_dir: PathBuf,
    seeded: Seeded,
    size_before: f64,
    rows_before: i64,
}

impl Served {
    fn database(&self) -> PathBuf {
        self.data_dir.join(DATABASE)
    }

    fn end(self) -> Outcome<()> {
        self.running.stop()?;
        std::fs::remove_dir_all(&self.data_dir)?;
        Ok(())
    }
}

struct Bench<'a> {
    arguments: &'a Arguments,
    binary: PathBuf,
    connections: usize,
}

impl<'a> Bench<'a> {
    fn new(arguments: &'a Arguments) -> Outcome<Self> {
        let binary = match &arguments.binary {
            Some(binary) => binary.clone(),
            None => std::env::current_exe()?.with_file_name("countersign"),
        };
        if !binary.exists() {
            let fix = "build it first: cargo build --release -p countersign";
            return Err(format!("{} is not there; {fix}", binary.display()).into());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&arguments.work_dir)?;
        let connections = usize::try_from(arguments.connections)?;
        Ok(Self { arguments, binary: binary.canonicalize()?, connections })
    }

    fn wants(&self, part: Part) -> bool {
        self.arguments.only.is_empty() || self.arguments.only.contains(&part)
    }

    fn plan(&self, running: &Running, at_least: u64) -> Plan {
        Plan {
            address: running.address,
            server: running.pid(),
            warm_up: WARM_UP,
            measure: Duration::from_secs(self.arguments.seconds),
            at_least,
        }
    }

    fn raw(&self, rows: &mut Vec<Row>) -> Outcome<()> {
        let per_second = |name: String, value| Row::figure(name, value, Unit::PerSecond);
        for signatures in raw::signatures(RAW_WINDOW)? {
            let name = signatures.algorithm;
            rows.push(per_second(format!("raw: {name} signatures made, one core"), signatures.sign));
            rows.push(per_second(format!("raw: {name} signatures checked, one core"), signatures.verify));
        }
        let (directory, batch) = (&self.arguments.work_dir, raw::BATCH);
        let alone = raw::synced_appends(directory, 1, RAW_WINDOW)?;
        rows.push(per_second("raw: records appended and synced, one by one".to_owned(), alone));
        let together = raw::synced_appends(directory, batch, RAW_WINDOW)?;
        rows.push(per_second(format!("raw: records appended and synced, {batch} to a sync"), together));
        let updates = raw::sqlite_updates(directory, self.arguments.sessions, 4 * RAW_WINDOW)?;
        rows.push(per_second(format!("raw: SQLite updates, {batch} to a commit"), updates));
        Ok(())
    }

    fn ceiling(&self, rows: &mut Vec<Row>) -> Outcome<f64> {
        let running = process::ceiling()?;
        // As long as a refresh.
        let body =
            format!("grant_type=refresh_token&client_id={}&refresh_token={}", seed::APP, "x".repeat(78));
        let answering = |path| -> Outcome<Measured> {
            let request = form(running.address, path, None, &body);
            let chains = Pool::chains(vec![request], self.connections, "xxxx");
            Ok(load::run(&self.plan(&running, 0), chains)?.0)
        };
        let bare = answering("/oauth/token")?;
        rows.push(Row::load("ceiling: the HTTP library answering 880 bytes", &bare));
        let signed = answering(SIGNED)?;
        rows.push(Row::load("the same, with an EdDSA signature for each", &signed));
        Ok(bare.rate())
    }

    fn serve(&self, sessions: usize, settings: &[(&str, &str)]) -> Outcome<Served> {
        let (seed_dir, seeded) = seed::sqlite(&self.arguments.work_dir, sessions)?;
        let data_dir = self.fresh_directory("run-sqlite")?;
        copy_files(&seed_dir, &data_dir)?;
        let database = data_dir.join(DATABASE);
        let (size_before, rows_before) = (file_size(&database)?, count_rows(&database)?);
        let (running, ready_after) = process::service(&self.binary, &data_dir, None, settings)?;
        Ok(Served { running, ready_after, data_dir, seeded, size_before, rows_before })
    }

    fn refresh(&self, served: &Served, at_least: u64) -> Outcome<Measured> {
        let hands = served.seeded.app.deal(self.connections);
        let chains = Refreshes::chains(served.running.address, seed::APP, hands);
        Ok(load::run(&self.plan(&served.running, at_least), chains)?.0)
    }

    fn sqlite(&self, ceiling: Option<f64>, rows: &mut Vec<Row>) -> Outcome<()> {
        let sessions = usize::try_from(self.arguments.sessions)?;
        let served = self.serve(sessions, &[])?;
        if self.wants(Part::Footprint) {
            self.footprint(&served, rows)?;
        }
        let mut refreshes = None;
        if self.wants(Part::Refresh) {
            let at_least = self.arguments.refreshes.unwrap_or(u64::from(self.arguments.sessions));
            let is_long = self.arguments.seconds >= LONG;
            let watch = if is_long { disk::Watch::start(&served.data_dir)? } else { None };
            let measured = self.refresh(&served, at_least)?;
            let row = Row::load(format!("refresh, SQLite, {sessions} sessions, ES256"), &measured);
            rows.push(row.with_goal(REFRESH_GOAL));
            if is_long {
                let growth = measured.memory_growth_percent();
                let row = Row::figure("own memory, growth in the second half", growth, Unit::Percent);
                rows.push(row.with_goal(Goal::Below(5.0)));
                let longest_at = measured.longest_at_ms();
                rows.extend(
                    longest_at.map(|ms| Row::figure("the longest answer came after", ms, Unit::Milliseconds)),
                );
                if let Some(watch) = watch {
                    stalls(rows, &measured, &watch.stalls()?);
                }
            }
            let log = file_size(&served.data_dir.join(format!("{DATABASE}-wal"))).unwrap_or_default();
            refreshes = Some((measured.answered_in_all, log));
        }
        let with_goal = |row: Row| match ceiling {
            Some(whole) => row.with_goal(Goal::ShareOf { whole, percent: SHARE_OF_CEILING }),
            None => row,
        };
        if self.wants(Part::Introspection) {
            rows.push(with_goal(self.introspection(&served.running, &served.seeded)?));
        }
        if self.wants(Part::ClientCredentials) {
            for (format, client, mark) in [
                ("EdDSA", seed::SERVICE, "\"access_token\":\"eyJ"),
                ("opaque tokens", seed::OPAQUE_SERVICE, "\"access_token\":\"oat_"),
            ] {
                let measured = self.client_credentials(&served.running, client, mark)?;
                rows.push(with_goal(Row::load(format!("client credentials, {format}"), &measured)));
            }
        }
        let (database, data_dir) = (served.database(), served.data_dir);
        served.running.stop()?;
        if let Some((count, log)) = refreshes {
            let (size, all_rows) = (file_size(&database)?, count_rows(&database)?);
            rows.push(Row::figure("database before", served.size_before, Unit::Bytes));
            rows.push(Row::figure(format!("database after {count} refreshes"), size, Unit::Bytes));
            let growth = (size / served.size_before - 1.0) * 100.0;
            rows.push(Row::figure("database growth", growth, Unit::Percent).with_goal(Goal::Below(1.0)));
            rows.push(Row::figure("database log beside it, after load", log, Unit::Bytes));
            let added = (all_rows - served.rows_before) as f64;
            rows.push(Row::figure("rows added", added, Unit::Rows).with_goal(Goal::Exactly(0.0)));
        }
        std::fs::remove_dir_all(&data_dir)?;
        Ok(())
    }

    fn footprint(&self, served: &Served, rows: &mut Vec<Row>) -> Outcome<()> {
        let millis = served.ready_after.as_secs_f64() * 1000.0;
        rows.push(
            Row::figure("start, process to first ready", millis, Unit::Milliseconds)
                .with_goal(Goal::Below(200.0)),
        );
        std::thread::sleep(IDLE);
        let memory = procfs::resident_bytes(served.running.pid())?;
        rows.push(
            Row::figure("memory, idle after start", memory, Unit::Bytes)
                .with_goal(Goal::Below(40.0 * f64::from(1 << 20))),
        );
        let binary = std::fs::metadata(&self.binary)?.len() as f64;
        rows.push(Row::figure("release program", binary, Unit::Bytes).with_goal(Goal::Below(30e6)));
        Ok(())
    }

    /// The same refreshes with the cheaper signature: what of the other row's time is the signature.
    fn eddsa(&self, rows: &mut Vec<Row>) -> Outcome<()> {
        let sessions = usize::try_from(self.arguments.sessions)?;
        let served = self.serve(sessions, &[("COUNTERSIGN_SIGNING_ALGORITHM", "EdDSA")])?;
        let measured = self.refresh(&served, 0)?;
        let row = Row::load(format!("refresh, SQLite, {sessions} sessions, EdDSA"), &measured);
        rows.push(row.with_goal(REFRESH_GOAL));
        served.end()
    }

    /// What a refresh costs in small stores and in large ones. In turns, of which the middle one counts:
    /// a machine that is a share of a larger one changes its speed within minutes.
    fn growth(&self, sizes: &[u32], rows: &mut Vec<Row>) -> Outcome<()> {
        let mut turns: Vec<Vec<Measured>> = sizes.iter().map(|_| Vec::new()).collect();
        for _ in 0..GROWTH_TURNS {
            for (size, measured) in sizes.iter().zip(&mut turns) {
                let served = self.serve(usize::try_from(*size)?, &[])?;
                measured.push(self.refresh(&served, 0)?);
                served.end()?;
            }
        }
        // Of the same turn, as near to each other in time as can be.
        let mut growths = Vec::new();
        if let ([first, ..], Some(last)) = (turns.as_slice(), turns.last()) {
            growths
                .extend(first.iter().zip(last).map(|(f, l)| (l.server_us() / f.server_us() - 1.0) * 100.0));
        }
        for (size, mut measured) in sizes.iter().zip(turns) {
            measured.sort_by(|a, b| a.server_us().total_cmp(&b.server_us()));
            let middle = measured.swap_remove(GROWTH_TURNS / 2);
            rows.push(Row::load(format!("refresh, SQLite, {size} sessions"), &middle));
        }
        growths.sort_by(f64::total_cmp);
        if let [least, .., most] = growths.as_slice() {
            let what = "processor time of a refresh, last store over first";
            let middle = growths.get(growths.len() / 2).copied().unwrap_or(*most);
            rows.push(Row::figure(what, middle, Unit::Percent).with_goal(Goal::Below(25.0)));
            rows.push(Row::figure("the same in the turn where it was least", *least, Unit::Percent));
            rows.push(Row::figure("the same in the turn where it was most", *most, Unit::Percent));
        }
        Ok(())
    }

    /// What gateways and APIs ask, of a store of its own.
    fn apis(&self, ceiling: Option<f64>, rows: &mut Vec<Row>) -> Outcome<()> {
        let data_dir = self.fresh_directory("run-apis")?;
        let (seed_dir, seeded) = seed::sqlite(&self.arguments.work_dir, API_SESSIONS)?;
        copy_files(&seed_dir, &data_dir)?;
        let (running, _) = process::service(&self.binary, &data_dir, None, &[])?;
        let chains = Refreshes::chains(running.address, seed::APP, seeded.app.deal(self.connections));
        let tokens = self.access_tokens(&running, chains, u64::try_from(API_SESSIONS / 2)?)?;
        if self.wants(Part::Gateway) {
            let path = "/verify?audience=https%3A%2F%2Fapi.bench.example&scope=profile%3Aread";
            let requests = tokens.iter().map(|token| get(running.address, path, &format!("Bearer {token}")));
            let chains = Pool::chains(requests.collect(), self.connections, "");
            let (measured, _) = load::run(&self.plan(&running, 0), chains)?;
            let row = Row::load("/verify of JWTs, for gateways", &measured);
            rows.push(match ceiling {
                Some(whole) => row.with_goal(Goal::ShareOf { whole, percent: GATEWAY_SHARE_OF_CEILING }),
                None => row,
            });
        }
        if self.wants(Part::Feed) {
            apis::feed(rows, running.address, tokens)?;
        }
        running.stop()?;
        std::fs::remove_dir_all(&data_dir)?;
        Ok(())
    }

    /// Access tokens of sessions that are refreshed once.
    fn access_tokens(&self, running: &Running, chains: Vec<Refreshes>, count: u64) -> Outcome<Vec<String>> {
        let chains = chains.into_iter().map(Refreshes::keeping_access_tokens).collect();
        let plan = Plan { warm_up: Duration::ZERO, measure: Duration::ZERO, ..self.plan(running, count) };
        let (measured, chains) = load::run(&plan, chains)?;
        if let Some(error) = measured.first_error {
            return Err(format!("refreshing for access tokens: {error}").into());
        }
        Ok(chains.into_iter().flat_map(Refreshes::into_access_tokens).collect())
    }

    fn introspection(&self, running: &Running, seeded: &Seeded) -> Outcome<Row> {
        let count = u64::try_from(seeded.opaque.count())?;
        let chains =
            Refreshes::chains(running.address, seed::OPAQUE_APP, seeded.opaque.deal(self.connections));
        let tokens = self.access_tokens(running, chains, count)?;
        let authorization = basic(seed::SERVICE);
        let requests = tokens
            .into_iter()
            .map(|token| {
                let body = format!("token={token}&token_type_hint=access_token");
                form(running.address, "/oauth/introspect", Some(&authorization), &body)
            })
            .collect();
        let chains = Pool::chains(requests, self.connections, "\"active\":true");
        let (measured, _) = load::run(&self.plan(running, 0), chains)?;
        Ok(Row::load("introspection of opaque tokens", &measured))
    }

    /// Tokens for a client; `mark` is what each answer has.
    fn client_credentials(&self, running: &Running, client: &str, mark: &'static str) -> Outcome<Measured> {
        let body = "grant_type=client_credentials";
        let request = form(running.address, "/oauth/token", Some(&basic(client)), body);
        let chains = Pool::chains(vec![request], self.connections, mark);
        Ok(load::run(&self.plan(running, 0), chains)?.0)
    }

    fn postgres(&self, rows: &mut Vec<Row>) -> Outcome<()> {
        let sessions = usize::try_from(self.arguments.sessions)?.min(POSTGRES_SESSIONS);
        let cluster = crate::cluster::Cluster::start();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let url = runtime.block_on(cluster.database());
        let data_dir = self.fresh_directory("run-postgres")?;
        let seeded = seed::fill(&data_dir, Some(&url), sessions)?;
        let (running, _) = process::service(&self.binary, &data_dir, Some(&url), &[])?;
        let chains = Refreshes::chains(running.address, seed::APP, seeded.app.deal(self.connections));
        let (measured, _) = load::run(&self.plan(&running, 0), chains)?;
        running.stop()?;
        let row = Row::load(format!("refresh, PostgreSQL, {sessions} sessions"), &measured);
        rows.push(row.with_goal(Goal::AtLeast(8000.0)));
        std::fs::remove_dir_all(&data_dir)?;
        Ok(())
    }

    fn fresh_directory(&self, name: &str) -> Outcome<PathBuf> {
        let directory = self.arguments.work_dir.join(name);
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
        DirBuilder::new().mode(0o700).create(&directory)?;
        Ok(directory.canonicalize()?)
    }
}

/// What of the longest answers was the disk.
fn stalls(rows: &mut Vec<Row>, measured: &Measured, stalls: &[Stall]) {
    let longest = stalls.iter().map(Stall::time).max().unwrap_or_default();
    rows.push(Row::figure(
        "longest time in which the disk finished nothing of what waited",
        longest.as_secs_f64() * 1000.0,
        Unit::Milliseconds,
    ));
    let rest = measured.max_ms_without(stalls);
    rows.push(
        Row::figure("longest answer without the times of that kind", rest, Unit::Milliseconds)
            .with_goal(Goal::Below(100.0)),
    );
}

/// The `Authorization` header of a service.
fn basic(client: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{client}:{}", seed::SERVICE_SECRET)))
}

fn copy_files(from: &Path, to: &Path) -> Outcome<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Copies a file page by page, as the service would have written it: what is written in large pieces the
/// system keeps in large pieces, and then goes over all of a piece whenever a page of it is written.
fn copy(from: &Path, to: &Path) -> Outcome<()> {
    let mut from = std::fs::File::open(from)?;
    let mut to = OpenOptions::new().create_new(true).write(true).mode(0o600).open(to)?;
    let mut buffer = [0; 4096];
    loop {
        match from.read(&mut buffer)? {
            0 => break,
            count => to.write_all(buffer.get(..count).unwrap_or_default())?,
        }
    }
    to.sync_all()?;
    Ok(())
}

fn file_size(path: &Path) -> Outcome<f64> {
    Ok(std::fs::metadata(path)?.len() as f64)
}

/// The rows of all tables.
fn count_rows(database: &Path) -> Outcome<i64> {
    let db = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let names = tables.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let mut rows = 0;
    for name in names {
        rows += db.query_row(&format!("SELECT count(*) FROM \"{name}\""), [], |row| row.get::<_, i64>(0))?;
    }
    Ok(rows)
}
