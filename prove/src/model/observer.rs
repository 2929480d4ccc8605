//! The observer: compares what happens with the invariants, from its own notes and not from the
//! server's judgement.

use super::invariants::Invariant as I;
use super::mutant::Mutant;
use super::server::{self, Change, FIRST_STAMP, LOCKSTEP_THRESHOLD};
use super::state::{Answer, Flaw, Place, Request, Row, Stage, State, Who};
use super::world::World;

/// What kind of transaction committed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Commit {
    Rotation { presented: u8 },
    Replay,
    Administrative,
}

impl World {
    /// Stores the row, and compares it with the one before.
    pub(super) fn commit(&self, state: &mut State, after: Row, kind: Commit) {
        let Some(before) = state.row else { return };
        let (broken, ghost) = (&mut state.broken, &mut state.ghost);
        broken.require(I::S6, before.ended.is_none() || after.ended == before.ended);
        broken.require(I::S10, after.expires == before.expires && after.idle <= after.expires);
        broken.require(I::S11, after.generation >= before.generation);
        let ends = before.ended.is_none() && after.ended.is_some();
        broken.require(I::S14, before.logged.checked_add(u8::from(ends)) == Some(after.logged));
        broken.require(I::S11, after.rotated_at >= before.rotated_at && after.idle >= before.idle);
        if let Commit::Rotation { presented } = kind {
            let bit = 1 << presented;
            broken.require(I::S3, ghost.consumed & bit == 0 && presented == before.generation);
            broken.require(I::S3, after.generation == before.generation.saturating_add(1));
            ghost.consumed |= bit;
            if self.is(Mutant::OrderByTime)
                && let Some(issued) = ghost.issued.get_mut(usize::from(after.generation))
            {
                *issued = after.rotated_at;
            }
        } else {
            broken.require(I::S3, after.generation == before.generation);
        }
        if self.is(Mutant::CommitNotDurable) {
            ghost.previous = Some(before);
        }
        state.row = Some(after);
        self.observe_head(state, &after);
        self.observe_durability(state);
    }

    /// S1: tries every generation on the row as it is now.
    fn observe_head(&self, state: &mut State, row: &Row) {
        let accepted = (0..=self.scenario.generations + 2).filter(|&generation| {
            let request = Request {
                listener: None,
                by_thief: false,
                generation,
                proof: false,
                place: Place::Home,
                flaw: Flaw::None,
                stage: Stage::Sent,
            };
            self.server.rotate(row, &request, state.clock, row.revision, 1, &state.ghost.issued).is_some()
        });
        let expected = usize::from(gates_are_open(row, state.clock));
        let accepted = accepted.count();
        state.broken.require(I::S1, accepted == expected);
    }

    /// S4, also after a power cut.
    pub(super) fn observe_durability(&self, state: &mut State) {
        let Some(row) = &state.row else { return };
        let newest = state.ghost.answered.iter().flatten().map(|(generation, _)| *generation).max();
        state.broken.require(I::S4, newest.is_none_or(|newest| newest <= row.generation));
    }

    pub(super) fn observe_rotation(
        &self,
        state: &mut State,
        request: &Request,
        now: i8,
        revision: u8,
        rest_is_kept: bool,
    ) {
        self.observe_issue(state, request, now, revision);
        state.broken.require(I::S10, rest_is_kept);
        state.ghost.rotation = (server::proof(request), now.max(state.row.map_or(now, |row| row.rotated_at)));
    }

    pub(super) fn observe_replay(
        &self,
        state: &mut State,
        request: &Request,
        now: i8,
        revision: u8,
        change: &Change,
    ) {
        self.observe_issue(state, request, now, revision);
        let Some(before) = state.row else { return };
        let (broken, ghost) = (&mut state.broken, &mut state.ghost);
        broken.require(I::S10, change.rest_is_kept);
        broken.require(I::S5, request.generation.checked_add(1) == Some(before.generation));
        let (proof, rotated_at) = ghost.rotation;
        let inside = match proof {
            Some(proof) => server::proof(request) == Some(proof),
            None => (now - rotated_at).abs() <= 1,
        };
        broken.require(I::S5, inside);
        let after = &change.after;
        let window = |row: &Row| (row.rotated_at, row.proof, row.idle, row.expires, row.place);
        broken.require(I::S5, window(after) == window(&before));
        if proof.is_none() && request.place != before.place && ghost.foreign.0 != before.generation {
            let consecutive = ghost.foreign.0.checked_add(1) == Some(before.generation);
            let streak = if consecutive { ghost.foreign.1.saturating_add(1) } else { 1 };
            ghost.foreign = (before.generation, streak);
            broken.require(I::S6, u32::from(streak) < LOCKSTEP_THRESHOLD);
        }
    }

    /// S7 and S8, for whatever issues a token.
    fn observe_issue(&self, state: &mut State, request: &Request, now: i8, revision: u8) {
        let Some(row) = state.row else { return };
        state.broken.require(I::S7, request.flaw == Flaw::None);
        state.broken.require(I::S8, !state.ghost.over);
        state.broken.require(I::S8, gates_are_open(&row, now) && revision == row.revision);
        state.broken.require(I::S6, row.ended.is_none());
    }

    pub(super) fn observe_end(&self, state: &mut State, request: &Request) {
        state.broken.require(I::S7, request.flaw == Flaw::None);
    }

    pub(super) fn observe_reuse(&self, state: &mut State, request: &Request) {
        state.broken.require(I::L2, request.by_thief || !self.scenario.tidy);
    }

    pub(super) fn observe_yes(&self, state: &mut State, request: &Request, row: &Row) {
        let token = (row.generation, row.key);
        state.broken.require(I::S2, request.generation.checked_add(1) == Some(row.generation));
        state.broken.require(I::S7, request.flaw == Flaw::None);
        state.broken.require(I::S15, state.row.is_some());
        if let Some(answered) = state.ghost.answered.get_mut(usize::from(request.generation)) {
            state.broken.require(I::S2, answered.is_none_or(|before| before == token));
            *answered = Some(token);
        }
        self.observe_durability(state);
    }

    pub(super) fn observe_no(&self, state: &mut State, request: &Request, now: i8) {
        let live = state.row.is_some_and(|row| gates_are_open(&row, now));
        let reuse = matches!(request.stage, Stage::Revoking { .. });
        let valid = request.flaw == Flaw::None;
        state.broken.require(if reuse { I::S6 } else { I::L4 }, !(live && valid));
    }

    /// L1 and L3: whatever is under way is lost, and each tab in turn repeats what it has.
    pub(super) fn observe_recovery(&self, state: &mut State) {
        let Some(row) = state.row else { return };
        let lives = gates_are_open(&row, state.clock) && !state.ghost.over;
        if !self.scenario.tidy || !lives || !(1..=self.scenario.generations).contains(&state.stored) {
            return;
        }
        let mut alone = State { requests: Vec::new(), ..state.clone() };
        let first = self.ask(&mut alone, 0);
        state.broken.require(I::L1, first == Some(Answer::Yes(state.stored.saturating_add(1))));
        let second = self.ask(&mut alone, 1);
        state.broken.require(I::L3, first == second);
    }

    /// One presentation of the stored token, with nothing else going on.
    fn ask(&self, state: &mut State, tab: u8) -> Option<Answer> {
        /// More than `run` needs when nobody comes in between.
        const ENOUGH: usize = 6;
        let mut request = Request {
            listener: Some(Who::Tab(tab)),
            by_thief: false,
            generation: state.stored,
            proof: self.scenario.proof,
            place: Place::Home,
            flaw: Flaw::None,
            stage: Stage::Begun { now: state.clock, revision: state.row?.revision },
        };
        for _ in 0..ENOUGH {
            self.step(state, request, true);
            let answered = state.requests.iter().find_map(|r| match r.stage {
                Stage::Answered(answer) => Some(answer),
                _ => None,
            });
            if answered.is_some() {
                state.requests.clear();
                return answered;
            }
            request = state.requests.pop()?;
        }
        None
    }
}

/// What must be so for a session to live, written down once more.
pub(super) fn gates_are_open(row: &Row, now: i8) -> bool {
    row.ended.is_none()
        && row.user_enabled
        && row.stamp == FIRST_STAMP
        && row.client_enabled
        && row.cut == 0
        && now < row.idle
        && now < row.expires
}
