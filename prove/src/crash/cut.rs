//! The connection to PostgreSQL is cut at each piece of what the service and the database say to each
//! other for one refresh, and for one revocation (E11): before the question arrives, between a
//! revocation's statements, after the commit and before its answer. Asked again, the session has
//! what was acknowledged, or goes on when nothing was.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::disk::recover;
use super::honest::{Heard, Honest, Tally};
use super::place::LOOK_EVERY;
use super::proxy::Wire;
use super::report::{Row, say};
use super::wire::Way;
use crate::Outcome;

/// Far more than one of these requests has pieces.
const MOST_PIECES: u32 = 40;
/// How long the service may take to find a connection again.
const PATIENCE: Duration = Duration::from_secs(60);

type Request = fn(&mut Honest, SocketAddr, &mut Tally) -> Heard;
const REQUESTS: [(&str, Request); 2] = [("refresh", Honest::refresh), ("revocation", Honest::revoke)];

pub(super) fn run() -> Outcome<Row> {
    let Way { place, proxy, .. } = &Way::start()?;
    let mut clients = Honest::of(place.fill(REQUESTS.len() * MOST_PIECES as usize)?);
    let server = place.serve()?;
    let mut tally = Tally::default();
    let mut cuts = Vec::new();
    for ((name, request), clients) in REQUESTS.iter().zip(clients.chunks_mut(MOST_PIECES as usize)) {
        let mut count = 0;
        for (pieces, client) in (0..).zip(clients) {
            // Its connections are there, and know their statements.
            until_it_answers(client, server.address, &mut tally)?;
            proxy.set(Wire::Last(pieces));
            let heard = request(client, server.address, &mut tally);
            let was_cut = proxy.is_cut();
            proxy.set(Wire::Open);
            if !was_cut {
                break;
            }
            count += 1;
            if heard == Heard::Yes {
                // The cut came to what is said after the answer, or beside it.
                continue;
            }
            until_the_outcome_is_known(client, server.address, &mut tally)?;
        }
        say(&format!("wire: {name} cut at {count} pieces"));
        if count < 2 {
            tally.violations.push(format!("a {name} was not cut before and after its commit"));
        }
        cuts.push(count);
    }
    recover(place, server, &mut clients, &mut tally)?;
    Ok(Row {
        experiment: "the way to the database cut at each piece of a refresh and a revocation".to_owned(),
        engine: "PostgreSQL".to_owned(),
        cycles: cuts.iter().sum(),
        tally,
        checked: "S2-S4, L1, L4".to_owned(),
        seen: format!("{cuts:?} pieces"),
    })
}

/// A refresh that is granted.
fn until_it_answers(client: &mut Honest, address: SocketAddr, tally: &mut Tally) -> Outcome<()> {
    until(|| client.refresh(address, tally) == Heard::Yes)
}

/// An answer to the same token again, whichever it is: after a revocation with no answer both may be.
fn until_the_outcome_is_known(client: &mut Honest, address: SocketAddr, tally: &mut Tally) -> Outcome<()> {
    until(|| client.refresh(address, tally) != Heard::Nothing)
}

fn until(mut answered: impl FnMut() -> bool) -> Outcome<()> {
    let start = Instant::now();
    while !answered() {
        if start.elapsed() > PATIENCE {
            return Err("the way is open again, and there is no answer".into());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
