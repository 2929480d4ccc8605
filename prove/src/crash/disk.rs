//! Failing syncs and writes, a full disk, no file descriptors left (E5, E7, E8). While it lasts
//! nobody is told no, and nothing that could not be made durable is acknowledged; afterwards the
//! service goes on by itself, and after a kill everything acknowledged is there.

use super::database_file;
use super::honest::{Heard, Honest, Tally};
use super::http;
use super::place::{LOG, Place, Server};
use super::report::{Row, say};
use super::tracer::Tracer;
use crate::Outcome;

const SESSIONS: usize = 8;
/// Rounds over the sessions in each phase.
const ROUNDS: usize = 3;
/// What is enough for the service to start, and not for many connections.
const FEW_FILES: u32 = 64;
/// Idle connections that take the rest.
const IDLE: usize = 100;
/// How much of the next write still fits when the disk fills up: more than a frame's header and less
/// than its page.
const FITS: u64 = 2_000;

/// A fault that strace makes of a call on the database's log.
struct Fault {
    name: &'static str,
    inject: &'static str,
    /// While it lasts no commit can succeed.
    lasts: bool,
}

const FAULTS: [Fault; 5] = [
    Fault { name: "one sync fails (EIO)", inject: "fsync,fdatasync:error=EIO:when=1", lasts: false },
    Fault { name: "every sync fails (EIO)", inject: "fsync,fdatasync:error=EIO", lasts: true },
    Fault { name: "one write fails (EIO)", inject: "pwrite64:error=EIO:when=2", lasts: false },
    Fault { name: "every write fails (EIO)", inject: "pwrite64:error=EIO", lasts: true },
    Fault { name: "the disk is full (ENOSPC)", inject: "pwrite64:error=ENOSPC", lasts: true },
];

/// Each fault on a store of its own.
pub(super) fn run() -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for fault in &FAULTS {
        say(&format!("disk: {}", fault.name));
        rows.push(row(fault.name, faulty(fault)?));
    }
    say("disk: full in the middle of a page");
    rows.push(row("the disk fills up in the middle of a page", short_writes()?));
    say("disk: the database file is not synced");
    rows.push(row("the database file's sync fails, long log", database_file::long_log()?));
    rows.push(row("the database file's sync fails, at a stop", database_file::stop()?));
    say("disk: no file descriptors");
    rows.push(row("no file descriptors left", few_files()?));
    Ok(rows)
}

fn faulty(fault: &Fault) -> Outcome<Tally> {
    let place = Place::new(None)?;
    let mut clients = Honest::of(place.fill(SESSIONS)?);
    let mut tally = Tally::default();
    let server = place.serve()?;
    let log = place.data_dir().join(LOG);
    let log = log.to_str().ok_or("the directory's name is not UTF-8")?;
    let inject = format!("inject={}", fault.inject);
    let calls = "trace=fsync,fdatasync,pwrite64";
    let tracer = Tracer::attach(&server, &["-P", log, "-e", calls, "-e", &inject], &place.beside("trace"))?;
    let mut refused = 0;
    for turn in 0..ROUNDS * SESSIONS {
        let Some(client) = clients.get_mut(turn % SESSIONS) else { continue };
        match client.refresh(server.address, &mut tally) {
            Heard::Yes if fault.lasts => {
                tally.violations.push("200 while nothing could be made durable".to_owned());
            }
            Heard::Nothing => refused += 1,
            Heard::Yes | Heard::No => {}
        }
    }
    if refused == 0 {
        tally.violations.push("the fault did not happen".to_owned());
    }
    if http::get(server.address, "/.well-known/jwks.json").is_ok_and(|answer| answer.status != 200) {
        tally.violations.push("what only reads does not answer".to_owned());
    }
    tracer.detach()?;
    recover(&place, server, &mut clients, &mut tally)?;
    Ok(tally)
}

/// A write that the system cuts short, and then no more.
fn short_writes() -> Outcome<Tally> {
    let place = Place::new(None)?;
    let mut clients = Honest::of(place.fill(SESSIONS)?);
    let mut tally = Tally::default();
    // The signal would end the process; what is to be seen is the error.
    let server = place.serve_after("trap '' XFSZ")?;
    for client in &mut clients {
        client.refresh(server.address, &mut tally);
    }
    let log = place.data_dir().join(LOG);
    let full_at = std::fs::metadata(&log)?.len() + FITS;
    server.limit_files(Some(full_at))?;
    for _ in 0..ROUNDS {
        for client in &mut clients {
            if client.refresh(server.address, &mut tally) == Heard::Yes {
                tally.violations.push("200 while nothing could be made durable".to_owned());
            }
        }
    }
    if std::fs::metadata(&log)?.len() != full_at {
        tally.violations.push("the fault did not happen: no write was cut short".to_owned());
    }
    server.limit_files(None)?;
    recover(&place, server, &mut clients, &mut tally)?;
    Ok(tally)
}

fn few_files() -> Outcome<Tally> {
    let place = Place::new(None)?;
    let mut clients = Honest::of(place.fill(SESSIONS)?);
    let mut tally = Tally::default();
    let server = place.serve_after(&format!("ulimit -n {FEW_FILES}"))?;
    let idle: Vec<_> = (0..IDLE).filter_map(|_| std::net::TcpStream::connect(server.address).ok()).collect();
    if let Some(client) = clients.first_mut() {
        client.refresh(server.address, &mut tally);
    }
    drop(idle);
    recover(&place, server, &mut clients, &mut tally)?;
    Ok(tally)
}

/// When the fault is over the service goes on alone, without a restart; and the last refreshes
/// outlive a kill.
pub(super) fn recover(
    place: &Place,
    server: Server,
    clients: &mut [Honest],
    tally: &mut Tally,
) -> Outcome<()> {
    for client in &mut *clients {
        client.settle(server.address, tally);
    }
    server.kill()?;
    let server = place.serve()?;
    for client in clients {
        client.settle(server.address, tally);
    }
    server.stop()?;
    Ok(())
}

fn row(name: &str, tally: Tally) -> Row {
    Row {
        experiment: name.to_owned(),
        engine: "SQLite".to_owned(),
        cycles: 1,
        tally,
        checked: "S4, L1, L4, recovers alone".to_owned(),
        seen: String::new(),
    }
}
