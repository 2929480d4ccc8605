//! The tables as a backup has them: one description that both engines read, so that what one
//! writes the other can take.
//!
//! A row is a JSON object whose members are the SQL columns. Documents (settings, lists) are text
//! columns that hold JSON, and are exported as that text. `session` is one row per session,
//! however an engine divides its columns.

/// What a column holds, and so how it is written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// A number: counts, and times in milliseconds since 1970.
    Integer,
    /// Text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A UUID, in its hyphenated form.
    Uuid,
    /// Bytes, in lower-case hex.
    Bytes,
}

/// A column: its name and what it holds. Any column may be null, and is when a row of an older
/// backup does not have it.
pub type Column = (&'static str, ColumnKind);

/// A table.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name in a backup.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
    /// The columns whose order is the export's order; together unique.
    pub key: &'static [&'static str],
}

impl Table {
    /// The table of that name.
    pub fn find(name: &str) -> Option<&'static Table> {
        TABLES.iter().find(|t| t.name == name)
    }
}

/// Every table. They can be imported in any order. `meta` has one row, which an import replaces.
///
/// Tickets and logout notices are not among them. A ticket lives for minutes and is used once: a
/// copy of it could be used again. A notice is of a session's end that its client has heard of
/// since, or is told of by the next refresh.
pub const TABLES: [Table; 13] = [
    Table { name: "meta", columns: &META, key: &["id"] },
    Table { name: "tenant", columns: &TENANT, key: &["id"] },
    Table { name: "client", columns: &CLIENT, key: &["id"] },
    Table { name: "resource", columns: &RESOURCE, key: &["audience"] },
    Table { name: "user", columns: &USER, key: &["id"] },
    Table { name: "session", columns: &SESSION, key: &["id"] },
    Table { name: "revocation", columns: &REVOCATION, key: &["number"] },
    Table { name: "event", columns: &EVENT, key: &["number"] },
    Table { name: "key", columns: &KEY, key: &["id"] },
    Table { name: "browser_session", columns: &BROWSER_SESSION, key: &["id"] },
    Table { name: "consent", columns: &CONSENT, key: &["user_id", "client_id"] },
    Table { name: "factor", columns: &FACTOR, key: &["id"] },
    Table { name: "place", columns: &PLACE, key: &["id"] },
];

use ColumnKind::{Bool, Bytes, Integer, Text, Uuid};

/// `position` is the newest revocation's number, `cut` the global one, `version` what caches watch,
/// `status_list` the list that is being filled.
const META: [Column; 5] = [
    ("id", Integer),
    ("position", Integer),
    ("cut", Integer),
    ("version", Integer),
    ("status_list", Integer),
];

const TENANT: [Column; 2] = [("id", Text), ("cut", Integer)];

const CLIENT: [Column; 7] = [
    ("id", Text),
    ("enabled", Bool),
    ("revision", Integer),
    ("cut", Integer),
    ("tenant", Text),
    ("created_at", Integer),
    ("settings", Text),
];

const RESOURCE: [Column; 4] =
    [("audience", Text), ("encryption_key", Text), ("created_at", Integer), ("changed_at", Integer)];

const USER: [Column; 11] = [
    ("id", Uuid),
    ("username", Text),
    ("canonical", Text),
    ("email", Text),
    ("password_hash", Text),
    ("enabled", Bool),
    ("stamp", Integer),
    ("tenant", Text),
    ("roles", Text),
    ("created_at", Integer),
    ("profile", Text),
];

const SESSION: [Column; 31] = [
    ("id", Uuid),
    ("user_id", Uuid),
    ("client_id", Text),
    ("scope", Text),
    ("audience", Text),
    ("device", Text),
    ("network", Text),
    ("agent", Text),
    ("remember", Bool),
    ("created_at", Integer),
    ("auth_time", Integer),
    ("acr", Text),
    ("amr", Text),
    ("browser", Uuid),
    ("status_index", Integer),
    ("nonce_hash", Bytes),
    ("user_stamp", Integer),
    ("born", Integer),
    ("generation", Integer),
    ("key_number", Integer),
    ("retry_hash", Bytes),
    ("rotated_at", Integer),
    ("idle_lifetime", Integer),
    ("idle_expires_at", Integer),
    ("expires_at", Integer),
    ("recent", Bytes),
    ("replays", Integer),
    ("lockstep_generation", Integer),
    ("lockstep_streak", Integer),
    ("ended_at", Integer),
    ("ended_reason", Text),
];

const REVOCATION: [Column; 7] = [
    ("number", Integer),
    ("at", Integer),
    ("expires_at", Integer),
    ("kind", Text),
    ("subject", Text),
    ("stamp", Integer),
    ("reason", Text),
];

const EVENT: [Column; 7] = [
    ("number", Integer),
    ("at", Integer),
    ("kind", Text),
    ("session_id", Uuid),
    ("user_id", Uuid),
    ("client_id", Text),
    ("detail", Text),
];

const KEY: [Column; 7] = [
    ("id", Text),
    ("purpose", Text),
    ("number", Integer),
    ("created_at", Integer),
    ("active_at", Integer),
    ("expires_at", Integer),
    ("sealed", Bytes),
];

const BROWSER_SESSION: [Column; 18] = [
    ("id", Uuid),
    ("secret_hash", Bytes),
    ("user_id", Uuid),
    ("user_stamp", Integer),
    ("born", Integer),
    ("remember", Bool),
    ("created_at", Integer),
    ("auth_time", Integer),
    ("acr", Text),
    ("amr", Text),
    ("seen_at", Integer),
    ("idle_lifetime", Integer),
    ("idle_expires_at", Integer),
    ("expires_at", Integer),
    ("network", Text),
    ("agent", Text),
    ("ended_at", Integer),
    ("ended_reason", Text),
];

const PLACE: [Column; 9] = [
    ("id", Uuid),
    ("user_id", Uuid),
    ("network", Text),
    ("device", Text),
    ("agent", Text),
    ("since", Integer),
    ("seen_at", Integer),
    ("browser", Uuid),
    ("is_new", Bool),
];

const CONSENT: [Column; 4] =
    [("user_id", Uuid), ("client_id", Text), ("scope", Text), ("granted_at", Integer)];

const FACTOR: [Column; 8] = [
    ("id", Uuid),
    ("user_id", Uuid),
    ("kind", Text),
    ("label", Text),
    ("created_at", Integer),
    ("used_at", Integer),
    ("counter", Integer),
    ("body", Text),
];
