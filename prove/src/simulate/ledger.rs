//! What was seen of one session by all who present its tokens: the judge of forks, of grace and
//! of what works after the end. It hears the answers that the simulator withholds from clients.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use super::wire::Answer;

/// A token or proof, as the ledger remembers it: a million of them would be long as text.
type Fingerprint = u128;

/// What is known of one presented token.
struct Entry {
    /// The proofs that were presented with it until `answered`, each once; one made the successor.
    proofs: Vec<Option<Fingerprint>>,
    /// The successors that were seen; more than one is a fork.
    successors: Vec<Fingerprint>,
    /// When the first 200 had been read: the rotation was no later.
    answered: Option<Instant>,
}

/// The first refusal that means that a session is over.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) at: Instant,
    /// Rotations that had been seen.
    pub(crate) generation: u64,
}

/// What one session's answers add up to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Tokens that got a successor.
    pub(crate) rotations: u64,
    /// 200s that repeated a known successor.
    pub(crate) repeats: u64,
    /// Tokens with a second successor.
    pub(crate) forks: u64,
    /// 200s to spent tokens outside of every grace.
    pub(crate) graceless: u64,
    /// 200s to requests that were sent after the session's end was known.
    pub(crate) revived: u64,
}

/// The book of one session.
pub(crate) struct Ledger {
    hashers: [RandomState; 2],
    overlap: Duration,
    entries: HashMap<Fingerprint, Entry>,
    pub(crate) end: Option<End>,
    pub(crate) tally: Tally,
}

/// A presentation that the ledger has been told of, and whose answer it has not.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    token: Fingerprint,
    proof: Option<Fingerprint>,
    at: Instant,
}

impl Ledger {
    /// Of a session whose server forgives a spent token for so long.
    pub(crate) fn new(overlap: Duration) -> Self {
        let hashers = [RandomState::new(), RandomState::new()];
        Self { hashers, overlap, entries: HashMap::new(), end: None, tally: Tally::default() }
    }

    /// A request is going to be sent.
    pub(crate) fn send(&mut self, token: &str, proof: Option<&str>, at: Instant) -> Sent {
        let (token, proof) = (self.fingerprint(token), proof.map(|proof| self.fingerprint(proof)));
        let entry = self.entries.entry(token).or_insert_with(|| Entry {
            proofs: Vec::new(),
            successors: Vec::new(),
            answered: None,
        });
        // What is sent after the first answer did not make the successor, and excuses nobody.
        if entry.answered.is_none() && !entry.proofs.contains(&proof) {
            entry.proofs.push(proof);
        }
        Sent { token, proof, at }
    }

    /// Its answer has been read.
    pub(crate) fn hear(&mut self, sent: Sent, answer: &Answer, at: Instant) {
        match answer {
            Answer::Granted(successor) => {
                let successor = self.fingerprint(successor);
                self.granted(sent, successor, at);
            }
            Answer::Refused { error, .. } if error == "invalid_grant" => {
                self.end.get_or_insert(End { at, generation: self.tally.rotations });
            }
            Answer::Refused { .. } => {}
        }
    }

    fn granted(&mut self, sent: Sent, successor: Fingerprint, at: Instant) {
        if self.end.as_ref().is_some_and(|end| end.at < sent.at) {
            self.tally.revived += 1;
        }
        if successor == sent.token {
            // A server that does not rotate: nothing is ever spent.
            self.tally.repeats += 1;
            return;
        }
        let used = self.entries.get(&sent.token).is_some_and(|entry| {
            let answered = |token| self.entries.get(token).and_then(|entry: &Entry| entry.answered);
            entry.successors.iter().any(|token| answered(token).is_some_and(|at| at < sent.at))
        });
        let overlap = self.overlap;
        let Some(entry) = self.entries.get_mut(&sent.token) else { return };
        if let Some(first) = entry.answered.filter(|first| *first < sent.at) {
            let forgiven = entry.proofs.iter().any(|made_with| match made_with {
                Some(_) => *made_with == sent.proof,
                None => sent.at.duration_since(first) <= overlap,
            });
            if used || !forgiven {
                self.tally.graceless += 1;
            }
        }
        entry.answered.get_or_insert(at);
        if entry.successors.is_empty() {
            self.tally.rotations += 1;
        } else if entry.successors.contains(&successor) {
            self.tally.repeats += 1;
        } else if entry.successors.len() == 1 {
            self.tally.forks += 1;
        }
        if !entry.successors.contains(&successor) {
            entry.successors.push(successor);
        }
    }

    /// Forked tokens of which two successors were used: two chains that lived beside each other.
    pub(crate) fn live_forks(&self) -> usize {
        let used = |token: &&Fingerprint| self.entries.get(*token).is_some_and(|e| e.answered.is_some());
        self.entries.values().filter(|entry| entry.successors.iter().filter(used).count() > 1).count()
    }

    fn fingerprint(&self, text: &str) -> Fingerprint {
        let [high, low] = self.hashers.each_ref().map(|hasher| u128::from(hasher.hash_one(text)));
        (high << 64) | low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        ledger: Ledger,
        start: Instant,
    }

    impl Case {
        fn new() -> Self {
            Self { ledger: Ledger::new(Duration::from_secs(10)), start: Instant::now() }
        }

        /// Presented at a second and answered at once with that successor.
        fn at(&mut self, second: u64, token: &str, proof: Option<&str>, successor: &str) -> Tally {
            let at = self.start + Duration::from_secs(second);
            let sent = self.ledger.send(token, proof, at);
            self.ledger.hear(sent, &Answer::Granted(successor.to_owned()), at + Duration::from_millis(1));
            self.ledger.tally
        }

        fn refused(&mut self, second: u64, token: &str) {
            let at = self.start + Duration::from_secs(second);
            let sent = self.ledger.send(token, None, at);
            let answer = Answer::Refused {
                status: 400,
                error: "invalid_grant".to_owned(),
                description: String::new(),
            };
            self.ledger.hear(sent, &answer, at);
        }
    }

    #[test]
    fn a_second_successor_is_a_fork_and_two_used_ones_are_two_chains() {
        let mut case = Case::new();
        case.at(0, "a", None, "b");
        assert_eq!(case.at(1, "a", None, "c").forks, 1);
        case.at(2, "b", None, "d");
        assert_eq!(case.ledger.live_forks(), 0);
        case.at(2, "c", None, "e");
        assert_eq!(case.ledger.live_forks(), 1);
    }

    #[test]
    fn the_window_forgives_for_as_long_as_it_is_open() {
        let mut case = Case::new();
        case.at(0, "a", None, "b");
        let tally = case.at(9, "a", None, "b");
        assert_eq!((tally.repeats, tally.graceless), (1, 0));
        assert_eq!(case.at(11, "a", None, "b").graceless, 1);
    }

    #[test]
    fn a_proof_forgives_without_limit_but_nobody_else() {
        let mut case = Case::new();
        case.at(0, "a", Some("p"), "b");
        assert_eq!(case.at(900, "a", Some("p"), "b").graceless, 0);
        assert_eq!(case.at(901, "a", Some("q"), "b").graceless, 1);
    }

    #[test]
    fn nothing_forgives_once_the_successor_was_used() {
        let mut case = Case::new();
        case.at(0, "a", Some("p"), "b");
        case.at(1, "b", Some("p2"), "c");
        assert_eq!(case.at(2, "a", Some("p"), "b").graceless, 1);
    }

    #[test]
    fn what_works_after_the_end_is_seen() {
        let mut case = Case::new();
        case.at(0, "a", None, "b");
        case.refused(1, "a");
        assert_eq!(case.at(2, "b", None, "c").revived, 1);
    }
}
