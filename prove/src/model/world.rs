//! What can happen, and what comes of it: one step is one call to the store, one message, one
//! crash, one tick.

use countersign::flows::refresh::Verdict;
use countersign::store::Reason;

use super::invariants::{Broken, Invariant};
use super::mutant::Mutant;
use super::observer::Commit;
use super::scenario::Scenario;
use super::server::{FIRST_STAMP, IDLE_TICKS, Server};
use super::state::{Answer, Flaw, Ghost, Place, Request, Row, Stage, State, Who, Why};

/// A scenario with the code under test.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(super) scenario: Scenario,
    pub(super) server: Server,
}

/// One thing that happens. Requests are named by their place in the state's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A tab presents the stored token.
    Send(u8),
    /// A tab gives up waiting and sends the same request again; the old one may still arrive.
    Retry(u8),
    /// A tab's process ends and starts again: it has forgotten that it waits.
    Restart(u8),
    /// The thief copies the installation's token.
    Copy,
    /// The thief presents a token.
    Steal {
        generation: u8,
        proof: bool,
        flaw: Flaw,
    },
    /// A node receives the request, reads its clock and the client's record.
    Begin {
        request: usize,
        skew: i8,
        stale: bool,
    },
    /// The next call to the store.
    Step(usize),
    /// The next call to the store, whose outcome the node never learns.
    Unknown {
        request: usize,
        committed: bool,
    },
    /// The message is lost, or the node dies with the request.
    Lose(usize),
    /// The answer arrives.
    Deliver(usize),
    Tick,
    Revoke,
    SignOut,
    DisableUser,
    EnableUser,
    DisableClient,
    EnableClient,
    ChangeClient,
    NewKey,
    Purge {
        skew: i8,
    },
    /// Mutants only.
    RevokeRead,
    RevokeWrite,
    PowerCut,
}

impl World {
    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.server.mutant == Some(mutant)
    }

    pub(super) fn first_state(&self) -> State {
        let row = Row {
            generation: 1,
            key: 1,
            proof: None,
            rotated_at: 0,
            idle: IDLE_TICKS.min(self.scenario.expires),
            expires: self.scenario.expires,
            place: Place::Home,
            lockstep: (0, 0),
            ended: None,
            logged: 0,
            user_enabled: true,
            stamp: FIRST_STAMP,
            client_enabled: true,
            revision: 1,
            cut: 0,
        };
        State {
            clock: 0,
            row: Some(row),
            newest_key: 1,
            requests: Vec::new(),
            stored: 1,
            waiting: [None; 2],
            loot: 0,
            copied: false,
            ghost: Ghost::default(),
            broken: Broken::default(),
        }
    }

    /// All that can happen next.
    pub(super) fn possible(&self, state: &State, actions: &mut Vec<Action>) {
        let scenario = &self.scenario;
        let room = state.requests.len() < scenario.in_flight;
        for tab in 0..scenario.tabs {
            match state.waiting.get(usize::from(tab)).copied().flatten() {
                None if room && self.may_present(state) => actions.push(Action::Send(tab)),
                None => {}
                Some(sent) => {
                    if room && (!scenario.tidy || sent == state.stored) {
                        actions.push(Action::Retry(tab));
                    }
                    actions.push(Action::Restart(tab));
                }
            }
        }
        if scenario.thief.is_some() {
            self.thefts(state, room, actions);
        }
        for (request, at) in state.requests.iter().enumerate() {
            match at.stage {
                Stage::Sent => {
                    let stale = state.row.is_some_and(|row| row.revision > 1);
                    for skew in -scenario.skew..=scenario.skew {
                        actions.push(Action::Begin { request, skew, stale: false });
                        if stale {
                            actions.push(Action::Begin { request, skew, stale: true });
                        }
                    }
                }
                Stage::Answered(_) => actions.push(Action::Deliver(request)),
                _ => {
                    actions.push(Action::Step(request));
                    actions.push(Action::Unknown { request, committed: false });
                    actions.push(Action::Unknown { request, committed: true });
                }
            }
            actions.push(Action::Lose(request));
        }
        if state.clock < scenario.last_tick && self.may_tick(state) {
            actions.push(Action::Tick);
        }
        let Some(row) = &state.row else { return };
        if scenario.gates {
            self.gates(state, row, actions);
        }
        if scenario.keys && state.newest_key == 1 {
            actions.push(Action::NewKey);
        }
        if scenario.purge {
            for skew in -scenario.skew..=scenario.skew {
                let since = if self.is(Mutant::PurgeByLastRefresh) { row.rotated_at } else { row.expires };
                if state.clock + skew >= since {
                    actions.push(Action::Purge { skew });
                }
            }
        }
        if state.ghost.previous.is_some() {
            actions.push(Action::PowerCut);
        }
    }

    /// In a tidy scenario a client does not use a successor while requests of its predecessors
    /// are still under way (one refresh at a time; what was given up is over by the next one).
    fn may_present(&self, state: &State) -> bool {
        let older = |request: &Request| {
            request.generation < state.stored && !matches!(request.stage, Stage::Answered(_))
        };
        (1..=self.scenario.generations).contains(&state.stored)
            && !(self.scenario.tidy && state.requests.iter().any(older))
    }

    /// In a tidy scenario without a retry proof, a client repeats within the window.
    fn may_tick(&self, state: &State) -> bool {
        if !self.scenario.tidy || self.scenario.proof {
            return true;
        }
        let Some(row) = &state.row else { return true };
        let settled = state.stored == row.generation
            && state
                .requests
                .iter()
                .all(|r| matches!(r.stage, Stage::Answered(_)) || r.generation >= row.generation);
        settled && state.requests.iter().all(|r| matches!(r.stage, Stage::Answered(_) | Stage::Sent))
            || state.clock - row.rotated_at < 1
    }

    fn thefts(&self, state: &State, room: bool, actions: &mut Vec<Action>) {
        let Some(thief) = &self.scenario.thief else { return };
        if !state.copied && state.stored > 0 {
            actions.push(Action::Copy);
        }
        if !room || state.requests.iter().any(|r| r.by_thief) {
            return;
        }
        for generation in (1..=self.scenario.generations).filter(|g| state.loot & (1 << g) != 0) {
            for &proof in thief.proofs {
                for &flaw in thief.flaws {
                    actions.push(Action::Steal { generation, proof, flaw });
                }
            }
        }
    }

    fn gates(&self, state: &State, row: &Row, actions: &mut Vec<Action>) {
        if self.is(Mutant::RevokeWithoutLock) {
            match state.ghost.revoking {
                None if row.ended.is_none() => actions.push(Action::RevokeRead),
                None => {}
                Some(_) => actions.push(Action::RevokeWrite),
            }
        } else if row.ended.is_none() && !state.ghost.over {
            actions.push(Action::Revoke);
        }
        // One change that ends the session is enough: a second one only closes what is closed.
        if row.stamp == FIRST_STAMP && !state.ghost.over {
            actions.push(Action::SignOut);
            if row.user_enabled {
                actions.push(Action::DisableUser);
            }
        }
        if !row.user_enabled {
            actions.push(Action::EnableUser);
        }
        match (row.client_enabled, row.cut) {
            (true, 0) if !state.ghost.over => actions.push(Action::DisableClient),
            (false, _) => actions.push(Action::EnableClient),
            _ => {}
        }
        if row.revision == 1 {
            actions.push(Action::ChangeClient);
        }
    }

    /// What comes of an action.
    pub(super) fn after(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Send(tab) => {
                let generation = state.stored;
                self.present(&mut state, tab, generation);
            }
            Action::Retry(tab) => {
                let generation = state.waiting.get(usize::from(tab)).copied().flatten()?;
                abandon(&mut state, tab);
                self.present(&mut state, tab, generation);
            }
            Action::Restart(tab) => {
                *state.waiting.get_mut(usize::from(tab))? = None;
                abandon(&mut state, tab);
            }
            Action::Copy => {
                state.copied = true;
                state.loot |= 1 << state.stored;
            }
            Action::Steal { generation, proof, flaw } => state.requests.push(Request {
                listener: Some(Who::Thief),
                by_thief: true,
                generation,
                proof,
                place: self.scenario.thief.as_ref()?.place,
                flaw,
                stage: Stage::Sent,
            }),
            Action::Begin { request, skew, stale } => self.begin(&mut state, request, skew, stale)?,
            Action::Step(request) => {
                let request = take(&mut state, request)?;
                self.step(&mut state, request, true);
            }
            Action::Unknown { request, committed } => {
                let request = take(&mut state, request)?;
                if committed {
                    self.step(&mut state, request, false);
                }
                // A 503, which tells the client no more than silence does.
                if self.is(Mutant::UnknownIsNo) {
                    state.broken.require(Invariant::L4, false);
                }
            }
            Action::Lose(request) => {
                take(&mut state, request)?;
            }
            Action::Deliver(request) => deliver(&mut state, request)?,
            Action::Tick => state.clock += 1,
            Action::Purge { skew } => {
                let row = state.row.take()?;
                state.broken.require(Invariant::S15, state.clock + skew >= row.expires);
            }
            Action::NewKey => state.newest_key = 2,
            Action::PowerCut => {
                state.row = state.ghost.previous.take();
                self.observe_durability(&mut state);
            }
            Action::RevokeRead => state.ghost.revoking = state.row,
            other => self.change_gate(&mut state, other)?,
        }
        state.requests.sort_unstable();
        let mut state = if self.scenario.tabs == 2 { canonical(state) } else { state };
        if (state.row, state.stored, state.clock) != (before.row, before.stored, before.clock) {
            self.observe_recovery(&mut state);
        }
        Some(state)
    }

    /// The administrative changes, each one transaction of the store.
    fn change_gate(&self, state: &mut State, action: Action) -> Option<()> {
        let mut row = state.row?;
        let mut ends = true;
        match action {
            Action::Revoke => row = self.server.revoke(&row, Why::Revoked, state.clock)?,
            Action::RevokeWrite => {
                let read = state.ghost.revoking.take()?;
                row = self.server.revoke(&read, Why::Revoked, state.clock)?;
            }
            Action::SignOut => row.stamp += 1,
            Action::DisableUser => {
                row.user_enabled = false;
                row.stamp += u8::from(!self.is(Mutant::DisableKeepsStamp));
            }
            Action::EnableUser => (row.user_enabled, ends) = (true, false),
            Action::DisableClient => (row.client_enabled, row.cut) = (false, 1),
            Action::EnableClient => (row.client_enabled, ends) = (true, false),
            Action::ChangeClient => (row.revision, ends) = (2, false),
            _ => return None,
        }
        self.commit(state, row, Commit::Administrative);
        state.ghost.over |= ends;
        Some(())
    }

    fn present(&self, state: &mut State, tab: u8, generation: u8) {
        if let Some(waiting) = state.waiting.get_mut(usize::from(tab)) {
            *waiting = Some(generation);
        }
        state.requests.push(Request {
            listener: Some(Who::Tab(tab)),
            by_thief: false,
            generation,
            proof: self.scenario.proof,
            place: Place::Home,
            flaw: Flaw::None,
            stage: Stage::Sent,
        });
    }

    fn begin(&self, state: &mut State, request: usize, skew: i8, stale: bool) -> Option<()> {
        let (now, row) = (state.clock + skew, state.row);
        let current = row.map_or(1, |row| row.revision);
        let revision = if stale { 1 } else { current };
        let request = state.requests.get_mut(request)?;
        let closed = self.is(Mutant::GatesInTheRead) && !row.is_some_and(|r| self.server.is_live(&r, now));
        request.stage = if closed { Stage::Missed { now, revision } } else { Stage::Begun { now, revision } };
        Some(())
    }

    /// One call to the store and what `flows::refresh::run` does with its outcome. `heard` is
    /// false when the node never learns the outcome: then nothing is answered.
    pub(super) fn step(&self, state: &mut State, request: Request, heard: bool) {
        let at = |stage| Request { stage, ..request };
        let next = match request.stage {
            Stage::Sent | Stage::Answered(_) => Some(request),
            Stage::Begun { now, revision } => self.step_update(state, &request, now, revision, heard),
            Stage::Missed { now, revision } => self.step_judge(state, &request, now, revision, heard),
            Stage::Replaying { now, revision, generation, seen, lockstep } => {
                let change = state.row.and_then(|row| {
                    let judged = (generation, seen, lockstep);
                    self.server.replay(&row, &request, now, revision, judged, state.newest_key)
                });
                match change {
                    Some(change) => {
                        self.observe_replay(state, &request, now, revision, &change);
                        self.commit(state, change.after, Commit::Replay);
                        heard.then(|| self.yes(state, &request, change.after)).flatten()
                    }
                    // Another round, with the client's record read anew.
                    None => Some(at(Stage::Begun { now, revision: state.row.map_or(1, |row| row.revision) })),
                }
            }
            Stage::Revoking { now, why } => {
                if let Some(row) = state.row
                    && !self.is(Mutant::ReuseNotRecorded)
                    && let Some(after) = self.server.revoke(&row, why, now)
                {
                    self.observe_end(state, &request);
                    self.commit(state, after, Commit::Administrative);
                    state.ghost.over = true;
                }
                heard.then(|| self.no(state, &request, now)).flatten()
            }
            Stage::Writing { row } => {
                self.observe_rotation(state, &request, row.rotated_at, row.revision, true);
                self.commit(state, row, Commit::Rotation { presented: request.generation });
                heard.then(|| self.yes(state, &request, row)).flatten()
            }
            Stage::Late { now, revision } => {
                let _ = self.step_commit(state, &request, now, revision);
                None
            }
        };
        // A node that never learned the outcome has given up.
        state.requests.extend(next.filter(|_| heard));
    }

    fn step_update(
        &self,
        state: &mut State,
        request: &Request,
        now: i8,
        revision: u8,
        heard: bool,
    ) -> Option<Request> {
        let missed = Some(Request { stage: Stage::Missed { now, revision }, ..*request });
        if self.is(Mutant::RotateWithoutLock) || self.is(Mutant::AnswerBeforeCommit) {
            let row = state.row?;
            let issued = state.ghost.issued;
            let Some(change) = self.server.rotate(&row, request, now, revision, state.newest_key, &issued)
            else {
                return missed;
            };
            if self.is(Mutant::RotateWithoutLock) {
                return Some(Request { stage: Stage::Writing { row: change.after }, ..*request });
            }
            let answered = self.yes(state, request, change.after);
            state.requests.extend(answered);
            return Some(Request { listener: None, stage: Stage::Late { now, revision }, ..*request });
        }
        match self.step_commit(state, request, now, revision) {
            Some(after) => heard.then(|| self.yes(state, request, after)).flatten(),
            None => missed,
        }
    }

    fn step_commit(&self, state: &mut State, request: &Request, now: i8, revision: u8) -> Option<Row> {
        let row = state.row?;
        let issued = state.ghost.issued;
        let change = self.server.rotate(&row, request, now, revision, state.newest_key, &issued)?;
        self.observe_rotation(state, request, now, revision, change.rest_is_kept);
        self.commit(state, change.after, Commit::Rotation { presented: request.generation });
        Some(change.after)
    }

    fn step_judge(
        &self,
        state: &mut State,
        request: &Request,
        now: i8,
        revision: u8,
        heard: bool,
    ) -> Option<Request> {
        let at = |stage| Some(Request { stage, ..*request });
        let small = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
        let Some(row) = state.row else { return heard.then(|| self.no(state, request, now)).flatten() };
        match self.server.judge(&row, request, now, &state.ghost.issued) {
            // Another round, with the client's record read anew.
            Verdict::Rotate => at(Stage::Begun { now, revision: row.revision }),
            Verdict::Replay(lockstep) => at(Stage::Replaying {
                now,
                revision,
                generation: row.generation,
                seen: row.lockstep,
                lockstep: (small(lockstep.generation), small(lockstep.streak)),
            }),
            Verdict::Reuse(reason) => {
                let why = if reason == Reason::Lockstep { Why::Lockstep } else { Why::Reuse };
                self.observe_reuse(state, request);
                at(Stage::Revoking { now, why })
            }
            Verdict::Refuse(_) => heard.then(|| self.no(state, request, now)).flatten(),
        }
    }

    fn yes(&self, state: &mut State, request: &Request, row: Row) -> Option<Request> {
        self.observe_yes(state, request, &row);
        self.answer(state, request, Answer::Yes(row.generation))
    }

    fn no(&self, state: &mut State, request: &Request, now: i8) -> Option<Request> {
        self.observe_no(state, request, now);
        self.answer(state, request, Answer::No)
    }

    /// The answer on its way. The thief's arrives at once: a lost one is a request that died.
    fn answer(&self, state: &mut State, request: &Request, answer: Answer) -> Option<Request> {
        match request.listener? {
            Who::Thief => {
                if let Answer::Yes(generation) = answer {
                    state.loot |= 1 << generation;
                }
                None
            }
            Who::Tab(_) => Some(Request { stage: Stage::Answered(answer), ..*request }),
        }
    }
}

fn take(state: &mut State, request: usize) -> Option<Request> {
    (request < state.requests.len()).then(|| state.requests.remove(request))
}

/// Nobody listens for this tab's request any more.
fn abandon(state: &mut State, tab: u8) {
    let own = Some(Who::Tab(tab));
    state.requests.retain(|r| r.listener != own || !matches!(r.stage, Stage::Answered(_)));
    for request in state.requests.iter_mut().filter(|r| r.listener == own) {
        request.listener = None;
    }
}

/// The tab stores a successor, and forgets a refused token, only when the installation still has
/// the token that it sent.
fn deliver(state: &mut State, request: usize) -> Option<()> {
    let request = take(state, request)?;
    let (Some(Who::Tab(tab)), Stage::Answered(answer)) = (request.listener, request.stage) else {
        return None;
    };
    *state.waiting.get_mut(usize::from(tab))? = None;
    if state.stored == request.generation {
        state.stored = match answer {
            Answer::Yes(successor) => successor,
            Answer::No => 0,
        };
    }
    Some(())
}

/// The two tabs are alike: of a state and its mirror image one stands for both.
fn canonical(state: State) -> State {
    let mut mirrored = state.requests.clone();
    for request in &mut mirrored {
        if let Some(Who::Tab(tab)) = &mut request.listener {
            *tab = 1 - *tab;
        }
    }
    mirrored.sort_unstable();
    let waiting = [state.waiting[1], state.waiting[0]];
    if (&waiting, &mirrored) < (&state.waiting, &state.requests) {
        return State { waiting, requests: mirrored, ..state };
    }
    state
}
