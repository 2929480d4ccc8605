//! A session, as its simulated owner has it: the shared storage of its tabs, the rules that the
//! client keeps, and the way of each request over the bad wire into the ledger.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ledger::Ledger;
use super::wire::{Answer, Ask, Credentials, Fault, Node};

/// What the honest client calls itself.
pub(crate) const HONEST_AGENT: &str = "simulated-client/1";
/// What a thief calls itself who knows no better.
pub(crate) const THIEF_AGENT: &str = "simulated-thief/1";

/// An answer that took longer: half of the shortest pause between two refreshes at the rate of the
/// default, which is what a request that was given up has to arrive in.
const SLOW: Duration = Duration::from_millis(250);

/// What all sessions of a run share.
pub(crate) struct World {
    start: Instant,
    nodes: Vec<Node>,
    /// When an answer last was slow, in milliseconds from `start`.
    slow_at: AtomicU64,
    pub(crate) counts: Counts,
    /// Rotations of honest sessions so far, which the run is measured by.
    pub(crate) refreshes: AtomicU64,
}

impl World {
    pub(crate) fn new(nodes: Vec<Node>) -> Self {
        Self {
            start: Instant::now(),
            nodes,
            slow_at: AtomicU64::new(0),
            counts: Counts::default(),
            refreshes: AtomicU64::new(0),
        }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// What is counted over all sessions.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) answers: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) unsent: AtomicU64,
    pub(crate) abandoned: AtomicU64,
    pub(crate) discarded: AtomicU64,
    pub(crate) doubled: AtomicU64,
    pub(crate) server_errors: AtomicU64,
    /// Refusals by status and code.
    pub(crate) refusals: Mutex<std::collections::BTreeMap<String, u64>>,
}

/// The rules of one kind of client.
#[derive(Clone)]
pub(crate) struct Rules {
    pub(crate) client: Arc<Credentials>,
    /// Whether it sends a retry proof.
    pub(crate) proves: bool,
    /// How long the server forgives a spent token of this client.
    pub(crate) overlap: Duration,
    /// Until when a client without a proof repeats a request that may have been handled.
    pub(crate) retry_within: Duration,
    /// Share of requests that something happens to.
    pub(crate) loss: f64,
    /// Pause between a refresh and the next, drawn between these.
    pub(crate) pace: (Duration, Duration),
    /// Tabs and processes that share the storage.
    pub(crate) tabs: usize,
    /// How late a tab may come with what it read.
    pub(crate) late: Duration,
}

/// One session.
pub(crate) struct Session {
    pub(crate) world: Arc<World>,
    pub(crate) rules: Rules,
    stored: Mutex<String>,
    installation: hmac::Key,
    ledger: Mutex<Ledger>,
    /// When a request was last given up, in milliseconds from the world's start.
    gave_up_at: AtomicU64,
}

/// What came of a request, for the client that sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delivered {
    Answer(Answer),
    /// No answer. Whether the server has handled it is not known, or it was surely not sent.
    Lost {
        sent: bool,
    },
}

impl Session {
    pub(crate) fn new(world: Arc<World>, rules: Rules, token: String, rng: &mut fastrand::Rng) -> Self {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        let ledger = Mutex::new(Ledger::new(rules.overlap));
        let installation = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let gave_up_at = AtomicU64::new(0);
        Self { world, rules, stored: Mutex::new(token), installation, ledger, gave_up_at }
    }

    /// When a request was last given up; 0 for never.
    pub(crate) fn gave_up_at(&self) -> u64 {
        self.gave_up_at.load(Ordering::Relaxed)
    }

    /// A request that was given up then may have arrived only now: the server has been slower since
    /// than the pause between two refreshes allows for.
    pub(crate) fn may_come_late(&self, gave_up_at: u64) -> bool {
        gave_up_at > 0 && self.world.slow_at.load(Ordering::Relaxed) >= gave_up_at
    }

    fn gives_up(&self) {
        self.gave_up_at.store(self.world.millis().max(1), Ordering::Relaxed);
    }

    /// The stored refresh token.
    pub(crate) fn stored(&self) -> String {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the stored token, if it is still the one that was sent.
    pub(crate) fn store(&self, sent: &str, successor: &str) {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        if *stored == sent {
            successor.clone_into(&mut stored);
        }
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The retry proof of docs/refresh.md.
    pub(crate) fn proof(&self, token: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.installation, token.as_bytes()))
    }

    /// The request of an honest tab.
    pub(crate) fn honest_ask(&self, token: &str) -> Ask {
        Ask {
            token: token.to_owned(),
            proof: self.rules.proves.then(|| self.proof(token)),
            agent: HONEST_AGENT,
            client: self.rules.client.clone(),
        }
    }

    /// The first refresh, by one tab and with nothing lost. False: the session cannot be used, so
    /// whatever happens to it says nothing about the server.
    pub(crate) async fn open(&self, rng: &mut fastrand::Rng) -> bool {
        let token = self.stored();
        match self.present(&self.honest_ask(&token), Fault::None, rng).await {
            Delivered::Answer(Answer::Granted(successor)) => self.store(&token, &successor),
            Delivered::Answer(Answer::Refused { status: 400..500, .. }) => return false,
            // Not decided: the ordinary rounds ask again.
            Delivered::Answer(Answer::Refused { .. }) | Delivered::Lost { .. } => {}
        }
        true
    }

    /// Sends a request over the wire with that fault.
    pub(crate) async fn present(&self, ask: &Ask, fault: Fault, rng: &mut fastrand::Rng) -> Delivered {
        let counts = &self.world.counts;
        let add = |count: &AtomicU64| count.fetch_add(1, Ordering::Relaxed);
        match fault {
            Fault::None => match self.exchange(ask, rng).await {
                Some(answer) => Delivered::Answer(answer),
                None => {
                    add(&counts.lost);
                    Delivered::Lost { sent: true }
                }
            },
            Fault::NeverSent => {
                add(&counts.unsent);
                Delivered::Lost { sent: false }
            }
            Fault::Abandoned => {
                add(&counts.abandoned);
                self.ledger().send(&ask.token, ask.proof.as_deref(), Instant::now());
                let sent = match self.node(rng) {
                    Some(node) => node.abandon(ask).await,
                    None => false,
                };
                self.gives_up();
                Delivered::Lost { sent }
            }
            Fault::Discarded => {
                add(&counts.discarded);
                self.exchange(ask, rng).await;
                Delivered::Lost { sent: true }
            }
            Fault::Doubled => {
                add(&counts.doubled);
                let mut other = rng.fork();
                let (one, two) = tokio::join!(self.exchange(ask, rng), self.exchange(ask, &mut other));
                let heard = if other.bool() { one } else { two };
                heard.map_or(Delivered::Lost { sent: true }, Delivered::Answer)
            }
        }
    }

    async fn exchange(&self, ask: &Ask, rng: &mut fastrand::Rng) -> Option<Answer> {
        let sent = self.ledger().send(&ask.token, ask.proof.as_deref(), Instant::now());
        let start = Instant::now();
        let answer = self.node(rng)?.exchange(ask).await;
        if answer.is_none() {
            self.gives_up();
        }
        if start.elapsed() > SLOW {
            self.world.slow_at.store(self.world.millis(), Ordering::Relaxed);
        }
        let answer = answer?;
        self.ledger().hear(sent, &answer, Instant::now());
        let counts = &self.world.counts;
        counts.answers.fetch_add(1, Ordering::Relaxed);
        if let Answer::Refused { status, error, .. } = &answer {
            let mut refusals = counts.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            *refusals.entry(format!("{status} {error}")).or_default() += 1;
            if *status >= 500 {
                counts.server_errors.fetch_add(1, Ordering::Relaxed);
            }
        }
        Some(answer)
    }

    fn node(&self, rng: &mut fastrand::Rng) -> Option<&Node> {
        self.world.nodes.get(rng.usize(0..self.world.nodes.len().max(1)))
    }
}

/// A time between two.
pub(crate) fn between(rng: &mut fastrand::Rng, (least, most): (Duration, Duration)) -> Duration {
    least + most.saturating_sub(least).mul_f64(rng.f64())
}
