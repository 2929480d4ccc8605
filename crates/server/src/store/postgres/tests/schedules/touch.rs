//! What a step touches, by which two steps are told apart that can change places and make no
//! difference. It errs on one side: it reads the names of tables in a statement's text, wherever
//! they stand, and never looks at rows.

use std::collections::BTreeSet;

type Tables = BTreeSet<String>;

/// What a step, or a transaction so far, touches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Touch {
    reads: Tables,
    /// And what it locks.
    writes: Tables,
    /// It is the end of a transaction: what that has written can be seen, what it has locked is free.
    ends: bool,
}

impl Touch {
    /// Of a statement, whose transaction has touched `so_far`.
    pub(super) fn of(sql: &str, so_far: &Self, tables: &Tables) -> Self {
        let words: Vec<&str> = sql
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .collect();
        if words.contains(&"COMMIT") || words.contains(&"ROLLBACK") {
            return Self { ends: true, ..so_far.clone() };
        }
        let named = words.iter().filter(|word| tables.contains(**word));
        let mut reads: Tables = named.map(|word| (*word).to_owned()).collect();
        let mut writes = Tables::new();
        for pair in words.windows(2) {
            match pair {
                ["FOR", "UPDATE" | "SHARE" | "NO" | "KEY"] => writes.extend(reads.iter().cloned()),
                // Where something is deleted, a table that is only read from is taken for written.
                ["UPDATE" | "INTO", table] if tables.contains(*table) => {
                    writes.insert((*table).to_owned());
                }
                ["FROM", table] if tables.contains(*table) && words.contains(&"DELETE") => {
                    writes.insert((*table).to_owned());
                }
                _ => {}
            }
        }
        if words.contains(&"REPEATABLE") {
            reads.clone_from(tables);
        }
        Self { reads, writes, ends: false }
    }

    /// This and that.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            reads: self.reads.union(&other.reads).cloned().collect(),
            writes: self.writes.union(&other.writes).cloned().collect(),
            ..*self
        }
    }

    /// This, where everything that `later` touches is read now.
    pub(super) fn seeing(mut self, later: &Self) -> Self {
        self.reads.extend(later.reads.union(&later.writes).cloned());
        self
    }

    pub(super) fn ends(&self) -> bool {
        self.ends
    }

    /// Whether it matters which of two steps comes first. Under READ COMMITTED nobody sees what is
    /// not committed, so it does where both lock, and where one reads what the other commits.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let sees = |one: &Self, end: &Self| end.ends && !one.ends && !one.reads.is_disjoint(&end.writes);
        !self.writes.is_disjoint(&other.writes) || sees(self, other) || sees(other, self)
    }
}

#[test]
fn what_a_statement_touches() {
    let tables: Tables = ["a", "b", "c"].map(str::to_owned).into();
    let touch = |sql| Touch::of(sql, &Touch::default(), &tables);
    let reads = touch("SELECT x FROM a JOIN b ON true");
    let locks = touch("SELECT x FROM a JOIN b ON true FOR UPDATE SKIP LOCKED");
    let deletes = touch("DELETE FROM b WHERE x IN (SELECT x FROM b)");
    let inserts = touch("WITH n AS (SELECT 1) INSERT INTO c (x) SELECT x FROM n");
    assert!(!reads.meets(&deletes));
    assert!(locks.meets(&deletes) && !locks.meets(&inserts));
    assert!(!touch("UPDATE a SET x = 1 FROM b").meets(&deletes));
    let commit = Touch::of("NOTIFY x; COMMIT", &deletes, &tables);
    assert!(commit.meets(&reads) && !commit.meets(&inserts));
}
