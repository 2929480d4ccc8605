//! Between our types and SQLite's.

use std::time::Duration;

use countersign_wire::{BrowserSessionId, ClientId, SessionId, UserId};
use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{ErrorCode, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::{Ended, Reason, StoreError, StoreResult};
use crate::time::Timestamp;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, FileLockingProtocolFailed,
            OperationInterrupted, OutOfMemory, ReadOnly, SystemIoFailure,
        };
        match error.sqlite_error_code() {
            Some(
                DatabaseBusy
                | DatabaseLocked
                | DiskFull
                | SystemIoFailure
                | CannotOpen
                | OutOfMemory
                | ReadOnly
                | FileLockingProtocolFailed
                | OperationInterrupted,
            ) => Self::Unavailable(error.to_string()),
            _ => Self::Broken(error.to_string()),
        }
    }
}

/// A count or number as SQLite has it.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A duration as SQLite has it.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A document as JSON text.
pub(super) fn json<T: Serialize>(value: &T) -> StoreResult<String> {
    serde_json::to_string(value).map_err(|e| StoreError::Broken(e.to_string()))
}

/// A row's columns, one after the other.
pub(super) struct Columns<'a, 's> {
    row: &'a Row<'s>,
    next: usize,
}

impl<'a, 's> Columns<'a, 's> {
    pub(super) fn of(row: &'a Row<'s>) -> Self {
        Self { row, next: 0 }
    }

    /// The next column.
    pub(super) fn take<T: FromSql>(&mut self) -> StoreResult<T> {
        let index = self.next;
        self.next += 1;
        Ok(self.row.get(index)?)
    }

    pub(super) fn number(&mut self) -> StoreResult<u64> {
        self.take::<i64>()?.try_into().map_err(|_| self.wrong())
    }

    pub(super) fn number_or_zero(&mut self) -> StoreResult<u64> {
        self.take::<Option<i64>>()?.unwrap_or(0).try_into().map_err(|_| self.wrong())
    }

    pub(super) fn number_if_set(&mut self) -> StoreResult<Option<u64>> {
        self.take::<Option<i64>>()?.map(|n| n.try_into().map_err(|_| self.wrong())).transpose()
    }

    pub(super) fn time(&mut self) -> StoreResult<Timestamp> {
        Ok(Timestamp(self.take()?))
    }

    pub(super) fn time_if_set(&mut self) -> StoreResult<Option<Timestamp>> {
        Ok(self.take::<Option<i64>>()?.map(Timestamp))
    }

    pub(super) fn duration(&mut self) -> StoreResult<Duration> {
        Ok(Duration::from_millis(self.number()?))
    }

    pub(super) fn session(&mut self) -> StoreResult<SessionId> {
        Ok(SessionId(uuid::Uuid::from_bytes(self.take()?)))
    }

    pub(super) fn session_if_set(&mut self) -> StoreResult<Option<SessionId>> {
        Ok(self.take::<Option<[u8; 16]>>()?.map(|bytes| SessionId(uuid::Uuid::from_bytes(bytes))))
    }

    pub(super) fn user(&mut self) -> StoreResult<UserId> {
        Ok(UserId(uuid::Uuid::from_bytes(self.take()?)))
    }

    pub(super) fn browser(&mut self) -> StoreResult<BrowserSessionId> {
        Ok(BrowserSessionId(uuid::Uuid::from_bytes(self.take()?)))
    }

    pub(super) fn browser_if_set(&mut self) -> StoreResult<Option<BrowserSessionId>> {
        Ok(self.take::<Option<[u8; 16]>>()?.map(|bytes| BrowserSessionId(uuid::Uuid::from_bytes(bytes))))
    }

    pub(super) fn client(&mut self) -> StoreResult<ClientId> {
        self.parsed(|text| text.parse().ok())
    }

    pub(super) fn client_if_set(&mut self) -> StoreResult<Option<ClientId>> {
        let Some(text) = self.take::<Option<String>>()? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.wrong())
    }

    /// A text column's bytes, without copying.
    fn text(&mut self) -> StoreResult<&str> {
        let index = self.next;
        self.next += 1;
        self.row.get_ref(index)?.as_str().map_err(|_| self.wrong())
    }

    /// The next column, text, as something else.
    pub(super) fn parsed<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> StoreResult<T> {
        let parsed = parse(self.text()?);
        parsed.ok_or_else(|| self.wrong())
    }

    /// The next two columns: when and why something ended, once it did.
    pub(super) fn ended(&mut self) -> StoreResult<Option<Ended>> {
        Ok(match (self.time_if_set()?, self.take::<Option<String>>()?) {
            (Some(at), Some(reason)) => {
                Some(Ended { at, reason: Reason::from_name(&reason).ok_or_else(|| self.wrong())? })
            }
            _ => None,
        })
    }

    /// The next column, a JSON document.
    pub(super) fn json<T: DeserializeOwned>(&mut self) -> StoreResult<T> {
        self.parsed(|text| serde_json::from_str(text).ok())
    }

    /// The same where it may be missing: in a row of a join, or in one from before the column.
    pub(super) fn json_or_default<T: DeserializeOwned + Default>(&mut self) -> StoreResult<T> {
        if self.row.get_ref(self.next)? == ValueRef::Null {
            self.next += 1;
            return Ok(T::default());
        }
        self.json()
    }

    /// The next column, bytes, as something else.
    pub(super) fn bytes<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> StoreResult<T> {
        let index = self.next;
        self.next += 1;
        Ok(read(self.row.get_ref(index)?.as_blob().map_err(|_| self.wrong())?))
    }

    /// That the column just taken holds something impossible; not what it holds.
    pub(super) fn wrong(&self) -> StoreError {
        let name = self.row.as_ref().column_name(self.next.saturating_sub(1)).unwrap_or("?");
        StoreError::Broken(format!("the stored {name} is not valid"))
    }
}

/// The first row of a query, read by `read`.
pub(super) fn first<T>(
    mut rows: rusqlite::Rows<'_>,
    read: impl FnOnce(Columns<'_, '_>) -> StoreResult<T>,
) -> StoreResult<Option<T>> {
    rows.next()?.map(|row| read(Columns::of(row))).transpose()
}

/// All rows of a query.
pub(super) fn collect<T>(
    mut rows: rusqlite::Rows<'_>,
    mut read: impl FnMut(Columns<'_, '_>) -> StoreResult<T>,
) -> StoreResult<Vec<T>> {
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(Columns::of(row))?);
    }
    Ok(all)
}
