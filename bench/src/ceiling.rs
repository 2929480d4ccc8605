//! The ceiling: the service's own listener answering a constant body to the same request. No
//! change behind the listener can be faster than this. And the same with a signature for each answer,
//! below which no client-credentials token can be made.

use std::hint::black_box;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::signature::Ed25519KeyPair;
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use countersign::config::Settings;
use countersign::http::listen::{self, Listener};
use countersign::http::shutdown::Shutdown;

use crate::Outcome;
use crate::raw::MESSAGE;

/// Bytes of a token answer.
const ANSWER: usize = 880;
/// Where each answer costs a signature.
pub(crate) const SIGNED: &str = "/signed";

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
        let signed = body.clone();
        let key = Arc::new(Ed25519KeyPair::generate()?);
        let router = Router::new()
            .route(
                "/oauth/token",
                post(move |request: Bytes| {
                    drop(request);
                    std::future::ready(body)
                }),
            )
            .route(
                SIGNED,
                post(move |request: Bytes| {
                    drop(request);
                    black_box(key.sign(&MESSAGE));
                    std::future::ready(signed)
                }),
            );
        listen::serve(Listener::Tcp(listener), router, &settings.limits, &Shutdown::new()).await;
        Ok(())
    })
}
