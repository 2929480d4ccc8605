//! The closed loop: each connection sends its next request when it has the answer to the last.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::LocalSet;

use crate::Outcome;
use crate::client::{Connection, HttpError};
use crate::disk::Stall;
use crate::procfs;

/// How long connections may take to finish their last request before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the run looks whether it has made enough requests.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Pause before a connection is opened anew.
const RECONNECT_PAUSE: Duration = Duration::from_millis(10);
/// Longest time that the histogram tells, in microseconds.
const LONGEST: u64 = 120_000_000;
/// Answers that took longer are kept each with its time.
const SLOW: Duration = Duration::from_millis(50);

/// What one connection sends, and what it thinks of the answers.
pub(crate) trait Chain: 'static {
    /// Appends the next request to an empty buffer.
    fn request(&mut self, out: &mut Vec<u8>);

    /// Takes the answer; says in words without any secret what is wrong with it.
    fn answer(&mut self, status: u16, body: &[u8]) -> Result<(), String>;
}

/// How long to load what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Where.
    pub(crate) address: SocketAddr,
    /// The server's process.
    pub(crate) server: u32,
    /// Not measured, at the beginning.
    pub(crate) warm_up: Duration,
    /// Measured, at least.
    pub(crate) measure: Duration,
    /// Measured on until so many requests have been answered, warm-up included.
    pub(crate) at_least: u64,
}

/// What was measured.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Good answers.
    pub(crate) answered: u64,
    /// Good answers, warm-up included.
    pub(crate) answered_in_all: u64,
    /// In this time.
    pub(crate) seconds: f64,
    /// Everything else, warm-up included.
    pub(crate) errors: u64,
    /// The first of them.
    pub(crate) first_error: Option<String>,
    /// How long the good answers took, in microseconds.
    pub(crate) latency: Histogram<u64>,
    /// When the measuring began.
    pub(crate) began: Instant,
    /// Good answers that took longer than 50 ms: when they were asked for, and how long they took.
    pub(crate) slow: Vec<(Instant, Duration)>,
    /// Processors that the server kept busy.
    pub(crate) server_cpus: f64,
    /// Processors that the load kept busy.
    pub(crate) loader_cpus: f64,
    /// The server's own memory when the measuring began, and when it ended.
    pub(crate) own_bytes: (f64, f64),
    /// The same in the middle, when what fills once has filled.
    pub(crate) own_bytes_midway: f64,
}

impl Measured {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answered as f64 / self.seconds
    }

    /// Processor time of the server for an answer, in microseconds.
    pub(crate) fn server_us(&self) -> f64 {
        self.server_cpus * 1e6 / self.rate()
    }

    /// How much the server's own memory grew from the middle to the end, in percent.
    pub(crate) fn memory_growth_percent(&self) -> f64 {
        (self.own_bytes.1 / self.own_bytes_midway - 1.0) * 100.0
    }

    /// A quantile of the time to an answer, in milliseconds.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// When the longest of the slow answers came, in milliseconds of the measuring.
    pub(crate) fn longest_at_ms(&self) -> Option<f64> {
        let (asked, time) = self.slow.iter().max_by_key(|(_, time)| *time)?;
        Some(millis((*asked + *time).saturating_duration_since(self.began)))
    }

    /// The longest time to an answer, in milliseconds, without what of each lies in a stall of the disk.
    pub(crate) fn max_ms_without(&self, stalls: &[Stall]) -> f64 {
        let rest = |(asked, time): &(Instant, Duration)| {
            let stalled = stalls.iter().map(|stall| stall.share_of(*asked, *time)).sum();
            time.saturating_sub(stalled)
        };
        let slow = self.slow.iter().map(rest).max().unwrap_or_default();
        // Those that are not slow were not kept: they count as they are, up to the bound.
        self.max_ms().min(millis(SLOW)).max(millis(slow))
    }

    /// The longest time to an answer, in milliseconds.
    pub(crate) fn max_ms(&self) -> f64 {
        self.latency.max() as f64 / 1000.0
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// What the connections of a run share. They all run on one thread: on a machine with two
/// processors the load takes one of them at most.
struct Shared {
    measuring: Cell<bool>,
    stopping: Cell<bool>,
    answered: Cell<u64>,
    errors: Cell<u64>,
    first_error: RefCell<Option<String>>,
    latency: RefCell<Histogram<u64>>,
    slow: RefCell<Vec<(Instant, Duration)>>,
}

/// Runs one connection for each chain; gives the chains back.
pub(crate) fn run<C: Chain>(plan: &Plan, chains: Vec<C>) -> Outcome<(Measured, Vec<C>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run_on_this_thread(plan, chains))
}

async fn run_on_this_thread<C: Chain>(plan: &Plan, chains: Vec<C>) -> Outcome<(Measured, Vec<C>)> {
    let shared = Rc::new(Shared {
        measuring: Cell::new(false),
        stopping: Cell::new(false),
        answered: Cell::new(0),
        errors: Cell::new(0),
        first_error: RefCell::default(),
        latency: RefCell::new(Histogram::new_with_bounds(1, LONGEST, 3)?),
        slow: RefCell::default(),
    });
    let connections: Vec<_> = chains
        .into_iter()
        .map(|chain| tokio::task::spawn_local(connection(plan.address, chain, shared.clone())))
        .collect();

    tokio::time::sleep(plan.warm_up).await;
    let loader = std::process::id();
    let (server_cpu, loader_cpu) = (procfs::cpu_seconds(plan.server)?, procfs::cpu_seconds(loader)?);
    let own_bytes = procfs::own_bytes(plan.server)?;
    let (start, before) = (Instant::now(), shared.answered.get());
    shared.measuring.set(true);
    let mut midway = None;
    while start.elapsed() < plan.measure || shared.answered.get() < plan.at_least {
        tokio::time::sleep(LOOK_EVERY).await;
        if midway.is_none() && start.elapsed() >= plan.measure / 2 {
            midway = Some(procfs::own_bytes(plan.server)?);
        }
        if shared.answered.get() == before && start.elapsed() > PATIENCE {
            let why = shared.first_error.borrow().clone().unwrap_or_else(|| "no answer".to_owned());
            return Err(format!("nothing was answered: {why}").into());
        }
    }
    shared.measuring.set(false);
    shared.stopping.set(true);
    let seconds = start.elapsed().as_secs_f64();
    let answered = shared.answered.get() - before;
    let server_cpus = (procfs::cpu_seconds(plan.server)? - server_cpu) / seconds;
    let loader_cpus = (procfs::cpu_seconds(loader)? - loader_cpu) / seconds;
    let own_bytes = (own_bytes, procfs::own_bytes(plan.server)?);

    let mut chains = Vec::with_capacity(connections.len());
    for connection in connections {
        chains.push(tokio::time::timeout(PATIENCE, connection).await??);
    }
    let measured = Measured {
        answered,
        answered_in_all: shared.answered.get(),
        seconds,
        errors: shared.errors.get(),
        first_error: shared.first_error.take(),
        latency: shared.latency.borrow().clone(),
        began: start,
        slow: shared.slow.take(),
        server_cpus,
        loader_cpus,
        own_bytes,
        own_bytes_midway: midway.unwrap_or(own_bytes.1),
    };
    Ok((measured, chains))
}

async fn connection<C: Chain>(address: SocketAddr, mut chain: C, shared: Rc<Shared>) -> C {
    let mut request = Vec::with_capacity(1024);
    let mut open = None;
    while !shared.stopping.get() {
        let connected = match open.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(address).await,
        };
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(error) => {
                shared.failed(&error);
                tokio::time::sleep(RECONNECT_PAUSE).await;
                continue;
            }
        };
        request.clear();
        chain.request(&mut request);
        let start = Instant::now();
        let closes = match connection.exchange(&request).await {
            Ok(answer) => {
                shared.took(chain.answer(answer.status, answer.body), start);
                answer.closes
            }
            Err(error) => {
                shared.failed(&error);
                true
            }
        };
        open = (!closes).then_some(connection);
    }
    chain
}

impl Shared {
    fn took(&self, judged: Result<(), String>, asked: Instant) {
        let time = asked.elapsed();
        match judged {
            Ok(()) => {
                self.answered.set(self.answered.get() + 1);
                if self.measuring.get() {
                    let micros = u64::try_from(time.as_micros()).unwrap_or(LONGEST);
                    self.latency.borrow_mut().saturating_record(micros);
                    if time > SLOW {
                        self.slow.borrow_mut().push((asked, time));
                    }
                }
            }
            Err(what) => self.wrong(what),
        }
    }

    fn failed(&self, error: &HttpError) {
        self.wrong(error.to_string());
    }

    fn wrong(&self, what: String) {
        self.errors.set(self.errors.get() + 1);
        self.first_error.borrow_mut().get_or_insert(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ping;

    impl Chain for Ping {
        fn request(&mut self, out: &mut Vec<u8>) {
            out.extend_from_slice(b"ping");
        }

        fn answer(&mut self, status: u16, body: &[u8]) -> Result<(), String> {
            assert_eq!(body, b"ok");
            if status == 200 { Ok(()) } else { Err(format!("status {status}")) }
        }
    }

    /// Every third answer is a 503 that closes the connection.
    fn serve() -> SocketAddr {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                std::thread::spawn(move || {
                    use std::io::{Read, Write};
                    let mut stream = stream.unwrap();
                    for turn in 0..3 {
                        if stream.read_exact(&mut [0; 4]).is_err() {
                            return;
                        }
                        let head = if turn < 2 { "200 OK" } else { "503 No\r\nconnection: close" };
                        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 2\r\n\r\nok");
                        stream.write_all(answer.as_bytes()).unwrap();
                    }
                });
            }
        });
        address
    }

    #[test]
    fn good_and_bad_answers_are_counted_and_connections_opened_anew() {
        let plan = Plan {
            address: serve(),
            server: std::process::id(),
            warm_up: Duration::ZERO,
            measure: Duration::ZERO,
            at_least: 100,
        };
        let (measured, chains) = run(&plan, vec![Ping, Ping]).unwrap();
        assert_eq!(chains.len(), 2);
        assert!(measured.answered_in_all >= 100, "{measured:?}");
        assert!(measured.errors >= 40, "{measured:?}");
        assert_eq!(measured.first_error.as_deref(), Some("status 503"));
        assert_eq!(measured.latency.len(), measured.answered);
    }
}
