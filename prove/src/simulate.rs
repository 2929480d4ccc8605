//! Clients and thieves against a token endpoint.

use crate::Outcome;

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

/// Does it.
pub(crate) fn run(_: &Arguments) -> Outcome<()> {
    Err("not here yet".into())
}
