//! What every node has confirmed by read-back.

use crate::fault::Fault;
use crate::past;
use crate::rows::number;
use crate::writer::Desk;
use claviger_core::clock::Timestamp;
use claviger_core::ids::{AccountId, InstanceId, Revision};
use claviger_core::ports::Confirm;
use rusqlite::OptionalExtension;

/// Records confirmations. Those that came too late (the account has changed or gone since) do
/// nothing or as much as they prove; they are no error.
pub(crate) fn confirm(
    desk: &Desk,
    instance: &InstanceId,
    what: &Confirm,
    at: Timestamp,
) -> Result<(), Fault> {
    for (account, revision) in &what.accounts {
        live(desk, instance, *account, *revision, at)?;
    }
    for (account, revision) in &what.gone {
        gone(desk, instance, *account, *revision, at)?;
    }
    Ok(())
}

/// Confirmed up to `revision`, but never beyond the account's own, and never back. A deletion is
/// never confirmed here.
fn live(
    desk: &Desk,
    instance: &InstanceId,
    account: AccountId,
    revision: Revision,
    at: Timestamp,
) -> Result<(), Fault> {
    let account = account.to_string();
    let mut statement = desk.connection.prepare_cached(
        "UPDATE account SET confirmed = max(confirmed, min(?3, revision)),
             replaces = replaces AND ?3 < revision,
             sealed_leaving = CASE WHEN ?3 < revision THEN sealed_leaving END
         WHERE instance = ?1 AND id = ?2 AND (life = 'live' OR ?3 < revision)
         RETURNING confirmed",
    )?;
    let confirmed: Option<i64> = statement
        .query_row((instance.as_str(), &account, number(revision)), |row| {
            row.get(0)
        })
        .optional()?;
    let Some(confirmed) = confirmed else {
        return Ok(());
    };
    desk.connection
        .prepare_cached(
            "UPDATE task SET state = 'succeeded', finished_at = ?4
             WHERE instance = ?1 AND account = ?2 AND state = 'running' AND revision <= ?3",
        )?
        .execute((instance.as_str(), &account, confirmed, at.as_millis()))?;
    Ok(())
}

/// Gone from every node, if it is still being deleted at that revision: one that was made again
/// meanwhile has another identity.
fn gone(
    desk: &Desk,
    instance: &InstanceId,
    account: AccountId,
    revision: Revision,
    at: Timestamp,
) -> Result<(), Fault> {
    past::keep(&desk.connection, instance, account, Some(revision), at)?;
    let account = account.to_string();
    let removed = desk
        .connection
        .prepare_cached(
            "DELETE FROM account
             WHERE instance = ?1 AND id = ?2 AND life = 'deleting' AND revision = ?3",
        )?
        .execute((instance.as_str(), &account, number(revision)))?;
    if removed > 0 {
        desk.connection
            .prepare_cached(
                "UPDATE task SET finished_at = ?3,
                     state = CASE kind WHEN 'delete-account' THEN 'succeeded' ELSE 'superseded' END
                 WHERE instance = ?1 AND account = ?2 AND state = 'running'",
            )?
            .execute((instance.as_str(), &account, at.as_millis()))?;
    }
    Ok(())
}
