//! The database file cannot be synced (E5): its pages were copied there from the log, the disk does
//! not take them, and the system says so once. The log is synced as ever, so clients notice nothing;
//! but it is now the only place that has these pages, and it must not be started over or removed.
//! So the pages are taken away, and the next start must have everything that was acknowledged.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::disk::recover;
use super::honest::{Heard, Honest, Tally};
use super::place::{DATABASE, Place, Server};
use super::tracer::Tracer;
use crate::Outcome;

const SESSIONS: usize = 8;
/// Rounds over the sessions after the fault.
const ROUNDS: usize = 3;
/// Pages that make a log long enough to be copied while the service runs.
const MANY_PAGES: u32 = 17_000;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What strace writes for each sync that it lets fail.
const INJECTED: &str = "EIO (Input/output error) (INJECTED)";

/// The sync fails when a long log is copied under load.
pub(super) fn long_log() -> Outcome<Tally> {
    faulty(|place, server, clients, tally| {
        lengthen_log(&place.data_dir().join(DATABASE))?;
        let start = Instant::now();
        while !std::fs::read_to_string(place.beside("trace"))?.contains(INJECTED) {
            if start.elapsed() > PATIENCE {
                return Err("the log was not copied".into());
            }
            refresh(clients, server, tally);
        }
        for _ in 0..ROUNDS {
            refresh(clients, server, tally);
        }
        Ok(())
    })
}

/// The sync fails when an orderly stop copies what there is.
pub(super) fn stop() -> Outcome<Tally> {
    faulty(|_, server, clients, tally| {
        refresh(clients, server, tally);
        Ok(())
    })
}

fn faulty(load: impl FnOnce(&Place, &Server, &mut [Honest], &mut Tally) -> Outcome<()>) -> Outcome<Tally> {
    let place = Place::new(None)?;
    let mut clients = Honest::of(place.fill(SESSIONS)?);
    let mut tally = Tally::default();
    let server = place.serve()?;
    refresh(&mut clients, &server, &mut tally);
    let database = place.data_dir().join(DATABASE);
    let on_the_disk = std::fs::read(&database)?;
    let name = database.to_str().ok_or("the directory's name is not UTF-8")?;
    let inject = ["-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"];
    let trace = place.beside("trace");
    let tracer = Tracer::attach(&server, &[&["-P", name], &inject[..]].concat(), &trace)?;
    load(&place, &server, &mut clients, &mut tally)?;
    server.stop()?;
    tracer.wait()?;
    if !std::fs::read_to_string(trace)?.contains(INJECTED) {
        tally.violations.push("the fault did not happen".to_owned());
    }
    std::fs::write(&database, on_the_disk)?;
    recover(&place, place.serve()?, &mut clients, &mut tally)?;
    Ok(tally)
}

/// Only the log is needed for an answer.
fn refresh(clients: &mut [Honest], server: &Server, tally: &mut Tally) {
    for client in clients {
        if client.refresh(server.address, tally) != Heard::Yes {
            tally.violations.push("no answer while the log could be synced".to_owned());
        }
    }
}

/// As many pages as that are many thousand refreshes, by one transaction of another process.
fn lengthen_log(database: &Path) -> Outcome<()> {
    let other = Connection::open(database)?;
    other.execute_batch(&format!(
        "PRAGMA wal_autocheckpoint = 0;
         CREATE TABLE lengthener (page BLOB NOT NULL);
         WITH RECURSIVE page(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM page WHERE n < {MANY_PAGES})
         INSERT INTO lengthener SELECT zeroblob(4000) FROM page;"
    ))?;
    Ok(())
}
