//! Crashes and faults under load: kills, power losses, faults of the disk, of the database and of
//! the way to it. After each, what clients were told must still be so.

mod cut;
mod database_file;
mod disk;
mod full;
mod honest;
mod http;
mod kill;
mod load;
mod place;
mod points;
mod power;
mod recording;
mod report;
mod small_disk;
mod tracer;
mod wire;

#[path = "../../../crates/server/tests/support/cluster.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "the cluster of the tests, which say what is missing by panicking"
)]
mod cluster;
#[path = "../../../crates/server/tests/support/proxy.rs"]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the fault proxy of the tests")]
mod proxy;

use clap::ValueEnum;

use crate::Outcome;

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many times each engine is killed under load; the other experiments follow in proportion.
    #[arg(long, default_value_t = 500)]
    cycles: u32,
    /// What the random choices are made from; printed, so that a run can be repeated.
    #[arg(long)]
    seed: Option<u64>,
    /// Only these experiments.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Experiment>,
    /// The table as JSON.
    #[arg(long)]
    json: bool,
    /// The directory for temporary files is on a small file system already.
    #[arg(long, hide = true)]
    on_small_disk: bool,
}

/// The experiments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Experiment {
    /// kill -9 at the system calls of one refresh, both engines (E3).
    Points,
    /// kill -9 under load: the SQLite server, and the PostgreSQL server, backend or cluster (E1, E2).
    Kill,
    /// Power lost below SQLite at moments spread evenly over a recorded run (E4).
    Power,
    /// Failing syncs and writes, writes cut short, no file descriptors (E5, E8).
    Disk,
    /// A small file system that is filled up under load, both engines (E7).
    Full,
    /// The connection to PostgreSQL cut, stalled and half open; PostgreSQL restarted (E11, E12).
    Wire,
}

/// Does it.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    report::say(&format!("seed {seed}"));
    let chosen = |experiment: &Experiment| arguments.only.is_empty() || arguments.only.contains(experiment);
    let mut rows = Vec::new();
    for experiment in Experiment::value_variants().iter().filter(|experiment| chosen(experiment)) {
        rows.extend(match experiment {
            Experiment::Points => points::run()?,
            Experiment::Kill => kill::run(arguments.cycles, seed)?,
            Experiment::Power => power::run(arguments.cycles, seed)?,
            Experiment::Disk => disk::run()?,
            Experiment::Full if arguments.on_small_disk => full::run(arguments.cycles, seed)?,
            Experiment::Full => small_disk::run(arguments.cycles, seed)?,
            Experiment::Wire => wire::run(arguments.cycles, seed)?,
        });
    }
    report::print(&rows, seed, arguments.json);
    match rows.iter().map(|row| row.tally.violations.len()).sum::<usize>() {
        0 => Ok(()),
        violations => Err(format!("{violations} violations, seed {seed}").into()),
    }
}
