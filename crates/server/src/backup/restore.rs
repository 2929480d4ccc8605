//! From a backup to an empty store.

use std::io::{BufRead, Read, Seek, SeekFrom};
use std::time::Duration;

use super::{BackupError, Checker, Line, MAX_LINE, PAGE, Summary};
use crate::flows::policy::MAX_ACCESS;
use crate::store::{ClientFilter, Page, Store, StoreError, StoreResult, TABLES};
use crate::time::Timestamp;

/// Bytes read at once while the backup is checked.
const PIECE: usize = 256 * 1024;

/// What was restored.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The backup.
    pub summary: Summary,
    /// Whether all sessions and tokens of before were ended.
    pub ended: bool,
}

/// Checks the whole backup, then fills the store with it, then ends every session and token that
/// was minted before, unless they are to be kept. `progress` hears how many bytes have been read,
/// of twice the file's length.
///
/// # Errors
/// When the backup is not whole or the store is not empty nothing is changed.
pub async fn restore<F: Read + Seek + Send>(
    store: &dyn Store,
    mut file: F,
    keep_sessions: bool,
    now: Timestamp,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Restored, BackupError> {
    for table in TABLES.iter().filter(|table| table.name != "meta") {
        if !store.export(table.name, 0, 1).await?.is_empty() {
            return Err(BackupError::NotEmpty(table.name));
        }
    }
    let summary = check(&mut file, progress)?;
    file.seek(SeekFrom::Start(0))?;
    fill(store, file, progress).await?;
    if !keep_sessions {
        begin_epoch(store, now).await.map_err(BackupError::Partly)?;
    }
    Ok(Restored { summary, ended: !keep_sessions })
}

/// The epoch rule: ends every session and token minted before, those too that the store has
/// forgotten because it is a copy from before them.
///
/// # Errors
/// The store's.
pub async fn begin_epoch(store: &dyn Store, now: Timestamp) -> StoreResult<()> {
    store.begin_epoch(now, now.plus(longest_access(store).await?)).await
}

fn check(file: &mut impl Read, progress: &(dyn Fn(u64) + Sync)) -> Result<Summary, BackupError> {
    let mut checker = Checker::default();
    let mut piece = vec![0; PIECE];
    loop {
        let got = file.read(&mut piece)?;
        if got == 0 {
            return checker.finish();
        }
        checker.push(piece.get(..got).unwrap_or_default())?;
        progress(got as u64);
    }
}

async fn fill(
    store: &dyn Store,
    file: impl Read,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), BackupError> {
    let mut lines = std::io::BufReader::with_capacity(PIECE, file);
    let mut batch = Vec::new();
    let mut table = String::new();
    let mut line = Vec::new();
    let mut first = true;
    loop {
        line.clear();
        let got = (&mut lines).take(MAX_LINE as u64).read_until(b'\n', &mut line)?;
        progress(got as u64);
        if std::mem::take(&mut first) {
            continue;
        }
        let row = match serde_json::from_slice::<Line>(&line) {
            Ok(Line::Row(row)) => Some(row),
            _ => None,
        };
        let full = batch.len() >= PAGE as usize;
        if full || row.as_ref().is_none_or(|row| row.table != table) {
            if !batch.is_empty() {
                store.import(&table, &batch).await.map_err(BackupError::Partly)?;
                batch.clear();
            }
            let Some(row) = &row else { return Ok(()) };
            table.clone_from(&row.table);
        }
        batch.extend(row.map(|row| row.row));
    }
}

/// The longest that an access token minted before can go on for.
async fn longest_access(store: &dyn Store) -> StoreResult<Duration> {
    let mut longest = MAX_ACCESS;
    let mut page = Page { after: None, limit: PAGE };
    loop {
        let clients = store.clients(&ClientFilter::default(), &page).await?;
        for client in &clients {
            longest = longest.max(Duration::from_secs(client.settings.longest_access));
        }
        match clients.last() {
            Some(last) => page.after = Some(last.id.clone()),
            None => return Ok::<_, StoreError>(longest),
        }
    }
}
