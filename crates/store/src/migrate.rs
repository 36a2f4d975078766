//! The schema's history: numbered scripts, run forward only, each in one transaction.
//!
//! What ran is written down with its checksum. A database that a newer version has touched is
//! refused, and so is one whose history differs from ours: guessing would damage it.

use crate::open::OpenError;
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// One step of the schema's history. Never edited once released.
pub(crate) struct Migration {
    /// Its number: one more than the one before.
    pub(crate) version: i64,
    /// File name, for people.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) sql: &'static str,
}

/// All of them, in order.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "001-start",
        sql: include_str!("sql/sqlite/001-start.sql"),
    },
    Migration {
        version: 2,
        name: "002-accounts-and-policies",
        sql: include_str!("sql/sqlite/002-accounts-and-policies.sql"),
    },
    Migration {
        version: 3,
        name: "003-access",
        sql: include_str!("sql/sqlite/003-access.sql"),
    },
    Migration {
        version: 4,
        name: "004-links-and-past-passwords",
        sql: include_str!("sql/sqlite/004-links-and-past-passwords.sql"),
    },
];

/// Marks the file as ours: `CLVG`.
const APPLICATION_ID: i32 = 0x434C_5647;

/// Brings the database up to `migrations`.
///
/// # Errors
/// [`OpenError::Foreign`], [`OpenError::Newer`], [`OpenError::Edited`], or what the database says.
pub(crate) fn migrate(connection: &Connection, migrations: &[Migration]) -> Result<(), OpenError> {
    recognise(connection)?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (
             version  INTEGER PRIMARY KEY,
             name     TEXT NOT NULL,
             checksum TEXT NOT NULL
         ) STRICT",
    )?;
    refuse_newer(connection, migrations)?;
    for migration in migrations {
        step(connection, migration)?;
    }
    Ok(())
}

/// For a reader, who does not change the schema: it must be ours, and none of a newer version.
///
/// # Errors
/// [`OpenError::Foreign`] or [`OpenError::Newer`].
pub(crate) fn check_known(connection: &Connection) -> Result<(), OpenError> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id != APPLICATION_ID {
        return Err(OpenError::Foreign);
    }
    refuse_newer(connection, MIGRATIONS)
}

fn refuse_newer(connection: &Connection, migrations: &[Migration]) -> Result<(), OpenError> {
    let newest: Option<i64> =
        connection.query_row("SELECT max(version) FROM migration", [], |row| row.get(0))?;
    let known = migrations.last().map_or(0, |migration| migration.version);
    match newest.filter(|newest| *newest > known) {
        Some(found) => Err(OpenError::Newer { found, known }),
        None => Ok(()),
    }
}

/// An empty database becomes ours; one of another application stays as it is.
fn recognise(connection: &Connection) -> Result<(), OpenError> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id == APPLICATION_ID {
        return Ok(());
    }
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id != 0 || tables != 0 {
        return Err(OpenError::Foreign);
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(())
}

fn step(connection: &Connection, migration: &Migration) -> Result<(), OpenError> {
    let checksum = checksum(migration.sql);
    let applied: Option<String> = connection
        .query_row(
            "SELECT checksum FROM migration WHERE version = ?1",
            [migration.version],
            |row| row.get(0),
        )
        .optional()?;
    match applied {
        Some(applied) if applied == checksum => return Ok(()),
        Some(_) => {
            return Err(OpenError::Edited {
                version: migration.version,
            });
        }
        None => {}
    }
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(migration.sql)?;
    transaction.execute(
        "INSERT INTO migration (version, name, checksum) VALUES (?1, ?2, ?3)",
        (migration.version, migration.name, &checksum),
    )?;
    transaction.commit()?;
    Ok(())
}

/// The checksum under which a script is written down.
pub(crate) fn checksum(sql: &str) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(sql.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const ONE: Migration = Migration {
        version: 1,
        name: "one",
        sql: "CREATE TABLE one (id INTEGER)",
    };
    const TWO: Migration = Migration {
        version: 2,
        name: "two",
        sql: "CREATE TABLE two (id INTEGER); INSERT INTO two VALUES (1);",
    };

    #[test]
    fn numbers_follow_each_other() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(migration.version).unwrap(), index + 1);
        }
    }

    #[test]
    fn forward_once_and_never_back() {
        let db = Connection::open_in_memory().unwrap();
        migrate(&db, &[ONE]).unwrap();
        migrate(&db, &[ONE]).unwrap();
        migrate(&db, &[ONE, TWO]).unwrap();
        migrate(&db, &[ONE, TWO]).unwrap();
        let rows: i64 = db
            .query_row("SELECT count(*) FROM two", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 1);
        let back = migrate(&db, &[ONE]);
        assert!(matches!(back, Err(OpenError::Newer { found: 2, known: 1 })));
        let edited = Migration {
            sql: "CREATE TABLE one (id TEXT)",
            ..ONE
        };
        let edited = migrate(&db, &[edited, TWO]);
        assert!(matches!(edited, Err(OpenError::Edited { version: 1 })));
    }

    #[test]
    fn a_failed_step_leaves_nothing() {
        let db = Connection::open_in_memory().unwrap();
        let bad = Migration {
            version: 1,
            name: "bad",
            sql: "CREATE TABLE one (id INTEGER); CREATE TABLE one (id INTEGER);",
        };
        assert!(migrate(&db, &[bad]).is_err());
        migrate(&db, &[ONE]).unwrap();
    }

    #[test]
    fn other_applications_are_left_alone() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE theirs (id INTEGER)")
            .unwrap();
        assert!(matches!(migrate(&db, &[ONE]), Err(OpenError::Foreign)));
        let db = Connection::open_in_memory().unwrap();
        db.pragma_update(None, "application_id", 7).unwrap();
        assert!(matches!(migrate(&db, &[ONE]), Err(OpenError::Foreign)));
    }
}
