//! `countersign serve`.

use clap::Args;

use super::Context;
use super::failure::Failure;
use crate::config::Settings;

/// The arguments of `serve`; everything else comes from the configuration.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Adds a demo user, demo clients and the demo page, and prints what to try. Loopback only.
    #[arg(long)]
    dev: bool,
    /// The public listener.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The management listener: admin API, metrics.
    #[arg(long, value_name = "ADDR")]
    management_listen: Option<String>,
    /// The issuer: the URL by which clients reach the public listener.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

impl Serve {
    /// Runs until it is told to stop.
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        if context.global.server.is_some() {
            return Err(Failure::Usage("serve runs here: --server names a server elsewhere".to_owned()));
        }
        let mut values = Vec::new();
        let flags =
            [("listen", self.listen), ("management_listen", self.management_listen), ("issuer", self.issuer)];
        for (key, value) in flags {
            values.extend(value.map(|value| (key.to_owned(), value)));
        }
        let settings = Settings::load(&context.global.overrides(values))?;
        crate::server::run(settings, self.dev).await.map_err(|error| Failure::refused(error.to_string()))
    }
}
