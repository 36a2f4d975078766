//! Passwords that accounts had: a user that an old file of a node brings back is known by them.

use crate::fault::Fault;
use crate::rows::number;
use crate::seal::Sealer;
use crate::sealed;
use claviger_core::clock::Timestamp;
use claviger_core::ids::{AccountId, AccountName, InstanceId, Revision};
use claviger_core::password::PasswordDigest;
use claviger_core::ports::PAST_MAX;
use rusqlite::Connection;

/// Keeps what an account has now, before it changes or goes; `ending` if it goes, being deleted
/// at that revision.
pub(crate) fn keep(
    db: &Connection,
    instance: &InstanceId,
    account: AccountId,
    ending: Option<Revision>,
    at: Timestamp,
) -> Result<(), Fault> {
    let mut copy = db.prepare_cached(
        "INSERT OR IGNORE INTO past_password (instance, revision, id, name, sealed_password, at)
         SELECT instance, revision, id, name, sealed_password, ?4 FROM account
         WHERE instance = ?1 AND id = ?2 AND kind = 'custom' AND sealed_password IS NOT NULL
             AND (?3 IS NULL OR (life = 'deleting' AND revision = ?3))",
    )?;
    let id = account.to_string();
    let kept = copy.execute((instance.as_str(), id, ending.map(number), at.as_millis()))?;
    if kept == 0 {
        return Ok(());
    }
    db.prepare_cached(
        "DELETE FROM past_password WHERE instance = ?1 AND revision <
             (SELECT revision FROM past_password WHERE instance = ?1
              ORDER BY revision DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute((instance.as_str(), OLDEST_KEPT))?;
    Ok(())
}

/// Rows before the oldest one that is kept.
#[expect(clippy::cast_possible_wrap, reason = "a small constant")]
pub(crate) const OLDEST_KEPT: i64 = PAST_MAX as i64 - 1;

/// See [`claviger_core::ports::Store::past_passwords`].
pub(crate) fn passwords(
    db: &Connection,
    sealer: &Sealer,
    instance: &InstanceId,
    names: &[AccountName],
) -> Result<Vec<(AccountName, PasswordDigest)>, Fault> {
    let mut statement = db.prepare_cached(
        "SELECT name, id, sealed_password FROM past_password
         WHERE instance = ?1 ORDER BY revision DESC",
    )?;
    let mut rows = statement.query([instance.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, id): (String, String) = (row.get(0)?, row.get(1)?);
        let blob: Vec<u8> = row.get(2)?;
        open(sealer, instance, names, (&name, &id, &blob), &mut found)?;
    }
    Ok(found)
}

/// Adds the digests of a row, if its name is asked for.
pub(crate) fn open(
    sealer: &Sealer,
    instance: &InstanceId,
    names: &[AccountName],
    (name, id, blob): (&str, &str, &[u8]),
    found: &mut Vec<(AccountName, PasswordDigest)>,
) -> Result<(), Fault> {
    let Some(name) = names.iter().find(|asked| asked.as_str() == name) else {
        return Ok(());
    };
    let place = sealed::account_password(instance.as_str(), id);
    let digests = sealed::open_list(sealer, place, blob)?;
    found.extend(digests.into_iter().map(|digest| (name.clone(), digest)));
    Ok(())
}
