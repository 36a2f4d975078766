//! What a node was last read back to hold, in 48 bytes a user.

use claviger_core::clock::Timestamp;
use claviger_core::ids::Revision;
use std::sync::Arc;

/// One user, as confirmed on one process of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Short form of its name.
    pub(crate) name: u64,
    /// Short form of its account's identity.
    pub(crate) id: u64,
    /// Short form of its passwords, state and rules, or [`GONE`].
    pub(crate) print: u64,
    /// Short form of its line in ACL LIST; zero while that is not known.
    pub(crate) line: u64,
    /// The newest revision of its account that wants this.
    pub(crate) revision: Revision,
    /// When it was described.
    pub(crate) at: Timestamp,
}

/// The print of a user that is confirmed not to be there.
pub(crate) const GONE: u64 = 0;
/// The print of a user that is ours and was not read back as it should be.
pub(crate) const UNCERTAIN: u64 = 1;
/// The least print of a user that is there.
pub(crate) const FIRST_PRINT: u64 = 2;

/// The marks of a node, ordered by name. Copies share them until one changes.
#[derive(Clone, Default)]
pub(crate) struct Marks(Arc<Vec<Mark>>);

impl Marks {
    pub(crate) fn get(&self, name: u64) -> Option<&Mark> {
        let at = self.0.binary_search_by_key(&name, |mark| mark.name).ok()?;
        self.0.get(at)
    }

    pub(crate) fn put(&mut self, mark: Mark) {
        let marks = Arc::make_mut(&mut self.0);
        match marks.binary_search_by_key(&mark.name, |held| held.name) {
            Ok(at) => marks[at] = mark,
            Err(at) => marks.insert(at, mark),
        }
    }

    /// The user holds what this revision of its account wants, too.
    pub(crate) fn advance(&mut self, name: u64, revision: Revision) {
        let at = self.0.binary_search_by_key(&name, |mark| mark.name);
        if let Ok(at) = at
            && self.0[at].revision < revision
        {
            Arc::make_mut(&mut self.0)[at].revision = revision;
        }
    }

    pub(crate) fn remove(&mut self, name: u64) {
        if let Ok(at) = self.0.binary_search_by_key(&name, |mark| mark.name) {
            Arc::make_mut(&mut self.0).remove(at);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0 = Arc::default();
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(u64) -> bool) {
        if !self.0.iter().all(|mark| keep(mark.name)) {
            Arc::make_mut(&mut self.0).retain(|mark| keep(mark.name));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Mark> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
