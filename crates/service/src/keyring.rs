//! The keys in memory: a signature must be checked without asking the store. The store stays
//! the truth; every change goes there first.

use claviger_core::access::{AccessKey, Principal};
use claviger_core::ids::KeyId;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// What is known of a key id.
pub(crate) enum Lookup {
    /// In use.
    Live(Arc<AccessKey>),
    /// Was in use.
    Revoked,
    /// Never was.
    Unknown,
}

pub(crate) struct KeyRing(RwLock<Ring>);

struct Ring {
    keys: HashMap<KeyId, Arc<AccessKey>>,
    /// How often this process has changed a key.
    changes: u64,
}

fn map(keys: Vec<AccessKey>) -> HashMap<KeyId, Arc<AccessKey>> {
    let keys = keys.into_iter();
    keys.map(|key| (key.id.clone(), Arc::new(key))).collect()
}

impl KeyRing {
    pub(crate) fn of(keys: Vec<AccessKey>) -> Self {
        Self(RwLock::new(Ring {
            keys: map(keys),
            changes: 0,
        }))
    }

    /// To be asked before all keys are read again.
    pub(crate) fn changes(&self) -> u64 {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .changes
    }

    /// Takes what was read, unless this process has changed a key meanwhile: what was read may be
    /// older than that. False if so.
    pub(crate) fn replace(&self, keys: Vec<AccessKey>, since: u64) -> bool {
        let mut ring = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if ring.changes == since {
            ring.keys = map(keys);
        }
        ring.changes == since
    }

    pub(crate) fn look_up(&self, id: &KeyId) -> Lookup {
        let ring = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match ring.keys.get(id) {
            None => Lookup::Unknown,
            Some(key) if key.revoked_at.is_some() => Lookup::Revoked,
            Some(key) => Lookup::Live(Arc::clone(key)),
        }
    }

    pub(crate) fn put(&self, key: AccessKey) {
        let mut ring = self.0.write().unwrap_or_else(PoisonError::into_inner);
        ring.changes += 1;
        ring.keys.insert(key.id.clone(), Arc::new(key));
    }
}

pub(crate) fn principal(key: &AccessKey) -> Principal {
    Principal {
        key: key.id.clone(),
        role: key.role,
        scope: key.scope.clone(),
    }
}
