//! What strace wrote (`-f -y -xx -s` long enough for every write), read again.

use std::collections::HashMap;

use countersign_wire::SessionId;

use super::honest::Acknowledged;
use crate::Outcome;

/// What the service did to its files, and said to its clients.
#[derive(Debug)]
pub(super) enum Event {
    /// Bytes were handed to the kernel.
    Write { file: &'static str, offset: usize, data: Vec<u8> },
    /// A file was cut or lengthened.
    Truncate { file: &'static str, length: usize },
    /// A file was removed.
    Remove { file: &'static str },
    /// A thread asked for a file to be on the disk.
    SyncBegins(u32),
    /// And it is.
    SyncEnds(u32, &'static str),
    /// An answer with status 200 began to leave.
    Acknowledged(SessionId, Acknowledged),
}

impl Event {
    /// The file that it changes.
    pub(super) fn file(&self) -> Option<&'static str> {
        match self {
            Self::Write { file, .. } | Self::Truncate { file, .. } | Self::Remove { file } => Some(file),
            Self::SyncBegins(..) | Self::SyncEnds(..) | Self::Acknowledged(..) => None,
        }
    }
}

/// The events in their order.
pub(super) struct Recording {
    pub(super) events: Vec<Event>,
}

impl Recording {
    /// Reads a trace. A call counts from when it is entered, a sync until it has returned.
    pub(super) fn read(
        trace: &str,
        files: &[&'static str],
        known: &HashMap<String, (SessionId, Acknowledged)>,
    ) -> Outcome<Self> {
        let mut reader = Reader { files, known, syncing: HashMap::new(), events: Vec::new() };
        for line in trace.lines() {
            reader
                .line(line)
                .ok_or_else(|| format!("a line of the trace that cannot be read: {:.120}", line))?;
        }
        Ok(Self { events: reader.events })
    }

    /// How often a file was synced.
    pub(super) fn syncs_of(&self, file: &str) -> usize {
        self.events
            .iter()
            .filter(|event| matches!(event, Event::SyncEnds(_, synced) if *synced == file))
            .count()
    }
}

struct Reader<'a> {
    files: &'a [&'static str],
    known: &'a HashMap<String, (SessionId, Acknowledged)>,
    syncing: HashMap<u32, &'static str>,
    events: Vec<Event>,
}

impl Reader<'_> {
    fn line(&mut self, line: &str) -> Option<()> {
        let (thread, rest) = line.split_once(' ')?;
        let thread: u32 = thread.parse().ok()?;
        let rest = rest.trim_start();
        if rest.starts_with("<... fsync resumed>") || rest.starts_with("<... fdatasync resumed>") {
            return self.sync_ends(thread, rest);
        }
        let Some((call, arguments)) = rest.split_once('(') else { return Some(()) };
        match call {
            "pwrite64" => {
                let Some(file) = self.file_in(arguments) else { return Some(()) };
                let (_, quoted) = arguments.split_once(", \"")?;
                let (data, after) = quoted.split_once('"')?;
                let offset = after.split([',', ')', '<']).nth(2)?.trim().parse().ok()?;
                self.events.push(Event::Write { file, offset, data: unhex(data)? });
            }
            "ftruncate" => {
                let Some(file) = self.file_in(arguments) else { return Some(()) };
                let length = arguments.rsplit_once(", ")?.1;
                let digits: String = length.chars().take_while(char::is_ascii_digit).collect();
                self.events.push(Event::Truncate { file, length: digits.parse().ok()? });
            }
            "unlink" | "unlinkat" => {
                let path = arguments.split('"').nth(1)?;
                if let Some(file) = self.file_named(&String::from_utf8(unhex(path)?).ok()?) {
                    self.events.push(Event::Remove { file });
                }
            }
            "fsync" | "fdatasync" => {
                let Some(file) = self.file_in(arguments) else { return Some(()) };
                self.events.push(Event::SyncBegins(thread));
                self.syncing.insert(thread, file);
                if !arguments.contains("<unfinished") {
                    return self.sync_ends(thread, arguments);
                }
            }
            "writev" | "sendto" | "write" => self.sent(arguments)?,
            _ => {}
        }
        Some(())
    }

    fn sync_ends(&mut self, thread: u32, text: &str) -> Option<()> {
        if let Some(file) = self.syncing.remove(&thread)
            && text.trim_end().ends_with("= 0")
        {
            self.events.push(Event::SyncEnds(thread, file));
        }
        Some(())
    }

    /// An answer is known by its request id.
    fn sent(&mut self, arguments: &str) -> Option<()> {
        let bytes = unhex(arguments.split('"').nth(1).unwrap_or_default())?;
        let text = String::from_utf8_lossy(&bytes);
        if text.starts_with("HTTP/1.1 200")
            && let Some((_, rest)) = text.split_once("x-request-id: ")
            && let Some((id, what)) = rest.lines().next().and_then(|request| self.known.get(request))
        {
            self.events.push(Event::Acknowledged(*id, *what));
        }
        Some(())
    }

    /// The file of a descriptor, as `18<path>`.
    fn file_in(&self, arguments: &str) -> Option<&'static str> {
        let path = arguments.split_once('<')?.1.split_once('>')?.0;
        match unhex(path) {
            Some(bytes) if path.starts_with("\\x") => self.file_named(&String::from_utf8(bytes).ok()?),
            _ => self.file_named(path),
        }
    }

    fn file_named(&self, path: &str) -> Option<&'static str> {
        let name = path.rsplit('/').next()?;
        self.files.iter().find(|file| **file == name).copied()
    }
}

/// `\x41\x42` as bytes.
fn unhex(text: &str) -> Option<Vec<u8>> {
    text.split("\\x").skip(1).map(|digits| u8::from_str_radix(digits, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_in_its_order() {
        let id: SessionId = "01a20824-536c-7aba-b6eb-c7aff7d8cbfa".parse().unwrap();
        let known = HashMap::from([("r1".to_owned(), (id, Acknowledged::Revoked))]);
        let hex = |text: &str| text.bytes().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
        let answer = hex("HTTP/1.1 200 OK\r\nx-request-id: r1\r\n\r\n");
        let trace = format!(
            "7 pwrite64(18</d/a.db-wal>, \"\\x00\\xff\", 2, 4096) = 2\n\
             7 fsync(18</d/a.db-wal> <unfinished ...>\n\
             8 pwrite64(19</d/other>, \"\\x00\", 1, 0) = 1\n\
             7 <... fsync resumed>) = 0\n\
             8 writev(26<socket:[1]>, [{{iov_base=\"{answer}\", iov_len=9}}], 1) = 9\n\
             9 fsync(18</d/a.db-wal>) = -1 EIO (Input/output error)\n\
             9 ftruncate(18</d/a.db-wal>, 12) = 0\n"
        );
        let events = Recording::read(&trace, &["a.db-wal"], &known).unwrap().events;
        assert!(matches!(&events[0], Event::Write { offset: 4096, data, .. } if data == &[0, 255]));
        assert!(matches!(events[1], Event::SyncBegins(7)));
        assert!(matches!(events[2], Event::SyncEnds(7, "a.db-wal")));
        assert!(matches!(events[3], Event::Acknowledged(found, Acknowledged::Revoked) if found == id));
        assert!(matches!(events[4], Event::SyncBegins(9)), "and it never ends");
        assert!(matches!(events[5], Event::Truncate { length: 12, .. }));
        assert_eq!(events.len(), 6);
        assert_eq!(Recording { events }.syncs_of("a.db-wal"), 1);
    }
}
