//! Opening the database file: who may read it, how it is kept, and its migrations.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params};

use super::number;
use crate::store::migrations::{self, Applied, Migration};
use crate::store::{StoreError, StoreResult};

/// 3.51.3 mends a race between a checkpoint that resets the log and a writer, which could lose
/// what had been committed.
const OLDEST_LIBRARY: i32 = 3_051_003;
/// How long a statement waits for another process, a backup or a shell, to let go.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Most prepared statements that a connection keeps.
const STATEMENTS: usize = 128;
/// How much of the file requests read through a mapping, which saves a system call and a copy of
/// each page. Its pages are the system's cache: they count as this process's memory and are given
/// back when something else needs them.
const MAPPED_BYTES: i64 = 2 << 30;
/// Most memory that pages take while a migration runs.
const MIGRATION_CACHE_KIB: u32 = 64 << 10;
/// The log file is cut back to this when it is reset; below, its blocks are used again, which
/// makes a commit cheaper.
const LOG_FILE_BYTES: i64 = 512 << 20;

const MIGRATIONS: [Migration; 6] = [
    Migration {
        number: 1,
        name: "token_core",
        sql: include_str!("../../../migrations/sqlite/0001_token_core.sql"),
    },
    Migration {
        number: 2,
        name: "sign_in",
        sql: include_str!("../../../migrations/sqlite/0002_sign_in.sql"),
    },
    Migration {
        number: 3,
        name: "resources",
        sql: include_str!("../../../migrations/sqlite/0003_resources.sql"),
    },
    Migration {
        number: 4,
        name: "status_lists",
        sql: include_str!("../../../migrations/sqlite/0004_status_lists.sql"),
    },
    Migration { number: 5, name: "places", sql: include_str!("../../../migrations/sqlite/0005_places.sql") },
    Migration {
        number: 6,
        name: "row_numbers",
        sql: include_str!("../../../migrations/sqlite/0006_row_numbers.sql"),
    },
];

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The one that writes.
    Write,
    /// One that reads a few rows.
    Read,
    /// One that walks over many.
    Walk,
    /// The one that writes the log back into the database.
    Checkpoint,
}

impl Purpose {
    /// Most memory that the connection's pages take, in KiB.
    fn cache_kib(self) -> i64 {
        match self {
            Self::Write => 16 << 10,
            Self::Read | Self::Walk => 4 << 10,
            Self::Checkpoint => 64,
        }
    }

    fn mapped_bytes(self) -> i64 {
        match self {
            Self::Write | Self::Read => MAPPED_BYTES,
            Self::Walk | Self::Checkpoint => 0,
        }
    }
}

/// Makes the file if it is missing, readable by its owner alone (the log and the shared memory
/// file take their mode from it), and brings the schema up to date.
pub(super) fn prepare(path: &Path) -> StoreResult<()> {
    let library = rusqlite::version_number();
    if library < OLDEST_LIBRARY {
        return Err(StoreError::Broken(format!(
            "SQLite {} is too old: at least 3.51.3 is needed",
            rusqlite::version()
        )));
    }
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Only a missing file is opened here: closing a handle of a file gives up the locks that the
    // process holds on it.
    match options.open(path) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => {
            return Err(StoreError::Unavailable(format!("{}: {e}", path.display())));
        }
        _ => {}
    }
    let mut conn = open(path, Purpose::Write)?;
    // A migration can sort an index of more rows than there is memory for, and looks rows up all over
    // the file.
    conn.execute_batch(&format!("PRAGMA temp_store = FILE; PRAGMA cache_size = -{MIGRATION_CACHE_KIB};"))?;
    migrate(&mut conn)
}

/// Opens the file for a purpose.
pub(super) fn open(path: &Path, purpose: Purpose) -> StoreResult<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without it this build of the library plans a statement anew whenever a bound value differs,
    // which costs ten times the statement itself.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Broken(format!("SQLite keeps its journal as {mode}, not as WAL")));
    }
    conn.execute_batch(&format!(
        "PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = {LOG_FILE_BYTES};
         PRAGMA cache_size = -{};
         PRAGMA mmap_size = {};
         PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF;",
        purpose.cache_kib(),
        purpose.mapped_bytes()
    ))?;
    if purpose == Purpose::Write {
        number::register(&conn)?;
    }
    if matches!(purpose, Purpose::Read | Purpose::Walk) {
        conn.execute_batch("PRAGMA query_only = ON")?;
    }
    Ok(conn)
}

fn migrate(conn: &mut Connection) -> StoreResult<()> {
    migrate_with(conn, &MIGRATIONS)
}

fn migrate_with(conn: &mut Connection, known: &[Migration]) -> StoreResult<()> {
    conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migration (
             number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL
         ) STRICT",
    )?;
    // One transaction each; another process that migrates at the same time waits its turn and
    // finds it done.
    loop {
        let transaction = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let applied = applied(&transaction)?;
        let Some(next) = migrations::pending(known, &applied)?.first() else { return Ok(()) };
        if !applied.is_empty() {
            tracing::info!(number = next.number, name = next.name, "changing the store's schema");
        }
        transaction.execute_batch(next.sql)?;
        transaction.execute(
            "INSERT INTO schema_migration (number, name, checksum, applied_at)
             VALUES (?1, ?2, ?3, unixepoch() * 1000)",
            params![next.number, next.name, next.checksum()],
        )?;
        transaction.commit()?;
    }
}

fn applied(conn: &Connection) -> StoreResult<Vec<Applied>> {
    let mut statement = conn.prepare("SELECT number, checksum FROM schema_migration ORDER BY number")?;
    let rows = statement.query_map([], |row| Ok(Applied { number: row.get(0)?, checksum: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("countersign.sqlite");
        prepare(&path).unwrap();
        let conn = open(&path, Purpose::Write).unwrap();
        conn.execute_batch("UPDATE meta SET version = version + 1").unwrap();
        let mut files = 0;
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
            files += 1;
        }
        assert_eq!(files, 3);
    }

    #[test]
    fn a_second_start_applies_nothing_and_an_edit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("countersign.sqlite");
        prepare(&path).unwrap();
        prepare(&path).unwrap();
        let conn = open(&path, Purpose::Write).unwrap();
        conn.execute_batch("UPDATE schema_migration SET checksum = 'x'").unwrap();
        assert!(matches!(prepare(&path), Err(StoreError::Broken(_))));
    }

    fn in_memory() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        number::register(&conn).unwrap();
        conn
    }

    #[test]
    fn what_was_there_before_a_migration_is_there_after_it() {
        use crate::store::sqlite::{resource, standing, user};
        let mut conn = in_memory();
        migrate_with(&mut conn, &MIGRATIONS[..1]).unwrap();
        conn.execute_batch(
            "INSERT INTO user VALUES (x'00000000000000000000000000000001', 1, 1, NULL, 'Ada', 'ada', NULL, '[]', 5, NULL);
             INSERT INTO session VALUES (x'00000000000000000000000000000002', 3, zeroblob(32), 'web', NULL, 9, 8, 7,
                 x'00000000000000000000000000000001', 1, 0, 1, NULL, 6, zeroblob(48), 0, 0, 0, NULL, 'read', '[]',
                 NULL, NULL, NULL, 0, 5, 5, NULL, '[]');",
        )
        .unwrap();
        migrate(&mut conn).unwrap();
        let ada = user::find_by_name(&conn, "ada").unwrap().unwrap();
        assert_eq!((ada.username.as_str(), ada.profile), ("Ada", crate::store::Profile::default()));
        let id = countersign_wire::SessionId(uuid::Uuid::from_u128(2));
        let crate::store::Standing { session, gates, user, .. } = standing::find(&conn, id).unwrap().unwrap();
        assert_eq!((session.generation, session.expires_at.0, session.browser), (3, 9, None));
        assert_eq!((user.username.as_str(), gates.user_enabled, gates.user_stamp), ("Ada", true, 1));
        let page = crate::store::Page { after: None, limit: 10 };
        assert_eq!(resource::list(&conn, &page).unwrap(), []);
    }

    #[test]
    fn whoever_was_signed_in_before_there_were_places_has_one() {
        let mut conn = in_memory();
        migrate_with(&mut conn, &MIGRATIONS[..2]).unwrap();
        conn.execute_batch(
            "INSERT INTO browser_session VALUES (x'00000000000000000000000000000002', x'01',
                 x'00000000000000000000000000000001', 1, 0, 0, 5, 6, '1', '[]', 7, 9, 9, 9, 'n', 'a/1', NULL, NULL);
             INSERT INTO browser_session VALUES (x'00000000000000000000000000000003', x'02',
                 x'00000000000000000000000000000001', 1, 0, 0, 6, 6, '1', '[]', 7, 9, 9, 9, NULL, NULL, 8, 'person');",
        )
        .unwrap();
        migrate(&mut conn).unwrap();
        let ada = countersign_wire::UserId(uuid::Uuid::from_u128(1));
        let places = crate::store::sqlite::place::list(&conn, ada).unwrap();
        let facts: Vec<_> =
            places.iter().map(|p| (p.network.as_str(), p.agent.as_str(), p.since.0, p.is_new)).collect();
        assert_eq!(facts, [("", "", 6, false), ("n", "a/1", 5, false)]);
    }

    #[test]
    fn sessions_get_numbers_and_those_of_one_number_stay_apart() {
        use crate::store::sqlite::standing;
        let mut conn = in_memory();
        migrate_with(&mut conn, &MIGRATIONS[..5]).unwrap();
        let ids = [1_u128 << 40 | 7, 2 << 40 | 7, 3 << 40 | 7, 8].map(uuid::Uuid::from_u128);
        let mut insert = conn
            .prepare(
                "INSERT INTO session VALUES (?1, ?2, zeroblob(32), 'web', NULL, 9, 8, 7, ?4, 1, 0, 1, NULL, 6,
                     zeroblob(48), 0, 0, 0, NULL, 'read', '[]', NULL, NULL, NULL, 0, 5, 5, NULL, '[]', ?3, ?2)",
            )
            .unwrap();
        // The last one's user is gone.
        let users = [Some("a"), Some("b"), Some("c"), None];
        for (n, id) in (0_u32..).zip(&ids) {
            let user = uuid::Uuid::from_u128(100 + u128::from(n));
            insert.execute(params![id.as_bytes(), n, id.as_bytes(), user.as_bytes()]).unwrap();
            if let Some(name) = users[n as usize] {
                let sql = "INSERT INTO user VALUES (?1, 1, 1, NULL, ?2, ?2, NULL, '[]', 5, NULL, NULL)";
                conn.execute(sql, params![user.as_bytes(), name]).unwrap();
            }
        }
        drop(insert);
        migrate(&mut conn).unwrap();
        for (n, id) in (0..).zip(&ids) {
            let id = countersign_wire::SessionId(*id);
            let crate::store::Standing { session, gates, user, .. } =
                standing::find(&conn, id).unwrap().unwrap();
            assert_eq!((session.id, session.generation), (id, n));
            let name = users[n as usize];
            assert_eq!((user.username.as_str(), gates.user_enabled), (name.unwrap_or(""), name.is_some()));
            assert_eq!(session.status_index.map(|index| index.0), Some(n.into()));
            assert_eq!(session.browser.map(|browser| browser.0), Some(id.0));
        }
        let numbers: Vec<i64> = conn
            .prepare("SELECT number FROM session ORDER BY number")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(numbers[..2], [7, 8]);
        assert_eq!(numbers.len(), 4);
    }

    #[test]
    fn a_newer_store_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("countersign.sqlite");
        prepare(&path).unwrap();
        let conn = open(&path, Purpose::Write).unwrap();
        let later = MIGRATIONS.len() + 1;
        conn.execute("INSERT INTO schema_migration VALUES (?1, 'later', 'x', 0)", params![later as i64])
            .unwrap();
        assert!(matches!(prepare(&path), Err(StoreError::Broken(_))));
    }

    #[test]
    fn statements_are_planned_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("countersign.sqlite");
        prepare(&path).unwrap();
        let conn = open(&path, Purpose::Write).unwrap();
        let mut statement =
            conn.prepare("SELECT 1 FROM session WHERE id = ?1 AND expires_at > ?2 AND born = ?2").unwrap();
        for n in 0..10_i64 {
            statement.exists(params![n.to_be_bytes(), n]).unwrap();
        }
        assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
    }

    #[test]
    fn commits_are_durable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("countersign.sqlite");
        prepare(&path).unwrap();
        let conn = open(&path, Purpose::Write).unwrap();
        let synchronous: i64 = conn.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
        assert_eq!(synchronous, 2);
    }
}
