//! Queries whose conditions depend on what is asked for. Only conditions that are asked for are
//! in the statement, so that each finds its index.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::convert::{Columns, collect};
use crate::store::StoreResult;

/// A statement and its values.
pub(super) struct Query {
    sql: String,
    values: Vec<Value>,
}

impl Query {
    /// Begins with a `SELECT` that has a `WHERE`.
    pub(super) fn new(select: &str) -> Self {
        Self { sql: select.to_owned(), values: Vec::new() }
    }

    /// Adds a condition; each `?` in it stands for the next value.
    pub(super) fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.extend(values);
    }

    /// Adds a condition on one value, if there is one.
    pub(super) fn and_if(&mut self, condition: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.and(condition, [value.into()]);
        }
    }

    /// Adds the order and the limit.
    pub(super) fn end(&mut self, order: &str, limit: u32) {
        self.sql.push(' ');
        self.sql.push_str(order);
        self.sql.push_str(" LIMIT ?");
        self.values.push(Value::from(limit));
    }

    /// The steps that SQLite would take.
    #[cfg(test)]
    pub(super) fn plan(self, conn: &Connection) -> Vec<String> {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {}", self.sql)).unwrap();
        let steps = statement.query_map(params_from_iter(self.values), |row| row.get("detail")).unwrap();
        steps.collect::<Result<_, _>>().unwrap()
    }

    /// Runs it and reads every row.
    pub(super) fn collect<T>(
        self,
        conn: &Connection,
        read: impl FnMut(Columns<'_, '_>) -> StoreResult<T>,
    ) -> StoreResult<Vec<T>> {
        let mut statement = conn.prepare_cached(&self.sql)?;
        collect(statement.query(params_from_iter(self.values))?, read)
    }
}
