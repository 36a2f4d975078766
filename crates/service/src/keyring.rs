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

pub(crate) struct KeyRing(RwLock<HashMap<KeyId, Arc<AccessKey>>>);

impl KeyRing {
    pub(crate) fn of(keys: Vec<AccessKey>) -> Self {
        let map = keys
            .into_iter()
            .map(|key| (key.id.clone(), Arc::new(key)))
            .collect();
        Self(RwLock::new(map))
    }

    pub(crate) fn look_up(&self, id: &KeyId) -> Lookup {
        let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match map.get(id) {
            None => Lookup::Unknown,
            Some(key) if key.revoked_at.is_some() => Lookup::Revoked,
            Some(key) => Lookup::Live(Arc::clone(key)),
        }
    }

    pub(crate) fn put(&self, key: AccessKey) {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        map.insert(key.id.clone(), Arc::new(key));
    }
}

pub(crate) fn principal(key: &AccessKey) -> Principal {
    Principal {
        key: key.id.clone(),
        role: key.role,
        scope: key.scope.clone(),
    }
}
