//! Listeners: HTTP/1.1 over TCP and Unix sockets. HTTP/2 ends at the reverse proxy; a server that
//! never speaks it has none of its floods to survive.

use std::{convert::Infallible, future::Future as _, io, pin::pin, sync::Arc, task::Poll, time::Duration};

use axum::Router;
use http::{HeaderValue, Request, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower::Service as _;

use super::{
    peer::Peer,
    shutdown::Shutdown,
    stream::{Progress, Stream},
};
use crate::config::Limits;

/// Where connections come from.
#[derive(Debug)]
pub enum Listener {
    /// An address and port.
    Tcp(TcpListener),
    /// A socket in the file system.
    Unix(UnixListener),
}

/// How long accepting pauses when the system has no descriptor or memory for a connection: trying
/// again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The least size of a read buffer that the HTTP library takes.
const MIN_BUFFER: usize = 8 * 1024;

/// Answers requests with `router` until `shutdown` begins, and then for as long as requests are in
/// flight, but at most for `limits.shutdown_grace`. Each request carries its [`Peer`] as an extension.
///
/// Beyond `limits.connections`, connections wait in the listen queue until others end: they see a
/// slow server for a moment where a refusal would be an error, the kernel bounds the queue, and the
/// time limits on heads, bodies and idle connections see to it that others do end. While the limit
/// is reached, answers close their connection.
pub async fn serve(listener: Listener, router: Router, limits: &Limits, shutdown: &Shutdown) {
    let connections = limits.connections.clamp(1, Semaphore::MAX_PERMITS);
    let server = Arc::new(Server {
        // Turned into plain routes once, not at each request.
        router: router.with_state(()),
        http: protocol(limits),
        header_timeout: limits.header_timeout,
        permits: Arc::new(Semaphore::new(connections)),
        shutdown: shutdown.clone(),
    });
    let mut stop = pin!(shutdown.begun());
    loop {
        tokio::select! {
            // Else a flood of connections could put the order off.
            biased;
            () = &mut stop => break,
            () = server.accept(&listener) => {}
        }
    }
    drop(listener);
    let all = u32::try_from(connections).unwrap_or(u32::MAX);
    if tokio::time::timeout(limits.shutdown_grace, server.permits.acquire_many(all)).await.is_err() {
        let open = connections.saturating_sub(server.permits.available_permits());
        tracing::warn!(connections = open, "requests did not finish within limits.shutdown_grace");
        shutdown.cut();
    }
}

fn protocol(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    // This timeout of the library's runs while a connection is idle too; see `stream`.
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.keep_alive)
        .max_buf_size(limits.headers.max(MIN_BUFFER))
        .max_header_size(limits.headers);
    http
}

struct Server {
    router: Router,
    http: http1::Builder,
    header_timeout: Duration,
    permits: Arc<Semaphore>,
    shutdown: Shutdown,
}

impl Server {
    /// Waits for room and then for a connection. Cancelling it loses neither.
    async fn accept(self: &Arc<Self>, listener: &Listener) {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else { return };
        let accepted = match listener {
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, address)| {
                // Answers are written whole: waiting to fill a packet only delays them.
                let _ = stream.set_nodelay(true);
                self.spawn(stream, Peer::Tcp(address), permit);
            }),
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                let peer = Peer::of_unix(&stream);
                self.spawn(stream, peer, permit);
            }),
        };
        if let Err(error) = accepted {
            self.accept_failed(&error).await;
        }
    }

    async fn accept_failed(&self, error: &io::Error) {
        // The peer has gone away already: nothing to do with us.
        if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            return;
        }
        tracing::error!(%error, "cannot accept connections");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }

    fn spawn<S: Socket>(self: &Arc<Self>, socket: S, peer: Peer, permit: OwnedSemaphorePermit) {
        let server = Arc::clone(self);
        tokio::spawn(async move {
            server.connection(socket, peer).await;
            drop(permit);
        });
    }

    async fn connection<S: Socket>(&self, socket: S, peer: Peer) {
        let progress = Progress::default();
        let stream = TokioIo::new(Stream::new(socket, progress.clone(), self.header_timeout));
        let service = service_fn(|mut request: Request<Incoming>| {
            progress.step();
            request.extensions_mut().insert(peer);
            let answer = self.router.clone().call(request);
            async {
                let mut response = answer.await?;
                progress.step();
                if self.permits.available_permits() == 0 {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let mut connection = pin!(self.http.serve_connection(stream, service));
        let mut changed = Box::pin(self.shutdown.changed());
        let mut draining = false;
        let mut waiting = false;
        let result = std::future::poll_fn(|cx| {
            // The notice wakes this task wherever it waits, so it need not be polled with every
            // byte, as a `select!` would do: that takes a lock all connections share.
            if self.shutdown.has_begun() && !draining {
                draining = true;
                connection.as_mut().graceful_shutdown();
                changed.set(self.shutdown.changed());
                waiting = false;
            }
            if self.shutdown.is_cut() {
                return Poll::Ready(Ok(()));
            }
            if !waiting {
                waiting = true;
                if changed.as_mut().poll(cx).is_ready() {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            connection.as_mut().poll(cx)
        })
        .await;
        if let Err(error) = result {
            tracing::debug!(%error, "a connection ended");
        }
    }
}

trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl Socket for TcpStream {}
impl Socket for UnixStream {}

#[cfg(test)]
mod tests;
