//! Power lost below SQLite (E4, E6). Everything the service writes to its database and sends to
//! its clients is recorded with strace, in order. For moments spread evenly over the recording the
//! files are then rebuilt as a disk could hold them that lost its power there: what was written
//! since a file's last finished sync is missing, or a random part of it is there, or the last write
//! of it is torn. The product's own store opens each, and everything that was acknowledged by then
//! must be in it.
//!
//! The control is the same with the one word changed that matters here: the service of a program
//! whose store says `synchronous = NORMAL`. It must lose refreshes: otherwise this experiment would
//! see nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign::store::Store;
use countersign::store::sqlite::SqliteStore;
use countersign_wire::SessionId;

use super::honest::{Acknowledged, Honest, Tally};
use super::place::{DATABASE, LOG, Place, Server};
use super::recording::{Event, Recording};
use super::report::{Row, say};
use super::tracer::Tracer;
use crate::Outcome;

const SESSIONS: usize = 12;
/// Rounds over the sessions that are recorded.
const ROUNDS: u64 = 8;
/// Disks write a sector whole or not at all.
const SECTOR: usize = 512;
/// The database and its log: what is durable. The shared memory file is made again at every start.
const FILES: [&str; 2] = [DATABASE, LOG];
const CALLS: &str = "trace=pwrite64,ftruncate,fsync,fdatasync,unlink,unlinkat,writev,sendto,write";

/// What is left of the writes that no sync has finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    All,
    RandomPart,
    TornLast,
}

const LOSSES: [Loss; 4] = [Loss::All, Loss::RandomPart, Loss::TornLast, Loss::RandomPart];

/// What the store tells SQLite, and the same in as many bytes for NORMAL, which is number 1.
const FULL: &str = "PRAGMA synchronous = FULL";
const NORMAL: &str = "PRAGMA synchronous = 1   ";

/// Records, and loses power at so many moments; and the same with NORMAL.
pub(super) fn run(cycles: u32, seed: u64) -> Outcome<Vec<Row>> {
    let full = Run::new(Place::serve, cycles, seed)?;
    let normal = Run::new(|place| place.serve_program(&program_with_normal(place)?), cycles, seed)?;
    let control = control(&normal, full.log_syncs, cycles);
    Ok(vec![
        Row {
            experiment: "power lost, synchronous=FULL".to_owned(),
            engine: "SQLite".to_owned(),
            cycles: cycles.into(),
            seen: format!("{} events recorded, {} syncs of the log", full.events, full.log_syncs),
            tally: full.tally,
            checked: "S4, integrity_check".to_owned(),
        },
        Row {
            experiment: "power lost, synchronous=NORMAL (control: must lose)".to_owned(),
            engine: "SQLite".to_owned(),
            cycles: cycles.into(),
            seen: format!(
                "{} of {cycles} images lost what was acknowledged; {} syncs of the log",
                normal.tally.violations.len(),
                normal.log_syncs
            ),
            tally: control,
            checked: "the losses are seen".to_owned(),
        },
    ])
}

/// A copy of this program with the store's own word for the mode replaced: no setting could do it,
/// and none shall.
fn program_with_normal(place: &Place) -> Outcome<PathBuf> {
    let program = place.beside("countersign-normal");
    std::fs::copy(std::env::current_exe()?, &program)?;
    let replace = format!("s/{FULL}/{NORMAL}/g");
    let replaced = Command::new("sed").env("LC_ALL", "C").args(["-i", &replace]).arg(&program).status()?;
    if replaced.success() { Ok(program) } else { Err("sed could not write the program".into()) }
}

/// The violations that NORMAL has are what it is there for.
fn control(normal: &Run, syncs_of_full: usize, cycles: u32) -> Tally {
    let mut violations = Vec::new();
    // FULL syncs at every commit, NORMAL only where the log is copied or started over.
    if normal.log_syncs * 2 > syncs_of_full {
        violations.push("the log was synced as FULL does it: the mode is not NORMAL".to_owned());
    }
    if normal.tally.violations.is_empty() {
        violations.push(format!("NORMAL lost nothing in {cycles} images: the experiment sees nothing"));
    }
    Tally { violations, ..normal.tally }
}

/// A recording, judged.
struct Run {
    tally: Tally,
    events: usize,
    log_syncs: usize,
}

impl Run {
    fn new(serve: impl FnOnce(&Place) -> Outcome<Server>, cycles: u32, seed: u64) -> Outcome<Self> {
        let place = Place::new(None)?;
        let (recording, base, sessions) = record(&place, serve)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let judge = Judge { base, recording: &recording, sessions, directory: place.beside("image") };
        Ok(Self {
            tally: runtime.block_on(judge.lose_power(cycles, seed))?,
            events: recording.events.len(),
            log_syncs: recording.syncs_of(LOG),
        })
    }
}

type Files = HashMap<&'static str, Vec<u8>>;

/// Runs a load, an orderly stop with its checkpoint included, and gives what was seen.
fn record(
    place: &Place,
    serve: impl FnOnce(&Place) -> Outcome<Server>,
) -> Outcome<(Recording, Files, Vec<SessionId>)> {
    let mut clients = Honest::of(place.fill(SESSIONS)?);
    let server = serve(place)?;
    let trace = place.beside("trace");
    let tracer = Tracer::attach(&server, &["-xx", "-s", "1000000", "-e", CALLS], &trace)?;
    // Nothing is written while nothing is asked.
    let mut base = Files::new();
    for name in FILES {
        base.insert(name, std::fs::read(place.data_dir().join(name))?);
    }
    let mut tally = Tally::default();
    for round in 0..ROUNDS {
        let address = server.address;
        std::thread::scope(|scope| {
            let threads: Vec<_> = clients
                .iter_mut()
                .enumerate()
                .map(|(index, client)| {
                    scope.spawn(move || {
                        let mut tally = Tally::default();
                        if client.may_revoke && round + 1 == ROUNDS && index % 2 == 1 {
                            client.revoke(address, &mut tally);
                        } else {
                            client.refresh(address, &mut tally);
                        }
                        tally
                    })
                })
                .collect();
            for thread in threads {
                tally.add(thread.join().unwrap_or_default());
            }
        });
    }
    server.stop()?;
    tracer.wait()?;
    if let Some(violation) = tally.violations.first() {
        return Err(format!("while recording: {violation}").into());
    }
    let mut known = HashMap::new();
    for client in &mut clients {
        known.extend(client.acknowledgements.drain(..).map(|(request, what)| (request, (client.id, what))));
    }
    let recording = Recording::read(&std::fs::read_to_string(trace)?, &FILES, &known)?;
    let acknowledged =
        recording.events.iter().filter(|event| matches!(event, Event::Acknowledged(..))).count();
    if acknowledged != known.len() {
        return Err(format!("{acknowledged} answers recorded, and {} received", known.len()).into());
    }
    Ok((recording, base, clients.iter().map(|client| client.id).collect()))
}

struct Judge<'a> {
    base: Files,
    recording: &'a Recording,
    sessions: Vec<SessionId>,
    directory: std::path::PathBuf,
}

impl Judge<'_> {
    /// So many moments, spread evenly over the recording, each with a loss of its own.
    async fn lose_power(&self, moments: u32, seed: u64) -> Outcome<Tally> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut tally = Tally::default();
        let count = self.recording.events.len();
        let mut disk = Disk { files: self.base.clone(), ..Disk::default() };
        let mut acknowledged: HashMap<SessionId, (u32, bool)> = HashMap::new();
        let mut judged = 0;
        for (index, event) in self.recording.events.iter().enumerate() {
            match event {
                Event::Acknowledged(id, what) => {
                    let (generation, is_revoked) = acknowledged.entry(*id).or_default();
                    match what {
                        Acknowledged::Generation(reached) => *generation = (*generation).max(*reached),
                        Acknowledged::Revoked => *is_revoked = true,
                    }
                }
                event => disk.happens(event),
            }
            let due = u64::from(moments) * (index as u64 + 1) / count as u64;
            while judged < due {
                let loss = LOSSES.get(judged as usize % LOSSES.len()).copied().unwrap_or(Loss::All);
                judged += 1;
                let image = disk.after_loss(loss, &mut random);
                tally.presentations += acknowledged.len() as u64;
                if let Err(why) = self.judge(&image, &acknowledged).await {
                    tally.violations.push(format!("event {index} of {count}, {loss:?}: {why}"));
                } else {
                    tally.acknowledged += acknowledged.len() as u64;
                }
                if judged.is_multiple_of(100) {
                    say(&format!("power: {judged} of {moments} images"));
                }
            }
        }
        Ok(tally)
    }

    async fn judge(&self, image: &Files, acknowledged: &HashMap<SessionId, (u32, bool)>) -> Outcome<()> {
        let directory = tempfile::Builder::new().prefix("image").tempdir_in(self.parent())?;
        for (name, bytes) in image {
            std::fs::write(directory.path().join(name), bytes)?;
        }
        let path = directory.path().join(DATABASE);
        let store = SqliteStore::open(&path)?;
        let found = self.look(store.as_ref(), acknowledged).await;
        store.close().await;
        found?;
        let check: String =
            rusqlite::Connection::open(&path)?.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        if check == "ok" { Ok(()) } else { Err(format!("integrity_check: {check}").into()) }
    }

    async fn look(&self, store: &dyn Store, acknowledged: &HashMap<SessionId, (u32, bool)>) -> Outcome<()> {
        for id in &self.sessions {
            let (generation, is_revoked) = acknowledged.get(id).copied().unwrap_or_default();
            let session = store.standing(*id).await?.ok_or_else(|| format!("{id} is not there"))?.session;
            if session.generation < generation {
                return Err(format!("{id}: generation {generation} was lost").into());
            }
            if is_revoked && session.ended.is_none() {
                return Err(format!("{id}: its revocation was lost").into());
            }
        }
        Ok(())
    }

    fn parent(&self) -> &Path {
        self.directory.parent().unwrap_or(&self.directory)
    }
}

/// What the disk holds for certain, and what it may hold.
#[derive(Default)]
struct Disk<'a> {
    files: Files,
    pending: Vec<&'a Event>,
    /// By thread: how much was pending when its sync began.
    syncing: HashMap<u32, usize>,
}

impl<'a> Disk<'a> {
    fn happens(&mut self, event: &'a Event) {
        match event {
            Event::SyncBegins(thread) => {
                self.syncing.insert(*thread, self.pending.len());
            }
            Event::SyncEnds(thread, file) => {
                let covers = self.syncing.remove(thread).unwrap_or_default();
                self.harden(file, covers);
            }
            Event::Acknowledged(..) => {}
            change => self.pending.push(change),
        }
    }

    /// The pending changes of a file, of the first so many of all, are now on the disk.
    fn harden(&mut self, file: &str, covers: usize) {
        let (now, later): (Vec<_>, Vec<_>) = self
            .pending
            .drain(..)
            .enumerate()
            .partition(|(index, event)| *index < covers && event.file() == Some(file));
        for (_, event) in &now {
            apply(&mut self.files, event, None);
        }
        for covered in self.syncing.values_mut() {
            *covered -= now.iter().filter(|(index, _)| index < covered).count();
        }
        self.pending.extend(later.into_iter().map(|(_, event)| event));
    }

    fn after_loss(&self, loss: Loss, random: &mut fastrand::Rng) -> Files {
        let mut files = self.files.clone();
        match loss {
            Loss::All => {}
            Loss::RandomPart => {
                for event in &self.pending {
                    if random.bool() {
                        apply(&mut files, event, None);
                    }
                }
            }
            Loss::TornLast => {
                if let Some((last, others)) = self.pending.split_last() {
                    others.iter().for_each(|event| apply(&mut files, event, None));
                    let sectors = random.usize(..8);
                    apply(&mut files, last, Some(sectors * SECTOR));
                }
            }
        }
        files
    }
}

/// Applies a change, of a write only its first bytes if it is torn.
fn apply(files: &mut Files, event: &Event, torn_at: Option<usize>) {
    match event {
        Event::Write { file, offset, data } => {
            let bytes = files.entry(file).or_default();
            let data = data.get(..torn_at.unwrap_or(data.len())).unwrap_or(data);
            if bytes.len() < offset + data.len() {
                bytes.resize(offset + data.len(), 0);
            }
            if let Some(place) = bytes.get_mut(*offset..offset + data.len()) {
                place.copy_from_slice(data);
            }
        }
        Event::Truncate { file, length } => files.entry(file).or_default().resize(*length, 0),
        Event::Remove { file } => {
            files.remove(file);
        }
        Event::SyncBegins(..) | Event::SyncEnds(..) | Event::Acknowledged(..) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &'static str, offset: usize, byte: u8) -> Event {
        Event::Write { file, offset, data: vec![byte; 2] }
    }

    /// What is left of the log when everything that was not synced is lost.
    fn left(events: &[Event]) -> Vec<u8> {
        let mut disk = Disk::default();
        events.iter().for_each(|event| disk.happens(event));
        let mut files = disk.after_loss(Loss::All, &mut fastrand::Rng::with_seed(1));
        files.remove(LOG).unwrap_or_default()
    }

    #[test]
    fn a_sync_keeps_what_was_written_before_it_began() {
        let events = [write(LOG, 0, 1), Event::SyncBegins(7), write(LOG, 2, 2), Event::SyncEnds(7, LOG)];
        assert_eq!(left(&events), [1, 1], "the second write came while the sync went on");
        assert!(left(&events[..3]).is_empty(), "a sync that has not ended keeps nothing");
    }

    #[test]
    fn a_control_that_shows_nothing_fails() {
        let run = |log_syncs, lost: usize| {
            let violations = vec!["lost".to_owned(); lost];
            Run { tally: Tally { violations, ..Tally::default() }, events: 0, log_syncs }
        };
        assert!(control(&run(2, 1), 60, 100).violations.is_empty());
        assert_eq!(control(&run(2, 0), 60, 100).violations.len(), 1);
        assert_eq!(control(&run(60, 1), 60, 100).violations.len(), 1);
    }

    #[test]
    fn an_image_without_what_was_acknowledged_is_refused() {
        let place = Place::new(None).unwrap();
        let id = place.fill(1).unwrap()[0].0;
        let bytes = std::fs::read(place.data_dir().join(DATABASE)).unwrap();
        let base = Files::from([(DATABASE, bytes)]);
        let recording = Recording { events: Vec::new() };
        let judge = Judge {
            base: base.clone(),
            recording: &recording,
            sessions: vec![id],
            directory: place.beside("image"),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let says = |image: &Files, generation, is_revoked| {
            let acknowledged = HashMap::from([(id, (generation, is_revoked))]);
            runtime.block_on(judge.judge(image, &acknowledged)).map_err(|error| error.to_string())
        };
        says(&base, 1, false).unwrap();
        assert_eq!(says(&base, 2, false).unwrap_err(), format!("{id}: generation 2 was lost"));
        assert_eq!(says(&base, 1, true).unwrap_err(), format!("{id}: its revocation was lost"));
        assert_eq!(says(&Files::new(), 1, false).unwrap_err(), format!("{id} is not there"));
    }
}
