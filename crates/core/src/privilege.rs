//! What an account may do, as a superset of the four clouds' words.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An account's rights. The rules each one becomes on a node are in [`crate::acl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Privilege {
    /// Reads data.
    ReadOnly,
    /// Reads, writes and deletes data.
    ReadWrite,
    /// Writes data.
    WriteOnly,
    /// Reads and writes data, and may replicate.
    Replication,
    /// Everything but what would endanger the server or the service; see the fence in `acl`.
    Administrator,
    /// Everything outside the server's class of dangerous commands.
    NotDangerous,
}

impl Privilege {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Privilege; 6] = [
        Privilege::ReadOnly,
        Privilege::ReadWrite,
        Privilege::WriteOnly,
        Privilege::Replication,
        Privilege::Administrator,
        Privilege::NotDangerous,
    ];

    /// The word used by the command line, the native API and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Privilege::ReadOnly => "read-only",
            Privilege::ReadWrite => "read-write",
            Privilege::WriteOnly => "write-only",
            Privilege::Replication => "replication",
            Privilege::Administrator => "administrator",
            Privilege::NotDangerous => "not-dangerous",
        }
    }

    /// The inverse of [`Privilege::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == word)
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the account's reads may be served. Kept and returned; Redis itself does not route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Routing {
    /// The primary may serve reads.
    pub primary: bool,
    /// Replicas may serve reads.
    pub replica: bool,
}

impl Routing {
    /// Reads go to the primary: the default in every dialect.
    pub const PRIMARY: Routing = Routing {
        primary: true,
        replica: false,
    };
}
