//! Rows as JSON and back, by the shared description of the tables; and forgetting old rows.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params, params_from_iter};
use serde_json::Value as Json;

use super::convert::int;
use super::number::free_number;
use crate::store::{Column, ColumnKind, LogoutNotice, Place, StoreError, StoreResult, Table, hex};
use crate::time::Timestamp;

/// Rows of a table, in the order of its key.
pub(super) fn export(conn: &Connection, table: &Table, after: u64, limit: u32) -> StoreResult<Vec<Json>> {
    let names: Vec<_> = table.columns.iter().map(|(name, _)| *name).collect();
    let (names, key) = (names.join(", "), table.key.join(", "));
    let name = table.name;
    let sql = format!("SELECT {names} FROM {name} ORDER BY {key} LIMIT ?1 OFFSET ?2");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![limit, int(after)])?;
    let mut exported = Vec::new();
    while let Some(row) = rows.next()? {
        let mut object = serde_json::Map::new();
        for (i, column) in table.columns.iter().enumerate() {
            object.insert(column.0.to_owned(), to_json(column, row.get_ref(i)?)?);
        }
        exported.push(Json::Object(object));
    }
    Ok(exported)
}

fn to_json(column: &Column, value: ValueRef<'_>) -> StoreResult<Json> {
    Ok(match (column.1, value) {
        (_, ValueRef::Null) => Json::Null,
        (ColumnKind::Integer, ValueRef::Integer(n)) => Json::from(n),
        (ColumnKind::Bool, ValueRef::Integer(n)) => Json::from(n != 0),
        (ColumnKind::Text, ValueRef::Text(_)) => Json::from(value.as_str().map_err(|_| wrong(column))?),
        (ColumnKind::Bytes, ValueRef::Blob(bytes)) => Json::from(hex::encode(bytes)),
        (ColumnKind::Uuid, ValueRef::Blob(bytes)) => {
            Json::from(uuid::Uuid::from_slice(bytes).map_err(|_| wrong(column))?.to_string())
        }
        _ => return Err(wrong(column)),
    })
}

/// Adds exported rows.
pub(super) fn import(conn: &Connection, table: &Table, rows: &[Json]) -> StoreResult<()> {
    insert(conn, table, rows)?;
    let unknown = rows.iter().find_map(|row| {
        let names = row.as_object()?.keys();
        names.into_iter().find(|name| !table.columns.iter().any(|(known, _)| known == name))
    });
    match unknown {
        Some(name) => Err(StoreError::Broken(format!("{} has no column {name:?}", table.name))),
        None => Ok(()),
    }
}

fn insert(conn: &Connection, table: &Table, rows: &[Json]) -> StoreResult<()> {
    let (name, columns) = (table.name, table.columns);
    let verb = if name == "meta" { "REPLACE" } else { "INSERT" };
    let mut names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    let mut marks = vec!["?"; columns.len()];
    if name == "session" {
        // What this engine alone has; the first column is the id, the second the user's.
        names.extend(["number", "user_number"]);
        marks.extend([free_number!(), "(SELECT number FROM user WHERE id = ?2)"]);
    }
    let sql = format!("{verb} INTO {name} ({}) VALUES ({})", names.join(", "), marks.join(", "));
    let mut statement = conn.prepare_cached(&sql)?;
    for row in rows {
        let values = columns.iter().map(|column| from_json(column, row.get(column.0).unwrap_or(&Json::Null)));
        let values = values.collect::<StoreResult<Vec<_>>>()?;
        statement.execute(params_from_iter(&values))?;
        if name == "user" {
            // Its sessions may have come before it.
            conn.prepare_cached(
                "UPDATE session SET user_number = (SELECT number FROM user WHERE id = ?1) WHERE user_id = ?1",
            )?
            .execute(params![values.first()])?;
        }
    }
    Ok(())
}

fn from_json(column: &Column, value: &Json) -> StoreResult<Value> {
    let text = || value.as_str().ok_or_else(|| wrong(column));
    Ok(match column.1 {
        _ if value.is_null() => Value::Null,
        ColumnKind::Integer => Value::from(value.as_i64().ok_or_else(|| wrong(column))?),
        ColumnKind::Bool => Value::from(value.as_bool().ok_or_else(|| wrong(column))?),
        ColumnKind::Text => Value::from(text()?.to_owned()),
        ColumnKind::Bytes => Value::from(hex::decode(text()?).ok_or_else(|| wrong(column))?),
        ColumnKind::Uuid => {
            Value::from(uuid::Uuid::try_parse(text()?).map_err(|_| wrong(column))?.into_bytes().to_vec())
        }
    })
}

fn wrong(column: &Column) -> StoreError {
    StoreError::Broken(format!("a row's {} is not valid", column.0))
}

/// Removes what is past, at most `limit` rows: sessions, then entries of the log, then events, then
/// what signing in leaves behind.
pub(super) fn purge(
    conn: &Connection,
    now: Timestamp,
    events_before: Timestamp,
    limit: u32,
) -> StoreResult<u64> {
    let mut left = limit as usize;
    for (sql, before) in [
        (
            "DELETE FROM session WHERE number IN
                (SELECT number FROM session WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
            now,
        ),
        (
            "DELETE FROM revocation WHERE number IN
                (SELECT number FROM revocation WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
            now,
        ),
        (
            "DELETE FROM event WHERE number IN (SELECT number FROM event WHERE at < ?1 ORDER BY at LIMIT ?2)",
            events_before,
        ),
        (
            "DELETE FROM browser_session WHERE id IN
                (SELECT id FROM browser_session WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
            now,
        ),
        (
            "DELETE FROM ticket WHERE hash IN
                (SELECT hash FROM ticket WHERE kept_until <= ?1 ORDER BY kept_until LIMIT ?2)",
            now,
        ),
        (
            "DELETE FROM logout_notice WHERE session_id IN
                (SELECT session_id FROM logout_notice WHERE ended_at <= ?1 LIMIT ?2)",
            LogoutNotice::oldest(now),
        ),
        (
            "DELETE FROM place WHERE id IN
                (SELECT id FROM place WHERE seen_at <= ?1 ORDER BY seen_at LIMIT ?2)",
            Place::oldest(now),
        ),
    ] {
        let removed = conn.prepare_cached(sql)?.execute(params![before.0, left as i64])?;
        left = left.saturating_sub(removed);
    }
    Ok(u64::from(limit) - left as u64)
}
