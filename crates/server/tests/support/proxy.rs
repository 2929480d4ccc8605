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
    /// So many more pieces, and then it is cut, with what comes next.
    Last(u32),
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
        let wire = watch::Sender::new(Wire::Open);
        let state = wire.clone();
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
                        () = carry(near_in, far_out, &state, true) => {}
                        () = carry(far_in, near_out, &state, false) => {}
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

    /// Whether nothing is carried any more.
    pub(crate) fn is_cut(&self) -> bool {
        *self.wire.borrow() == Wire::Cut
    }

    /// Changes what the wire carries, for connections old and new.
    pub(crate) fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

/// Carries one direction while the wire is in a state that does; ends with the connection.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    wire: &watch::Sender<Wire>,
    to_the_database: bool,
) {
    let mut state = wire.subscribe();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = state.wait_for(|wire| *wire == Wire::Cut) => return,
        };
        let Ok(length @ 1..) = read else { return };
        // What was read waits until the wire carries it again.
        let waited = state.wait_for(|wire| match wire {
            Wire::Open | Wire::Last(_) | Wire::Cut => true,
            Wire::Unanswered => to_the_database,
            Wire::Stalled => false,
        });
        if waited.await.is_err() || !takes_a_piece(wire) || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Whether the wire takes one piece more.
fn takes_a_piece(wire: &watch::Sender<Wire>) -> bool {
    wire.send_if_modified(|wire| match wire {
        Wire::Last(0) => {
            *wire = Wire::Cut;
            true
        }
        Wire::Last(left) => {
            *left -= 1;
            false
        }
        _ => false,
    });
    *wire.borrow() != Wire::Cut
}
