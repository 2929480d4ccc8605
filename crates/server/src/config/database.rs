//! Which store to use.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The store's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A file, made when it is not there.
    Sqlite(PathBuf),
    /// A server.
    Postgres(PostgresUrl),
}

/// The SQLite file's name in the data directory, when no database is configured.
const DEFAULT_SQLITE_FILE: &str = "countersign.db";

impl Database {
    /// The default: a file in the data directory.
    pub(super) fn in_data_dir(data_dir: &Path) -> Self {
        Self::Sqlite(data_dir.join(DEFAULT_SQLITE_FILE))
    }

    /// Reads `sqlite:PATH`, `postgres://…` or `postgresql://…`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            // `sqlite:///abs` and `sqlite:/abs` name the same file, as other programs have it.
            let path = path.strip_prefix("//").unwrap_or(path);
            return (!path.is_empty()).then(|| Self::Sqlite(PathBuf::from(path)));
        }
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))?;
        (!rest.is_empty()).then(|| Self::Postgres(PostgresUrl(Zeroizing::new(text.to_owned()))))
    }

    /// Where it is, without the user and the password: for people.
    pub fn describe(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(url) => url.describe(),
        }
    }
}

/// A PostgreSQL connection URL, which may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(Zeroizing<String>);

impl PostgresUrl {
    /// The URL, for the code that connects.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Scheme, host and database only: the user part and the query can both hold a password.
    fn describe(&self) -> String {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        // The last `@`: a password may hold one that was not percent-encoded.
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        format!("postgres://{place}")
    }
}

impl std::fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresUrl({})", self.describe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_apart_and_never_show_a_password() {
        assert_eq!(Database::parse("sqlite:/a/b.db"), Some(Database::Sqlite("/a/b.db".into())));
        assert_eq!(Database::parse("sqlite:///a/b.db"), Some(Database::Sqlite("/a/b.db".into())));
        assert_eq!(Database::parse("sqlite:b.db"), Some(Database::Sqlite("b.db".into())));
        assert_eq!(Database::parse("sqlite:"), None);
        assert_eq!(Database::parse("mysql://x"), None);
        for url in [
            "postgres://joe:s3cret@db:5432/cs",
            "postgresql://joe:s3c@ret@db:5432/cs?password=s3cret",
            "postgres://db:5432/cs?user=joe&password=s3cret",
        ] {
            let database = Database::parse(url).unwrap();
            assert_eq!(database.describe(), "postgres://db:5432/cs");
            assert!(!format!("{database:?}").contains("s3c"));
        }
    }
}
