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
             revoked_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
}

/// The root key as the environment says: whatever was stored under its identity, a revocation
/// included, gives way, but for when it was made.
pub(crate) fn put_root_key(desk: &Desk, key: &AccessKey) -> Result<(), Fault> {
    put(
        desk,
        key,
        "INSERT INTO access_key (id, sealed_secret, role, scope, description, created_at,
             revoked_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET sealed_secret = excluded.sealed_secret,
             role = excluded.role, scope = excluded.scope, description = excluded.description,
             revoked_at = excluded.revoked_at",
    )
}

fn put(desk: &Desk, key: &AccessKey, sql: &str) -> Result<(), Fault> {
    let place = sealed::key_secret(key.id.as_str());
    desk.connection.prepare_cached(sql)?.execute((
        key.id.as_str(),
        sealed::seal_secret(&desk.sealer, place, &key.secret)?,
        key.role.word(),
        to_json(&key.scope)?,
        &key.description,
        key.created_at.as_millis(),
        key.revoked_at.map(Timestamp::as_millis),
    ))?;
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
