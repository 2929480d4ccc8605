//! The invariants that can be stated of the model, by the names that all tests use.

/// An invariant of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invariant {
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    S7,
    S8,
    S10,
    S11,
    S14,
    S15,
    L1,
    L2,
    L3,
    L4,
}

impl Invariant {
    /// All of them, in order.
    pub(super) const ALL: [Self; 16] = [
        Self::S1,
        Self::S2,
        Self::S3,
        Self::S4,
        Self::S5,
        Self::S6,
        Self::S7,
        Self::S8,
        Self::S10,
        Self::S11,
        Self::S14,
        Self::S15,
        Self::L1,
        Self::L2,
        Self::L3,
        Self::L4,
    ];

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::S1 => "S1 single head",
            Self::S2 => "S2 no fork",
            Self::S3 => "S3 one consumption",
            Self::S4 => "S4 answer after durability",
            Self::S5 => "S5 bounded grace",
            Self::S6 => "S6 reuse ends the session, for ever",
            Self::S7 => "S7 invalid presentations are inert",
            Self::S8 => "S8 gates hold at commit",
            Self::S10 => "S10 authority never grows",
            Self::S11 => "S11 time only ages",
            Self::S14 => "S14 events match state",
            Self::S15 => "S15 forgetting is safe",
            Self::L1 => "L1 a lost answer recovers",
            Self::L2 => "L2 no self-inflicted logout",
            Self::L3 => "L3 tabs and processes converge",
            Self::L4 => "L4 unknown is not no",
        }
    }

    /// What is checked.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::S1 => {
                "after every commit the update accepts exactly one generation of a live session, none of an ended one"
            }
            Self::S2 => "every 200 for a token carries the same successor, one generation and one key",
            Self::S3 => "every generation is consumed by at most one commit, and moves the row by one",
            Self::S4 => "a successor that was answered is never newer than the stored row, whatever crashes",
            Self::S5 => {
                "a spent token is answered only one generation back, with the rotation's own retry proof or, if it had none, inside the window counted from the rotation; a repetition moves no expiry and no window"
            }
            Self::S6 => {
                "a valid presentation of a spent token outside the grace ends the session before it is answered, so do foreign repetitions in consecutive generations; an end is never undone"
            }
            Self::S7 => {
                "a presentation by another client or with another nonce commits nothing and gets no token"
            }
            Self::S8 => {
                "after a revocation, disable, stamp move or client cut has committed nothing is issued, also not after enabling again; nothing is issued by an expired row or a stale client record"
            }
            Self::S10 => {
                "no commit of a refresh changes what was granted or the absolute expiry; idle expiry stays within it"
            }
            Self::S11 => {
                "generation, rotation time and idle expiry never go back, whatever the nodes' clocks say"
            }
            Self::S14 => {
                "the commit that ends the session, and no other commit of a refresh or a revocation, adds an entry to the revocation log"
            }
            Self::S15 => {
                "a row is forgotten only when its session has expired, and what is forgotten is only ever refused"
            }
            Self::L1 => {
                "from every state where an honest client's session lives, repeating the stored token is answered with its successor"
            }
            Self::L2 => "no honest presentation is ever judged a reuse",
            Self::L3 => {
                "from every state both tabs, one after the other with the token they have, get the same successor"
            }
            Self::L4 => {
                "no refusal is sent while the session lives and the token is valid, and none for an unknown outcome"
            }
        }
    }
}

/// What is promised and cannot be stated of one session's row, each with the tests that hold it.
pub(super) const ELSEWHERE: [(&str, &str); 5] = [
    (
        "S9 residual access is bounded",
        "introspection: a_revocation_is_seen_at_once; an API that follows the feed: \
         what_was_revoked_before_and_since_is_refused, a_feed_that_lags_or_falls_silent_is_behind, \
         a_remembered_token_is_revoked_at_once",
    ),
    ("S12 sender binding", "no token is bound to a sender's key yet, so nothing holds it and nothing has to"),
    (
        "S13 storage is not a credential",
        "what_is_stored_makes_no_token; and every test of the endpoints searches what was logged, measured and \
         stored for each secret that it was given",
    ),
    (
        "S14 events match state, its delivery",
        "the model has the entry in the log; that it is told in order, and on every node: \
         every_kind_of_end_is_told_in_order, the_feed_is_the_same_on_every_node, \
         a_stream_tells_what_was_and_what_comes_and_goes_on_where_it_was",
    ),
    (
        "L5 revocation terminates",
        "every schedule, where an answer before its transaction's end is refused; case_17_a_revocation_while_the_database_is_away; \
         an_ending_takes_as_many_steps_for_one_session_as_for_many",
    ),
];

/// The invariants that were seen broken on the way to a state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Broken(u16);

impl Broken {
    /// Whether this one was.
    pub(super) fn has(self, invariant: Invariant) -> bool {
        self.0 & (1 << invariant as u16) != 0
    }

    /// Marks it unless `holds`.
    pub(super) fn require(&mut self, invariant: Invariant, holds: bool) {
        if !holds {
            self.0 |= 1 << invariant as u16;
        }
    }
}
