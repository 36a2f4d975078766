//! Forgetting what is past its time, on PostgreSQL.

use crate::fault::Fault;
use crate::postgres::audit;
use crate::postgres::pool::Conn;
use crate::purge::{AUDIT_MAX, ROWS_MAX, TASKS_KEPT_MS};
use crate::seal::Sealer;
use claviger_core::clock::Timestamp;
use claviger_core::ports::PAST_KEPT_MS;

/// Forgets what is past its time at `now`, a bounded number of rows of each kind.
pub(crate) async fn purge(conn: &mut Conn, sealer: &Sealer, now: Timestamp) -> Result<(), Fault> {
    let now = now.as_millis();
    let limit = i64::try_from(ROWS_MAX).unwrap_or(i64::MAX);
    // Rows that another process is just removing are passed over.
    for sql in [
        "DELETE FROM idempotency WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM idempotency WHERE until <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
        "DELETE FROM nonce WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM nonce WHERE until <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
        "DELETE FROM strike WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM strike WHERE until <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
    ] {
        conn.execute(sql, &[&now, &limit]).await?;
    }
    conn.execute(
        "DELETE FROM past_password WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM past_password WHERE at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
        &[&now.saturating_sub(PAST_KEPT_MS), &limit],
    )
    .await?;
    audit::forget(conn, sealer, AUDIT_MAX, limit).await?;
    // Numbers rise with time: the old ones stand first, and few young ones are looked at.
    conn.execute(
        "DELETE FROM task WHERE id IN (
             SELECT id FROM task WHERE created_at <= $1 AND finished_at <= $1
             ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)",
        &[&now.saturating_sub(TASKS_KEPT_MS), &limit],
    )
    .await?;
    // A process that is gone for a day does not come back under that name.
    conn.execute(
        "DELETE FROM member WHERE until < now() - interval '1 day'",
        &[],
    )
    .await?;
    Ok(())
}
