//! kill -9 at the system calls that one refresh makes (E3): before the transaction, between its
//! writes, before and after its sync, before and after the answer. Wherever it happens, the same
//! token presented again gets the successor that was acknowledged, or a working one when none was.

use std::collections::BTreeMap;
use std::path::Path;

use super::cluster::Cluster;
use super::honest::{Heard, Honest, Tally};
use super::place::{Place, Server};
use super::report::{Row, say};
use super::tracer::Tracer;
use crate::Outcome;

/// Most points: far more than a refresh has system calls.
const MOST_POINTS: usize = 250;

/// Both engines.
pub(super) fn run() -> Outcome<Vec<Row>> {
    let sqlite = all_points(&Place::new(None)?, "SQLite")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cluster = Cluster::start();
    let place = Place::new(Some(runtime.block_on(cluster.database())))?;
    Ok(vec![sqlite, all_points(&place, "PostgreSQL")?])
}

fn all_points(place: &Place, engine: &'static str) -> Outcome<Row> {
    let mut clients = Honest::of(place.fill(MOST_POINTS)?).into_iter();
    let mut tally = Tally::default();
    let trace = place.beside("trace");

    let mut first = clients.next().ok_or("no session")?;
    let server = place.serve()?;
    let tracer = Tracer::attach(&server, &[], &trace)?;
    first.refresh(server.address, &mut tally);
    server.kill()?;
    tracer.wait()?;
    let points = points(&std::fs::read_to_string(&trace)?);

    let mut reached = 0_u64;
    let mut server = place.serve()?;
    for ((call, nth), mut client) in points.iter().zip(clients) {
        let was_killed = kill_at(server, call, *nth, &mut client, &mut tally, &trace)?;
        reached += u64::from(was_killed);
        // The next server shows what is left, and is the next one to be killed.
        server = place.serve()?;
        if client.repeat(server.address, &mut tally) != Heard::Yes
            || client.refresh(server.address, &mut tally) != Heard::Yes
        {
            tally.violations.push(format!("killed at {call} number {nth}: the session does not live"));
        }
        if was_killed && reached.is_multiple_of(20) {
            say(&format!("points, {engine}: killed at {reached} points of at most {}", points.len()));
        }
    }
    if reached == 0 {
        tally.violations.push("no point was reached".to_owned());
    }
    Ok(Row {
        experiment: "the server killed at the system calls of a refresh".to_owned(),
        engine: engine.to_owned(),
        cycles: reached,
        tally,
        checked: "S2-S4, L1".to_owned(),
        seen: format!("{reached} of {} points reached", points.len()),
    })
}

/// Sends a refresh to a server that will be killed when one of its threads enters a system call
/// for the nth time; says whether that happened.
fn kill_at(
    server: Server,
    call: &str,
    nth: usize,
    client: &mut Honest,
    tally: &mut Tally,
    trace: &Path,
) -> Outcome<bool> {
    let only = format!("trace={call}");
    let inject = format!("inject={call}:signal=SIGKILL:when={nth}");
    let tracer = Tracer::attach(&server, &["-e", &only, "-e", &inject], trace)?;
    let heard = client.refresh(server.address, tally);
    // A process is only gone for its parent once its tracer has seen the end of every thread.
    let was_killed = heard == Heard::Nothing || !server.is_ready();
    server.kill()?;
    tracer.wait()?;
    Ok(was_killed)
}

/// Every system call by name, with every count up to the most that one thread made; strace counts
/// for each thread.
fn points(trace: &str) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        // `<... futex resumed>` is the same call's end.
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if call.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            *counts.entry((call, thread)).or_default() += 1;
        }
    }
    let mut most: BTreeMap<&str, usize> = BTreeMap::new();
    for ((call, _), count) in counts {
        let most = most.entry(call).or_default();
        *most = count.max(*most);
    }
    most.into_iter().flat_map(|(call, most)| (1..=most).map(move |nth| (call.to_owned(), nth))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_counted_for_each_thread() {
        let trace = "1 fsync(3</a b>) = 0\n2 fsync(3</a>) = 0\n2 fsync(3</a>) = 0\n1 futex(0x1 <unfinished ...>\n\
                     1 <... futex resumed>) = 0\n1 +++ killed by SIGKILL +++\n";
        let expected = [("fsync", 1), ("fsync", 2), ("futex", 1)].map(|(call, nth)| (call.to_owned(), nth));
        assert_eq!(points(trace), expected);
    }
}
