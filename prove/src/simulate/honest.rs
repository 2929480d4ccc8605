//! The honest client of docs/refresh.md: stores before it uses, repeats the same request until it
//! has an answer, and never uses a successor while a tab still presents its predecessor.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::sleep;

use super::session::{Delivered, Session, between};
use super::wire::{Answer, Fault};

/// Pause before a request is repeated.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(150));
/// One tab in so many comes late.
const LATE_SHARE: u32 = 6;

/// What came of an honest session.
#[derive(Debug, Default)]
pub(crate) struct Life {
    /// Rounds in which an answer was lost, and the client had the successor in the end.
    pub(crate) recovered: u64,
    /// Rounds in which an answer was lost, and the session was refused while the conditions held.
    pub(crate) unrecovered: u64,
    /// Rounds in which several tabs presented one token and all had one successor.
    pub(crate) converged: u64,
    /// Rounds in which they did not, by two successors or a refusal.
    pub(crate) diverged: u64,
    /// Why it ended, if it did.
    pub(crate) ended: Option<String>,
    /// Its first token was refused: the session is judged not at all.
    pub(crate) unusable: bool,
    /// The documented conditions could not be kept: the session is judged no further.
    pub(crate) forfeited: bool,
}

/// Refreshes until the run has enough.
pub(crate) async fn live(session: Arc<Session>, mut rng: fastrand::Rng, stop: Arc<AtomicBool>) -> Life {
    let mut life = Life::default();
    // Clients do not begin all at one moment.
    sleep(between(&mut rng, (Duration::ZERO, session.rules.pace.1))).await;
    if !session.open(&mut rng).await {
        life.unusable = true;
        return life;
    }
    while !stop.load(Ordering::Relaxed) {
        let gave_up_at = session.gave_up_at();
        match round(&session, &mut rng).await {
            Round { refused: Some(_), .. } if session.may_come_late(gave_up_at) => {
                life.forfeited = true;
                return life;
            }
            Round { refused: Some(words), lost, tabs, .. } => {
                life.unrecovered += u64::from(lost);
                life.diverged += u64::from(tabs > 1);
                life.ended = Some(words);
                return life;
            }
            Round { forfeited: true, .. } => {
                life.forfeited = true;
                return life;
            }
            Round { lost, tabs, one_successor, .. } => {
                life.recovered += u64::from(lost);
                life.converged += u64::from(tabs > 1 && one_successor);
                life.diverged += u64::from(!one_successor);
                session.world.refreshes.fetch_add(1, Ordering::Relaxed);
            }
        }
        sleep(between(&mut rng, session.rules.pace)).await;
    }
    life
}

/// What came of one refresh by all tabs.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// The words of the refusal that ended it.
    pub(crate) refused: Option<String>,
    pub(crate) forfeited: bool,
    /// An answer was lost.
    lost: bool,
    /// Tabs that got an answer of their own.
    tabs: usize,
    one_successor: bool,
}

/// All tabs wake and refresh what is stored; returns when none has a request under way.
pub(crate) async fn round(session: &Session, rng: &mut fastrand::Rng) -> Round {
    let shared =
        Shared { start: Instant::now(), handled: AtomicU64::new(u64::MAX), lost: AtomicBool::new(false) };
    let seen = Mutex::new(Vec::new());
    let tabs = (0..session.rules.tabs.max(1)).map(|index| {
        let mut rng = rng.fork();
        let (shared, seen) = (&shared, &seen);
        let read_at_first = session.stored();
        async move {
            let mut token = read_at_first;
            // The first tab is there at once, so that late ones are late for something.
            if index > 0 && rng.u32(0..LATE_SHARE) == 0 {
                sleep(between(&mut rng, (Duration::ZERO, session.rules.late))).await;
                if rng.bool() {
                    // It reads the storage only now: another tab's work is found and used.
                    let now = session.stored();
                    if now != token {
                        return None;
                    }
                    token = now;
                }
            }
            let outcome = tab(session, shared, &token, &mut rng).await;
            if let Tab::Granted(successor) = &outcome {
                session.store(&token, successor);
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(successor.clone());
            }
            Some(outcome)
        }
    });
    let outcomes = join_all(tabs).await;
    let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    let refused = outcomes.iter().flatten().find_map(|outcome| match outcome {
        Tab::Refused(words) => Some(words.clone()),
        _ => None,
    });
    Round {
        refused,
        // One tab that has the answer has stored it for those that gave up.
        forfeited: outcomes.contains(&Some(Tab::Late)) || seen.is_empty(),
        lost: shared.lost.load(Ordering::Relaxed),
        tabs: seen.len(),
        one_successor: seen.windows(2).all(|pair| pair.first() == pair.last()),
    }
}

/// What the tabs of a round know of it together; a client knows it by its own clock.
struct Shared {
    start: Instant,
    /// Milliseconds from `start` to the first request that may have been handled.
    handled: AtomicU64,
    lost: AtomicBool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Tab {
    Granted(String),
    Refused(String),
    /// Gave up, as it must, before the window closed: another tab has stored the successor, or
    /// nobody got it.
    GaveUp,
    /// The answer came when the window may have been over: the conditions did not hold.
    Late,
}

impl Shared {
    /// Time since a request may first have been handled.
    fn since_handled(&self) -> Duration {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(now.saturating_sub(self.handled.load(Ordering::Relaxed)))
    }

    fn sending(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.handled.fetch_min(now, Ordering::Relaxed);
    }
}

async fn tab(session: &Session, shared: &Shared, token: &str, rng: &mut fastrand::Rng) -> Tab {
    let rules = &session.rules;
    let ask = session.honest_ask(token);
    loop {
        let waited = shared.since_handled();
        if !rules.proves && waited > rules.retry_within {
            return Tab::GaveUp;
        }
        // The network is bad, not dead: towards the end of the window it lets a request through.
        let calm = !rules.proves && waited > rules.retry_within / 2;
        let fault = if calm { Fault::None } else { Fault::draw(rng, rules.loss) };
        if fault != Fault::NeverSent {
            shared.sending();
        }
        match session.present(&ask, fault, rng).await {
            Delivered::Answer(Answer::Granted(successor)) => return Tab::Granted(successor),
            Delivered::Answer(Answer::Refused { error, description, .. }) if error == "invalid_grant" => {
                let late = !rules.proves && shared.since_handled() > rules.overlap;
                return if late { Tab::Late } else { Tab::Refused(format!("{error}: {description}")) };
            }
            // Anything else decides nothing: the same request again.
            Delivered::Answer(Answer::Refused { .. }) => {}
            Delivered::Lost { sent } => {
                if sent {
                    shared.lost.store(true, Ordering::Relaxed);
                }
            }
        }
        sleep(between(rng, BACKOFF)).await;
    }
}
