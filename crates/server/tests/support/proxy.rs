//! A wire that can be pulled: between a store and its database, for tests of what happens then.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the wire carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Everything.
    Open,
    /// What is sent to the database, but not what it answers.
    Unanswered,
    /// Nothing, though it looks alive.
    Stalled,
    /// Nothing, and both ends are told.
    Cut,
}

/// A proxy in front of one address.
pub(crate) struct Proxy {
    port: u16,
    wire: watch::Sender<Wire>,
}

impl Proxy {
    /// Listens, and carries each connection to `target`.
    pub(crate) async fn to(target: (&'static str, u16)) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (wire, state) = watch::channel(Wire::Open);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let state = state.clone();
                tokio::spawn(async move {
                    if *state.borrow() == Wire::Cut {
                        return;
                    }
                    let Ok(far) = TcpStream::connect(target).await else { return };
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    tokio::select! {
                        () = carry(near_in, far_out, state.clone(), &[Wire::Open, Wire::Unanswered]) => {}
                        () = carry(far_in, near_out, state, &[Wire::Open]) => {}
                    }
                });
            }
        });
        Self { port, wire }
    }

    /// The port it listens on, of 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Changes what the wire carries, for connections old and new.
    pub(crate) fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

/// Carries one direction while the wire is in one of the states that do; ends with the connection.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<Wire>,
    while_in: &[Wire],
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = state.wait_for(|wire| *wire == Wire::Cut) => return,
        };
        let Ok(length @ 1..) = read else { return };
        // What was read waits until the wire carries it again.
        match state.wait_for(|wire| *wire == Wire::Cut || while_in.contains(wire)).await {
            Ok(wire) if *wire != Wire::Cut => {}
            _ => return,
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
