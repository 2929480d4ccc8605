//! The rotation as a model, explored to its end.

use crate::Outcome;

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

/// Does it.
pub(crate) fn run(_: &Arguments) -> Outcome<()> {
    Err("not here yet".into())
}
