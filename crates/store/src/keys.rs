//! Access keys.

use crate::fault::Fault;
use crate::ops::update_one;
use crate::rows::to_json;
use crate::sealed;
use crate::words::Word;
use crate::writer::Desk;
use claviger_core::access::AccessKey;
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;

/// A new key; the identity must be free.
pub(crate) fn add_key(desk: &Desk, key: &AccessKey) -> Result<(), Fault> {
    put(
        desk,
        key,
        "INSERT INTO access_key (id, sealed_secret, role, scope, description, created_at,
             revoked_at, tags, expires_at, sealed_former, former_until, last_used_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )
}

/// The root key as the environment says: whatever was stored under its identity, a revocation
/// included, gives way, but for when it was made.
pub(crate) fn put_root_key(desk: &Desk, key: &AccessKey) -> Result<(), Fault> {
    put(
        desk,
        key,
        "INSERT INTO access_key (id, sealed_secret, role, scope, description, created_at,
             revoked_at, tags, expires_at, sealed_former, former_until, last_used_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (id) DO UPDATE SET sealed_secret = excluded.sealed_secret,
             role = excluded.role, scope = excluded.scope, description = excluded.description,
             revoked_at = excluded.revoked_at, tags = excluded.tags,
             expires_at = excluded.expires_at, sealed_former = excluded.sealed_former,
             former_until = excluded.former_until",
    )
}

fn put(desk: &Desk, key: &AccessKey, sql: &str) -> Result<(), Fault> {
    let place = sealed::key_secret(key.id.as_str());
    desk.connection
        .prepare_cached(sql)?
        .execute(rusqlite::params![
            key.id.as_str(),
            sealed::seal_secret(&desk.sealer, place, &key.secret)?,
            key.role.word(),
            to_json(&key.scope)?,
            &key.description,
            key.created_at.as_millis(),
            key.revoked_at.map(Timestamp::as_millis),
            to_json(&key.tags)?,
            key.expires_at.map(Timestamp::as_millis),
            seal_former(desk, key)?,
            key.former.as_ref().map(|former| former.until.as_millis()),
            key.last_used_at.map(Timestamp::as_millis),
        ])?;
    Ok(())
}

fn seal_former(desk: &Desk, key: &AccessKey) -> Result<Option<Vec<u8>>, Fault> {
    let place = sealed::former_secret(key.id.as_str());
    let former = key.former.as_ref();
    former
        .map(|former| sealed::seal_secret(&desk.sealer, place, &former.secret))
        .transpose()
}

/// What may change of a key; its role, scope, age and revocation stay.
pub(crate) fn set_key(desk: &Desk, key: &AccessKey) -> Result<(), Fault> {
    let place = sealed::key_secret(key.id.as_str());
    update_one(
        desk,
        "UPDATE access_key SET sealed_secret = ?2, sealed_former = ?3, former_until = ?4,
             expires_at = ?5, tags = ?6, description = ?7
         WHERE id = ?1",
        rusqlite::params![
            key.id.as_str(),
            sealed::seal_secret(&desk.sealer, place, &key.secret)?,
            seal_former(desk, key)?,
            key.former.as_ref().map(|former| former.until.as_millis()),
            key.expires_at.map(Timestamp::as_millis),
            to_json(&key.tags)?,
            &key.description,
        ],
    )
}

/// When keys were last used. One that is not there any more is none of ours.
pub(crate) fn keys_used(desk: &Desk, used: &[(KeyId, Timestamp)]) -> Result<(), Fault> {
    let mut statement = desk.connection.prepare_cached(
        "UPDATE access_key SET last_used_at = max(coalesce(last_used_at, 0), ?2) WHERE id = ?1",
    )?;
    for (id, at) in used {
        statement.execute((id.as_str(), at.as_millis()))?;
    }
    Ok(())
}

/// The first revocation counts; a second one changes nothing.
pub(crate) fn revoke_key(desk: &Desk, id: &KeyId, at: Timestamp) -> Result<(), Fault> {
    update_one(
        desk,
        "UPDATE access_key SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1",
        (id.as_str(), at.as_millis()),
    )
}
