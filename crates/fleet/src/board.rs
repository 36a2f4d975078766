//! What is seen of the instances now, in memory: written by their drivers after each step that
//! matters, read by `status`, `lacking` and the metrics.

use crate::marks::{FIRST_PRINT, Marks};
use crate::member::{Member, Standing};
use crate::stats::FleetStats;
use claviger_core::account::Account;
use claviger_core::engine::Engine;
use claviger_core::ids::{AccountName, InstanceId, NodeAddress, Revision};
use claviger_core::instance::{Held, Topology};
use claviger_core::node::{NodeRecord, NodeRole, Persistence};
use claviger_core::ports::Shown;
use claviger_core::sight::{
    AccountProof, AccountSight, InstanceSight, NodeSight, SentinelSight, SyncState,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A node on the board.
#[derive(Clone, Serialize, Deserialize)]
struct NodeSeat {
    address: NodeAddress,
    role: NodeRole,
    reachable: bool,
    engine: Option<Engine>,
    persistence: Persistence,
    confirmed: Revision,
    /// Everything up to here was looked at in the last pass.
    driven: Revision,
    saved: Revision,
    run_id: String,
    /// What was read back, of the process that is connected. Named by this process's own short
    /// forms, so of no use to another one.
    #[serde(skip)]
    marks: Marks,
    /// What keeps the node from being driven at all.
    error: Option<String>,
    /// What is wrong beside that: its own file cannot be written, sessions cannot be ended.
    warning: Option<String>,
    issues: Vec<(AccountName, Standing, String)>,
}

/// An instance on the board.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Seat {
    topology: Option<Topology>,
    error: Option<String>,
    nodes: Vec<NodeSeat>,
    sentinels: Vec<SentinelSight>,
    unmanaged: Vec<AccountName>,
}

/// The board.
#[derive(Default)]
pub(crate) struct Board {
    seats: Mutex<HashMap<InstanceId, Seat>>,
}

fn seat_of(member: &Member) -> NodeSeat {
    let record = member.record();
    NodeSeat {
        address: record.address,
        role: record.role,
        reachable: member.is_ready(),
        engine: record.engine,
        persistence: record.persistence,
        confirmed: member.confirmed,
        driven: member.driven,
        saved: member.saved,
        run_id: record.run_id,
        marks: member.marks.clone(),
        error: member.error.as_ref().map(ToString::to_string),
        warning: member
            .saving
            .error
            .clone()
            .or_else(|| member.login_notice.clone())
            .or_else(|| member.notice.clone()),
        issues: member
            .issues
            .iter()
            .map(|issue| (issue.account.clone(), issue.standing, issue.reason.clone()))
            .collect(),
    }
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceId, Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows an instance.
    pub(crate) fn show<'a>(
        &self,
        id: &InstanceId,
        topology: Option<Topology>,
        error: Option<String>,
        members: impl Iterator<Item = &'a Member>,
        sentinels: Vec<SentinelSight>,
        unmanaged: Vec<AccountName>,
    ) {
        let seat = Seat {
            topology,
            error,
            nodes: members.map(seat_of).collect(),
            sentinels,
            unmanaged,
        };
        self.lock().insert(id.clone(), seat);
    }

    /// Shows one node of it anew.
    pub(crate) fn show_node(&self, id: &InstanceId, member: &Member) {
        if let Some(seat) = self.lock().get_mut(id)
            && let Some(node) = seat.nodes.iter_mut().find(|n| n.address == member.address)
        {
            *node = seat_of(member);
        }
    }

    /// Shows its Sentinels anew.
    pub(crate) fn show_sentinels(&self, id: &InstanceId, sentinels: Vec<SentinelSight>) {
        if let Some(seat) = self.lock().get_mut(id) {
            seat.sentinels = sentinels;
        }
    }

    /// It was seen in this life of the service.
    pub(crate) fn has(&self, id: &InstanceId) -> bool {
        self.lock()
            .get(id)
            .is_some_and(|seat| !seat.nodes.is_empty())
    }

    /// Its nodes that answer.
    pub(crate) fn reachable(&self, id: &InstanceId) -> Vec<NodeAddress> {
        let seats = self.lock();
        let nodes = seats.get(id).into_iter().flat_map(|seat| &seat.nodes);
        let nodes = nodes.filter(|node| node.reachable);
        nodes.map(|node| node.address.clone()).collect()
    }

    /// What is known to be wrong with a node's own file, in plain words.
    pub(crate) fn unsaved(&self, id: &InstanceId, address: &NodeAddress) -> Option<String> {
        let seats = self.lock();
        let nodes = &seats.get(id)?.nodes;
        let node = nodes.iter().find(|node| node.address == *address)?;
        if let Some(warning) = &node.warning {
            return Some(warning.clone());
        }
        let keeps = matches!(node.persistence, Persistence::Aclfile | Persistence::Config);
        (keeps && node.reachable && node.saved < node.confirmed)
            .then(|| "the last changes are not in the node's own file yet".to_owned())
    }

    /// Forgets it.
    pub(crate) fn remove(&self, id: &InstanceId) {
        self.lock().remove(id);
    }

    /// See [`claviger_core::ports::Fleet::lacking`].
    pub(crate) fn lacking(&self, id: &InstanceId) -> Vec<AccountName> {
        self.lock().get(id).map_or_else(Vec::new, Seat::lacking)
    }

    /// What the other processes may see of it.
    pub(crate) fn text(&self, id: &InstanceId) -> Option<String> {
        let seats = self.lock();
        serde_json::to_string(seats.get(id)?).ok()
    }

    /// The instance as seen now; what was not seen yet in this life is taken from `records`.
    pub(crate) fn sight(
        &self,
        held: &Held,
        records: &[NodeRecord],
        salt: &RandomState,
    ) -> InstanceSight {
        let instance = &held.instance;
        let seats = self.lock();
        let seat = seats.get(&instance.id).filter(|seat| seat.says_something());
        if let Some(seat) = seat {
            return seat.sight(held, salt);
        }
        let unseen = Seat {
            topology: instance.observed_topology,
            nodes: records.iter().map(unseen).collect(),
            unmanaged: instance.unmanaged.clone(),
            ..Seat::default()
        };
        unseen.sight(held, salt)
    }

    /// Fills in the gauges.
    pub(crate) fn gauge(&self, stats: &mut FleetStats) {
        let seats = self.lock();
        stats.instances = u64::try_from(seats.len()).unwrap_or(u64::MAX);
        for node in seats.values().flat_map(|seat| &seat.nodes) {
            let drifted = node.issues.iter().any(|(_, s, _)| *s == Standing::Drifted);
            let counter = if !node.reachable {
                &mut stats.nodes_unreachable
            } else if drifted {
                &mut stats.nodes_drifted
            } else if node.issues.is_empty() && node.error.is_none() {
                &mut stats.nodes_in_sync
            } else {
                &mut stats.nodes_pending
            };
            *counter += 1;
        }
    }
}

/// What another process, which drives the instance, saw last. If it does not live any more,
/// nobody looks now: every node counts as not reachable.
fn as_told(shown: &Shown) -> Option<Seat> {
    let mut seat: Seat = serde_json::from_str(&shown.text).ok()?;
    if !shown.live {
        for node in &mut seat.nodes {
            node.reachable = false;
            node.error = Some("not asked since the process that drove it ended".into());
        }
    }
    Some(seat)
}

/// See [`Board::lacking`], as the driver told it last.
pub(crate) fn lacking_as_told(shown: &Shown) -> Vec<AccountName> {
    as_told(shown).map_or_else(Vec::new, |seat| seat.lacking())
}

/// See [`Board::sight`], as the driver told it last; `None` if it had seen nothing.
pub(crate) fn sight_as_told(
    held: &Held,
    shown: &Shown,
    salt: &RandomState,
) -> Option<InstanceSight> {
    let seat = as_told(shown).filter(Seat::says_something)?;
    Some(seat.sight(held, salt))
}

fn unseen(record: &NodeRecord) -> NodeSeat {
    NodeSeat {
        address: record.address.clone(),
        role: record.role,
        reachable: false,
        engine: record.engine,
        persistence: record.persistence,
        confirmed: record.confirmed,
        driven: Revision::ZERO,
        saved: record.saved,
        run_id: record.run_id.clone(),
        marks: Marks::default(),
        error: Some("not asked yet".into()),
        warning: None,
        issues: Vec::new(),
    }
}

impl NodeSeat {
    fn sight(&self, newest: Revision) -> NodeSight {
        NodeSight {
            address: self.address.clone(),
            role: self.role,
            reachable: self.reachable,
            engine: self.engine.map(|e| e.to_string()).unwrap_or_default(),
            persistence: self.persistence,
            revision: self.confirmed,
            saved: self.saved,
            run_id: self.run_id.clone(),
            in_sync: self.reachable
                && self.error.is_none()
                && self.issues.is_empty()
                && self.confirmed >= newest,
            error: self.error.clone().or_else(|| self.warning.clone()),
        }
    }
}

impl Seat {
    /// What was read back of an account. The default user's own name is the same for all.
    fn proof(&self, account: &Account, salt: &RandomState) -> Vec<AccountProof> {
        let key = salt.hash_one(account.name.as_str());
        let proofs = self.nodes.iter().filter_map(|node| {
            let mark = node.marks.get(key)?;
            let drifted = |(name, standing, _): &(AccountName, Standing, String)| {
                *name == account.name && *standing == Standing::Drifted
            };
            if node.issues.iter().any(drifted) {
                return None;
            }
            (mark.print >= FIRST_PRINT).then(|| AccountProof {
                address: node.address.clone(),
                revision: mark.revision,
                read_back_at: mark.at,
                saved: node.saved >= mark.revision,
            })
        });
        proofs.collect()
    }

    fn says_something(&self) -> bool {
        !(self.nodes.is_empty() && self.sentinels.is_empty() && self.error.is_none())
    }

    /// A node that does not answer is not known to lack anything.
    fn lacking(&self) -> Vec<AccountName> {
        let mut names: Vec<AccountName> = Vec::new();
        for node in self.nodes.iter().filter(|node| node.reachable) {
            for (name, ..) in &node.issues {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        names
    }

    fn sight(&self, held: &Held, salt: &RandomState) -> InstanceSight {
        let instance = &held.instance;
        let nodes: Vec<NodeSight> = self
            .nodes
            .iter()
            .map(|n| n.sight(instance.revision))
            .collect();
        let accounts: Vec<AccountSight> = held
            .accounts
            .iter()
            .map(|account| {
                let open = if account.is_managed() {
                    self.account(&account.name, account.revision)
                } else {
                    (SyncState::InSync, Vec::new(), None)
                };
                let (state, pending_on, reason) = open;
                AccountSight {
                    name: account.name.clone(),
                    privilege: account.privilege,
                    state,
                    pending_on,
                    reason,
                    proof: self.proof(account, salt),
                }
            })
            .collect();
        InstanceSight {
            instance: instance.id.clone(),
            topology: self.topology.or(instance.observed_topology),
            revision: instance.revision,
            in_sync: self.error.is_none()
                && !nodes.is_empty()
                && nodes.iter().all(|node| node.in_sync)
                && accounts.iter().all(|a| a.state == SyncState::InSync),
            error: self.error.clone(),
            nodes,
            sentinels: self.sentinels.clone(),
            accounts,
            unmanaged: self.unmanaged.clone(),
        }
    }

    /// How an account stands: the worst of what the nodes say.
    fn account(
        &self,
        name: &AccountName,
        revision: Revision,
    ) -> (SyncState, Vec<NodeAddress>, Option<String>) {
        let mut worst: Option<(Standing, Option<String>)> = None;
        let mut pending_on = Vec::new();
        for node in &self.nodes {
            let issue = node.issues.iter().find(|(held, ..)| held == name);
            let open = match issue {
                Some((_, standing, reason)) => (*standing, Some(reason.clone())),
                None if !node.reachable || node.driven < revision => {
                    let why = node
                        .error
                        .as_ref()
                        .map(|e| format!("{}: {e}", node.address));
                    (Standing::Pending, why)
                }
                None => continue,
            };
            pending_on.push(node.address.clone());
            if worst
                .as_ref()
                .is_none_or(|(standing, _)| open.0 > *standing)
            {
                worst = Some(open);
            }
        }
        match worst {
            None if self.nodes.is_empty() => {
                let reason = self.error.clone().or(Some("no node was seen yet".into()));
                (SyncState::Pending, pending_on, reason)
            }
            None => (SyncState::InSync, pending_on, None),
            Some((standing, reason)) => {
                let state = match standing {
                    Standing::Pending => SyncState::Pending,
                    Standing::Drifted => SyncState::Drifted,
                    Standing::Failed => SyncState::Failed,
                };
                (state, pending_on, reason)
            }
        }
    }
}
