//! Whether a backup is whole, seen as its bytes go by.

use aws_lc_rs::digest::{Context, SHA256};

use super::{BackupError, FORMAT, Header, Line, MAX_LINE, SCHEMA, Trailer, VERSION, hex};
use crate::store::Table;

/// What a whole backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its first line.
    pub header: Header,
    /// Its last.
    pub trailer: Trailer,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Takes the bytes of a backup in pieces of any size.
pub struct Checker {
    partial: Vec<u8>,
    digest: Context,
    header: Option<Header>,
    counted: Trailer,
    trailer: Option<Trailer>,
    bytes: u64,
}

impl Default for Checker {
    fn default() -> Self {
        Self {
            partial: Vec::new(),
            digest: Context::new(&SHA256),
            header: None,
            counted: Trailer::default(),
            trailer: None,
            bytes: 0,
        }
    }
}

impl Checker {
    /// The next piece.
    ///
    /// # Errors
    /// When it cannot be part of a backup.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), BackupError> {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = piece.split_at(end + 1);
            piece = rest;
            if self.partial.is_empty() {
                self.line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.line(&whole)?;
            }
        }
        self.partial.extend_from_slice(piece);
        if self.partial.len() > MAX_LINE {
            return Err(self.wrong("a line is too long".to_owned()));
        }
        Ok(())
    }

    /// What it holds, once all has been pushed.
    ///
    /// # Errors
    /// When it is not whole.
    pub fn finish(self) -> Result<Summary, BackupError> {
        let damaged = |text: &str| Err(BackupError::Damaged(text.to_owned()));
        let Some(header) = self.header else {
            return Err(BackupError::NotABackup("it is empty".to_owned()));
        };
        match self.trailer {
            None => damaged("it ends too early"),
            Some(_) if !self.partial.is_empty() => damaged("something stands behind its end"),
            Some(trailer) => Ok(Summary { header, trailer, bytes: self.bytes }),
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), BackupError> {
        if self.header.is_none() {
            self.header = Some(header(line)?);
            self.digest.update(line);
            return Ok(());
        }
        if self.trailer.is_some() {
            return Err(BackupError::Damaged("something stands behind its end".to_owned()));
        }
        match serde_json::from_slice(line) {
            Ok(Line::Row(row)) => {
                if Table::find(&row.table).is_none() {
                    return Err(BackupError::Damaged(format!("it has an unknown table {:?}", row.table)));
                }
                *self.counted.rows.entry(row.table).or_default() += 1;
                self.digest.update(line);
                Ok(())
            }
            Ok(Line::Trailer(line)) => {
                let digest = std::mem::replace(&mut self.digest, Context::new(&SHA256)).finish();
                if hex(digest.as_ref()) != line.trailer.sha256 {
                    return Err(BackupError::Damaged("its digest does not fit its content".to_owned()));
                }
                let mut counted = line.trailer.rows.clone();
                let known = counted.keys().all(|name| Table::find(name).is_some());
                counted.retain(|_, rows| *rows > 0);
                if !known || counted != self.counted.rows {
                    return Err(BackupError::Damaged("its counts do not fit its rows".to_owned()));
                }
                self.trailer = Some(line.trailer);
                Ok(())
            }
            Err(_) => Err(self.wrong("a line is neither a row nor the end".to_owned())),
        }
    }

    fn wrong(&self, what: String) -> BackupError {
        match self.header {
            Some(_) => BackupError::Damaged(what),
            None => BackupError::NotABackup(what),
        }
    }
}

/// Reads the first line.
fn header(line: &[u8]) -> Result<Header, BackupError> {
    let header: Header = serde_json::from_slice(line)
        .map_err(|_| BackupError::NotABackup("its first line is not a backup's".to_owned()))?;
    if header.format != FORMAT {
        return Err(BackupError::NotABackup(format!("its format is {:?}", header.format)));
    }
    if header.version != VERSION || header.schema > SCHEMA {
        return Err(BackupError::NotABackup(format!(
            "it is of version {} and schema {}, and this program reads version {VERSION} up to schema {SCHEMA}: restore it with the version that wrote it, or a newer one",
            header.version, header.schema
        )));
    }
    Ok(header)
}
