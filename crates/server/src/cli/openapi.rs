//! `countersign openapi`.

use clap::Args;

use super::Context;
use super::failure::Failure;

/// Prints the description of the admin API; needs no server.
#[derive(Debug, Args)]
pub(crate) struct Openapi {}

impl Openapi {
    /// Prints the document.
    pub(crate) fn run(self, context: &mut Context) -> Result<(), Failure> {
        let document = serde_json::to_value(crate::http::admin::openapi())
            .map_err(|error| Failure::refused(format!("the document cannot be printed: {error}")))?;
        context.output.json(&document)
    }
}
