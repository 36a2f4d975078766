//! An audit trail in memory, chained as every store must chain it.

use claviger_core::audit::{AuditEnd, AuditEnds, AuditEntry, AuditQuery, AuditRow, hex, link};
use claviger_core::query::{Page, Rows};

/// The trail.
#[derive(Default)]
pub struct Trail {
    rows: Vec<AuditRow>,
    head: AuditEnd,
}

impl Trail {
    /// Adds a row.
    pub fn put(&mut self, entry: AuditEntry) {
        let seq = self.head.seq + 1;
        let hash = link(&self.head.hash, seq, &entry);
        self.head = AuditEnd { seq, hash };
        let hash = hex(&hash);
        self.rows.push(AuditRow { seq, entry, hash });
    }

    /// The rows that are meant.
    pub fn find(&self, query: &AuditQuery) -> Rows<AuditRow> {
        let fitting = self.rows.iter().filter(|row| query.meets(row)).cloned();
        let mut fitting: Vec<_> = fitting.collect();
        if !query.oldest_first {
            fitting.reverse();
        }
        page(&fitting, query.page)
    }

    /// Both ends; nothing is ever forgotten.
    pub fn ends(&self) -> AuditEnds {
        AuditEnds {
            base: AuditEnd::default(),
            head: self.head,
        }
    }

    /// Changes a row behind the chain's back; `index` counts from the oldest.
    pub fn tamper(&mut self, index: usize, change: impl FnOnce(&mut AuditEntry)) {
        if let Some(row) = self.rows.get_mut(index) {
            change(&mut row.entry);
        }
    }
}

/// A slice of a list.
pub fn page<T: Clone>(all: &[T], page: Page) -> Rows<T> {
    let offset = usize::try_from(page.offset).unwrap_or(usize::MAX);
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    Rows {
        rows: all.iter().skip(offset).take(limit).cloned().collect(),
        total: u64::try_from(all.len()).unwrap_or(u64::MAX),
    }
}
