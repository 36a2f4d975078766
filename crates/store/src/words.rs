//! The words under which the domain's enumerations are stored. They are a promise to the files
//! out there: a word never changes its meaning.

use claviger_core::access::Role;
use claviger_core::account::{AccountKind, Life};
use claviger_core::instance::{InstanceState, Topology, TopologyChoice};
use claviger_core::node::{NodeRole, Persistence};
use claviger_core::privilege::Routing;
use claviger_core::task::{TaskKind, TaskState};

/// An enumeration that is stored as a word.
pub(crate) trait Word: Copy {
    /// The word.
    fn word(self) -> &'static str;
    /// What it means.
    fn parse(word: &str) -> Option<Self>;
}

macro_rules! words {
    ($($type:ident { $($variant:ident = $word:literal),+ $(,)? })+) => { $(
        impl Word for $type {
            fn word(self) -> &'static str {
                match self { $( $type::$variant => $word, )+ }
            }
            fn parse(word: &str) -> Option<Self> {
                match word { $( $word => Some($type::$variant), )+ _ => None }
            }
        }
    )+ };
}

words! {
    Topology { Standalone = "standalone", Replicated = "replicated", Sentinel = "sentinel", Cluster = "cluster" }
    TopologyChoice {
        Auto = "auto", Standalone = "standalone", Replicated = "replicated",
        Sentinel = "sentinel", Cluster = "cluster",
    }
    InstanceState { Registering = "registering", Running = "running", Paused = "paused" }
    AccountKind { Default = "default", Custom = "custom" }
    Life { Live = "live", Deleting = "deleting" }
    TaskKind {
        CreateAccount = "create-account", ModifyAccount = "modify-account",
        ChangePassword = "change-password", SwitchPasswordFree = "switch-password-free",
        DeleteAccount = "delete-account",
        ApplyRoles = "apply-roles",
    }
    TaskState { Running = "running", Succeeded = "succeeded", Superseded = "superseded" }
    NodeRole { Primary = "primary", Replica = "replica", Unknown = "unknown" }
    Persistence { Aclfile = "aclfile", Config = "config", Volatile = "volatile", Unknown = "unknown" }
    Role { Admin = "admin", Operator = "operator", Auditor = "auditor", None = "none" }
}

/// Routing as bits: 1 the primary, 2 replicas.
pub(crate) fn routing_bits(routing: Routing) -> i64 {
    i64::from(routing.primary) | (i64::from(routing.replica) << 1)
}

/// The inverse of [`routing_bits`].
pub(crate) fn routing_of(bits: i64) -> Option<Routing> {
    (0..4).contains(&bits).then_some(Routing {
        primary: bits & 1 != 0,
        replica: bits & 2 != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routing_round_trip() {
        for bits in 0..4 {
            assert_eq!(routing_of(bits).map(routing_bits), Some(bits));
        }
        assert_eq!(routing_of(4), None);
        assert_eq!(routing_of(-1), None);
    }
}
