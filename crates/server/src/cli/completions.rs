//! `countersign completions`.

use clap::Args;
use clap_complete::Shell;

use super::Context;
use super::failure::Failure;

/// The arguments of `completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  countersign completions bash > /etc/bash_completion.d/countersign\n  countersign completions fish > ~/.config/fish/completions/countersign.fish"
)]
pub(crate) struct Completions {
    /// For which shell.
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub(crate) fn run(self, context: &mut Context) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "countersign", &mut script);
        context.output.raw(&script)
    }
}
