//! Tables as JSON, out and in, in the form that both engines share (`store/tables.rs`). All values
//! travel as text: which SQL type each is, the database is told in the statement.

use serde_json::{Map, Value};
use tokio_postgres::types::ToSql;

use super::PostgresStore;
use super::error::{Failure, broken};
use super::lease::Lease;
use super::rows::{self, wide};
use crate::store::tables::{Column, ColumnKind, Table};

/// The columns of `session` that are in the table of that name; the others are in `session_head`.
const COLD: [&str; 13] = [
    "id",
    "scope",
    "audience",
    "device",
    "network",
    "agent",
    "remember",
    "created_at",
    "auth_time",
    "acr",
    "amr",
    "browser",
    "status_index",
];

impl PostgresStore {
    pub(super) async fn export_once(
        &self,
        table: &str,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Value>, Failure> {
        let table = find(table)?;
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|(name, kind)| match kind {
                ColumnKind::Bytes => format!("encode({name}, 'hex') AS {name}"),
                _ => format!("{name}::text AS {name}"),
            })
            .collect();
        // Rows come and go while a backup is taken, and a row that goes would push another one out
        // of a page that is found by counting. So the next page begins after the last key, which
        // is remembered here; counting is for a caller who begins in the middle.
        let last = self.exported.lock().ok().and_then(|mut all| all.remove(table.name));
        let (skip, after_key) = match last {
            Some((rows, key)) if rows == after => (0, key),
            _ => (after, Vec::new()),
        };
        let key: Vec<String> = table.key.iter().map(|name| format!("t.{name}")).collect();
        let key = key.join(", ");
        let wanted = if after_key.is_empty() {
            "true".to_owned()
        } else {
            let values: Vec<String> = table
                .key
                .iter()
                .zip(3..)
                .map(|(name, n)| format!("${n}::text::{}", key_type(table, name)))
                .collect();
            format!("({key}) > ({})", values.join(", "))
        };
        let sql = format!(
            "SELECT {} FROM {} AS t WHERE {wanted} ORDER BY {key} LIMIT $1 OFFSET $2",
            columns.join(", "),
            from(table),
        );
        let (limit, skip) = (i64::from(limit), wide(skip));
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![&limit, &skip];
        params.extend(after_key.iter().map(|value| value as &(dyn ToSql + Sync)));
        let rows = Lease::take(&self.pool).await?.query(&sql, &params).await?;
        if let (Some(row), Ok(mut all)) = (rows.last(), self.exported.lock()) {
            let key = table.key.iter().map(|name| rows::get(row, name)).collect::<Result<_, _>>()?;
            all.insert(table.name, (after + rows.len() as u64, key));
        }
        rows.iter()
            .map(|row| {
                let mut object = Map::new();
                for &(name, kind) in table.columns {
                    object.insert(name.to_owned(), to_value(kind, rows::get(row, name)?)?);
                }
                Ok(Value::Object(object))
            })
            .collect()
    }

    pub(super) async fn import_once(&self, table: &str, rows: &[Value]) -> Result<(), Failure> {
        let table = find(table)?;
        let known = |name: &String| table.columns.iter().any(|(known, _)| known == name);
        for row in rows {
            let names = row.as_object().ok_or_else(|| broken(format!("a row of {} is none", table.name)))?;
            if let Some(name) = names.keys().find(|name| !known(name)) {
                return Err(broken(format!("{} has no column {name:?}", table.name)));
            }
        }
        let columns = table
            .columns
            .iter()
            .map(|column| rows.iter().map(|row| to_text(table, *column, row)).collect())
            .collect::<Result<Vec<Vec<Option<String>>>, Failure>>()?;
        let params: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as _).collect();
        let mut tx = Lease::take(&self.pool).await?;
        tx.begin();
        for sql in insert(table) {
            tx.execute(&sql, &params).await?;
        }
        if table.name == "event" {
            // The next event's number follows those that were imported.
            tx.batch(
                "SELECT setval(pg_get_serial_sequence('event', 'number'), (SELECT coalesce(max(number), 1) FROM event))",
            )
            .await?;
        }
        tx.commit_and_tell(self.nodes_listen).await
    }
}

fn find(name: &str) -> Result<&'static Table, Failure> {
    Table::find(name).ok_or_else(|| broken(format!("there is no table {name}")))
}

fn key_type(table: &Table, key: &str) -> &'static str {
    match table.columns.iter().find(|(name, _)| *name == key) {
        Some((_, ColumnKind::Uuid)) => "uuid",
        Some((_, ColumnKind::Integer)) => "bigint",
        _ => "text",
    }
}

/// The table's rows as a backup has them.
fn from(table: &Table) -> &'static str {
    match table.name {
        "session" => "(SELECT * FROM session_head JOIN session USING (id))",
        "user" => "users",
        name => name,
    }
}

/// The statements that add rows, each given all columns as arrays of text.
fn insert(table: &Table) -> Vec<String> {
    let all = |_: &str| true;
    match table.name {
        "session" => vec![
            insert_columns(table, "session_head", |name| name == "id" || !COLD.contains(&name)),
            insert_columns(table, "session", |name| COLD.contains(&name)),
        ],
        "user" => vec![insert_columns(table, "users", all)],
        "meta" => vec![
            // The one row is there already.
            format!(
                "{} ON CONFLICT (id) DO UPDATE SET position = excluded.position, cut = excluded.cut, \
                 version = excluded.version, status_list = excluded.status_list",
                insert_columns(table, "meta", all)
            ),
        ],
        name => vec![insert_columns(table, name, all)],
    }
}

fn insert_columns(table: &Table, into: &str, wanted: impl Fn(&str) -> bool) -> String {
    let list = |make: &dyn Fn(usize, &Column) -> String, columns: &[(usize, &Column)]| {
        columns.iter().map(|(i, column)| make(*i, column)).collect::<Vec<_>>().join(", ")
    };
    let every: Vec<_> = table.columns.iter().enumerate().collect();
    let some: Vec<_> = every.iter().copied().filter(|(_, (name, _))| wanted(name)).collect();
    format!(
        "INSERT INTO {into} ({}) SELECT {} FROM unnest({}) AS row ({})",
        list(&|_, (name, _)| (*name).to_owned(), &some),
        list(
            &|_, (name, kind)| match kind {
                ColumnKind::Integer => format!("row.{name}::bigint"),
                ColumnKind::Bool => format!("row.{name}::boolean"),
                ColumnKind::Uuid => format!("row.{name}::uuid"),
                ColumnKind::Bytes => format!("decode(row.{name}, 'hex')"),
                ColumnKind::Text => format!("row.{name}"),
            },
            &some
        ),
        list(&|i, _| format!("${}::text[]", i + 1), &every),
        list(&|_, (name, _)| (*name).to_owned(), &every),
    )
}

fn to_value(kind: ColumnKind, text: Option<String>) -> Result<Value, Failure> {
    let Some(text) = text else { return Ok(Value::Null) };
    Ok(match kind {
        ColumnKind::Integer => {
            Value::from(text.parse::<i64>().map_err(|_| broken("a stored number is not one"))?)
        }
        ColumnKind::Bool => Value::Bool(text == "true"),
        ColumnKind::Text | ColumnKind::Uuid | ColumnKind::Bytes => Value::String(text),
    })
}

fn to_text(table: &Table, (name, kind): Column, row: &Value) -> Result<Option<String>, Failure> {
    let wrong = || broken(format!("a row of {} has no fitting {name}", table.name));
    Ok(match (kind, row.get(name).unwrap_or(&Value::Null)) {
        (_, Value::Null) => None,
        (ColumnKind::Integer, Value::Number(number)) => Some(number.to_string()),
        (ColumnKind::Bool, Value::Bool(truth)) => Some(truth.to_string()),
        (ColumnKind::Text | ColumnKind::Uuid | ColumnKind::Bytes, Value::String(text)) => Some(text.clone()),
        _ => return Err(wrong()),
    })
}
