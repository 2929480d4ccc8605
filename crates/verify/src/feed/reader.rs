//! What an event of the feed changes: the rules of a reader, without the network.

use std::sync::Arc;
use std::time::Duration;

use countersign_wire::{Heartbeat, Revocations};
use serde::Deserialize;

use super::frames::{Frame, Frames};
use crate::RevokedSet;

/// Reads the feed, for whoever has a connection of their own; [`crate::Guard`] has one.
#[derive(Debug)]
pub struct FeedReader {
    frames: Frames,
    cursor: u64,
    revoked: Arc<RevokedSet>,
    most: usize,
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedStep {
    /// All is known that was in the log so long ago.
    UpToDate(Duration),
    /// There is more in the log than is known.
    Behind,
    /// The log began anew: nothing is known.
    Reset,
    /// Nothing: entries that were taken in, or an event that we do not know.
    Nothing,
    /// The server ends the stream, and says why: connect again.
    Over(String),
}

/// The feed is not as it must be: drop it, and ask again from the cursor that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedViolation {
    /// No event stream: longer than may be, or not UTF-8.
    #[error("sends what is no stream of events")]
    Stream,
    /// An event's data is not what its type says.
    #[error("sent an event that is not understood")]
    Event,
    /// A piece that does not continue from the cursor.
    #[error("sent what follows {found}, and {wanted} was wanted")]
    Gap {
        /// The cursor.
        wanted: u64,
        /// Where the piece continues from.
        found: u64,
    },
    /// Numbers that do not ascend, or that the piece does not cover.
    #[error("sent entries out of order")]
    Order,
    /// More than the reader keeps: nothing of the piece was taken in.
    #[error("has more entries than may be kept")]
    Full,
}

/// The data of `over`.
#[derive(Deserialize)]
struct Over {
    reason: String,
}

impl FeedReader {
    /// A reader that knows nothing, writes into a set, and keeps so many entries at most.
    pub fn new(revoked: Arc<RevokedSet>, most: usize) -> Self {
        Self { frames: Frames::default(), cursor: 0, revoked, most }
    }

    /// All entries up to this number are known: where the next connection continues from.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Another connection begins: what the last one began to say is forgotten.
    pub fn reconnect(&mut self) {
        self.frames = Frames::default();
    }

    /// Takes the next bytes of the stream in, and tells what follows from each event that they end.
    ///
    /// # Errors
    /// The [`FeedViolation`] for which the connection must be dropped. What was told before it counts.
    pub fn push(&mut self, bytes: &[u8], mut told: impl FnMut(FeedStep)) -> Result<(), FeedViolation> {
        let frames = self.frames.push(bytes).map_err(|_| FeedViolation::Stream)?;
        for frame in &frames {
            let step = self.take(frame)?;
            let is_reset = step == FeedStep::Reset;
            told(step);
            // Whoever asks in between has been told that nothing is known.
            if is_reset {
                self.revoked.clear();
            }
        }
        Ok(())
    }

    fn take(&mut self, frame: &Frame) -> Result<FeedStep, FeedViolation> {
        match frame.event.as_str() {
            "revocations" => self.revocations(&read(&frame.data)?),
            "heartbeat" => {
                let Heartbeat { cursor, age_ms } = read(&frame.data)?;
                match cursor == self.cursor {
                    true => Ok(FeedStep::UpToDate(Duration::from_millis(age_ms))),
                    false => Ok(FeedStep::Behind),
                }
            }
            "reset" => {
                self.cursor = 0;
                Ok(FeedStep::Reset)
            }
            "over" => read::<Over>(&frame.data).map(|over| FeedStep::Over(over.reason)),
            _ => Ok(FeedStep::Nothing),
        }
    }

    fn revocations(&mut self, piece: &Revocations) -> Result<FeedStep, FeedViolation> {
        if piece.after != self.cursor {
            return Err(FeedViolation::Gap { wanted: self.cursor, found: piece.after });
        }
        let numbers: Vec<u64> = piece.entries.iter().map(|entry| entry.n).collect();
        let ascends = numbers.is_sorted_by(|a, b| a < b);
        let is_within = numbers.iter().all(|n| piece.after < *n && *n <= piece.cursor);
        if !ascends || !is_within || piece.cursor < piece.after {
            return Err(FeedViolation::Order);
        }
        if self.revoked.len() + piece.entries.len() > self.most {
            return Err(FeedViolation::Full);
        }
        for entry in &piece.entries {
            self.revoked.add(entry);
        }
        self.cursor = piece.cursor;
        // How old a piece is, only a heartbeat says: the server keeps some for who comes late.
        Ok(if piece.more { FeedStep::Behind } else { FeedStep::Nothing })
    }
}

fn read<'d, T: Deserialize<'d>>(data: &'d str) -> Result<T, FeedViolation> {
    serde_json::from_str(data).map_err(|_| FeedViolation::Event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(event: &str, data: &str) -> Frame {
        Frame { event: event.to_owned(), data: data.to_owned() }
    }

    fn reader() -> FeedReader {
        FeedReader::new(Arc::default(), 3)
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
        assert_eq!(reader.take(&piece(0, 5, &[2, 4], true)), Ok(FeedStep::Behind));
        assert_eq!(reader.take(&beat(7)), Ok(FeedStep::Behind));
        assert_eq!(reader.take(&piece(5, 7, &[7], false)), Ok(FeedStep::Nothing));
        assert_eq!(reader.take(&beat(7)), Ok(FeedStep::UpToDate(Duration::from_millis(12))));
        assert_eq!((reader.cursor(), reader.revoked.len()), (7, 3));
        assert_eq!(reader.take(&frame("sunrise", "?")), Ok(FeedStep::Nothing));
        // Nothing of a piece that is refused is taken in.
        assert_eq!(reader.take(&piece(7, 8, &[8], false)), Err(FeedViolation::Full));
        assert_eq!(reader.take(&piece(5, 9, &[], false)), Err(FeedViolation::Gap { wanted: 7, found: 5 }));
        assert_eq!(reader.take(&piece(9, 9, &[], false)), Err(FeedViolation::Gap { wanted: 7, found: 9 }));
        assert_eq!((reader.cursor(), reader.revoked.len()), (7, 3));
        assert_eq!(reader.take(&frame("over", r#"{"reason":"x"}"#)), Ok(FeedStep::Over("x".to_owned())));
        let mut told = Vec::new();
        let revoked = reader.revoked.clone();
        // What is told is told before it is done.
        reader.push(b"event: reset\ndata: {}\n\n", |step| told.push((step, revoked.len()))).unwrap();
        assert_eq!(told, [(FeedStep::Reset, 3)]);
        assert_eq!((reader.cursor(), reader.revoked.len()), (0, 0));
    }

    #[test]
    fn what_is_out_of_order_or_not_understood_is_refused() {
        for (after, cursor, numbers) in
            [(0, 5, &[2, 2][..]), (0, 5, &[3, 2]), (0, 5, &[6]), (0, 5, &[0]), (0, 0, &[1])]
        {
            assert_eq!(reader().take(&piece(after, cursor, numbers, false)), Err(FeedViolation::Order));
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
            assert_eq!(reader().take(&frame(event, data)), Err(FeedViolation::Event), "{event} {data}");
        }
    }
}
