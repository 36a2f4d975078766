//! Refusals in the audit trail: what was tried and not permitted, not believed, or not done.
//! Equal ones are counted in one row, and only so many rows are written in a minute, so that a
//! flood cannot fill the disk or push out what matters.

use crate::Service;
use crate::execute::Call;
use claviger_core::access::Principal;
use claviger_core::audit::AuditEntry;
use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::KeyId;
use claviger_core::ports::Op;
use claviger_core::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Rows a minute, and at once: of callers that are known, and of others. The trail keeps a
/// million rows, so a flood of others needs a month to fill it.
const KNOWN: Rate = Rate {
    per_minute: 60,
    burst: 600,
};
const OTHERS: Rate = Rate {
    per_minute: 15,
    burst: 60,
};

/// Different refusals that are counted at once; what is beyond goes into one count.
const DIFFERENT_MAX: usize = 1_024;

/// How much later a key's last use must be than the store knows, to be written.
const USED_GAP_MS: i64 = 60_000;

/// Bound on texts of the caller that are kept, bytes.
const TEXT_LEN_MAX: usize = 128;

#[derive(Clone, Copy)]
struct Rate {
    per_minute: i64,
    burst: i64,
}

/// What is told of a request that is refused.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// The caller, once it was proven.
    pub principal: Option<Principal>,
    /// The key that was claimed.
    pub claimed: Option<KeyId>,
    /// It would have changed something.
    pub changes: bool,
    /// The instance concerned; may be empty.
    pub instance: String,
    /// The account concerned; may be empty.
    pub account: String,
}

impl Attempt {
    pub(crate) fn asks(&mut self, ask: &Ask) {
        self.changes = !matches!(ask, Ask::Query(_));
        self.instance = ask.instance().map(ToString::to_string).unwrap_or_default();
        if let Ask::Command { command, .. } = ask {
            command.account_label().clone_into(&mut self.account);
        }
    }
}

/// What makes two refusals equal.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    known: bool,
    outcome: &'static str,
    dialect: &'static str,
    action: String,
    key: String,
    address: String,
    instance: String,
    account: String,
}

#[derive(Default)]
struct Budget {
    left_milli: i64,
    filled_ms: Option<i64>,
}

impl Budget {
    /// Whether one more row may be written.
    fn take(&mut self, rate: Rate, now: Timestamp) -> bool {
        let now = now.as_millis();
        let full = rate.burst * 1_000;
        let passed = self
            .filled_ms
            .map_or(i64::MAX, |filled| (now - filled).max(0));
        let fresh = passed.saturating_mul(rate.per_minute) / 60;
        self.left_milli = full.min(self.left_milli.saturating_add(fresh));
        self.filled_ms = Some(now);
        let may = self.left_milli >= 1_000;
        self.left_milli -= if may { 1_000 } else { 0 };
        may
    }
}

/// Counted, and not written yet.
#[derive(Default)]
struct Counts {
    rows: HashMap<Kind, (AuditEntry, u64)>,
    /// Known callers, and others, beyond what there was room for.
    beyond: [u64; 2],
    budgets: [Budget; 2],
}

/// The counts.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Counts>);

impl Ledger {
    fn count(&self, kind: Kind, entry: AuditEntry) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = counts.rows.len() < DIFFERENT_MAX;
        match counts.rows.get_mut(&kind) {
            Some((_, count)) => *count += 1,
            None if room => {
                counts.rows.insert(kind, (entry, 1));
            }
            None => counts.beyond[usize::from(!kind.known)] += 1,
        }
    }

    /// The rows that may be written now; what may not is counted together until it may.
    fn take(&self, now: Timestamp) -> Vec<AuditEntry> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = counts.rows.drain().collect();
        found.sort_by_key(|(_, (entry, _))| entry.at);
        let mut due = Vec::new();
        for (kind, (mut entry, count)) in found {
            let (place, rate) = if kind.known { (0, KNOWN) } else { (1, OTHERS) };
            if !counts.budgets[place].take(rate, now) {
                counts.beyond[place] += count;
                continue;
            }
            if count > 1 {
                entry.detail = match entry.detail.is_empty() {
                    true => format!("{count} times"),
                    false => format!("{}, {count} times", entry.detail),
                };
            }
            due.push(entry);
        }
        for (place, rate) in [(0, KNOWN), (1, OTHERS)] {
            let beyond = counts.beyond[place];
            if beyond > 0 && counts.budgets[place].take(rate, now) {
                counts.beyond[place] = 0;
                due.push(AuditEntry {
                    at: now,
                    dialect: "service".to_owned(),
                    action: "refused".to_owned(),
                    outcome: "Refused".to_owned(),
                    detail: format!("{beyond} refusals that were not told apart"),
                    ..AuditEntry::default()
                });
            }
        }
        due
    }
}

/// As much of the caller's text as is kept. Control characters are shown as what they are not:
/// they steer terminals, and a NUL byte would keep PostgreSQL from putting its row, and with it all
/// that came later, into the chain.
fn bounded(text: &str) -> String {
    let mut end = text.len().min(TEXT_LEN_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text[..end].chars().map(shown).collect()
}

impl Service {
    /// Remembers a refusal for the audit trail if it belongs there: what was not permitted, what
    /// was not believed, and changes that were not made.
    pub fn note_refusal(&self, call: &Call, attempt: Attempt, refusal: &Refusal) {
        if attempt.changes || refusal.concerns_access() {
            self.note_outcome(call, attempt, refusal.word(), "");
        }
    }

    /// Remembers a request that was not done, whatever the outcome is called.
    pub fn note_outcome(&self, call: &Call, attempt: Attempt, outcome: &'static str, detail: &str) {
        let known = attempt.principal.is_some();
        // A key that is claimed by a badly signed request is told if there is such a key: then
        // someone tries to be its holder.
        let claimed = attempt.claimed.filter(|key| self.keys.find(key).is_some());
        let session = attempt.principal.as_ref().and_then(|p| p.session.as_ref());
        let session = session.map(|s| s.key.to_string()).unwrap_or_default();
        let key = attempt.principal.map(|p| p.key).or(claimed);
        let entry = AuditEntry {
            at: self.now(),
            request_id: call.request_id.clone(),
            key: key.map(|key| key.to_string()).unwrap_or_default(),
            session,
            source: call.source.clone(),
            dialect: call.dialect.to_owned(),
            action: bounded(&call.action),
            instance: bounded(&attempt.instance),
            account: bounded(&attempt.account),
            outcome: outcome.to_owned(),
            detail: detail.to_owned(),
            ..AuditEntry::default()
        };
        let address = entry
            .source
            .rsplit_once(':')
            .map_or("", |(address, _)| address);
        let kind = Kind {
            known,
            outcome,
            dialect: call.dialect,
            action: entry.action.clone(),
            key: entry.key.clone(),
            address: address.to_owned(),
            instance: entry.instance.clone(),
            account: entry.account.clone(),
        };
        self.ledger.count(kind, entry);
    }

    /// Writes what was counted since the last time: refusals, and when keys were last used. To
    /// be called every few seconds; last uses are written once a minute, and at the end.
    pub async fn write_counts(&self, at_the_end: bool) {
        let refusals = self.ledger.take(self.now()).into_iter().map(Op::Audit);
        let mut ops: Vec<_> = refusals.collect();
        let used = self
            .keys
            .take_used(if at_the_end { 0 } else { USED_GAP_MS });
        if !used.is_empty() {
            ops.push(Op::KeysUsed(used));
        }
        if ops.is_empty() {
            return;
        }
        if let Err(failure) = self.store.apply(ops, None).await {
            tracing::error!(error = %failure, "refusals could not be written to the audit trail");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(n: usize, known: bool) -> Kind {
        Kind {
            known,
            outcome: "SignatureMismatch",
            dialect: "native",
            action: n.to_string(),
            key: String::new(),
            address: String::new(),
            instance: String::new(),
            account: String::new(),
        }
    }

    #[test]
    fn equal_ones_share_a_row() {
        let ledger = Ledger::default();
        for _ in 0..5 {
            ledger.count(kind(1, true), AuditEntry::default());
        }
        ledger.count(kind(2, true), AuditEntry::default());
        let rows = ledger.take(Timestamp::from_secs(1));
        let mut details: Vec<_> = rows.iter().map(|row| row.detail.as_str()).collect();
        details.sort_unstable();
        assert_eq!(details, ["", "5 times"]);
        assert!(ledger.take(Timestamp::from_secs(2)).is_empty());
    }

    /// An hour of a flood of a hundred different refusals a second.
    #[test]
    fn a_flood_writes_few_rows_and_all_are_counted() {
        let ledger = Ledger::default();
        let (mut written, mut counted) = (0, 0);
        for second in 0..3_600 {
            for n in 0..100 {
                ledger.count(kind(n, false), AuditEntry::default());
            }
            for row in ledger.take(Timestamp::from_secs(second)) {
                written += 1;
                let first = row.detail.split(' ').next().unwrap_or_default();
                counted += first.parse().unwrap_or(1);
            }
        }
        assert!(written <= 60 + 15 * 60, "{written}");
        let left: u64 = ledger.0.lock().map(|c| c.beyond[1]).unwrap_or_default();
        assert_eq!(counted + left, 360_000);
        // Known callers have room of their own.
        ledger.count(kind(1, true), AuditEntry::default());
        assert!(!ledger.take(Timestamp::from_secs(3_600)).is_empty());
    }

    #[test]
    fn texts_are_cut() {
        assert_eq!(bounded(&"é".repeat(100)).len(), 128);
        assert_eq!(bounded("x"), "x");
        assert_eq!(bounded("a\0b\u{1b}[2J"), "a\u{fffd}b\u{fffd}[2J");
    }
}
