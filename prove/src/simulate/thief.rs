//! Thieves. Each victim is an honest client with all its tabs and losses; the thief has what was
//! stolen, and is told at once when the victim has refreshed, which is more than most thieves know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::honest::round;
use super::session::{Delivered, HONEST_AGENT, Session, THIEF_AGENT, between};
use super::wire::{Answer, Ask, Fault};

/// How often somebody who waits for the other side looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Refreshes of the victim before the theft, at most.
const MOST_BEFORE: u64 = 3;
/// Refreshes of the victim for which a thief that is promised nothing is watched, at most: it is one
/// more tab after twice as many as it takes to catch one that rides every window.
const UNPROMISED: u64 = 6;

/// What was stolen, and how it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The live token at some moment, used as a client would.
    Copy,
    /// One step behind the victim, inside every overlap window.
    Lockstep,
    /// A spent token, presented while its window is open.
    LeakedInWindow,
    /// A spent token, presented after that.
    LeakedLate,
    /// The token and the retry proof's secret, from the victim's own place.
    Clone,
    /// As `Lockstep`, from the victim's own place.
    LockstepAtHome,
    /// As `Clone`, one step behind the victim.
    CloneLockstep,
}

impl Kind {
    /// The thieves that a victim of that kind can have.
    pub(crate) fn of_victims(proving: bool) -> &'static [Self] {
        if proving {
            &[
                Self::Copy,
                Self::Lockstep,
                Self::LeakedInWindow,
                Self::LeakedLate,
                Self::Clone,
                Self::CloneLockstep,
            ]
        } else {
            &[Self::Copy, Self::Lockstep, Self::LeakedInWindow, Self::LeakedLate, Self::LockstepAtHome]
        }
    }

    /// Whether the documents promise that this one is caught.
    pub(crate) fn is_promised(self) -> bool {
        !matches!(self, Self::LockstepAtHome | Self::CloneLockstep)
    }

    /// Refreshes of the victim to wait for, of those that a thief of a promised kind is given.
    pub(crate) fn patience(self, promised: u64) -> u64 {
        if self.is_promised() { promised } else { promised.min(UNPROMISED) }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Copy => "copies the live token",
            Self::Lockstep => "rides every window",
            Self::LeakedInWindow => "leaked token, in the window",
            Self::LeakedLate => "leaked token, later",
            Self::Clone => "token and secret",
            Self::LockstepAtHome => "rides, victim's own place",
            Self::CloneLockstep => "secret too, one step behind",
        }
    }

    fn follows(self) -> bool {
        matches!(self, Self::Lockstep | Self::LockstepAtHome | Self::CloneLockstep)
    }
}

/// What came of a theft.
#[derive(Debug, Clone)]
pub(crate) struct Heist {
    pub(crate) kind: Kind,
    pub(crate) proving: bool,
    /// Somebody was refused while the thief had not given up.
    pub(crate) noticed: bool,
    /// Afterwards neither the thief's newest token nor the victim's works.
    pub(crate) family_ended: bool,
    /// The victim's stored token works no more.
    pub(crate) victim_ended: bool,
    /// From the thief's first request to the refusal.
    pub(crate) latency: Duration,
    /// Rotations in between.
    pub(crate) generations: u64,
    /// 200s that the thief got.
    pub(crate) access_tokens: u64,
}

/// Lets a thief and a victim act until one is refused, or for so many refreshes of the victim.
pub(crate) async fn steal(
    session: Arc<Session>,
    kind: Kind,
    rng: fastrand::Rng,
    patience: u64,
) -> Option<Heist> {
    let mut rng = rng;
    if !session.open(&mut rng).await {
        return None;
    }
    let rounds = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let forfeited = AtomicBool::new(false);
    let before = rng.u64(1..=MOST_BEFORE);
    let mut victim_rng = rng.fork();
    let victim = async {
        while !over.load(Ordering::Relaxed) && session.ledger().end.is_none() {
            let came = round(&session, &mut victim_rng).await;
            if came.forfeited && came.refused.is_none() && session.ledger().end.is_none() {
                forfeited.store(true, Ordering::Relaxed);
                break;
            }
            if rounds.fetch_add(1, Ordering::Relaxed) >= before + patience {
                break;
            }
            sleep(between(&mut victim_rng, session.rules.pace)).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let thief = async {
        while rounds.load(Ordering::Relaxed) < before && !over.load(Ordering::Relaxed) {
            sleep(LOOK_EVERY).await;
        }
        Thief { session: &session, kind, over: &over }.act(&mut rng).await
    };
    let ((), loot) = tokio::join!(victim, thief);
    if forfeited.load(Ordering::Relaxed) {
        return None;
    }
    let loot = loot?;
    let end = session.ledger().end.clone();
    let alive = |ask: Ask| {
        let session = session.clone();
        async move {
            let mut rng = fastrand::Rng::with_seed(0);
            matches!(
                session.present(&ask, Fault::None, &mut rng).await,
                Delivered::Answer(Answer::Granted(_))
            )
        }
    };
    let (mut victim_alive, mut thief_alive) = (true, true);
    if end.is_some() {
        victim_alive = alive(session.honest_ask(&session.stored())).await;
        thief_alive = alive(loot.last.clone()?).await;
    }
    Some(Heist {
        kind,
        proving: session.rules.proves,
        noticed: end.is_some(),
        family_ended: !victim_alive && !thief_alive,
        victim_ended: !victim_alive,
        latency: end.as_ref().map_or(Duration::ZERO, |end| end.at.saturating_duration_since(loot.first)),
        generations: end.map_or(0, |end| end.generation.saturating_sub(loot.generation)),
        access_tokens: loot.granted,
    })
}

/// What a thief has done.
struct Loot {
    /// Its first request.
    first: Instant,
    /// Rotations seen by then.
    generation: u64,
    granted: u64,
    /// The newest token that it holds.
    last: Option<Ask>,
}

struct Thief<'a> {
    session: &'a Session,
    kind: Kind,
    over: &'a AtomicBool,
}

impl Thief<'_> {
    async fn act(&self, rng: &mut fastrand::Rng) -> Option<Loot> {
        let overlap = self.session.rules.overlap;
        sleep(between(rng, (Duration::ZERO, self.session.rules.pace.1))).await;
        let mut token = self.session.stored();
        match self.kind {
            Kind::Copy | Kind::Clone => {}
            Kind::LeakedLate => {
                self.wait_until_spent(&token).await?;
                sleep(overlap + between(rng, (Duration::from_millis(50), overlap))).await;
            }
            _ => self.wait_until_spent(&token).await?,
        }
        let generation = self.session.ledger().tally.rotations;
        let mut loot = Loot { first: Instant::now(), generation, granted: 0, last: None };
        while !self.over.load(Ordering::Relaxed) && self.session.ledger().end.is_none() {
            let ask = self.ask(&token);
            loot.last = Some(ask.clone());
            match self.session.present(&ask, Fault::None, rng).await {
                Delivered::Answer(Answer::Granted(successor)) => {
                    loot.granted += 1;
                    token = successor;
                    loot.last = Some(self.ask(&token));
                }
                Delivered::Answer(Answer::Refused { error, .. }) if error == "invalid_grant" => break,
                _ => {
                    sleep(LOOK_EVERY).await;
                    continue;
                }
            }
            if self.kind.follows() {
                if self.wait_until_spent(&token).await.is_none() {
                    break;
                }
            } else {
                sleep(between(rng, self.session.rules.pace)).await;
            }
        }
        loot.last.is_some().then_some(loot)
    }

    /// Until the victim stores another token; `None` when that will not come.
    async fn wait_until_spent(&self, token: &str) -> Option<()> {
        while self.session.stored() == token {
            if self.over.load(Ordering::Relaxed) || self.session.ledger().end.is_some() {
                return None;
            }
            sleep(LOOK_EVERY).await;
        }
        Some(())
    }

    fn ask(&self, token: &str) -> Ask {
        let with_secret = matches!(self.kind, Kind::Clone | Kind::CloneLockstep);
        let at_home = with_secret || self.kind == Kind::LockstepAtHome;
        Ask {
            token: token.to_owned(),
            proof: with_secret.then(|| self.session.proof(token)),
            agent: if at_home { HONEST_AGENT } else { THIEF_AGENT },
            client: self.session.rules.client.clone(),
        }
    }
}
