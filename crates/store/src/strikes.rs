//! Failures in a row that lock: wrong old passwords, bad signatures.

use crate::fault::Fault;
use crate::writer::Desk;
use claviger_core::clock::Timestamp;
use claviger_core::ports::{Strike, Strikes};
use rusqlite::{Connection, OptionalExtension};

/// Counts one more. Failures that are older than the lock lasts are forgotten first.
pub(crate) fn put_strike(desk: &Desk, strike: &Strike) -> Result<(), Fault> {
    let at = strike.at.as_millis();
    let until = at.saturating_add(i64::from(strike.lock_s) * 1_000);
    desk.connection
        .prepare_cached(
            "INSERT INTO strike (scope, count, until) VALUES (?1, 1, ?3)
             ON CONFLICT (scope) DO UPDATE SET
                 count = CASE WHEN until <= ?2 THEN 1 ELSE count + 1 END, until = ?3",
        )?
        .execute((&strike.scope, at, until))?;
    Ok(())
}

/// A success ends the row.
pub(crate) fn clear_strikes(desk: &Desk, scope: &str) -> Result<(), Fault> {
    desk.connection
        .prepare_cached("DELETE FROM strike WHERE scope = ?1")?
        .execute([scope])?;
    Ok(())
}

/// How many there are, and until when they count.
pub(crate) fn strikes(connection: &Connection, scope: &str) -> Result<Strikes, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT count, until FROM strike WHERE scope = ?1")?;
    let found = statement.query_row([scope], |row| {
        Ok(Strikes {
            count: row.get(0)?,
            until: Timestamp::from_millis(row.get(1)?),
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}
