//! Instances as they were read last, without secrets: pollers ask for the same ones again and
//! again. This process alone writes the database, so the writer knows what to forget.

use claviger_core::ids::InstanceId;
use claviger_core::instance::Held;
use claviger_core::ports::Op;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Instances kept; one of 18 accounts takes some 8 KiB, and only what is asked for is kept.
const KEPT_MAX: usize = 2_048;

/// The cache.
#[derive(Default)]
pub(crate) struct Views {
    kept: Mutex<HashMap<InstanceId, Arc<Held>>>,
    /// Rises with every commit, after it is visible to readers.
    commits: AtomicU64,
}

/// When a read began: what it read may be kept only if nothing was committed since.
#[derive(Clone, Copy)]
pub(crate) struct Since(u64);

impl Views {
    /// The instance, if it is kept.
    pub(crate) fn find(&self, id: &InstanceId) -> Option<Arc<Held>> {
        self.kept().get(id).cloned()
    }

    /// To be called before the read begins.
    pub(crate) fn begin(&self) -> Since {
        Since(self.commits.load(Ordering::Acquire))
    }

    /// Keeps what was read, unless something was committed meanwhile.
    pub(crate) fn keep(&self, since: Since, held: &Held) {
        let mut kept = self.kept();
        if self.commits.load(Ordering::Acquire) != since.0 {
            return;
        }
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(held.instance.id.clone(), Arc::new(held.clone()));
    }

    /// To be called by the writer after a commit and before it is answered.
    pub(crate) fn committed(&self, touched: &[InstanceId]) {
        let mut kept = self.kept();
        self.commits.fetch_add(1, Ordering::Release);
        for id in touched {
            kept.remove(id);
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<InstanceId, Arc<Held>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The instance that an operation changes.
pub(crate) fn touched(op: &Op) -> Option<&InstanceId> {
    match op {
        Op::AddInstance { instance, .. } => Some(&instance.id),
        Op::RemoveInstance(id)
        | Op::SetRoles(id, _)
        | Op::SetState(id, _)
        | Op::SetPolicy(id, _)
        | Op::Adopt(id, _)
        | Op::SetLabels { instance: id, .. }
        | Op::SetTags(id, _)
        | Op::Confirm(id, ..) => Some(id),
        Op::Observe(observed) => Some(&observed.instance),
        Op::AddKey(_)
        | Op::PutRootKey(_)
        | Op::RevokeKey(..)
        | Op::SetKey(_)
        | Op::KeysUsed(_)
        | Op::PutAccessPolicy(_)
        | Op::RemoveAccessPolicy(_)
        | Op::Audit(_)
        | Op::Purge(_)
        | Op::ForgetTask(_)
        | Op::Fence(..)
        | Op::Show(..)
        | Op::Strike(_)
        | Op::ClearStrikes(_) => None,
    }
}
