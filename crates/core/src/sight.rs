//! What is seen of the nodes now: the JSON of `claviger status` (a promise to its readers).

use crate::clock::Timestamp;
use crate::ids::{AccountName, InstanceId, NodeAddress, Revision};
use crate::instance::Topology;
use crate::node::{NodeRole, Persistence};
use crate::privilege::Privilege;
use serde::{Deserialize, Serialize};

/// An instance as seen now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSight {
    /// Identity.
    pub instance: InstanceId,
    /// How the nodes belong together; `None` before any was seen.
    pub topology: Option<Topology>,
    /// The newest accepted change.
    pub revision: Revision,
    /// Every node was read back at that revision, and nothing is known to differ.
    pub in_sync: bool,
    /// Why it cannot be driven at all, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its nodes.
    pub nodes: Vec<NodeSight>,
    /// The Sentinels that watch it; they hold no accounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sentinels: Vec<SentinelSight>,
    /// Its accounts.
    pub accounts: Vec<AccountSight>,
    /// Users on the nodes that are not ours; left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmanaged: Vec<AccountName>,
}

/// A node as seen now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSight {
    /// `host:port`.
    pub address: NodeAddress,
    /// Its part.
    pub role: NodeRole,
    /// It answered when last asked.
    pub reachable: bool,
    /// Such as `redis 7.0.15`; empty before it was seen.
    pub engine: String,
    /// Where it keeps its users.
    pub persistence: Persistence,
    /// The revision up to which it has confirmed everything.
    pub revision: Revision,
    /// The revision that it has also written to its own file; zero where it keeps none.
    #[serde(default)]
    pub saved: Revision,
    /// The server process's own id, for which every proof of an account holds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run_id: String,
    /// Reachable, confirmed at the newest revision, and nothing known to differ.
    pub in_sync: bool,
    /// What is wrong, in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A Sentinel as seen now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentinelSight {
    /// `host:port`.
    pub address: NodeAddress,
    /// It answered when last asked.
    pub reachable: bool,
    /// What is wrong, in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What would be changed on the nodes of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstancePlan {
    /// Identity.
    pub instance: InstanceId,
    /// The newest accepted change.
    pub revision: Revision,
    /// Its nodes.
    pub nodes: Vec<NodePlan>,
}

/// What would be changed on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePlan {
    /// `host:port`.
    pub address: NodeAddress,
    /// Why that cannot be told, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Users that are as they should be.
    pub right: u64,
    /// The others.
    pub steps: Vec<PlannedStep>,
}

/// What would be done with a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// It would be made.
    Create,
    /// It would be written whole: passwords, rules, on or off.
    Set,
    /// It would be ended with its sessions and made anew.
    Replace,
    /// It would be ended with its sessions.
    Remove,
    /// It differs and would be left as it is.
    Leave,
}

/// A user that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Its name on the node.
    pub user: AccountName,
    /// The account that it belongs to.
    pub account: AccountName,
    /// What would be done.
    pub step: StepKind,
    /// Why, in plain words.
    pub reason: String,
}

/// How far an account has come on the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncState {
    /// Read back from every node.
    InSync,
    /// Some node has not confirmed it, or cannot be asked.
    Pending,
    /// Some node was found to differ from what it had confirmed.
    Drifted,
    /// Some node refuses it.
    Failed,
}

/// An account as seen now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSight {
    /// Its name.
    pub name: AccountName,
    /// Its rights.
    pub privilege: Privilege,
    /// How far it has come.
    pub state: SyncState,
    /// The nodes that have not confirmed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_on: Vec<NodeAddress>,
    /// What differs or is refused, in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was read back, node by node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proof: Vec<AccountProof>,
}

/// That a node holds an account, by its own word: the process that runs there now has described
/// the user exactly as the account wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountProof {
    /// `host:port`.
    pub address: NodeAddress,
    /// The account's revision whose password, rules and state it holds.
    pub revision: Revision,
    /// When it was last described in full. Since then the node has been watched for changes more
    /// cheaply.
    pub read_back_at: Timestamp,
    /// It is in the node's own file as well.
    pub saved: bool,
}
