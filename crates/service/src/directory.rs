//! What policies go by of every instance, in memory: a decision must not ask the store. The
//! store stays the truth; every change goes there first.

use claviger_core::access::InstanceFacts;
use claviger_core::ids::InstanceId;
use claviger_core::ports::{Store, StoreError};
use claviger_core::query::{InstanceQuery, Page};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The instances.
#[derive(Default)]
pub(crate) struct Directory(RwLock<Known>);

#[derive(Default)]
struct Known {
    facts: BTreeMap<InstanceId, Arc<InstanceFacts>>,
    /// Rises with every change.
    edition: u64,
}

impl Directory {
    /// Reads all of them.
    pub(crate) async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let directory = Self::default();
        directory.read_again(store).await?;
        Ok(directory)
    }

    /// Reads all of them again.
    pub(crate) async fn read_again(&self, store: &dyn Store) -> Result<(), StoreError> {
        let mut facts = BTreeMap::new();
        let mut offset = 0;
        loop {
            let page = Page {
                offset,
                limit: Page::LIMIT_MAX,
            };
            let query = InstanceQuery {
                page,
                ..InstanceQuery::default()
            };
            let found = store.instances(&query).await?;
            let count = found.rows.len() as u64;
            let read = found
                .rows
                .iter()
                .map(|i| (i.id.clone(), Arc::new(i.facts())));
            facts.extend(read);
            offset += count;
            if count == 0 || offset >= found.total {
                break;
            }
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.facts != facts {
            known.facts = facts;
            known.edition += 1;
        }
        Ok(())
    }

    /// The instance, if it is known.
    pub(crate) fn find(&self, id: &InstanceId) -> Option<Arc<InstanceFacts>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.facts.get(id).cloned()
    }

    /// All of them, by identity.
    pub(crate) fn all(&self) -> Vec<Arc<InstanceFacts>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.facts.values().cloned().collect()
    }

    /// Which edition this is.
    pub(crate) fn edition(&self) -> u64 {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.edition
    }

    pub(crate) fn put(&self, facts: InstanceFacts) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.edition += 1;
        known.facts.insert(facts.id.clone(), Arc::new(facts));
    }

    pub(crate) fn remove(&self, id: &InstanceId) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.edition += 1;
        known.facts.remove(id);
    }
}
