//! The keys in memory: a signature must be checked without asking the store. The store stays
//! the truth; every change goes there first.

use claviger_core::access::{AccessKey, Circumstances, Principal, Scope, Tags};
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// What is known of a key id.
pub(crate) enum Lookup {
    /// In use.
    Live(Arc<Held>),
    /// Was in use: revoked, or past its end.
    Revoked,
    /// Never was.
    Unknown,
}

/// A key, in the forms in which requests need it.
pub(crate) struct Held {
    pub(crate) key: AccessKey,
    scope: Arc<Scope>,
    tags: Arc<Tags>,
    /// When it was last used, and what of that the store knows; milliseconds.
    used: AtomicI64,
    told: AtomicI64,
}

impl Held {
    fn of(key: AccessKey) -> Self {
        let used = key.last_used_at.map_or(0, Timestamp::as_millis);
        Self {
            scope: Arc::new(key.scope.clone()),
            tags: Arc::new(key.tags.clone()),
            key,
            used: AtomicI64::new(used),
            told: AtomicI64::new(used),
        }
    }

    pub(crate) fn principal(&self, from: Circumstances) -> Principal {
        Principal {
            key: self.key.id.clone(),
            role: self.key.role,
            scope: Arc::clone(&self.scope),
            tags: Arc::clone(&self.tags),
            session: None,
            from,
        }
    }

    /// A request was signed with it, and the signature was good.
    pub(crate) fn mark_used(&self, now: Timestamp) {
        self.used.fetch_max(now.as_millis(), Ordering::Relaxed);
    }

    /// When it was last used.
    pub(crate) fn last_used(&self) -> Option<Timestamp> {
        let used = self.used.load(Ordering::Relaxed);
        (used > 0).then(|| Timestamp::from_millis(used))
    }
}

pub(crate) struct KeyRing(RwLock<Ring>);

#[derive(Default)]
struct Ring {
    keys: HashMap<KeyId, Arc<Held>>,
    /// How often this process has changed a key.
    changes: u64,
}

impl Ring {
    /// As it is in the store; when it was last used may be known better here.
    fn held(&self, key: AccessKey) -> (KeyId, Arc<Held>) {
        let held = Held::of(key);
        if let Some(known) = self.keys.get(&held.key.id) {
            held.used
                .fetch_max(known.used.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        (held.key.id.clone(), Arc::new(held))
    }
}

impl KeyRing {
    pub(crate) fn of(keys: Vec<AccessKey>) -> Self {
        let ring = Self(RwLock::default());
        ring.replace(keys, 0);
        ring
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
            let fresh: HashMap<_, _> = keys.into_iter().map(|key| ring.held(key)).collect();
            ring.keys = fresh;
        }
        ring.changes == since
    }

    pub(crate) fn look_up(&self, id: &KeyId, now: Timestamp) -> Lookup {
        let ring = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match ring.keys.get(id) {
            None => Lookup::Unknown,
            Some(held) => {
                let ended = held.key.expires_at.is_some_and(|end| end <= now);
                match ended || held.key.revoked_at.is_some() {
                    true => Lookup::Revoked,
                    false => Lookup::Live(Arc::clone(held)),
                }
            }
        }
    }

    pub(crate) fn find(&self, id: &KeyId) -> Option<Arc<Held>> {
        let ring = self.0.read().unwrap_or_else(PoisonError::into_inner);
        ring.keys.get(id).cloned()
    }

    pub(crate) fn put(&self, key: AccessKey) {
        let mut ring = self.0.write().unwrap_or_else(PoisonError::into_inner);
        ring.changes += 1;
        let (id, held) = ring.held(key);
        ring.keys.insert(id, held);
    }

    /// The keys whose last use is later than the store knows by so much; it is taken to know
    /// them from now on.
    pub(crate) fn take_used(&self, gap_ms: i64) -> Vec<(KeyId, Timestamp)> {
        let ring = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let news = ring.keys.values().filter_map(|held| {
            let used = held.used.load(Ordering::Relaxed);
            if used - held.told.load(Ordering::Relaxed) <= gap_ms {
                return None;
            }
            held.told.store(used, Ordering::Relaxed);
            Some((held.key.id.clone(), Timestamp::from_millis(used)))
        });
        news.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_core::access::Role;
    use claviger_core::secret::Secret;

    fn key(id: &str) -> AccessKey {
        AccessKey::new(
            id.into(),
            Secret::new("s"),
            Role::None,
            Timestamp::default(),
        )
    }

    #[test]
    fn a_key_ends() {
        let end = Timestamp::from_secs(100);
        let ring = KeyRing::of(vec![AccessKey {
            expires_at: Some(end),
            ..key("k")
        }]);
        let live = |s| {
            matches!(
                ring.look_up(&"k".into(), Timestamp::from_secs(s)),
                Lookup::Live(_)
            )
        };
        assert!(live(99) && !live(100) && !live(101));
    }

    #[test]
    fn uses_are_told_once() {
        let ring = KeyRing::of(vec![key("a"), key("b")]);
        assert!(ring.take_used(0).is_empty());
        let now = Timestamp::from_secs(5);
        if let Some(held) = ring.find(&"a".into()) {
            held.mark_used(now);
        }
        assert!(ring.take_used(5_000).is_empty());
        assert_eq!(ring.take_used(4_999), [("a".into(), now)]);
        assert!(ring.take_used(0).is_empty());
        // A key that is read again from the store is not older for that.
        assert!(ring.replace(vec![key("a")], ring.changes()));
        assert_eq!(
            ring.find(&"a".into()).and_then(|h| h.last_used()),
            Some(now)
        );
        assert!(ring.find(&"b".into()).is_none());
    }
}
