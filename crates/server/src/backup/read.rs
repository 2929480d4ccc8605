//! From the store to lines.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use futures_util::Stream;
use serde_json::Value;

use super::{BackupError, FORMAT, Header, ORDER, PAGE, RowLine, SCHEMA, Trailer, TrailerLine, VERSION, hex};
use crate::app::App;
use crate::store::{Store, Table};
use crate::time::Timestamp;

/// The store of a running application as a backup; see [`stream`].
pub fn of(app: &App) -> impl Stream<Item = Result<Bytes, BackupError>> + Send + use<> {
    stream(app.store.clone(), app.clock.now())
}

/// The whole store as the bytes of a backup, a page of rows at a time. An error ends the stream:
/// what came before lacks its trailer, and is refused by whoever reads it.
pub fn stream(
    store: Arc<dyn Store>,
    now: Timestamp,
) -> impl Stream<Item = Result<Bytes, BackupError>> + Send {
    let writer = Writer {
        tables: ORDER.iter().filter_map(|name| Table::find(name)).collect(),
        place: Place::default(),
        digest: Context::new(&SHA256),
        rows: BTreeMap::new(),
        step: Step::Header(now),
        store,
    };
    futures_util::stream::unfold(writer, |mut writer| async move {
        match writer.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), writer)),
            Ok(None) => None,
            Err(error) => {
                writer.step = Step::Done;
                Some((Err(error), writer))
            }
        }
    })
}

struct Writer {
    store: Arc<dyn Store>,
    tables: VecDeque<&'static Table>,
    place: Place,
    digest: Context,
    rows: BTreeMap<String, u64>,
    step: Step,
}

#[derive(Clone, Copy)]
enum Step {
    Header(Timestamp),
    Rows,
    Done,
}

/// How far a table has been read.
#[derive(Default)]
struct Place {
    offset: u64,
    last: Option<Vec<Key>>,
}

/// The value of a table's key column, in the order of the export; a key is one or several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Text(String),
}

impl Writer {
    async fn next(&mut self) -> Result<Option<Bytes>, BackupError> {
        match self.step {
            Step::Header(now) => {
                self.step = Step::Rows;
                let header = Header {
                    format: FORMAT.to_owned(),
                    version: VERSION,
                    created_at: now.to_string(),
                    engine: self.store.engine(),
                    schema: SCHEMA,
                };
                let mut text = Vec::new();
                line(&mut text, &header)?;
                self.digest.update(&text);
                Ok(Some(text.into()))
            }
            Step::Rows => loop {
                let Some(table) = self.tables.front().copied() else {
                    self.step = Step::Done;
                    return self.trailer().map(Some);
                };
                let (rows, more) = self.page(table).await?;
                let mut text = Vec::new();
                *self.rows.entry(table.name.to_owned()).or_default() += rows.len() as u64;
                for row in rows {
                    line(&mut text, &RowLine { table: table.name.to_owned(), row })?;
                }
                if !more {
                    self.tables.pop_front();
                    self.place = Place::default();
                }
                if !text.is_empty() {
                    self.digest.update(&text);
                    return Ok(Some(text.into()));
                }
            },
            Step::Done => Ok(None),
        }
    }

    /// The next rows of a table, and whether there may be more.
    ///
    /// Pages are counted, and others add and remove rows meanwhile. So each page begins before the
    /// end of the one before it, far enough back to meet a row that was seen: from there on, by
    /// the order of keys, nothing is missing and nothing comes twice.
    async fn page(&mut self, table: &'static Table) -> Result<(Vec<Value>, bool), BackupError> {
        let mut back = u64::from(self.place.last.is_some());
        loop {
            let after = self.place.offset.saturating_sub(back);
            let rows = self.store.export(table.name, after, PAGE).await?;
            let got = rows.len() as u64;
            let mut keyed = Vec::with_capacity(rows.len());
            for row in rows {
                keyed.push((key(table, &row)?, row));
            }
            let joined = match (&self.place.last, keyed.first()) {
                (None, _) => true,
                (Some(last), Some((first, _))) => first <= last || after == 0,
                (Some(_), None) => after == 0,
            };
            if !joined {
                back = back.saturating_mul(8);
                continue;
            }
            let last = self.place.last.take();
            keyed.retain(|(key, _)| last.as_ref().is_none_or(|last| key > last));
            self.place.offset = after + got;
            self.place.last = keyed.last().map(|(key, _)| key.clone()).or(last);
            return Ok((keyed.into_iter().map(|(_, row)| row).collect(), got == u64::from(PAGE)));
        }
    }

    fn trailer(&mut self) -> Result<Bytes, BackupError> {
        let digest = std::mem::replace(&mut self.digest, Context::new(&SHA256)).finish();
        let trailer = Trailer { rows: std::mem::take(&mut self.rows), sha256: hex(digest.as_ref()) };
        let mut text = Vec::new();
        line(&mut text, &TrailerLine { trailer })?;
        Ok(text.into())
    }
}

fn key(table: &Table, row: &Value) -> Result<Vec<Key>, BackupError> {
    let part = |name: &&str| match row.get(*name) {
        Some(Value::String(text)) => Ok(Key::Text(text.clone())),
        Some(Value::Number(number)) => Ok(Key::Number(number.as_i64().unwrap_or(i64::MAX))),
        _ => Err(crate::store::StoreError::Broken(format!("a row of {} has no {name}", table.name)).into()),
    };
    table.key.iter().map(part).collect()
}

fn line(text: &mut Vec<u8>, value: &impl serde::Serialize) -> Result<(), BackupError> {
    serde_json::to_writer(&mut *text, value)?;
    text.push(b'\n');
    Ok(())
}
