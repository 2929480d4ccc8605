//! Server-sent events as they come from the network (the WHATWG's HTML standard, section 9.2.6).

/// Most bytes of an event. A piece of a thousand entries has a tenth of that.
const MAX_EVENT: usize = 1024 * 1024;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Frame {
    /// Its type.
    pub(crate) event: String,
    /// Its lines of data, with line feeds between.
    pub(crate) data: String,
}

/// The stream is not one of events: longer than may be, or not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotEvents;

/// Reads a stream in the pieces in which it comes.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed after it belongs to it.
    after_return: bool,
    frame: Frame,
    has_data: bool,
    len: usize,
}

impl Frames {
    /// Takes the next bytes in and gives the events that they end.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, NotEvents> {
        let mut frames = Vec::new();
        for byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => frames.extend(self.end_line()?),
                byte => {
                    self.line.push(*byte);
                    self.len += 1;
                    if self.len > MAX_EVENT {
                        return Err(NotEvents);
                    }
                }
            }
        }
        Ok(frames)
    }

    fn end_line(&mut self) -> Result<Option<Frame>, NotEvents> {
        let line = std::mem::take(&mut self.line);
        let line = std::str::from_utf8(&line).map_err(|_| NotEvents)?;
        if line.is_empty() {
            self.len = 0;
            let frame = std::mem::take(&mut self.frame);
            let is_event = std::mem::take(&mut self.has_data);
            return Ok(is_event.then_some(frame));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.frame.event),
            "data" => {
                if self.has_data {
                    self.frame.data.push('\n');
                }
                self.frame.data.push_str(value);
                self.has_data = true;
            }
            // Comments, `id`, which the data says as well, `retry`, and what we do not know.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(chunks: &[&[u8]]) -> Result<Vec<Frame>, NotEvents> {
        let mut frames = Frames::default();
        let mut all = Vec::new();
        for chunk in chunks {
            all.extend(frames.push(chunk)?);
        }
        Ok(all)
    }

    fn frame(event: &str, data: &str) -> Frame {
        Frame { event: event.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn events_are_read_as_browsers_read_them() {
        let text = b": hello\nretry: 1000\nevent: heartbeat\nid: 7\ndata: {}\n\ndata:a\ndata: b\ndata\n\nevent: x\n\n";
        assert_eq!(all(&[text]), Ok(vec![frame("heartbeat", "{}"), frame("", "a\nb\n")]));
        assert_eq!(all(&[b"data: a\r\n\r\ndata: b\r\rdata: c\n"]), Ok(vec![frame("", "a"), frame("", "b")]));
        assert_eq!(all(&[b"data: \xff\n"]), Err(NotEvents));
        assert_eq!(all(&[&vec![b'x'; MAX_EVENT + 1]]), Err(NotEvents));
        let lines = b"data: xxxxxxx\n".repeat(MAX_EVENT / 8);
        assert_eq!(all(&[&lines]), Err(NotEvents));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_a_stream_is_cut(
            text in "(event: [a-z]{1,3}|data: [a-z{}]{0,4}|id: 1|:|)(\r\n|\n|\r)(data: é|x)?(\n\n|\r\n\r\n|\r|\n){0,3}",
            repeats in 1..4_usize,
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let bytes = text.repeat(repeats).into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.index(bytes.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&bytes[from..cut]);
                from = cut;
            }
            chunks.push(&bytes[from..]);
            prop_assert_eq!(all(&chunks), all(&[&bytes]));
        }
    }
}
