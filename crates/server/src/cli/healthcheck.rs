//! `countersign healthcheck`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;
use serde_json::{Value, json};

use super::failure::Failure;
use super::{Context, remote};

/// Asks for `/readyz` and says so by the exit status.
#[derive(Debug, Args)]
pub(crate) struct Healthcheck {
    /// The server to ask, instead of the management listener of the configuration.
    #[arg(long)]
    url: Option<String>,
}

impl Healthcheck {
    /// Asks once.
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let base = match self.url.or_else(|| context.global.server.clone()) {
            Some(url) => url,
            None => format!("http://{}", reachable(context.global.settings()?.management_listen)),
        };
        // No secret is sent, so plain http may go anywhere.
        let mut url = remote::base_url(&base, true)?;
        if url.path() == "/" {
            url.set_path("/readyz");
        }
        let response = remote::send(&url, remote::get(&url)?).await?;
        let status = response.status();
        let body = remote::collect(response.into_body()).await?;
        if context.output.json {
            let said = serde_json::from_slice::<Value>(&body)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).trim().to_owned()));
            let ready = status.is_success();
            context.output.json(&json!({ "ready": ready, "status": status.as_u16(), "answer": said }))?;
        }
        if status.is_success() {
            return if context.output.json { Ok(()) } else { context.output.line("ready") };
        }
        Err(Failure::refused(format!(
            "{url} is not ready: {status} {}",
            String::from_utf8_lossy(&body).trim()
        )))
    }
}

/// Where a listener can be reached from this machine: one that listens everywhere listens here.
pub(crate) fn reachable(listener: SocketAddr) -> SocketAddr {
    let here: IpAddr = match listener.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(here, listener.port())
}
