//! Honest clients in threads, on whatever server is there.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::honest::{Heard, Honest, Tally};
use super::place::LOOK_EVERY;
use crate::Outcome;

/// Clients that run at once.
const THREADS: usize = 6;
/// One request in so many presents the token before again.
const REPEATS: usize = 5;
/// One in so many revokes the session.
const REVOCATIONS: usize = 150;

/// What the threads share.
#[derive(Default)]
struct Shared {
    address: Mutex<Option<SocketAddr>>,
    is_over: AtomicBool,
}

/// A running load.
pub(super) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<(Vec<Honest>, Tally)>>,
}

impl Load {
    /// Deals the clients out to threads, which wait for an address.
    pub(super) fn start(clients: Vec<Honest>, seed: u64) -> Self {
        let shared = Arc::new(Shared::default());
        let mut hands: Vec<Vec<Honest>> = (0..THREADS).map(|_| Vec::new()).collect();
        for (index, client) in clients.into_iter().enumerate() {
            if let Some(hand) = hands.get_mut(index % THREADS) {
                hand.push(client);
            }
        }
        let mut random = fastrand::Rng::with_seed(seed);
        let threads = hands
            .into_iter()
            .map(|hand| {
                let (shared, random) = (shared.clone(), random.fork());
                std::thread::spawn(move || act(hand, &shared, random))
            })
            .collect();
        Self { shared, threads }
    }

    /// Where the server is now.
    pub(super) fn aim(&self, address: SocketAddr) {
        *self.shared.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    /// Ends the load; the clients come back with what they know.
    pub(super) fn end(self) -> Outcome<(Vec<Honest>, Tally)> {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let mut clients = Vec::new();
        let mut tally = Tally::default();
        for thread in self.threads {
            let (hand, heard) = thread.join().map_err(|_| "a client panicked")?;
            clients.extend(hand);
            tally.add(heard);
        }
        Ok((clients, tally))
    }
}

fn act(mut hand: Vec<Honest>, shared: &Shared, mut random: fastrand::Rng) -> (Vec<Honest>, Tally) {
    let mut tally = Tally::default();
    while !shared.is_over.load(Ordering::SeqCst) {
        let address = *shared.address.lock().unwrap_or_else(PoisonError::into_inner);
        let client = random.choice(hand.iter_mut());
        let (Some(address), Some(client)) = (address, client) else {
            std::thread::sleep(LOOK_EVERY);
            continue;
        };
        let heard = if client.may_revoke && random.usize(..REVOCATIONS) == 0 {
            client.revoke(address, &mut tally)
        } else if random.usize(..REPEATS) == 0 {
            client.repeat(address, &mut tally)
        } else {
            client.refresh(address, &mut tally)
        };
        if heard == Heard::Nothing {
            std::thread::sleep(LOOK_EVERY);
        }
    }
    (hand, tally)
}
