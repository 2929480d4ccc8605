//! Backups: one text file of JSON lines that either engine can write and either can read.
//!
//! ```text
//! {"format":"countersign-backup","version":1,"created_at":"…","engine":"…","schema":3}
//! {"table":"session","row":{…}}
//! …
//! {"trailer":{"rows":{"session":1,…},"sha256":"…"}}
//! ```
//!
//! The digest covers every byte before the last line, so a file that was cut short or changed is
//! refused. The file holds private keys, sealed under the key-encryption key, which it does not
//! hold: whoever restores needs both.
//!
//! **How consistent it is.** The server goes on while it is read, page by page. Each row is as it
//! was at some moment between beginning and end; rows that others change while they are read are
//! neither lost nor doubled (`read.rs`). Sessions of both kinds are read before the users, clients and tenants
//! that can end them, and the log's position last: so a gate in a backup is never older than a
//! session that it closes. What can be missed is a revocation of a single session during the
//! backup, as one after it would be; restoring ends all sessions anyway unless told otherwise.
//! Factors are read before the users too: a user in a backup has those that were removed with it.

mod check;
mod read;
mod restore;

pub use check::{Checker, Summary};
pub use read::{of, stream};
pub use restore::{Restored, begin_epoch, restore};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::StoreError;

/// What the first line says it is.
pub const FORMAT: &str = "countersign-backup";
/// The version of the form of the lines.
pub const VERSION: u32 = 1;
/// The newest migration that the rows are of.
pub const SCHEMA: u32 = 5;
/// Rows that are read or written at once.
const PAGE: u32 = 1_000;
/// Longest line, in bytes.
const MAX_LINE: usize = 8 * 1024 * 1024;

/// The tables in the order of a backup: see the module's text.
const ORDER: [&str; 13] = [
    "session",
    "browser_session",
    "place",
    "factor",
    "consent",
    "event",
    "user",
    "client",
    "resource",
    "tenant",
    "revocation",
    "key",
    "meta",
];

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// When reading began, RFC 3339.
    pub created_at: String,
    /// The engine it was read from.
    pub engine: String,
    /// [`SCHEMA`].
    pub schema: u32,
}

/// The last line's content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trailer {
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// SHA-256 of all bytes before this line, in hex.
    pub sha256: String,
}

/// Any line after the first.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Row(RowLine),
    Trailer(TrailerLine),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RowLine {
    table: String,
    row: Value,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrailerLine {
    trailer: Trailer,
}

/// Why there is no backup, or why it was not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is something else.
    #[error("this is no backup of Countersign: {0}")]
    NotABackup(String),
    /// It is not whole, or not as it was written.
    #[error("the backup is damaged: {0}; nothing of it was restored")]
    Damaged(String),
    /// There is something already.
    #[error(
        "the store is not empty (there are rows of {0}): a backup is restored into a new one, so name another place with --data-dir or --database"
    )]
    NotEmpty(&'static str),
    /// It broke off in the middle.
    #[error("the store is partly filled and must be removed before the next attempt: {0}")]
    Partly(StoreError),
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// A value cannot be written as JSON.
    #[error("a row cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
