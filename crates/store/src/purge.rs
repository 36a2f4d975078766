//! Forgetting what is past its time.

use crate::audit;
use crate::fault::Fault;
use crate::settings::keep_task_floor;
use crate::writer::Desk;
use claviger_core::clock::Timestamp;
use claviger_core::ports::PAST_KEPT_MS;

/// Finished tasks are kept for thirty days, milliseconds: as long as the clouds list them.
pub(crate) const TASKS_KEPT_MS: i64 = 30 * 24 * 3_600 * 1_000;

/// Audit rows that are kept, the newest.
pub(crate) const AUDIT_MAX: i64 = 1_000_000;

/// Rows of one kind that one purge removes, so that no other write waits long for it. Called
/// every ten seconds, as the service does, this keeps up with 2,000 changes a second.
pub(crate) const ROWS_MAX: usize = 20_000;

/// Forgets what is past its time at `now`, at most [`ROWS_MAX`] rows of each kind.
pub(crate) fn purge(desk: &Desk, now: Timestamp) -> Result<(), Fault> {
    let now = now.as_millis();
    let limit = i64::try_from(ROWS_MAX).unwrap_or(i64::MAX);
    desk.connection
        .prepare_cached(
            "DELETE FROM idempotency WHERE (scope, token) IN
                 (SELECT scope, token FROM idempotency WHERE until <= ?1 LIMIT ?2)",
        )?
        .execute((now, limit))?;
    desk.connection
        .prepare_cached(
            "DELETE FROM nonce WHERE digest IN
                 (SELECT digest FROM nonce WHERE until <= ?1 LIMIT ?2)",
        )?
        .execute((now, limit))?;
    desk.connection
        .prepare_cached(
            "DELETE FROM strike WHERE scope IN
                 (SELECT scope FROM strike WHERE until <= ?1 LIMIT ?2)",
        )?
        .execute((now, limit))?;
    desk.connection
        .prepare_cached(
            "DELETE FROM past_password WHERE (instance, revision, id) IN
                 (SELECT instance, revision, id FROM past_password WHERE at <= ?1 LIMIT ?2)",
        )?
        .execute((now.saturating_sub(PAST_KEPT_MS), limit))?;
    audit::forget(desk, AUDIT_MAX, limit)?;
    purge_tasks(desk, now.saturating_sub(TASKS_KEPT_MS))
}

/// Removes finished tasks older than `cut`. Numbers rise with time, so the old ones stand first
/// and the search ends at the first young one: no index is kept for it.
fn purge_tasks(desk: &Desk, cut: i64) -> Result<(), Fault> {
    let mut old = Vec::new();
    let mut statement = desk
        .connection
        .prepare_cached("SELECT id, created_at, finished_at FROM task ORDER BY id")?;
    let mut tasks = statement.query([])?;
    while let Some(task) = tasks.next()? {
        let (id, created_at): (i64, i64) = (task.get(0)?, task.get(1)?);
        if created_at > cut || old.len() == ROWS_MAX {
            break;
        }
        if task.get::<_, Option<i64>>(2)?.is_some_and(|end| end <= cut) {
            old.push(id);
        }
    }
    drop(tasks);
    if old.is_empty() {
        return Ok(());
    }
    keep_task_floor(desk)?;
    let mut statement = desk
        .connection
        .prepare_cached("DELETE FROM task WHERE id = ?1")?;
    for id in old {
        statement.execute([id])?;
    }
    Ok(())
}
