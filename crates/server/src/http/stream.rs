//! A connection's bytes, with the two time limits that the HTTP library does not have: for the
//! rest of a request's head once its first byte is there, and for a peer that takes no bytes.
//!
//! The library's own head timeout starts when a connection falls idle, so that it can only be the
//! limit for idle connections. That one must be longer than the reverse proxy's, or the proxy
//! sends requests into a connection that is just being closed.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use crate::config::WRITE_STALL;

/// Counts the steps of a connection: even between requests, odd from the end of a request's head
/// to its answer. The stream compares steps to know whether a head is being waited for.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<AtomicU32>);

impl Progress {
    /// A request's head has arrived, or its answer begins.
    pub(super) fn step(&self) {
        // Reader and writer are one task: the order is the program's.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The stream of a connection.
pub(super) struct Stream<S> {
    inner: S,
    progress: Progress,
    header_timeout: Duration,
    /// The step at which bytes last arrived.
    bytes_at: Option<u32>,
    /// The running head timeout, and the step that it is for.
    head: Option<(u32, Pin<Box<Sleep>>)>,
    write: Option<Pin<Box<Sleep>>>,
}

impl<S> Stream<S> {
    pub(super) fn new(inner: S, progress: Progress, header_timeout: Duration) -> Self {
        Self { inner, progress, header_timeout, bytes_at: None, head: None, write: None }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.inner).poll_read(cx, buf);
        let step = this.progress.now();
        if read.is_ready() {
            if buf.filled().len() > before {
                this.bytes_at = Some(step);
            }
            return read;
        }
        // Only now, with a head incomplete, is a timer needed: a request that arrives whole costs none.
        // A new connection is given no more time for its first byte than for the rest.
        let waiting_for_head = this.bytes_at == Some(step) && step.is_multiple_of(2) || step == 0;
        if !waiting_for_head {
            this.head = None;
            return Poll::Pending;
        }
        let fresh = || (step, Box::pin(tokio::time::sleep(this.header_timeout)));
        let (armed_at, sleep) = this.head.get_or_insert_with(fresh);
        if *armed_at != step {
            (*armed_at, *sleep) = fresh();
        }
        ready!(sleep.as_mut().poll(cx));
        if this.bytes_at.is_some() {
            // RFC 9110 section 15.5.9. As good as it can be done: nobody may be listening.
            let _ = Pin::new(&mut this.inner).poll_write(cx, TIMED_OUT);
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

const TIMED_OUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

impl<S: AsyncWrite + Unpin> Stream<S> {
    /// Lets a write pass that made progress; a write that waits may wait for `WRITE_STALL`.
    fn guard_write<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.write = None;
            return write;
        }
        let sleep = self.write.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_STALL)));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let write = Pin::new(&mut this.inner).poll_write(cx, buf);
        this.guard_write(cx, write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let write = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
        this.guard_write(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flush = Pin::new(&mut this.inner).poll_flush(cx);
        this.guard_write(cx, flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shutdown = Pin::new(&mut this.inner).poll_shutdown(cx);
        this.guard_write(cx, shutdown)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    /// The time after which a read fails, in whole seconds; `None` when it goes on for an hour.
    async fn fails_after(stream: &mut Stream<tokio::io::DuplexStream>) -> Option<u64> {
        let start = tokio::time::Instant::now();
        match tokio::time::timeout(Duration::from_secs(3600), stream.read(&mut [0; 64])).await {
            Ok(result) => {
                assert_eq!(result.unwrap_err().kind(), io::ErrorKind::TimedOut);
                Some(start.elapsed().as_secs())
            }
            Err(_) => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_heads_have_a_deadline() {
        let (mut far, near) = tokio::io::duplex(1024);
        let progress = Progress::default();
        let mut stream = Stream::new(near, progress.clone(), TIMEOUT);

        far.write_all(b"GET / ").await.unwrap();
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 6);
        progress.step();
        assert_eq!(fails_after(&mut stream).await, None, "while a request is answered");
        progress.step();
        assert_eq!(fails_after(&mut stream).await, None, "while the connection is idle");
        far.write_all(b"GET / ").await.unwrap();
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 6);
        assert_eq!(fails_after(&mut stream).await, Some(10), "while a second head is incomplete");

        let mut answer = [0; 64];
        let length = far.read(&mut answer).await.unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 408 "));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_that_says_nothing_is_closed() {
        let (_far, near) = tokio::io::duplex(1024);
        let mut stream = Stream::new(near, Progress::default(), TIMEOUT);
        assert_eq!(fails_after(&mut stream).await, Some(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_no_bytes_is_given_up() {
        let (mut far, near) = tokio::io::duplex(4);
        let mut stream = Stream::new(near, Progress::default(), TIMEOUT);
        stream.write_all(b"1234").await.unwrap();
        let start = tokio::time::Instant::now();
        assert_eq!(stream.write_all(b"5").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), WRITE_STALL);
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 4);
    }
}
