//! What was done on nodes, for the audit trail. Equal deeds on several nodes share a row, and
//! only so many rows are written in a while: a change of a whole fleet is told in a few.

use claviger_core::audit::AuditEntry;
use claviger_core::clock::Timestamp;
use claviger_core::ids::{AccountName, InstanceId, NodeAddress};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Rows at once, and a second.
const BURST: i64 = 500;
const PER_SECOND: i64 = 2;

/// Different deeds that are remembered until they are written; what is beyond is only counted.
const DIFFERENT_MAX: usize = 4_096;

/// Nodes that a row names; what is beyond is only counted.
const NODES_MAX: usize = 16;

/// Deeds that one node's pass remembers.
pub(crate) const OF_PASS_MAX: usize = 1_024;

/// What was done with a user on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    /// It was set to what it should be.
    Set,
    /// It had been changed by someone else, and was put right.
    Repaired,
    /// It was removed.
    Removed,
}

impl What {
    fn action(self) -> &'static str {
        match self {
            What::Set => "node.set-user",
            What::Repaired => "node.repair-user",
            What::Removed => "node.remove-user",
        }
    }
}

/// Something done with a user on a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Deed {
    pub(crate) account: AccountName,
    pub(crate) what: What,
    /// It was read back as it should be.
    pub(crate) held: bool,
}

#[derive(Default)]
struct Where {
    nodes: Vec<NodeAddress>,
    more: usize,
    since: Timestamp,
}

#[derive(Default)]
struct State {
    done: HashMap<(InstanceId, Deed), Where>,
    beyond: u64,
    left_milli: Option<i64>,
    filled: Timestamp,
}

/// Deeds that are not written yet.
#[derive(Default)]
pub(crate) struct Deeds(Mutex<State>);

impl Deeds {
    /// Remembers what was done on a node.
    pub(crate) fn note(
        &self,
        instance: &InstanceId,
        node: &NodeAddress,
        deeds: Vec<Deed>,
        now: Timestamp,
    ) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for deed in deeds {
            let room = state.done.len() < DIFFERENT_MAX;
            let of = (instance.clone(), deed);
            if !room && !state.done.contains_key(&of) {
                state.beyond += 1;
                continue;
            }
            let place = state.done.entry(of).or_insert_with(|| Where {
                since: now,
                ..Where::default()
            });
            if place.nodes.contains(node) {
                continue;
            }
            match place.nodes.len() < NODES_MAX {
                true => place.nodes.push(node.clone()),
                false => place.more += 1,
            }
        }
    }

    /// The rows to write now.
    pub(crate) fn take(&self, now: Timestamp) -> Vec<AuditEntry> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = (now.as_millis() - state.filled.as_millis()).max(0);
        let full = BURST * 1_000;
        let fresh = passed.saturating_mul(PER_SECOND);
        let mut left = state
            .left_milli
            .map_or(full, |left| full.min(left.saturating_add(fresh)));
        state.filled = now;
        let mut done: Vec<_> = state.done.drain().collect();
        done.sort_by(|(a, _), (b, _)| (&a.0, &a.1.account).cmp(&(&b.0, &b.1.account)));
        let mut rows = Vec::new();
        for ((instance, deed), place) in done {
            if left < 1_000 {
                state.beyond += place.nodes.len() as u64 + place.more as u64;
                continue;
            }
            left -= 1_000;
            rows.push(row(&instance, &deed, &place));
        }
        if state.beyond > 0 && left >= 1_000 {
            left -= 1_000;
            rows.push(AuditEntry {
                at: now,
                dialect: "fleet".to_owned(),
                action: "node.change-users".to_owned(),
                outcome: "ok".to_owned(),
                detail: format!("{} changes that were not told apart", state.beyond),
                ..AuditEntry::default()
            });
            state.beyond = 0;
        }
        state.left_milli = Some(left);
        rows
    }
}

fn row(instance: &InstanceId, deed: &Deed, place: &Where) -> AuditEntry {
    let nodes: Vec<_> = place.nodes.iter().map(NodeAddress::as_str).collect();
    let more = match place.more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    AuditEntry {
        at: place.since,
        dialect: "fleet".to_owned(),
        action: deed.what.action().to_owned(),
        instance: instance.to_string(),
        account: deed.account.to_string(),
        outcome: if deed.held { "ok" } else { "NotHeld" }.to_owned(),
        detail: format!("on {}{more}", nodes.join(", ")),
        ..AuditEntry::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(account: &str) -> Deed {
        Deed {
            account: AccountName::from(account),
            what: What::Set,
            held: true,
        }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn nodes_share_a_row() {
        let deeds = Deeds::default();
        for node in ["a:1", "b:1", "a:1"] {
            deeds.note(&"r-1".into(), &node.into(), vec![deed("app")], at(1));
        }
        let rows = deeds.take(at(2));
        assert_eq!(rows.len(), 1);
        let told = (rows[0].action.as_str(), rows[0].detail.as_str(), rows[0].at);
        assert_eq!(told, ("node.set-user", "on a:1, b:1", at(1)));
        assert!(deeds.take(at(3)).is_empty());
    }

    #[test]
    fn a_whole_fleet_is_told_in_few_rows() {
        let deeds = Deeds::default();
        let mut rows = 0;
        for second in 0..100 {
            for n in 0..10_000 {
                let id = InstanceId::new(format!("r-{n}"));
                deeds.note(&id, &"a:1".into(), vec![deed("app")], at(second));
            }
            rows += deeds.take(at(second)).len();
        }
        assert!(rows <= 700, "{rows}");
        for n in 0..100 {
            let node = NodeAddress::new(format!("h:{n}"));
            deeds.note(&"r-1".into(), &node, vec![deed("app")], at(200));
        }
        let rows = deeds.take(at(1_000));
        assert!(
            rows.iter().any(|row| row.detail.ends_with("and 84 more")),
            "{rows:?}"
        );
    }
}
