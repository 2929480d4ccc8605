//! The command line: a client of the admin API, and the few commands that need no server.

mod backup;
mod client;
mod completions;
mod config;
mod decode;
mod doctor;
mod durations;
mod event;
mod explain;
mod failure;
mod findings;
mod healthcheck;
mod input;
mod key;
mod list;
mod openapi;
mod output;
mod progress;
mod receipt;
mod remote;
mod resource;
mod restore;
mod revoke;
mod route;
mod serve;
mod session;
mod show;
mod token;
mod transport;
mod user;
mod verify;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use failure::Failure;
use output::Output;
use words::Words;

use crate::config::{Overrides, Settings};
use crate::time::{Clock as _, SystemClock};

/// A token authority: short-lived access tokens, rotating refresh tokens, reuse detection,
/// revocation.
#[derive(Debug, Parser)]
#[command(
    name = "countersign",
    version,
    propagate_version = true,
    after_help = "Administrative commands reach the running server through its socket in the data directory, or over the network with --server. With no server running they work on the store itself.",
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Where the server or its store is, and how results are printed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The data directory: the SQLite store, key files and the server's socket.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The store: sqlite:PATH or postgres://… A URL with a password is better given by
    /// COUNTERSIGN_DATABASE_FILE: other users can read command lines.
    #[arg(long, global = true, value_name = "URL", hide_default_value = true)]
    database: Option<String>,
    /// The configuration file; ./countersign.toml is read if it is there.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The management listener of a server elsewhere; the admin token comes from
    /// COUNTERSIGN_ADMIN_TOKEN, COUNTERSIGN_ADMIN_TOKEN_FILE or the data directory.
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// Sends tokens over unencrypted http to other machines too: for closed test networks only.
    #[arg(long, global = true)]
    insecure_http: bool,
    /// Prints the result as JSON.
    #[arg(long, global = true)]
    json: bool,
}

impl Global {
    /// The configuration with these flags over it.
    fn settings(&self) -> Result<Settings, Failure> {
        Ok(Settings::load(&self.overrides(Vec::new()))?)
    }

    /// These flags and others as the configuration takes them.
    fn overrides(&self, mut values: Vec<(String, String)>) -> Overrides {
        if let Some(dir) = &self.data_dir {
            values.push(("data_dir".to_owned(), dir.display().to_string()));
        }
        if let Some(url) = &self.database {
            values.push(("database".to_owned(), url.clone()));
        }
        Overrides { config_file: self.config.clone(), values }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server.
    Serve(serve::Serve),
    /// Applications that get tokens.
    #[command(subcommand)]
    Client(client::Client),
    /// People who have tokens.
    #[command(subcommand)]
    User(user::User),
    /// APIs that have a key for their access tokens to be encrypted to.
    #[command(subcommand)]
    Resource(resource::Resource),
    /// What a user has with a client on a device.
    #[command(subcommand)]
    Session(session::Session),
    /// Single tokens.
    #[command(subcommand)]
    Token(token::Token),
    /// Signing keys, and the keys of refresh and opaque tokens.
    #[command(subcommand)]
    Key(key::Key),
    /// Ends what is named, and all tokens that belong to it.
    #[command(subcommand)]
    Revoke(revoke::Revoke),
    /// What happened.
    #[command(subcommand)]
    Event(event::Event),
    /// Writes everything that the store holds into a file.
    Backup(backup::Backup),
    /// Fills an empty store from a backup.
    Restore(restore::Restore),
    /// Looks for what is wrong, and says how to put it right.
    Doctor(doctor::Doctor),
    /// Prints the description of the admin API.
    Openapi(openapi::Openapi),
    /// Asks the running server whether it is ready: for containers.
    Healthcheck(healthcheck::Healthcheck),
    /// The configuration in force.
    #[command(subcommand)]
    Config(config::Config),
    /// Prints a completion script for a shell.
    Completions(completions::Completions),
}

/// What every command gets.
pub(crate) struct Context {
    /// The global flags.
    pub(crate) global: Global,
    /// Where results go.
    pub(crate) output: Output,
}

/// Does what the arguments say; the exit status is 0, 1 when it was refused, 2 when it was asked
/// for in a wrong way.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let parsed =
        command().try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors. A closed pipe is nobody's to hear of.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let words = Words::at(SystemClock.now());
    let mut context = Context { output: Output::standard(cli.global.json, words), global: cli.global };
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(cli.command.run(&mut context)),
        Err(error) => Err(Failure::refused(format!("no threads can be started: {error}"))),
    };
    let outcome = outcome.and_then(|()| context.output.finish());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Failure::Refused(sentence) | Failure::Usage(sentence) = &failure {
                context.output.error(sentence);
            }
            failure.exit_code()
        }
    }
}

/// The whole command line, for parsing, help and completions.
fn command() -> clap::Command {
    Cli::command()
}

impl Command {
    async fn run(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::Serve(command) => command.run(context).await,
            Self::Client(command) => command.run(context).await,
            Self::User(command) => command.run(context).await,
            Self::Resource(command) => command.run(context).await,
            Self::Session(command) => command.run(context).await,
            Self::Token(command) => command.run(context).await,
            Self::Key(command) => command.run(context).await,
            Self::Revoke(command) => command.run(context).await,
            Self::Event(command) => command.run(context).await,
            Self::Backup(command) => command.run(context).await,
            Self::Restore(command) => command.run(context).await,
            Self::Doctor(command) => command.run(context).await,
            Self::Openapi(command) => command.run(context),
            Self::Healthcheck(command) => command.run(context).await,
            Self::Config(command) => command.run(context),
            Self::Completions(command) => command.run(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    /// What every command says of itself: a change of the command line is seen in review.
    #[test]
    fn help_of_every_command() {
        let mut pages = String::new();
        let mut root = command().term_width(100);
        root.build();
        collect(&mut root, &mut pages);
        insta::assert_snapshot!(pages);
    }

    fn collect(command: &mut clap::Command, pages: &mut String) {
        let page = command.render_long_help().to_string();
        // They are the same everywhere, so once is enough.
        let (page, global) = page.split_once("Global options:").unwrap_or((&page, ""));
        let page: Vec<&str> = page.lines().map(str::trim_end).collect();
        pages.push_str(page.join("\n").trim_end());
        pages.push('\n');
        if pages.matches("Global options:").count() == 0 {
            let global: Vec<&str> = global.lines().map(str::trim_end).collect();
            pages.push_str(&format!("\nGlobal options:{}\n", global.join("\n")));
        }
        for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
            pages.push_str(&format!("\n=== {}\n", sub.get_bin_name().unwrap_or_default()));
            collect(sub, pages);
        }
    }
}
