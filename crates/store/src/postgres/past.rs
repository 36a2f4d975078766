//! Passwords that accounts had, on PostgreSQL; see `crate::past`.

use crate::fault::Fault;
use crate::past::{OLDEST_KEPT, open};
use crate::postgres::batch::{Batch, values};
use crate::postgres::pool::Conn;
use crate::seal::Sealer;
use claviger_core::clock::Timestamp;
use claviger_core::ids::{AccountId, AccountName, InstanceId};
use claviger_core::password::PasswordDigest;

/// Keeps what an account has now, before it changes or makes room for another one.
pub(crate) fn keep(batch: &mut Batch, instance: &InstanceId, account: AccountId, at: Timestamp) {
    batch.add(
        "INSERT INTO past_password (instance, revision, id, name, sealed_password, at)
         SELECT instance, revision, id, name, sealed_password, $3 FROM account
         WHERE instance = $1 AND id = $2 AND kind = 'custom' AND sealed_password IS NOT NULL
         ON CONFLICT DO NOTHING",
        values![instance.to_string(), account.to_string(), at.as_millis()],
    );
    cut(batch, instance);
}

/// The same for accounts that are gone, if they are still being deleted at that revision.
pub(crate) fn keep_ending(
    batch: &mut Batch,
    instance: &InstanceId,
    (ids, revisions): (&[String], &[i64]),
    at: Timestamp,
) {
    batch.add(
        "INSERT INTO past_password (instance, revision, id, name, sealed_password, at)
         SELECT a.instance, a.revision, a.id, a.name, a.sealed_password, $4
         FROM account a
             JOIN unnest($2::text[], $3::bigint[]) AS s (id, revision)
                 ON a.id = s.id AND a.revision = s.revision
         WHERE a.instance = $1 AND a.kind = 'custom' AND a.life = 'deleting'
             AND a.sealed_password IS NOT NULL
         ON CONFLICT DO NOTHING",
        values![
            instance.to_string(),
            ids.to_vec(),
            revisions.to_vec(),
            at.as_millis(),
        ],
    );
    cut(batch, instance);
}

fn cut(batch: &mut Batch, instance: &InstanceId) {
    batch.add(
        "DELETE FROM past_password WHERE instance = $1 AND revision <
             (SELECT revision FROM past_password WHERE instance = $1
              ORDER BY revision DESC LIMIT 1 OFFSET $2)",
        values![instance.to_string(), OLDEST_KEPT],
    );
}

/// See [`claviger_core::ports::Store::past_passwords`].
pub(crate) async fn passwords(
    conn: &mut Conn,
    sealer: &Sealer,
    instance: &InstanceId,
    names: &[AccountName],
) -> Result<Vec<(AccountName, PasswordDigest)>, Fault> {
    let sql = "SELECT name, id, sealed_password FROM past_password
         WHERE instance = $1 AND name = ANY($2) ORDER BY revision DESC";
    let asked: Vec<&str> = names.iter().map(AccountName::as_str).collect();
    let mut found = Vec::new();
    for row in conn.query(sql, &[&instance.as_str(), &asked]).await? {
        let row = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        open(sealer, instance, names, row, &mut found)?;
    }
    Ok(found)
}
