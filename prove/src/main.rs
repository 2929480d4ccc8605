//! The proofs of `just prove`: each prints a report, and fails when what it must show is not so.

mod all;
mod crash;
mod model;
mod simulate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What came of something that can fail for any reason: here a person reads every failure.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Proves what Countersign promises: docs/proof.md says what each part shows.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// All of the below in their short form, or for a time, with one table. Needs cargo.
    All(all::Arguments),
    /// Explores every interleaving of the rotation with the code that the server runs.
    Model(model::Arguments),
    /// Clients, tabs and thieves against a token endpoint, ours or any other.
    Simulate(Box<simulate::Arguments>),
    /// Kills, power losses and faults of the disk and the database, under load.
    Crash(crash::Arguments),
    /// The service itself: what the other parts start as a process of its own.
    #[command(hide = true, disable_help_flag = true)]
    Countersign {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
}

#[expect(clippy::print_stderr, reason = "the report is what this program is for")]
fn main() -> ExitCode {
    let outcome = match Arguments::parse().part {
        Part::All(arguments) => all::run(&arguments),
        Part::Model(arguments) => model::run(&arguments),
        Part::Simulate(arguments) => simulate::run(&arguments),
        Part::Crash(arguments) => crash::run(&arguments),
        Part::Countersign { arguments } => return countersign(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn countersign(arguments: Vec<std::ffi::OsString>) -> ExitCode {
    countersign::cli::main(std::iter::once("countersign".into()).chain(arguments))
}
