//! The anchor of the durable figures: SQLite, WAL, `synchronous=FULL`, one row per commit.

use rusqlite::{Connection, params};
use std::path::Path;
use std::time::{Duration, Instant};

/// Commits a second, one 200-byte row each, on the disk of `dir`; and the median of one, ms.
pub(crate) fn single_row_commits(dir: &Path, length: Duration) -> anyhow::Result<(f64, f64)> {
    let db = Connection::open(dir.join("anchor.db"))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.execute_batch("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, body BLOB)")?;
    let body = [7_u8; 200];
    let mut insert = db.prepare("INSERT INTO t (body) VALUES (?1)")?;
    let mut each = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < length {
        let one = Instant::now();
        insert.execute(params![&body[..]])?;
        each.push(one.elapsed().as_secs_f64() * 1000.0);
    }
    let rate = each.len() as f64 / begun.elapsed().as_secs_f64();
    Ok((rate, crate::report::quantile(&mut each, 0.5)))
}
