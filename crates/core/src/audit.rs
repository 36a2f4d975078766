//! Who did what, from where, with what outcome; never a secret. The rows are a chain: each has a
//! digest of itself and of the one before, so that a row that was changed, taken out or put in
//! shows.

use crate::clock::Timestamp;
use crate::ids::InstanceId;
use crate::query::Page;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use thiserror::Error;

/// Names and values of what something was before, or is after; without secrets.
pub type Facts = BTreeMap<String, String>;

/// One line of the audit trail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// The request's id, as answered to the caller; empty for what claviger did by itself.
    pub request_id: String,
    /// The caller's key; empty if it could not be told.
    pub key: String,
    /// The temporary credentials of that key, if it was some.
    pub session: String,
    /// The caller's address.
    pub source: String,
    /// `aliyun`, `native`, ... or `fleet` for changes that claviger made on nodes.
    pub dialect: String,
    /// The operation, in the dialect's words.
    pub action: String,
    /// The instance concerned; may be empty.
    pub instance: String,
    /// The account concerned; may be empty.
    pub account: String,
    /// `ok`, or the name of the refusal.
    pub outcome: String,
    /// What changed, without secrets; may be empty.
    pub detail: String,
    /// What it was before, where that differs.
    pub before: Facts,
    /// What it is now, where that differs.
    pub after: Facts,
}

/// A row of the audit trail as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Its number: one more than that of the row before.
    pub seq: u64,
    /// What it says.
    #[serde(flatten)]
    pub entry: AuditEntry,
    /// Its digest, 64 hexadecimal digits; empty in rows older than the chain.
    pub hash: String,
}

/// A digest in the chain.
pub type Link = [u8; 32];

/// A row's number and digest: one end of the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditEnd {
    /// The row's number; 0 before the first.
    pub seq: u64,
    /// Its digest; zeros before the first.
    pub hash: Link,
}

/// Both ends of the chain, as they were written beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditEnds {
    /// The last row that was forgotten for its age: the chain that is kept begins after it.
    pub base: AuditEnd,
    /// The newest row.
    pub head: AuditEnd,
}

/// The digest of a row after a row of digest `before`: SHA-256 over that digest, the row's
/// number and each field with its length before it, so that no two rows read the same.
pub fn link(before: &Link, seq: u64, entry: &AuditEntry) -> Link {
    let mut hash = Sha256::new();
    hash.update(b"claviger audit 1");
    hash.update(before);
    hash.update(seq.to_be_bytes());
    hash.update(entry.at.as_millis().to_be_bytes());
    let mut text = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    for field in [
        &entry.request_id,
        &entry.key,
        &entry.session,
        &entry.source,
        &entry.dialect,
        &entry.action,
        &entry.instance,
        &entry.account,
        &entry.outcome,
        &entry.detail,
    ] {
        text(field);
    }
    for facts in [&entry.before, &entry.after] {
        text(&facts.len().to_string());
        for (name, value) in facts {
            text(name);
            text(value);
        }
    }
    hash.finalize().into()
}

/// A digest as it is printed.
pub fn hex(link: &Link) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(64);
    for byte in link {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Where the chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Broken {
    /// Rows are missing, or stand where none should.
    #[error("row {expected} is expected, and row {found} follows: rows were taken out or put in")]
    Gap {
        /// The number that should follow.
        expected: u64,
        /// The number that does.
        found: u64,
    },
    /// The row's digest is not that of what it says after the row before it.
    #[error("row {0} was changed, or a row before it")]
    Changed(u64),
    /// The chain does not end where it should.
    #[error(
        "the chain ends with row {found}, and should end with row {expected}: rows were taken out at its end, or put there"
    )]
    End {
        /// Where it should end.
        expected: u64,
        /// Where it does.
        found: u64,
    },
}

/// Follows the chain, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Chain(AuditEnd);

impl Chain {
    /// From that end on.
    pub fn after(base: AuditEnd) -> Self {
        Self(base)
    }

    /// How far it was followed.
    pub fn end(&self) -> AuditEnd {
        self.0
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// [`Broken`], if it does not follow.
    pub fn follow(&mut self, row: &AuditRow) -> Result<(), Broken> {
        let expected = self.0.seq.saturating_add(1);
        if row.seq != expected {
            let found = row.seq;
            return Err(Broken::Gap { expected, found });
        }
        let hash = link(&self.0.hash, row.seq, &row.entry);
        if hex(&hash) != row.hash {
            return Err(Broken::Changed(row.seq));
        }
        self.0 = AuditEnd { seq: row.seq, hash };
        Ok(())
    }

    /// Whether that was all.
    ///
    /// # Errors
    /// [`Broken::End`], or [`Broken::Changed`] for an end of another digest.
    pub fn finish(self, head: AuditEnd) -> Result<(), Broken> {
        if self.0.seq != head.seq {
            let (expected, found) = (head.seq, self.0.seq);
            return Err(Broken::End { expected, found });
        }
        if self.0.hash != head.hash {
            return Err(Broken::Changed(head.seq));
        }
        Ok(())
    }
}

/// Which rows; every given condition must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditQuery {
    /// Of this instance.
    pub instance: Option<InstanceId>,
    /// Of this account.
    pub account: Option<String>,
    /// By this key.
    pub key: Option<String>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// Of this operation, in the dialect's words.
    pub action: Option<String>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// With a higher number than this.
    pub after: Option<u64>,
    /// By rising number, else the newest first.
    pub oldest_first: bool,
    /// Which slice.
    pub page: Page,
}

impl Default for AuditQuery {
    fn default() -> Self {
        Self {
            instance: None,
            account: None,
            key: None,
            outcome: None,
            action: None,
            since: None,
            until: None,
            after: None,
            oldest_first: false,
            page: Page::ALL,
        }
    }
}

impl AuditQuery {
    /// Whether a row is meant, as every store must have it.
    pub fn meets(&self, row: &AuditRow) -> bool {
        let is = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|w| w == text);
        let entry = &row.entry;
        let instance = self.instance.as_ref();
        instance.is_none_or(|id| id.as_str() == entry.instance)
            && is(&self.account, &entry.account)
            && is(&self.key, &entry.key)
            && is(&self.outcome, &entry.outcome)
            && is(&self.action, &entry.action)
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
            && self.after.is_none_or(|after| row.seq > after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: u64) -> (Vec<AuditRow>, AuditEnd) {
        let mut end = AuditEnd::default();
        let rows = (1..=count).map(|seq| {
            let entry = AuditEntry {
                action: "a".repeat(usize::try_from(seq).unwrap_or(1)),
                after: Facts::from([("privilege".into(), "read-only".into())]),
                ..AuditEntry::default()
            };
            let hash = link(&end.hash, seq, &entry);
            end = AuditEnd { seq, hash };
            let hash = hex(&hash);
            AuditRow { seq, entry, hash }
        });
        (rows.collect(), end)
    }

    fn verify(rows: &[AuditRow], base: AuditEnd, head: AuditEnd) -> Result<(), Broken> {
        let mut chain = Chain::after(base);
        rows.iter().try_for_each(|row| chain.follow(row))?;
        chain.finish(head)
    }

    #[test]
    fn whole_and_after_a_checkpoint() {
        let (rows, head) = rows(5);
        assert_eq!(verify(&rows, AuditEnd::default(), head), Ok(()));
        let mut chain = Chain::after(AuditEnd::default());
        assert_eq!(
            rows[..2].iter().try_for_each(|row| chain.follow(row)),
            Ok(())
        );
        assert_eq!(verify(&rows[2..], chain.end(), head), Ok(()));
        assert_eq!(verify(&[], head, head), Ok(()));
    }

    #[test]
    fn every_edit_shows() {
        let (good, head) = rows(5);
        let base = AuditEnd::default();
        let check = |rows: &[AuditRow]| verify(rows, base, head);
        let mut gone = good.clone();
        gone.remove(2);
        let gap = Broken::Gap {
            expected: 3,
            found: 4,
        };
        assert_eq!(check(&gone), Err(gap));
        let cut = Broken::End {
            expected: 5,
            found: 4,
        };
        assert_eq!(check(&good[..4]), Err(cut));
        let edits: [fn(&mut AuditEntry); 14] = [
            |e| e.at = Timestamp::from_secs(1),
            |e| e.request_id.push('x'),
            |e| e.key.push('x'),
            |e| e.session.push('x'),
            |e| e.source.push('x'),
            |e| e.dialect.push('x'),
            |e| e.action.push('x'),
            |e| e.instance.push('x'),
            |e| e.account.push('x'),
            |e| e.outcome.push('x'),
            |e| e.detail.push('x'),
            |e| e.after.clear(),
            |e| std::mem::swap(&mut e.before, &mut e.after),
            // A text moved from one field to the next.
            |e| e.instance = std::mem::take(&mut e.action),
        ];
        for edit in edits {
            let mut edited = good.clone();
            edit(&mut edited[2].entry);
            assert_eq!(check(&edited), Err(Broken::Changed(3)));
        }
        // One that also makes the digest fit breaks the next row.
        let mut edited = good;
        edited[2].entry.action = "other".into();
        let mut chain = Chain::after(base);
        let _ = edited[..2].iter().try_for_each(|row| chain.follow(row));
        edited[2].hash = hex(&link(&chain.end().hash, 3, &edited[2].entry));
        assert_eq!(check(&edited), Err(Broken::Changed(4)));
    }
}
