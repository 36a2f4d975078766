//! The anchors of the durable figures: SQLite, WAL, `synchronous=FULL`, and PostgreSQL as it comes,
//! one row per commit.

use anyhow::{Context, ensure};
use claviger_testkit::{Postgres, postgres};
use rusqlite::{Connection, params};
use std::path::Path;
use std::process::Command;
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

/// Commits a second, one 200-byte row each, of that many clients of PostgreSQL's own `pgbench`.
pub(crate) fn postgres_commits(
    server: &Postgres,
    database: &str,
    clients: u32,
    length: Duration,
) -> anyhow::Result<f64> {
    server.sql(
        database,
        "CREATE TABLE IF NOT EXISTS t (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
         body BYTEA)",
    )?;
    let script = tempfile::NamedTempFile::new()?;
    let insert = "INSERT INTO t (body) VALUES (decode(repeat('07', 200), 'hex'));\n";
    std::fs::write(script.path(), insert)?;
    let program = postgres::binaries().context("PostgreSQL")?.join("pgbench");
    let clients = clients.to_string();
    let output = Command::new(program)
        .args(["-n", "-M", "prepared", "-j", "2", "-c", &clients])
        .args(["-T", &length.as_secs().to_string(), "-f"])
        .arg(script.path())
        .arg(server.url(database))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "pgbench failed: {text}");
    let line = text.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = line.and_then(|line| line.split_whitespace().next());
    Ok(rate.context("pgbench prints a rate")?.parse()?)
}
