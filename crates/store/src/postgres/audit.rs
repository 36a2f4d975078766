//! The audit trail on PostgreSQL. A change only adds its row to those that have no place in the
//! chain yet; whoever holds the lock of the chain's head gives them their places, in the order in
//! which they were added. So commits do not wait for each other, and the chain has one order.

use crate::audit::{missing_end, open_end, row_id, seal_end};
use crate::fault::Fault;
use crate::postgres::batch::{Batch, values};
use crate::postgres::pool::Conn;
use crate::rows::{self, to_json};
use crate::seal::Sealer;
use claviger_core::audit::{AuditEnd, AuditEnds, AuditEntry, link};

/// Rows that get their place in one transaction.
const LINKED_AT_ONCE: i64 = 500;

/// The advisory lock of the chain: `CLVGAUDT`.
const LOCK: i64 = 0x434C_5647_4155_4454;

/// Adds a row.
pub(crate) fn put(batch: &mut Batch, entry: &AuditEntry) -> Result<(), Fault> {
    batch.add(
        "INSERT INTO audit_new (entry) VALUES ($1)",
        values![to_json(entry)?],
    );
    Ok(())
}

/// Gives every row that was added its place.
pub(crate) async fn link_all(conn: &mut Conn, sealer: &Sealer) -> Result<(), Fault> {
    while some_are_new(conn).await? && link_some(conn, sealer).await? {}
    Ok(())
}

async fn some_are_new(conn: &mut Conn) -> Result<bool, Fault> {
    let row = conn
        .first("SELECT EXISTS (SELECT 1 FROM audit_new)", &[])
        .await?;
    Ok(row.is_some_and(|row| row.get(0)))
}

/// One transaction of it; true if there may be more.
async fn link_some(conn: &mut Conn, sealer: &Sealer) -> Result<bool, Fault> {
    conn.run("BEGIN").await?;
    let mut head = lock_head(conn, sealer).await?;
    let sql = "DELETE FROM audit_new WHERE id IN
         (SELECT id FROM audit_new ORDER BY id LIMIT $1) RETURNING id, entry";
    let list = conn.query(sql, &[&LINKED_AT_ONCE]).await?;
    let mut found = Vec::with_capacity(list.len());
    for row in &list {
        let entry: &str = row.try_get(1)?;
        found.push((row.try_get::<_, i64>(0)?, rows::parse::<AuditEntry>(entry)?));
    }
    found.sort_by_key(|(id, _)| *id);
    let mut linked = Vec::with_capacity(found.len());
    for (_, entry) in &found {
        let seq = head.seq + 1;
        let hash = link(&head.hash, seq, entry);
        head = AuditEnd { seq, hash };
        linked.push((entry, head));
    }
    let mut batch = Batch::default();
    add(&mut batch, &linked)?;
    put_end(&mut batch, sealer, "head", head)?;
    batch.commit(conn).await?;
    Ok(found.len() as i64 == LINKED_AT_ONCE)
}

/// Rows with their places, all in one statement.
fn add(batch: &mut Batch, linked: &[(&AuditEntry, AuditEnd)]) -> Result<(), Fault> {
    let entries = || linked.iter().map(|(entry, _)| *entry);
    let texts = |text: fn(&AuditEntry) -> &str| -> Vec<String> {
        entries().map(|entry| text(entry).to_owned()).collect()
    };
    let jsons = entries().map(|e| Ok((to_json(&e.before)?, to_json(&e.after)?)));
    let (before, after): (Vec<_>, Vec<_>) = jsons
        .collect::<Result<Vec<_>, Fault>>()?
        .into_iter()
        .unzip();
    let places = linked.iter().map(|(_, at)| row_id(at.seq));
    let hashes = linked.iter().map(|(_, at)| at.hash.to_vec());
    batch.add(
        "INSERT INTO audit (id, at, request_id, access_key, session, source, dialect, action,
             instance, account, outcome, detail, before, after, hash)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[],
             $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
             $12::text[], $13::text[], $14::text[], $15::bytea[])",
        values![
            places.collect::<Vec<i64>>(),
            entries()
                .map(|entry| entry.at.as_millis())
                .collect::<Vec<i64>>(),
            texts(|entry| &entry.request_id),
            texts(|entry| &entry.key),
            texts(|entry| &entry.session),
            texts(|entry| &entry.source),
            texts(|entry| &entry.dialect),
            texts(|entry| &entry.action),
            texts(|entry| &entry.instance),
            texts(|entry| &entry.account),
            texts(|entry| &entry.outcome),
            texts(|entry| &entry.detail),
            before,
            after,
            hashes.collect::<Vec<Vec<u8>>>(),
        ],
    );
    Ok(())
}

/// The head of the chain, locked. Where there is none yet the chain begins, after whatever rows
/// an older version has written.
async fn lock_head(conn: &mut Conn, sealer: &Sealer) -> Result<AuditEnd, Fault> {
    conn.query("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
        .await?;
    if let Some(head) = end(conn, sealer, "head").await? {
        return Ok(head);
    }
    let sql = "SELECT max(id), coalesce(bool_or(hash IS NOT NULL), false) FROM audit";
    let row = conn
        .first(sql, &[])
        .await?
        .ok_or_else(|| missing_end("the head"))?;
    if row.try_get(1)? {
        // A new chain would hide what was done to the old one.
        return Err(missing_end("the head"));
    }
    let newest: Option<i64> = row.try_get(0)?;
    let end = AuditEnd {
        seq: newest.and_then(|id| u64::try_from(id).ok()).unwrap_or(0),
        hash: [0; 32],
    };
    let mut batch = Batch::default();
    put_end(&mut batch, sealer, "base", end)?;
    batch.run(conn).await?;
    Ok(end)
}

fn put_end(batch: &mut Batch, sealer: &Sealer, which: &str, end: AuditEnd) -> Result<(), Fault> {
    batch.add(
        "INSERT INTO audit_end (which, sealed_end) VALUES ($1, $2)
         ON CONFLICT (which) DO UPDATE SET sealed_end = excluded.sealed_end",
        values![which.to_owned(), seal_end(sealer, which, end)?],
    );
    Ok(())
}

async fn end(conn: &mut Conn, sealer: &Sealer, which: &str) -> Result<Option<AuditEnd>, Fault> {
    let sql = "SELECT sealed_end FROM audit_end WHERE which = $1";
    let row = conn.first(sql, &[&which]).await?;
    row.map(|row| open_end(sealer, which, row.try_get(0)?))
        .transpose()
}

/// Both ends; of a trail that was never written, zeros.
pub(crate) async fn ends(conn: &mut Conn, sealer: &Sealer) -> Result<AuditEnds, Fault> {
    let (base, head) = (
        end(conn, sealer, "base").await?,
        end(conn, sealer, "head").await?,
    );
    match (base, head) {
        (Some(base), Some(head)) => Ok(AuditEnds { base, head }),
        (None, None) => {
            let sql = "SELECT EXISTS (SELECT 1 FROM audit WHERE hash IS NOT NULL)";
            let row = conn.first(sql, &[]).await?;
            match row.is_some_and(|row| row.get(0)) {
                true => Err(missing_end("an end")),
                false => Ok(AuditEnds::default()),
            }
        }
        _ => Err(missing_end("an end")),
    }
}

/// Forgets rows beyond `kept`, within the caller's transaction; as in the embedded store.
pub(crate) async fn forget(
    conn: &mut Conn,
    sealer: &Sealer,
    kept: i64,
    limit: i64,
) -> Result<(), Fault> {
    let sql = "SELECT id, hash FROM audit
         WHERE id <= (SELECT max(id) FROM audit) - $1::bigint ORDER BY id LIMIT $2";
    if conn.query(sql, &[&kept, &1_i64]).await?.is_empty() {
        return Ok(());
    }
    lock_head(conn, sealer).await?;
    let list = conn.query(sql, &[&kept, &limit]).await?;
    let Some(last) = list.last() else {
        return Ok(());
    };
    let id: i64 = last.try_get(0)?;
    let hash = rows::hash(last, 1)?;
    let mut batch = Batch::default();
    batch.add("DELETE FROM audit WHERE id <= $1", values![id]);
    if let Some(hash) = hash {
        let seq = u64::try_from(id).unwrap_or(0);
        put_end(&mut batch, sealer, "base", AuditEnd { seq, hash })?;
    }
    batch.run(conn).await.map(drop)
}
