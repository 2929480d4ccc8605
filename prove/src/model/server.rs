//! The server's own code, called with the model's values: `judge` and the pure form of the store's
//! conditional updates. A [`Mutant`] is put around these calls.

use std::time::Duration;

use countersign::flows::Refusal;
use countersign::flows::refresh::{Claim, Rules, Verdict, judge};
use countersign::store::{
    Context, Gates, Lockstep, Reason, Recent, Replay, RotateSession, Session, Standing, UserFacts,
};
use countersign::time::Timestamp;
use countersign_wire::{ClientId, SessionId, UserId};

use super::mutant::Mutant;
use super::state::{Flaw, Place, Proof, Request, Row, Why};
use crate::Outcome;

/// A tick of the model's clock, and the overlap window: one tick after a rotation is inside of it,
/// two are outside.
const TICK_MS: i64 = 10_000;
const ORIGIN: i64 = 1_800_000_000_000;
/// Foreign repetitions in so many consecutive generations end the session.
pub(super) const LOCKSTEP_THRESHOLD: u32 = 2;
/// How far a refresh moves the idle expiry, in ticks.
pub(super) const IDLE_TICKS: i8 = 3;
const NONCE: [u8; 32] = [7; 32];
/// The user's stamp when the session began.
pub(super) const FIRST_STAMP: u8 = 1;

/// The code under test.
#[derive(Debug, Clone)]
pub(super) struct Server {
    template: Standing,
    other_client: ClientId,
    rules: Rules,
    pub(super) mutant: Option<Mutant>,
}

/// A committed change of the row by a refresh.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) after: Row,
    /// Whether everything that a refresh has no business with is as it was.
    pub(super) rest_is_kept: bool,
}

impl Server {
    pub(super) fn new(mutant: Option<Mutant>) -> Outcome<Self> {
        let template = Standing {
            session: Session {
                id: SessionId(uuid::Uuid::from_u128(1)),
                user: UserId(uuid::Uuid::from_u128(2)),
                client: "app".parse().map_err(|_| "a client id")?,
                scope: "read write".parse().map_err(|_| "a scope")?,
                audience: Vec::new(),
                device: None,
                network: None,
                agent: None,
                remember: false,
                created_at: time(0),
                auth_time: time(0),
                acr: None,
                amr: Vec::new(),
                browser: None,
                status_index: None,
                nonce_hash: NONCE,
                user_stamp: u64::from(FIRST_STAMP),
                born: 0,
                generation: 1,
                key_number: 1,
                retry_hash: None,
                rotated_at: time(0),
                idle_lifetime: Duration::from_millis(IDLE_TICKS.unsigned_abs().into()) * TICK_MS as u32,
                idle_expires_at: time(0),
                expires_at: time(0),
                recent: Vec::new(),
                replays: 0,
                lockstep: Lockstep::default(),
                ended: None,
            },
            gates: Gates {
                client_enabled: true,
                client_revision: 1,
                user_enabled: true,
                user_stamp: u64::from(FIRST_STAMP),
                cut: 0,
            },
            user: UserFacts { username: String::new(), email: None, tenant: None, roles: Vec::new() },
            position: 0,
        };
        Ok(Self {
            template,
            other_client: "other".parse().map_err(|_| "a client id")?,
            rules: Rules {
                overlap: Duration::from_millis(TICK_MS.unsigned_abs()),
                lockstep_threshold: LOCKSTEP_THRESHOLD,
            },
            mutant,
        })
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// The store's conditional update.
    pub(super) fn rotate(
        &self,
        row: &Row,
        request: &Request,
        now: i8,
        revision: u8,
        key: u8,
        issued: &[i8],
    ) -> Option<Change> {
        let before = self.standing(row);
        let mut rotate = RotateSession {
            id: before.session.id,
            generation: request.generation.into(),
            advance: true,
            nonce_hash: nonce(request),
            client: self.client(request),
            client_revision: revision.into(),
            key_number: key,
            retry_hash: retry_hash(proof(request)),
            context: context(request.place),
            now: time(now),
        };
        if self.is(Mutant::NoCondition)
            || self.is(Mutant::OrderByTime) && is_new_by_time(row, request.generation, issued)
            || self.is(Mutant::PreviousAccepted) && request.generation.checked_add(1) == Some(row.generation)
        {
            rotate.generation = before.session.generation;
        } else if self.is(Mutant::OrderByTime) {
            return None;
        }
        let mut seen = before.clone();
        if self.is(Mutant::GatesInTheRead) {
            seen.session.ended = None;
            seen.gates = Gates { client_revision: revision.into(), ..self.template.gates };
        }
        let mut after = seen.rotated(&rotate)?;
        after.session.ended = before.session.ended;
        after.gates = before.gates;
        if self.is(Mutant::TimeGoesBack) {
            after.session.rotated_at = rotate.now;
        }
        if self.is(Mutant::RefreshMovesExpiry) {
            after.session.expires_at = after.session.expires_at.max(time(now.saturating_add(IDLE_TICKS + 1)));
        }
        Some(self.change(row, &before, &after))
    }

    /// The store's record of a permitted repetition.
    pub(super) fn replay(
        &self,
        row: &Row,
        request: &Request,
        now: i8,
        revision: u8,
        judged: (u8, (u8, u8), (u8, u8)),
        key: u8,
    ) -> Option<Change> {
        let before = self.standing(row);
        let (generation, seen, lockstep) = judged;
        let seen = if self.is(Mutant::LockstepOverwritten) { row.lockstep } else { seen };
        let replay = Replay {
            id: before.session.id,
            generation: if self.is(Mutant::ReplayWithoutCondition) {
                row.generation.into()
            } else {
                generation.into()
            },
            nonce_hash: nonce(request),
            client: self.client(request),
            client_revision: revision.into(),
            seen: Lockstep { generation: seen.0.into(), streak: seen.1.into() },
            lockstep: Lockstep { generation: lockstep.0.into(), streak: lockstep.1.into() },
            now: time(now),
            detail: String::new(),
        };
        let mut seen = before.clone();
        if self.is(Mutant::EndedAsRotated) {
            seen.session.ended = None;
        }
        let mut after = seen.replayed(&replay)?;
        after.session.ended = before.session.ended;
        if self.is(Mutant::ForkOnReplay) {
            after.session.generation += 1;
        }
        if self.is(Mutant::ReplayMovesWindow) {
            after.session.rotated_at = after.session.rotated_at.max(time(now));
        }
        if self.is(Mutant::ProofUsedUp) {
            after.session.retry_hash = retry_hash(Some(Proof { by_thief: false, of: 0 }));
        }
        if self.is(Mutant::SuccessorByNewestKey) {
            after.session.key_number = key;
        }
        Some(self.change(row, &before, &after))
    }

    /// The store's revocation of the session; `None` when it has ended before.
    pub(super) fn revoke(&self, row: &Row, why: Why, now: i8) -> Option<Row> {
        let reason = match why {
            Why::Reuse => Reason::Reuse,
            Why::Lockstep => Reason::Lockstep,
            Why::Revoked => Reason::ClientRequest,
        };
        let before = self.standing(row);
        let mut after = before.revoked(reason, time(now))?;
        if self.is(Mutant::EndNotLogged) {
            after.position = before.position;
        }
        Some(back(row, &after))
    }

    /// The server's judgement.
    pub(super) fn judge(&self, row: &Row, request: &Request, now: i8, issued: &[i8]) -> Verdict {
        let mut standing = self.standing(row);
        let mut claim = Claim {
            generation: request.generation.into(),
            nonce_hash: nonce(request),
            client: self.client(request),
            retry_hash: retry_hash(proof(request)),
            context: context(request.place),
        };
        match self.mutant {
            Some(Mutant::EndedAsRotated) => standing.session.ended = None,
            Some(Mutant::NoProofCheck) => claim.retry_hash = standing.session.retry_hash,
            Some(Mutant::InvalidNotInert) => {
                claim.nonce_hash = standing.session.nonce_hash;
                claim.client = standing.session.client.clone();
            }
            Some(Mutant::OrderByTime) if is_new_by_time(row, request.generation, issued) => {
                claim.generation = standing.session.generation;
            }
            _ => {}
        }
        match judge(&claim, &standing, &self.rules, time(now)) {
            Verdict::Replay(_) if self.is(Mutant::RepetitionRefused) => {
                Verdict::Refuse(Refusal::UnknownSession)
            }
            Verdict::Replay(_) if self.is(Mutant::NoReplayAtAll) => Verdict::Reuse(Reason::Reuse),
            Verdict::Replay(_) | Verdict::Reuse(Reason::Lockstep) if self.is(Mutant::LockstepNotCounted) => {
                Verdict::Replay(Lockstep::default())
            }
            verdict => verdict,
        }
    }

    /// What `Standing::is_live` says of the row.
    pub(super) fn is_live(&self, row: &Row, now: i8) -> bool {
        self.standing(row).is_live(time(now))
    }

    fn client(&self, request: &Request) -> ClientId {
        match request.flaw {
            Flaw::AnotherClient => self.other_client.clone(),
            Flaw::None | Flaw::AnotherNonce => self.template.session.client.clone(),
        }
    }

    fn standing(&self, row: &Row) -> Standing {
        let mut standing = self.template.clone();
        let session = &mut standing.session;
        session.generation = row.generation.into();
        session.key_number = row.key;
        session.retry_hash = retry_hash(row.proof);
        session.rotated_at = time(row.rotated_at);
        session.idle_expires_at = time(row.idle);
        session.expires_at = time(row.expires);
        session.recent.push(Recent { at: time(row.rotated_at), context: context(row.place) });
        session.lockstep = Lockstep { generation: row.lockstep.0.into(), streak: row.lockstep.1.into() };
        session.ended = row.ended.map(|why| countersign::store::Ended {
            at: time(0),
            reason: match why {
                Why::Reuse => Reason::Reuse,
                Why::Lockstep => Reason::Lockstep,
                Why::Revoked => Reason::ClientRequest,
            },
        });
        standing.position = row.logged.into();
        standing.gates = Gates {
            client_enabled: row.client_enabled,
            client_revision: row.revision.into(),
            user_enabled: row.user_enabled,
            user_stamp: row.stamp.into(),
            cut: row.cut.into(),
        };
        standing
    }

    fn change(&self, row: &Row, before: &Standing, after: &Standing) -> Change {
        // All that the model's row has no field for must be what it was.
        let mut rest = after.clone();
        rest.session.generation = before.session.generation;
        rest.session.key_number = before.session.key_number;
        rest.session.retry_hash = before.session.retry_hash;
        rest.session.rotated_at = before.session.rotated_at;
        rest.session.idle_expires_at = before.session.idle_expires_at;
        rest.session.recent.clone_from(&before.session.recent);
        rest.session.replays = before.session.replays;
        rest.session.lockstep = before.session.lockstep;
        Change { after: back(row, after), rest_is_kept: rest == *before }
    }
}

/// The model's row of what the server's code made of `row`.
fn back(row: &Row, after: &Standing) -> Row {
    let session = &after.session;
    let small = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
    Row {
        generation: small(session.generation),
        key: session.key_number,
        proof: session.retry_hash.map(|hash| match hash {
            [by, of, ..] => Proof { by_thief: by == 1, of },
        }),
        rotated_at: tick(session.rotated_at),
        idle: tick(session.idle_expires_at),
        expires: tick(session.expires_at),
        place: match session.recent.first() {
            Some(recent) if recent.context == context(Place::Elsewhere) => Place::Elsewhere,
            _ => Place::Home,
        },
        lockstep: (small(session.lockstep.generation), small(session.lockstep.streak)),
        ended: session.ended.map(|ended| match ended.reason {
            Reason::Reuse => Why::Reuse,
            Reason::Lockstep => Why::Lockstep,
            _ => Why::Revoked,
        }),
        logged: u8::try_from(after.position).unwrap_or(u8::MAX),
        ..*row
    }
}

/// For the mutant: whether the token is no older than the row's last rotation.
fn is_new_by_time(row: &Row, generation: u8, issued: &[i8]) -> bool {
    issued.get(usize::from(generation)).is_some_and(|at| *at >= row.rotated_at)
}

/// The retry proof of a request: always of the token that it presents.
pub(super) fn proof(request: &Request) -> Option<Proof> {
    request.proof.then_some(Proof { by_thief: request.by_thief, of: request.generation })
}

fn retry_hash(proof: Option<Proof>) -> Option<[u8; 16]> {
    proof.map(|proof| {
        let mut hash = [9; 16];
        [hash[0], hash[1]] = [proof.by_thief.into(), proof.of];
        hash
    })
}

fn nonce(request: &Request) -> [u8; 32] {
    if request.flaw == Flaw::AnotherNonce { [8; 32] } else { NONCE }
}

fn context(place: Place) -> Context {
    match place {
        Place::Home => Context { network: 1, agent: 1 },
        Place::Elsewhere => Context { network: 2, agent: 2 },
    }
}

fn time(tick: i8) -> Timestamp {
    Timestamp(ORIGIN + i64::from(tick) * TICK_MS)
}

fn tick(time: Timestamp) -> i8 {
    i8::try_from((time.0 - ORIGIN).div_euclid(TICK_MS)).unwrap_or(i8::MAX)
}
