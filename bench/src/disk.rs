//! When the disk itself finished nothing. On a machine that shares its disk with others a sync can take
//! a second. It does not say why: what was written before a sync is a part of what the sync waits for.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Outcome;

/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Shorter ones are not kept.
const SHORTEST: Duration = Duration::from_millis(20);

/// A time in which requests waited at the disk and it finished none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stall {
    from: Instant,
    to: Instant,
}

impl Stall {
    pub(crate) fn time(&self) -> Duration {
        self.to - self.from
    }

    /// How much of the time of what was asked at `from` and took `time` lies in it.
    pub(crate) fn share_of(&self, from: Instant, time: Duration) -> Duration {
        self.to.min(from + time).saturating_duration_since(self.from.max(from))
    }
}

/// A thread that looks at a disk until it is asked what it saw.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Stall>>,
}

impl Watch {
    /// Watches the disk that a directory is on; none when the system does not tell of it.
    pub(crate) fn start(directory: &Path) -> Outcome<Option<Self>> {
        let device = std::fs::metadata(directory)?.dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let stat = PathBuf::from(format!("/sys/dev/block/{major}:{minor}/stat"));
        if read(&stat).is_none() {
            return Ok(None);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || watch(&stat, &stopped));
        Ok(Some(Self { stop, thread }))
    }

    /// What was seen.
    pub(crate) fn stalls(self) -> Outcome<Vec<Stall>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the thread that watched the disk panicked".into())
    }
}

fn watch(stat: &Path, stop: &AtomicBool) -> Vec<Stall> {
    let mut finder = Finder::default();
    while !stop.load(Ordering::Relaxed) {
        if let Some(counts) = read(stat) {
            finder.look(counts, Instant::now());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    finder.stalls
}

/// What a disk has finished since the start, and what waits at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    finished: u64,
    waiting: u64,
}

fn read(stat: &Path) -> Option<Counts> {
    parse(&std::fs::read_to_string(stat).ok()?)
}

/// The kernel's `Documentation/block/stat.rst`: reads, writes, discards and flushes that were
/// completed are the numbers 0, 4, 11 and 15, requests in flight the number 8.
fn parse(stat: &str) -> Option<Counts> {
    let numbers: Vec<u64> = stat.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let finished = [0, 4, 11, 15].iter().filter_map(|index| numbers.get(*index)).sum();
    Some(Counts { finished, waiting: *numbers.get(8)? })
}

#[derive(Default)]
struct Finder {
    /// What was seen last, and when the disk was last seen to do something or to have nothing to do.
    last: Option<(Counts, Instant)>,
    stalls: Vec<Stall>,
}

impl Finder {
    fn look(&mut self, counts: Counts, now: Instant) {
        let Some((before, since)) = self.last else {
            self.last = Some((counts, now));
            return;
        };
        let idle = counts.waiting == 0 && counts.finished == before.finished;
        if !idle && counts.finished == before.finished {
            return;
        }
        if counts.finished > before.finished && now - since >= SHORTEST {
            self.stalls.push(Stall { from: since, to: now });
        }
        self.last = Some((counts, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_what_waits_and_is_not_finished() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut finder = Finder::default();
        let looks = [
            (0, 10, 0),
            // Nothing to do for a second.
            (1000, 10, 0),
            (1005, 10, 1),
            (1100, 10, 3),
            (1305, 12, 1),
            // Busy, and it gets on.
            (1310, 15, 4),
            (1315, 19, 4),
        ];
        for (ms, finished, waiting) in looks {
            finder.look(Counts { finished, waiting }, at(ms));
        }
        let [stall] = finder.stalls.as_slice() else { panic!("{:?}", finder.stalls) };
        assert_eq!((stall.from, stall.to, stall.time()), (at(1000), at(1305), Duration::from_millis(305)));
        let share = |from, ms| stall.share_of(at(from), Duration::from_millis(ms)).as_millis();
        assert_eq!(share(900, 200), 100);
        assert_eq!(share(1200, 500), 105);
        assert_eq!(share(900, 1000), 305);
        assert_eq!((share(900, 100), share(1305, 100)), (0, 0));
    }

    #[test]
    fn what_the_kernel_tells_is_read() {
        let line = "  1 0 8 3  40 7 320 900  2 800 903  500 0 0 0  6000 70";
        assert_eq!(parse(line), Some(Counts { finished: 6541, waiting: 2 }));
        // Older kernels tell of no flushes.
        assert_eq!(parse("1 0 8 3 40 7 320 900 2 800 903"), Some(Counts { finished: 41, waiting: 2 }));
        assert_eq!(parse(""), None);
    }
}
