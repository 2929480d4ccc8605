//! The figures of `just bench`: the service under a load of our own, beside what the machine and
//! the HTTP library could do at most, measured in the same run.

mod apis;
mod ceiling;
mod chains;
mod client;
#[path = "../../crates/server/tests/support/cluster.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "the cluster of the tests, which say what is missing by panicking"
)]
mod cluster;
mod disk;
mod load;
mod process;
mod procfs;
mod raw;
mod report;
mod runs;
mod seed;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// The argument with which this program is started as the ceiling's server.
const SERVE_CEILING: &str = "serve-ceiling";

/// What came of something that can fail for any reason: here a person reads every failure.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures the service on this machine and prints one table.
#[derive(Debug, Parser)]
struct Arguments {
    /// Sessions in the SQLite store.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1000..))]
    sessions: u32,
    /// Seconds that each load is measured.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Refreshes on SQLite, at least; by default as many as there are sessions, which shows that the
    /// database does not grow.
    #[arg(long)]
    refreshes: Option<u64>,
    /// Connections that send requests at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Measures only these.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Ten minutes of refreshes and nothing else: whether anything stalls, and memory stays as it is.
    #[arg(long, conflicts_with_all = ["only", "seconds", "refreshes", "growth"])]
    long: bool,
    /// Refreshes alone in stores of so many sessions, one after the other: what a larger store costs.
    /// Ten million take some 15 GB on the disk.
    #[arg(long, value_delimiter = ',', num_args = 0.., default_missing_value = "10000,100000,1000000,10000000",
          value_parser = clap::value_parser!(u32).range(1000..), conflicts_with = "only")]
    growth: Option<Vec<u32>>,
    /// Prints JSON and no table.
    #[arg(long)]
    json: bool,
    /// Where stores are kept, which takes some gigabytes. On the disk to be measured.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench"))]
    work_dir: PathBuf,
    /// The service's program; by default the one beside this one.
    #[arg(long)]
    binary: Option<PathBuf>,
}

impl Arguments {
    fn completed(self) -> Self {
        if !self.long {
            return self;
        }
        Self { seconds: 600, refreshes: Some(1), only: vec![Part::Refresh], ..self }
    }
}

/// A part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Signatures and durable writes without us.
    Raw,
    /// The HTTP library answering a constant body.
    Ceiling,
    /// Start, idle memory and sizes.
    Footprint,
    /// Refreshes on SQLite, ES256.
    Refresh,
    /// The same with EdDSA.
    RefreshEddsa,
    /// Introspection of opaque tokens.
    Introspection,
    /// Client credentials with EdDSA.
    ClientCredentials,
    /// Refreshes on PostgreSQL.
    Postgres,
    /// Checks by countersign-verify.
    Checks,
    /// `/verify` for gateways.
    Gateway,
    /// From a revocation to its refusal at APIs that follow the feed.
    Feed,
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is what this program is for")]
fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == SERVE_CEILING) {
        return ceiling::serve().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let arguments = Arguments::parse().completed();
    let rows = match runs::all(&arguments) {
        Ok(rows) => rows,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if arguments.json {
        match serde_json::to_string_pretty(&rows) {
            Ok(json) => println!("{json}"),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    } else {
        println!("{}", report::table(&rows));
    }
    ExitCode::SUCCESS
}
