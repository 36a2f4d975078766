//! What a check of an instance's nodes tells.

use crate::engine::Engine;
use crate::ids::{AccountName, NodeAddress};
use crate::instance::Topology;
use crate::node::NodeRecord;

/// What a check of an instance's nodes found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CheckReport {
    /// How the nodes belong together; `None` if none answered.
    pub topology: Option<Topology>,
    /// Version of the primary, else of any node that answered.
    pub engine: Option<Engine>,
    /// Each node found.
    pub nodes: Vec<NodeCheck>,
    /// Each Sentinel found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sentinels: Vec<SentinelCheck>,
    /// Users that are not ours.
    pub unmanaged: Vec<AccountName>,
}

impl CheckReport {
    /// Every node answered and nothing stands in the way; of Sentinels one is enough.
    pub fn is_fine(&self) -> bool {
        let watched = self.sentinels.is_empty()
            || self
                .sentinels
                .iter()
                .any(|sentinel| sentinel.problems.is_empty());
        watched && !self.nodes.is_empty() && self.nodes.iter().all(|node| node.problems.is_empty())
    }
}

/// What a check found of one Sentinel.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SentinelCheck {
    /// `host:port`.
    pub address: NodeAddress,
    /// Why it cannot be asked, in plain words.
    pub problems: Vec<String>,
    /// What is noteworthy, in plain words.
    pub warnings: Vec<String>,
}

/// What a check found of one node.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NodeCheck {
    /// The node as seen.
    pub node: NodeRecord,
    /// What stands in the way, in plain words: claviger cannot drive this node.
    pub problems: Vec<String>,
    /// What is dangerous or noteworthy, in plain words.
    pub warnings: Vec<String>,
}
