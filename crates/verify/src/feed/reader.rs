//! What an event of the feed changes: the rules of a reader, without the network.

use std::sync::Arc;
use std::time::Duration;

use countersign_wire::{Heartbeat, Revocations};
use serde::Deserialize;

use super::frames::Frame;
use crate::RevokedSet;

/// Where a reader is in the log.
#[derive(Debug)]
pub(crate) struct Reader {
    cursor: u64,
    revoked: Arc<RevokedSet>,
    most: usize,
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// All is known that was in the log so long ago.
    UpToDate(Duration),
    /// There is more in the log than is known.
    Behind,
    /// The log began anew: nothing is known.
    Reset,
    /// Nothing: an event that we do not know.
    Nothing,
    /// The server ends the stream, and says why: connect again.
    Over(String),
}

/// The feed is not as it must be: drop it, and ask again from the cursor that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("sent an event that is not understood")]
    Event,
    #[error("sent what follows {found}, and {wanted} was wanted")]
    Gap { wanted: u64, found: u64 },
    #[error("sent entries out of order")]
    Order,
    #[error("has more entries than may be kept")]
    Full,
}

/// The data of `over`.
#[derive(Deserialize)]
struct Over {
    reason: String,
}

impl Reader {
    /// A reader that knows nothing, and keeps so many entries at most.
    pub(crate) fn new(revoked: Arc<RevokedSet>, most: usize) -> Self {
        Self { cursor: 0, revoked, most }
    }

    /// All entries up to this number are known.
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Takes an event in.
    pub(crate) fn take(&mut self, frame: &Frame) -> Result<Step, Violation> {
        match frame.event.as_str() {
            "revocations" => self.revocations(&read(&frame.data)?),
            "heartbeat" => {
                let Heartbeat { cursor, age_ms } = read(&frame.data)?;
                match cursor == self.cursor {
                    true => Ok(Step::UpToDate(Duration::from_millis(age_ms))),
                    false => Ok(Step::Behind),
                }
            }
            "reset" => {
                self.cursor = 0;
                self.revoked.clear();
                Ok(Step::Reset)
            }
            "over" => read::<Over>(&frame.data).map(|over| Step::Over(over.reason)),
            _ => Ok(Step::Nothing),
        }
    }

    fn revocations(&mut self, piece: &Revocations) -> Result<Step, Violation> {
        if piece.after != self.cursor {
            return Err(Violation::Gap { wanted: self.cursor, found: piece.after });
        }
        let numbers: Vec<u64> = piece.entries.iter().map(|entry| entry.n).collect();
        let ascends = numbers.is_sorted_by(|a, b| a < b);
        let is_within = numbers.iter().all(|n| piece.after < *n && *n <= piece.cursor);
        if !ascends || !is_within || piece.cursor < piece.after {
            return Err(Violation::Order);
        }
        if self.revoked.len() + piece.entries.len() > self.most {
            return Err(Violation::Full);
        }
        for entry in &piece.entries {
            self.revoked.add(entry);
        }
        self.cursor = piece.cursor;
        Ok(if piece.more { Step::Behind } else { Step::UpToDate(Duration::ZERO) })
    }
}

fn read<'d, T: Deserialize<'d>>(data: &'d str) -> Result<T, Violation> {
    serde_json::from_str(data).map_err(|_| Violation::Event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(event: &str, data: &str) -> Frame {
        Frame { event: event.to_owned(), data: data.to_owned() }
    }

    fn reader() -> Reader {
        Reader::new(Arc::default(), 3)
    }

    fn piece(after: u64, cursor: u64, numbers: &[u64], more: bool) -> Frame {
        let entry = |n: &u64| format!(r#"{{"n":{n},"exp":9,"kind":"token","jti":"j{n}"}}"#);
        let entries = numbers.iter().map(entry).collect::<Vec<_>>().join(",");
        let data = format!(r#"{{"after":{after},"cursor":{cursor},"more":{more},"entries":[{entries}]}}"#);
        frame("revocations", &data)
    }

    fn beat(cursor: u64) -> Frame {
        frame("heartbeat", &format!(r#"{{"cursor":{cursor},"age_ms":12}}"#))
    }

    #[test]
    fn pieces_follow_one_another() {
        let mut reader = reader();
        assert_eq!(reader.take(&piece(0, 5, &[2, 4], true)), Ok(Step::Behind));
        assert_eq!(reader.take(&beat(7)), Ok(Step::Behind));
        assert_eq!(reader.take(&piece(5, 7, &[7], false)), Ok(Step::UpToDate(Duration::ZERO)));
        assert_eq!(reader.take(&beat(7)), Ok(Step::UpToDate(Duration::from_millis(12))));
        assert_eq!((reader.cursor(), reader.revoked.len()), (7, 3));
        assert_eq!(reader.take(&frame("sunrise", "?")), Ok(Step::Nothing));
        // Nothing of a piece that is refused is taken in.
        assert_eq!(reader.take(&piece(7, 8, &[8], false)), Err(Violation::Full));
        assert_eq!(reader.take(&piece(5, 9, &[], false)), Err(Violation::Gap { wanted: 7, found: 5 }));
        assert_eq!(reader.take(&piece(9, 9, &[], false)), Err(Violation::Gap { wanted: 7, found: 9 }));
        assert_eq!((reader.cursor(), reader.revoked.len()), (7, 3));
        assert_eq!(reader.take(&frame("over", r#"{"reason":"x"}"#)), Ok(Step::Over("x".to_owned())));
        assert_eq!(reader.take(&frame("reset", "{}")), Ok(Step::Reset));
        assert_eq!((reader.cursor(), reader.revoked.len()), (0, 0));
    }

    #[test]
    fn what_is_out_of_order_or_not_understood_is_refused() {
        for (after, cursor, numbers) in
            [(0, 5, &[2, 2][..]), (0, 5, &[3, 2]), (0, 5, &[6]), (0, 5, &[0]), (0, 0, &[1])]
        {
            assert_eq!(reader().take(&piece(after, cursor, numbers, false)), Err(Violation::Order));
        }
        for (event, data) in [
            ("revocations", "{}"),
            ("revocations", ""),
            (
                "revocations",
                r#"{"after":0,"cursor":1,"more":false,"entries":[{"n":1,"exp":1,"kind":"moon"}]}"#,
            ),
            ("heartbeat", r#"{"cursor":-1,"age_ms":0}"#),
            ("over", "[]"),
        ] {
            assert_eq!(reader().take(&frame(event, data)), Err(Violation::Event), "{event} {data}");
        }
    }
}
