//! The audit trail: rows in a chain, and its ends, which are sealed beside it so that a trail
//! that was cut shows. One writer keeps the chain; its head is in memory and written once for
//! each commit.

use crate::fault::Fault;
use crate::rows::{self, to_json};
use crate::seal::{Place, Sealer};
use crate::writer::Desk;
use claviger_core::audit::{AuditEnd, AuditEnds, AuditEntry, Facts, link};
use rusqlite::{Connection, OptionalExtension};

/// What a decision says of an audit row.
pub(crate) struct Filled<'a> {
    /// The instance concerned.
    pub(crate) instance: &'a str,
    /// The account concerned.
    pub(crate) account: &'a str,
    /// The outcome's word.
    pub(crate) outcome: &'a str,
    /// What changed.
    pub(crate) detail: &'a str,
    /// What was, where it differs.
    pub(crate) before: &'a Facts,
    /// What is, where it differs.
    pub(crate) after: &'a Facts,
}

impl Filled<'_> {
    /// The row with it.
    pub(crate) fn into_entry(self, entry: &AuditEntry) -> AuditEntry {
        AuditEntry {
            instance: self.instance.to_owned(),
            account: self.account.to_owned(),
            outcome: self.outcome.to_owned(),
            detail: self.detail.to_owned(),
            before: self.before.clone(),
            after: self.after.clone(),
            ..entry.clone()
        }
    }
}

/// Writes the next row of the chain.
pub(crate) fn put(desk: &mut Desk, entry: &AuditEntry) -> Result<(), Fault> {
    let seq = desk.audit.seq + 1;
    let hash = link(&desk.audit.hash, seq, entry);
    let mut statement = desk.connection.prepare_cached(
        "INSERT INTO audit (id, at, request_id, access_key, session, source, dialect, action,
             instance, account, outcome, detail, before, after, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    statement.execute(rusqlite::params![
        row_id(seq),
        entry.at.as_millis(),
        entry.request_id,
        entry.key,
        entry.session,
        entry.source,
        entry.dialect,
        entry.action,
        entry.instance,
        entry.account,
        entry.outcome,
        entry.detail,
        to_json(&entry.before)?,
        to_json(&entry.after)?,
        &hash[..],
    ])?;
    drop(statement);
    desk.audit = AuditEnd { seq, hash };
    Ok(())
}

/// A row's number as the database keeps numbers.
pub(crate) fn row_id(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// Where an end of the chain is sealed.
pub(crate) fn end_place(which: &str) -> Place<'_> {
    Place {
        table: "audit_end",
        row: [which, ""],
        column: "sealed_end",
    }
}

/// Writes an end of the chain.
pub(crate) fn put_end(
    connection: &Connection,
    sealer: &Sealer,
    which: &str,
    end: AuditEnd,
) -> Result<(), Fault> {
    let sealed = seal_end(sealer, which, end)?;
    connection
        .prepare_cached(
            "INSERT INTO audit_end (which, sealed_end) VALUES (?1, ?2)
             ON CONFLICT (which) DO UPDATE SET sealed_end = excluded.sealed_end",
        )?
        .execute((which, sealed))?;
    Ok(())
}

fn end(connection: &Connection, sealer: &Sealer, which: &str) -> Result<Option<AuditEnd>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT sealed_end FROM audit_end WHERE which = ?1")?;
    let blob: Option<Vec<u8>> = statement.query_row([which], |row| row.get(0)).optional()?;
    let Some(blob) = blob else {
        return Ok(None);
    };
    open_end(sealer, which, &blob).map(Some)
}

/// An end of the chain as it is sealed: its number (8 bytes, big endian) and its digest.
pub(crate) fn seal_end(sealer: &Sealer, which: &str, end: AuditEnd) -> Result<Vec<u8>, Fault> {
    let mut clear = [0; 40];
    clear[..8].copy_from_slice(&end.seq.to_be_bytes());
    clear[8..].copy_from_slice(&end.hash);
    Ok(sealer.seal(end_place(which), &clear)?)
}

/// Opens an end of the chain.
pub(crate) fn open_end(sealer: &Sealer, which: &str, blob: &[u8]) -> Result<AuditEnd, Fault> {
    let clear = sealer.open(end_place(which), blob)?;
    let (seq, hash) = clear
        .split_first_chunk::<8>()
        .ok_or_else(|| Fault::unreadable("an end of the audit trail"))?;
    let hash = hash
        .try_into()
        .map_err(|_| Fault::unreadable("an end of the audit trail"))?;
    let seq = u64::from_be_bytes(*seq);
    Ok(AuditEnd { seq, hash })
}

/// There is a chain, and this of it is not there.
pub(crate) fn missing_end(what: &str) -> Fault {
    Fault::unreadable(&format!("{what} of the audit trail, which is missing,"))
}

/// Both ends.
pub(crate) fn ends(connection: &Connection, sealer: &Sealer) -> Result<AuditEnds, Fault> {
    let missing = || missing_end("an end");
    Ok(AuditEnds {
        base: end(connection, sealer, "base")?.ok_or_else(missing)?,
        head: end(connection, sealer, "head")?.ok_or_else(missing)?,
    })
}

/// The head of the chain, read once at the start. Where there is none yet the chain begins,
/// after whatever rows an older version has written.
pub(crate) fn head(connection: &Connection, sealer: &Sealer) -> Result<AuditEnd, Fault> {
    if let Some(head) = end(connection, sealer, "head")? {
        return Ok(head);
    }
    let sql = "SELECT max(id), max(hash IS NOT NULL) FROM audit";
    let (newest, chained): (Option<i64>, Option<bool>) =
        connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if chained == Some(true) {
        // A new chain would hide what was done to the old one.
        return Err(Fault::unreadable(
            "the head of the audit trail, which is missing,",
        ));
    }
    let end = AuditEnd {
        seq: newest.and_then(|id| u64::try_from(id).ok()).unwrap_or(0),
        hash: [0; 32],
    };
    put_end(connection, sealer, "base", end)?;
    put_end(connection, sealer, "head", end)?;
    Ok(end)
}

/// Forgets rows beyond `kept`, the oldest first, at most `limit`; the last one forgotten is the
/// chain's new base.
pub(crate) fn forget(desk: &Desk, kept: i64, limit: i64) -> Result<(), Fault> {
    let mut statement = desk.connection.prepare_cached(
        "SELECT id, hash FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1
         ORDER BY id LIMIT ?2",
    )?;
    let mut last = None;
    let mut found = statement.query((kept, limit))?;
    while let Some(row) = found.next()? {
        let id: i64 = row.get(0)?;
        last = Some((id, rows::hash(row, 1)?));
    }
    drop(found);
    let Some((id, hash)) = last else {
        return Ok(());
    };
    desk.connection
        .prepare_cached("DELETE FROM audit WHERE id <= ?1")?
        .execute([id])?;
    // Rows that are older than the chain are no part of it: it begins where it began.
    if let Some(hash) = hash {
        let seq = u64::try_from(id).unwrap_or(0);
        put_end(
            &desk.connection,
            &desk.sealer,
            "base",
            AuditEnd { seq, hash },
        )?;
    }
    Ok(())
}
