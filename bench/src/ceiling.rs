//! The ceiling: the service's own listener answering a constant body to the same request. No
//! change behind the listener can be faster than this.

use std::io::Write;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use countersign::config::Settings;
use countersign::http::listen::{self, Listener};
use countersign::http::shutdown::Shutdown;

use crate::Outcome;

/// Bytes of a token answer.
const ANSWER: usize = 880;

/// Serves until the process is killed; its first line on standard output is its address.
pub(crate) fn serve() -> Outcome<()> {
    let settings = Settings::from_values(&[])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", listener.local_addr()?)?;
        drop(out);
        let body = Bytes::from("x".repeat(ANSWER));
        let router = Router::new().route(
            "/oauth/token",
            post(move |request: Bytes| {
                drop(request);
                std::future::ready(body)
            }),
        );
        listen::serve(Listener::Tcp(listener), router, &settings.limits, &Shutdown::new()).await;
        Ok(())
    })
}
