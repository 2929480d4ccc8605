//! Ways to get it wrong. Each is put around the code that the model calls, never into it, and each
//! must be caught: a property that no mutant breaks would prove nothing.

use super::invariants::Invariant;

/// A wrong server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    NoCondition,
    ForkOnReplay,
    OrderByTime,
    RevokeWithoutLock,
    RotateWithoutLock,
    EndedAsRotated,
    NoProofCheck,
    AnswerBeforeCommit,
    CommitNotDurable,
    InvalidNotInert,
    ReplayMovesWindow,
    ReplayWithoutCondition,
    UnknownIsNo,
    GatesInTheRead,
    DisableKeepsStamp,
    ReuseNotRecorded,
    LockstepNotCounted,
    LockstepOverwritten,
    SuccessorByNewestKey,
    RefreshMovesExpiry,
    PurgeByLastRefresh,
    NoReplayAtAll,
    PreviousAccepted,
    ProofUsedUp,
    RepetitionRefused,
    TimeGoesBack,
    EndNotLogged,
}

impl Mutant {
    /// Every one.
    pub(super) const ALL: [Self; 27] = [
        Self::NoCondition,
        Self::ForkOnReplay,
        Self::OrderByTime,
        Self::RevokeWithoutLock,
        Self::RotateWithoutLock,
        Self::EndedAsRotated,
        Self::NoProofCheck,
        Self::AnswerBeforeCommit,
        Self::CommitNotDurable,
        Self::InvalidNotInert,
        Self::ReplayMovesWindow,
        Self::ReplayWithoutCondition,
        Self::UnknownIsNo,
        Self::GatesInTheRead,
        Self::DisableKeepsStamp,
        Self::ReuseNotRecorded,
        Self::LockstepNotCounted,
        Self::LockstepOverwritten,
        Self::SuccessorByNewestKey,
        Self::RefreshMovesExpiry,
        Self::PurgeByLastRefresh,
        Self::NoReplayAtAll,
        Self::PreviousAccepted,
        Self::ProofUsedUp,
        Self::RepetitionRefused,
        Self::TimeGoesBack,
        Self::EndNotLogged,
    ];

    /// What is wrong, in words.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::NoCondition => "no condition on the generation in the update",
            Self::ForkOnReplay => "a repetition makes a new successor",
            Self::OrderByTime => "tokens are ordered by their time of issue, not by generation",
            Self::RevokeWithoutLock => "a revocation reads the row and writes it back later",
            Self::RotateWithoutLock => "a refresh reads the row, judges, and writes it back later",
            Self::EndedAsRotated => "an ended session is treated as a rotated one",
            Self::NoProofCheck => "the retry proof is not compared",
            Self::AnswerBeforeCommit => "the answer is sent before the commit",
            Self::CommitNotDurable => "a power cut takes back the last commit",
            Self::InvalidNotInert => "client and nonce are not compared before the generation",
            Self::ReplayMovesWindow => "a repetition starts the overlap window anew",
            Self::ReplayWithoutCondition => "a repetition is answered with whatever is current by then",
            Self::UnknownIsNo => "an unknown outcome is answered invalid_grant",
            Self::GatesInTheRead => "the gates are read first and not part of the update",
            Self::DisableKeepsStamp => "disabling a user does not move the stamp",
            Self::ReuseNotRecorded => "a reuse is refused, and the session goes on",
            Self::LockstepNotCounted => "repetitions from another place are not counted",
            Self::LockstepOverwritten => "a repetition writes over what another one has counted meanwhile",
            Self::SuccessorByNewestKey => "a repetition's successor is made with the newest key",
            Self::RefreshMovesExpiry => "a refresh moves the absolute expiry",
            Self::PurgeByLastRefresh => "the purge goes by the last refresh",
            Self::NoReplayAtAll => "every repetition is a reuse (no window, no retry proof)",
            Self::PreviousAccepted => "the update also accepts the generation before the live one",
            Self::ProofUsedUp => "a retry proof is good for one repetition",
            Self::RepetitionRefused => "a repetition is refused, and the session goes on",
            Self::TimeGoesBack => "a rotation stores its node's time, also an earlier one",
            Self::EndNotLogged => "a revocation adds nothing to the log",
        }
    }
}

impl Mutant {
    /// The invariant that is there for it, and the scenario in which it shows.
    pub(super) fn caught_by(self) -> (Invariant, &'static str) {
        match self {
            Self::NoCondition => (Invariant::S3, "tabs with retry proof"),
            Self::ForkOnReplay => (Invariant::S2, "tabs with retry proof"),
            Self::OrderByTime => (Invariant::S3, "tabs with retry proof"),
            Self::RevokeWithoutLock => (Invariant::S11, "gates"),
            Self::RotateWithoutLock => (Invariant::S6, "gates"),
            Self::EndedAsRotated => (Invariant::S8, "gates"),
            Self::NoProofCheck => (Invariant::S5, "thief of a proving client"),
            Self::AnswerBeforeCommit => (Invariant::S4, "tabs with retry proof"),
            Self::CommitNotDurable => (Invariant::S4, "tabs with retry proof"),
            Self::InvalidNotInert => (Invariant::S7, "edited tokens"),
            Self::ReplayMovesWindow => (Invariant::S5, "tabs without"),
            Self::ReplayWithoutCondition => (Invariant::S2, "wild network"),
            Self::UnknownIsNo => (Invariant::L4, "tabs with retry proof"),
            Self::GatesInTheRead => (Invariant::S8, "gates"),
            Self::DisableKeepsStamp => (Invariant::S8, "gates"),
            Self::ReuseNotRecorded => (Invariant::S6, "wild network"),
            Self::LockstepNotCounted => (Invariant::S6, "thief elsewhere"),
            Self::LockstepOverwritten => (Invariant::S6, "thief elsewhere"),
            Self::SuccessorByNewestKey => (Invariant::S2, "tabs with retry proof"),
            Self::RefreshMovesExpiry => (Invariant::S10, "gates"),
            Self::PurgeByLastRefresh => (Invariant::S15, "gates"),
            Self::NoReplayAtAll => (Invariant::L2, "tabs without"),
            Self::PreviousAccepted => (Invariant::S1, "wild network"),
            Self::ProofUsedUp => (Invariant::L3, "tabs with retry proof"),
            Self::RepetitionRefused => (Invariant::L1, "tabs without"),
            Self::TimeGoesBack => (Invariant::S11, "wild network"),
            Self::EndNotLogged => (Invariant::S14, "gates"),
        }
    }
}
