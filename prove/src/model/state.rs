//! What the model remembers. Small on purpose: tokens are generation numbers, time is a handful of
//! ticks, and what is derived is not kept.

use super::invariants::Broken;

/// The most generations that a scenario may present.
pub(super) const MOST_GENERATIONS: usize = 3;

/// One state of the store, the clients, the thief and everything on its way between them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// The true time.
    pub(super) clock: i8,
    /// The session's row with its gates; `None` once it was purged.
    pub(super) row: Option<Row>,
    /// The number of the newest server key.
    pub(super) newest_key: u8,
    /// Sorted, so that the order in which requests were sent makes no new state.
    pub(super) requests: Vec<Request>,
    /// The token that the installation has stored, shared by its tabs.
    pub(super) stored: u8,
    /// What each tab waits for: the token that it sent.
    pub(super) waiting: [Option<u8>; 2],
    /// Tokens that the thief has, a bit each.
    pub(super) loot: u8,
    /// Whether the thief has copied the installation's token.
    pub(super) copied: bool,
    pub(super) ghost: Ghost,
    pub(super) broken: Broken,
}

/// The row of the session and what it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) generation: u8,
    pub(super) key: u8,
    pub(super) proof: Option<Proof>,
    pub(super) rotated_at: i8,
    pub(super) idle: i8,
    pub(super) expires: i8,
    /// From where the current generation was made.
    pub(super) place: Place,
    pub(super) lockstep: (u8, u8),
    pub(super) ended: Option<Why>,
    /// Entries of the revocation log.
    pub(super) logged: u8,
    pub(super) user_enabled: bool,
    pub(super) stamp: u8,
    pub(super) client_enabled: bool,
    pub(super) revision: u8,
    pub(super) cut: u8,
}

/// Why the session ended, as far as the model tells reasons apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Why {
    Reuse,
    Lockstep,
    Revoked,
}

/// An `Idempotency-Key`: whose installation secret, of which token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Proof {
    pub(super) by_thief: bool,
    pub(super) of: u8,
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Place {
    Home,
    Elsewhere,
}

/// Who presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Who {
    Tab(u8),
    Thief,
}

/// What is wrong with a presentation, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Flaw {
    None,
    AnotherClient,
    AnotherNonce,
}

/// A presentation on its way, at the server, or answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Request {
    /// `None`: nobody listens for the answer any more (a time-out, a copy made by the network).
    pub(super) listener: Option<Who>,
    pub(super) by_thief: bool,
    pub(super) generation: u8,
    pub(super) proof: bool,
    pub(super) place: Place,
    pub(super) flaw: Flaw,
    pub(super) stage: Stage,
}

/// How far a request has come: between two stages lies one call to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Stage {
    /// On the way to the server.
    Sent,
    /// The clock and the client's record are read; the conditional update is next.
    Begun { now: i8, revision: u8 },
    /// The update changed nothing; reading the row is next.
    Missed { now: i8, revision: u8 },
    /// Judged a permitted repetition; its record is next.
    Replaying { now: i8, revision: u8, generation: u8, seen: (u8, u8), lockstep: (u8, u8) },
    /// Judged a reuse; the revocation is next.
    Revoking { now: i8, why: Why },
    /// On the way back.
    Answered(Answer),
    /// Only in mutants: a whole row that was read and is to be written.
    Writing { row: Row },
    /// Only in a mutant: answered, and not committed yet.
    Late { now: i8, revision: u8 },
}

/// What the client is told. A 503 tells no more than silence: it is a lost answer here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Answer {
    Yes(u8),
    No,
}

/// What the invariants compare with: kept by the observer, not by any party.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Ghost {
    /// Generations that were consumed, a bit each.
    pub(super) consumed: u8,
    /// Per presented generation, the successor that was answered: generation and key.
    pub(super) answered: [Option<(u8, u8)>; MOST_GENERATIONS + 1],
    /// Something ended the session for good: nothing may be issued again.
    pub(super) over: bool,
    /// The retry proof and the time of the last rotation, as requested.
    pub(super) rotation: (Option<Proof>, i8),
    /// The last generation with a foreign replay, and how many before it had one in a row.
    pub(super) foreign: (u8, u8),
    /// Only in mutants: when each generation was issued.
    pub(super) issued: [i8; MOST_GENERATIONS + 3],
    /// Only in mutants: the row before the last commit.
    pub(super) previous: Option<Row>,
    /// Only in mutants: a revocation's row, read and not yet written.
    pub(super) revoking: Option<Row>,
}
