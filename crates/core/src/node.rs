//! What is known of a node, as last seen; kept in the store so that the truth survives us.

use crate::engine::Engine;
use crate::ids::{NodeAddress, Revision};
use serde::{Deserialize, Serialize};

/// A node's part in its topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// Takes writes.
    Primary,
    /// Follows a primary.
    Replica,
    /// Not seen yet.
    Unknown,
}

/// Where a node keeps its users over a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Persistence {
    /// An ACL file, written by ACL SAVE.
    Aclfile,
    /// The configuration file, written by CONFIG REWRITE.
    Config,
    /// Nowhere: users are gone after a restart, and claviger puts them back.
    Volatile,
    /// Not seen yet.
    Unknown,
}

/// A node as last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// `host:port`.
    pub address: NodeAddress,
    /// Speak TLS to it.
    pub tls: bool,
    /// Its part.
    pub role: NodeRole,
    /// Its server.
    pub engine: Option<Engine>,
    /// The server process's own id; another one means that it restarted.
    pub run_id: String,
    /// Where it keeps its users.
    pub persistence: Persistence,
    /// The instance's revision up to which it has confirmed everything by read-back.
    pub confirmed: Revision,
    /// The revision that it has also written to its own file.
    pub saved: Revision,
}
