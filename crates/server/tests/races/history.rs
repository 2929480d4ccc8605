//! A checker of histories: whether what several clients saw of one session, each operation with
//! the moments of its call and its answer, can have happened one operation after the other
//! (linearisability, by search: Wing and Gong). An operation whose outcome is unknown may have
//! happened at any moment after its call, or never.

use std::collections::HashSet;

/// What was asked of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    /// A refresh with the token of this generation, and this retry proof.
    Refresh(u32, Option<u8>),
    /// Whether an access token of the session is active.
    Introspect,
    /// The session's end.
    Revoke,
    /// All sessions of the user end.
    End(Verb),
    /// The user is removed, with all that the user has.
    Remove,
}

/// How all sessions of a user end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    SignOut,
    Disable,
    /// A new password.
    Password,
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Saw {
    /// The token of this generation.
    Token(u32),
    /// `invalid_grant`.
    Refused,
    /// Active, or not.
    Active(bool),
    /// It is done.
    Done,
    /// There is no such user.
    Missing,
    /// No answer, or 503.
    Unknown,
}

/// One operation of a history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) op: Op,
    pub(crate) saw: Saw,
    /// When it was called and answered, by one counter.
    pub(crate) called: u64,
    pub(crate) answered: u64,
}

/// The session as the documentation has it, while the clock stands still: each rotation without a
/// proof is inside its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Model {
    generation: u32,
    proof: Option<u8>,
    alive: bool,
    removed: bool,
}

impl Model {
    fn step(mut self, op: Op) -> (Self, Saw) {
        let saw = match op {
            Op::Introspect => Saw::Active(self.alive),
            // The session's record outlives its user.
            Op::End(_) | Op::Remove if self.removed => Saw::Missing,
            Op::Revoke | Op::End(_) | Op::Remove => {
                self.alive = false;
                self.removed |= op == Op::Remove;
                Saw::Done
            }
            Op::Refresh(..) if !self.alive => Saw::Refused,
            Op::Refresh(g, proof) if g == self.generation => {
                (self.generation, self.proof) = (g + 1, proof);
                Saw::Token(g + 1)
            }
            Op::Refresh(g, proof)
                if g + 1 == self.generation && (self.proof.is_none() || self.proof == proof) =>
            {
                Saw::Token(self.generation)
            }
            Op::Refresh(g, _) if g < self.generation => {
                self.alive = false;
                Saw::Refused
            }
            Op::Refresh(..) => Saw::Refused,
        };
        (self, saw)
    }
}

/// Whether some order explains the history. Only what overlaps is tried in another order, so the
/// search grows with the length of the history, and with what each moment's clients can do at once.
pub(crate) fn is_linearisable(history: &[Call]) -> bool {
    assert!(history.len() <= 128, "a bit for each operation");
    let start = Model { generation: 1, proof: None, alive: true, removed: false };
    let needed = history.iter().enumerate().filter(|(_, call)| call.saw != Saw::Unknown);
    let needed = needed.fold(0_u128, |bits, (i, _)| bits | 1 << i);
    let mut seen = HashSet::new();
    let mut open = vec![(0_u128, start)];
    while let Some((done, model)) = open.pop() {
        if done & needed == needed {
            return true;
        }
        if !seen.insert((done, model)) {
            continue;
        }
        let left = || history.iter().enumerate().filter(move |(i, _)| done & 1 << i == 0);
        // What was called after another was answered comes after it.
        let first_answer =
            left().filter(|(_, call)| call.saw != Saw::Unknown).map(|(_, call)| call.answered).min();
        for (i, call) in left().filter(|(_, call)| first_answer.is_none_or(|first| call.called < first)) {
            let (next, saw) = model.step(call.op);
            if call.saw == Saw::Unknown || call.saw == saw {
                open.push((done | 1 << i, next));
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(op: Op, saw: Saw, called: u64, answered: u64) -> Call {
        Call { op, saw, called, answered }
    }

    const FIRST: Op = Op::Refresh(1, None);

    #[test]
    fn good_histories_are_explained() {
        assert!(is_linearisable(&[]));
        let overlapping = [call(FIRST, Saw::Token(2), 0, 9), call(Op::Revoke, Saw::Done, 1, 2)];
        assert!(is_linearisable(&overlapping));
        let replay = [call(FIRST, Saw::Token(2), 0, 3), call(FIRST, Saw::Token(2), 1, 2)];
        assert!(is_linearisable(&replay));
        let lost = [call(FIRST, Saw::Unknown, 0, 1), call(Op::Refresh(2, None), Saw::Token(3), 2, 3)];
        assert!(is_linearisable(&lost), "what is unknown may have happened");
        let never = [call(Op::Revoke, Saw::Unknown, 0, 1), call(FIRST, Saw::Token(2), 2, 3)];
        assert!(is_linearisable(&never), "or not");
        let removed = [call(Op::Remove, Saw::Done, 0, 9), call(Op::Remove, Saw::Missing, 1, 2)];
        assert!(is_linearisable(&removed));
    }

    #[test]
    fn bad_histories_are_not() {
        let bad: [(&str, Vec<Call>); 9] = [
            (
                "a refresh after a revocation",
                vec![call(Op::Revoke, Saw::Done, 0, 1), call(FIRST, Saw::Token(2), 2, 3)],
            ),
            ("a successor out of nothing", vec![call(FIRST, Saw::Token(3), 0, 1)]),
            (
                "consumed twice",
                vec![
                    call(Op::Refresh(1, Some(1)), Saw::Token(2), 0, 5),
                    call(Op::Refresh(1, Some(2)), Saw::Token(2), 1, 4),
                ],
            ),
            (
                "active after the answer",
                vec![
                    call(Op::End(Verb::Password), Saw::Done, 0, 1),
                    call(Op::Introspect, Saw::Active(true), 2, 3),
                ],
            ),
            (
                "dead, then alive",
                vec![
                    call(Op::Revoke, Saw::Done, 0, 9),
                    call(Op::Introspect, Saw::Active(false), 1, 2),
                    call(Op::Introspect, Saw::Active(true), 3, 4),
                ],
            ),
            (
                "a token after the removal",
                vec![call(Op::Remove, Saw::Done, 0, 1), call(FIRST, Saw::Token(2), 2, 3)],
            ),
            ("removed twice", vec![call(Op::Remove, Saw::Done, 0, 9), call(Op::Remove, Saw::Done, 1, 8)]),
            ("refused without a reason", vec![call(FIRST, Saw::Refused, 0, 1)]),
            (
                "reuse that ended nothing",
                vec![
                    call(FIRST, Saw::Token(2), 0, 1),
                    call(Op::Refresh(2, None), Saw::Token(3), 2, 3),
                    call(FIRST, Saw::Refused, 4, 5),
                    call(Op::Refresh(3, None), Saw::Token(4), 6, 7),
                ],
            ),
        ];
        for (name, history) in bad {
            assert!(!is_linearisable(&history), "{name}");
        }
    }
}
