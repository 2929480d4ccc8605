//! The disk fills up under load, under SQLite and under PostgreSQL (E7), and is free again later.
//! While it is full nobody is told no, and what only reads is answered. Afterwards the service goes
//! on by itself: it is not restarted, except where it is killed on the full disk to show that what
//! it acknowledged there is durable. PostgreSQL is restarted, as it ends itself when its log cannot
//! be written. The directory for temporary files must be on a small file system.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::disk::recover;
use super::honest::{Heard, Honest, Tally};
use super::http;
use super::kill::connect;
use super::load::Load;
use super::place::{LOOK_EVERY, Place, Server};
use super::report::{Row, say};
use crate::Outcome;

/// Sessions under load; one more only asks whether it goes on.
const SESSIONS: usize = 24;
/// The disk is filled once for so many cycles, and at least twice.
const CYCLES: u32 = 25;
/// Answers of 503 that must be seen while the disk is full.
const REFUSED: u64 = 10;
/// How long the disk may take to be so full that nothing can be written, and the service to go on.
const PATIENCE: Duration = Duration::from_secs(60);
/// The ballast grows by as much at a time, and at last by a page.
const STEPS: [usize; 2] = [1 << 20, 4096];
/// A segment of PostgreSQL's log is left for the next one only if something was written to it.
const NEXT_SEGMENT: &str = "SELECT pg_logical_emit_message(false, 'full', ''); SELECT pg_switch_wal()";

/// Both engines.
pub(super) fn run(cycles: u32, seed: u64) -> Outcome<Vec<Row>> {
    let fillings = (cycles / CYCLES).max(2);
    Ok(vec![sqlite(fillings, seed)?, postgres(fillings, seed)?])
}

fn sqlite(fillings: u32, seed: u64) -> Outcome<Row> {
    let place = Place::new(None)?;
    let mut bench = Bench::start(&place, seed)?;
    let mut server = place.serve()?;
    for filling in 1..=fillings {
        bench.begin(&server)?;
        let ballast = Ballast::until_full()?;
        bench.until_refused(server.address, || Ok(()))?;
        bench.what_reads_answers(server.address, true);
        if filling.is_multiple_of(2) {
            server.kill()?;
            ballast.remove()?;
            server = place.serve()?;
        } else {
            ballast.remove()?;
        }
        bench.until_it_goes_on(&server)?;
        say(&format!("full, SQLite: {filling} of {fillings}"));
    }
    let tally = bench.end(&place, server)?;
    Ok(row("the disk full under load, and free again", "SQLite", fillings, tally, String::new()))
}

fn postgres(fillings: u32, seed: u64) -> Outcome<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cluster = Cluster::start();
    let database = runtime.block_on(cluster.database());
    let place = Place::new(Some(database.clone()))?;
    let mut bench = Bench::start(&place, seed)?;
    let server = place.serve()?;
    let mut was_down = 0;
    for filling in 1..=fillings {
        bench.begin(&server)?;
        // Gives the segments back that the filling before has left.
        runtime.block_on(execute(&database, "CHECKPOINT"))?;
        let ballast = Ballast::until_full()?;
        // There is room in the segment of the log that is in use: the next one cannot be made.
        bench.until_refused(server.address, || {
            // Fails when PostgreSQL has ended.
            let _ = runtime.block_on(execute(&database, NEXT_SEGMENT));
            Ok(())
        })?;
        bench.what_reads_answers(server.address, false);
        was_down += u32::from(runtime.block_on(connect(&database)).is_err());
        ballast.remove()?;
        cluster.crash();
        cluster.start_again();
        bench.until_it_goes_on(&server)?;
        say(&format!("full, PostgreSQL: {filling} of {fillings}"));
    }
    if was_down == 0 {
        bench.tally.violations.push("PostgreSQL went on: its log could be written".to_owned());
    }
    let tally = bench.end(&place, server)?;
    let seen = format!("PostgreSQL was down {was_down} of {fillings} times");
    Ok(row("the database's disk full under load, and free again", "PostgreSQL", fillings, tally, seen))
}

async fn execute(database: &str, sql: &str) -> Outcome<()> {
    Ok(connect(database).await?.batch_execute(sql).await?)
}

/// Sessions under load, and a client that asks whether it goes on.
struct Bench {
    load: Load,
    probe: Honest,
    tally: Tally,
}

impl Bench {
    fn start(place: &Place, seed: u64) -> Outcome<Self> {
        let mut clients = Honest::of(place.fill(SESSIONS + 1)?);
        let probe = clients.pop().ok_or("no session")?;
        Ok(Self { load: Load::start(clients, seed), probe, tally: Tally::default() })
    }

    /// Everything is well.
    fn begin(&mut self, server: &Server) -> Outcome<()> {
        self.load.aim(server.address);
        self.until_it_goes_on(server)
    }

    /// Refreshes until that was refused often enough; what was granted meanwhile must be durable,
    /// which is seen later.
    fn until_refused(&mut self, address: SocketAddr, mut act: impl FnMut() -> Outcome<()>) -> Outcome<()> {
        let (start, before) = (Instant::now(), self.tally.unavailable);
        while self.tally.unavailable < before + REFUSED {
            act()?;
            self.probe.refresh(address, &mut self.tally);
            if start.elapsed() > PATIENCE {
                return Err("the disk is full, and refreshes are not refused".into());
            }
        }
        Ok(())
    }

    fn what_reads_answers(&mut self, address: SocketAddr, store_reads: bool) {
        for path in ["/healthz", "/.well-known/jwks.json"] {
            if !http::get(address, path).is_ok_and(|answer| answer.status == 200) {
                self.tally.violations.push(format!("{path} is not answered on a full disk"));
            }
        }
        let is_right = self.probe.introspect(address).is_ok_and(|answer| match answer.status {
            200 => answer.body.get("active") == Some(&true.into()),
            // A database that is not there knows nothing, and that is not a no.
            status => !store_reads && status == 503,
        });
        if !is_right {
            self.tally.violations.push("a good token is not told to be one on a full disk".to_owned());
        }
    }

    fn until_it_goes_on(&mut self, server: &Server) -> Outcome<()> {
        self.load.aim(server.address);
        let start = Instant::now();
        while self.probe.refresh(server.address, &mut self.tally) != Heard::Yes {
            if start.elapsed() > PATIENCE {
                return Err("the disk is free again, and refreshes are still refused".into());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn end(self, place: &Place, server: Server) -> Outcome<Tally> {
        let (mut clients, mut tally) = self.load.end()?;
        tally.add(self.tally);
        clients.push(self.probe);
        recover(place, server, &mut clients, &mut tally)?;
        Ok(tally)
    }
}

/// A file that takes all the room there is.
struct Ballast(PathBuf);

impl Ballast {
    fn until_full() -> Outcome<Self> {
        let path = std::env::temp_dir().join("ballast");
        let mut file = File::create(&path)?;
        for step in STEPS {
            loop {
                match file.write(&vec![1; step]) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(Self(path))
    }

    fn remove(self) -> Outcome<()> {
        Ok(std::fs::remove_file(self.0)?)
    }
}

fn row(experiment: &str, engine: &str, fillings: u32, tally: Tally, seen: String) -> Row {
    Row {
        experiment: experiment.to_owned(),
        engine: engine.to_owned(),
        cycles: fillings.into(),
        tally,
        checked: "S2-S4, L1, L2, L4, recovers alone".to_owned(),
        seen,
    }
}
