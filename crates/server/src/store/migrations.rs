//! Migrations: forward only, never edited once released. Each engine has its own SQL under
//! `migrations/`, with the same numbers and names; what to do with them is decided here.

use super::{StoreError, StoreResult};

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its number; they count from 1 without a gap.
    pub number: u32,
    /// Its name, the same in both engines.
    pub name: &'static str,
    /// The SQL.
    pub sql: &'static str,
}

impl Migration {
    /// SHA-256 of the SQL, in hex: how an edit of an applied migration is noticed.
    pub fn checksum(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.sql.as_bytes());
        super::hex::encode(digest.as_ref())
    }
}

/// A migration that the store says it has, a row of `schema_migration`.
#[derive(Debug, Clone)]
pub struct Applied {
    /// Its number.
    pub number: u32,
    /// Its checksum when it was applied.
    pub checksum: String,
}

/// What is still to be applied, in order. `applied` is in the order of numbers.
pub fn pending<'a>(known: &'a [Migration], applied: &[Applied]) -> StoreResult<&'a [Migration]> {
    for (i, row) in applied.iter().enumerate() {
        let Some(migration) = known.get(i) else {
            return Err(StoreError::Broken(format!(
                "the store has migration {}, which this version does not know: it was used by a newer one",
                row.number
            )));
        };
        if migration.number != row.number {
            return Err(StoreError::Broken(format!("migration {} was never applied", migration.number)));
        }
        if migration.checksum() != row.checksum {
            return Err(StoreError::Broken(format!(
                "migration {} ({}) is not the one that was applied",
                migration.number, migration.name
            )));
        }
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Migration; 2] =
        [Migration { number: 1, name: "a", sql: "A" }, Migration { number: 2, name: "b", sql: "B" }];

    fn applied(migrations: &[Migration]) -> Vec<Applied> {
        migrations.iter().map(|m| Applied { number: m.number, checksum: m.checksum() }).collect()
    }

    #[test]
    fn what_is_missing_is_pending() {
        assert_eq!(pending(&KNOWN, &[]).unwrap().len(), 2);
        assert_eq!(pending(&KNOWN, &applied(&KNOWN[..1])).unwrap()[0].number, 2);
        assert!(pending(&KNOWN, &applied(&KNOWN)).unwrap().is_empty());
    }

    #[test]
    fn an_edited_a_missing_and_a_newer_migration_are_refused() {
        let edited = Migration { sql: "other", ..KNOWN[0] };
        assert!(pending(&KNOWN, &applied(&[edited])).is_err());
        assert!(pending(&KNOWN, &applied(&KNOWN[1..])).is_err());
        let newer = Migration { number: 3, name: "c", sql: "C" };
        assert!(pending(&KNOWN, &applied(&[KNOWN[0], KNOWN[1], newer])).is_err());
    }
}
