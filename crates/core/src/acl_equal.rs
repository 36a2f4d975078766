//! Whether a user on a node is what it should be.
//!
//! A server does not give back the text it was given: up to 7.0 it rebuilds it from a bitmap in
//! an order of its own, so text is never compared between nodes, nor with what was sent. Instead
//! the wanted rule is applied to a disabled scratch user on the same node, and the descriptions
//! of the two users are compared: same rule → same text, on every version tried
//! (`docs/engines.md`, section 6). One caveat: up to 7.0 the order of single commands may change
//! within the life of a process, so there they are compared without it.

use std::collections::BTreeSet;

/// A user as the server describes it (ACL GETUSER), without its passwords and on/off flag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleText {
    /// The command rules, as one line.
    pub commands: String,
    /// Key patterns.
    pub keys: BTreeSet<String>,
    /// Channel patterns.
    pub channels: BTreeSet<String>,
    /// Everything else that the server tells: selectors, databases; as sorted text.
    pub others: BTreeSet<String>,
    /// Flags other than on, off, nopass and the all-* echoes of 6.x.
    pub flags: BTreeSet<String>,
}

/// A user as read back from a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserSeen {
    /// It may log in.
    pub on: bool,
    /// It needs no password.
    pub nopass: bool,
    /// Digests of its passwords: 64 lower-case hexadecimal digits each.
    pub digests: BTreeSet<String>,
    /// What it may do.
    pub rules: RuleText,
}
