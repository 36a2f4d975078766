//! The root key pair: from the environment at every start, else made at the first and shown once.

use crate::config::RootPair;
use crate::entropy;
use claviger_core::access::{AccessKey, Role};
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::ports::{Entropy, Op, Store, StoreError};
use claviger_core::secret::Secret;

/// The setting that remembers which key was made as the root key.
const SETTING: &str = "root_access_key";
/// Marks root keys among the others; no key that a caller makes is described so by chance.
const DESCRIPTION: &str = "root key of this installation";
/// Lengths of a pair that is made: above 128 bits of secret.
const ID_LEN: usize = 16;
const SECRET_LEN: usize = 40;

/// The root key, and whether it is new and must be shown.
pub(crate) struct Root {
    /// The key.
    pub(crate) key: AccessKey,
    /// Made just now.
    pub(crate) made: bool,
}

/// Finds or makes the root key.
///
/// # Errors
/// The store cannot be read or written.
pub(crate) async fn find(
    store: &dyn Store,
    given: Option<&RootPair>,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<Root, StoreError> {
    if let Some(pair) = given {
        let id = KeyId::from(pair.access_key.as_str());
        return Ok(Root {
            key: root(id, pair.secret_key.clone(), now),
            made: false,
        });
    }
    let fresh = format!("CLVG{}", entropy::token(entropy, ID_LEN));
    let id = KeyId::new(store.setting_or(SETTING, fresh).await?);
    match store.key(&id).await? {
        Some(key) if key.revoked_at.is_none() => Ok(Root { key, made: false }),
        held => {
            let made = root(
                id.clone(),
                Secret::new(entropy::token(entropy, SECRET_LEN)),
                now,
            );
            if held.is_none() {
                // Of several processes that start together on one store, one makes it.
                match store.apply(vec![Op::AddKey(made.clone())], None).await {
                    Ok(()) => {}
                    Err(StoreError::Exists) => {
                        let key = store.key(&id).await?.ok_or(StoreError::NotFound)?;
                        return Ok(Root { key, made: false });
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(Root {
                key: made,
                made: true,
            })
        }
    }
}

fn root(id: KeyId, secret: Secret, now: Timestamp) -> AccessKey {
    AccessKey {
        description: DESCRIPTION.to_owned(),
        ..AccessKey::new(id, secret, Role::Admin, now)
    }
}

/// There is one root key: a pair that was the root key at an earlier start is revoked, whether it
/// was made then or came from the environment.
///
/// # Errors
/// The store cannot be read or written.
pub(crate) async fn retire_others(
    store: &dyn Store,
    root: &KeyId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let keys = store.keys().await?;
    let former = keys.into_iter().filter(|key| {
        key.description == DESCRIPTION && key.id != *root && key.revoked_at.is_none()
    });
    let ops: Vec<_> = former.map(|key| Op::RevokeKey(key.id, now)).collect();
    if ops.is_empty() {
        return Ok(());
    }
    tracing::warn!(keys = ops.len(), "the former root key pair is revoked");
    store.apply(ops, None).await
}
