//! How a node renders a rule: shown by a scratch user, kept in short form.

use crate::context::Context;
use crate::desired::Rule;
use crate::errors::{NodeError, Retry};
use crate::link::{Batch, Reply};
use crate::member::Member;
use crate::plan::{self, Look, Seen};
use crate::{keeper, reply};
use claviger_core::acl_equal::UserSeen;
use claviger_core::engine::AclLevel;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

/// Asks for a user.
pub(crate) fn add_get(batch: &mut Batch, name: &str) {
    batch.add("ACL GETUSER", [name]);
}

/// Adds what shows how this node renders a rule: a scratch user that cannot log in gets it, is
/// described, and goes away, before anything else runs.
pub(crate) fn add_scratch(batch: &mut Batch, rule: &Rule) {
    let name = format!("{}{:016x}", plan::SCRATCH_PREFIX, keeper::random());
    let start = [name.as_str(), "reset", "off"];
    batch.add(
        "ACL SETUSER",
        start
            .into_iter()
            .chain(rule.tokens.iter().map(String::as_str)),
    );
    add_get(batch, &name);
    batch.add("ACL DELUSER", [&name]);
}

pub(crate) type Replies = std::vec::IntoIter<Reply>;

pub(crate) fn next(replies: &mut Replies) -> Reply {
    replies.next().unwrap_or(Err(NodeError::Lost))
}

/// An error that concerns one command, not the whole node, is handed back as a value.
pub(crate) fn passable<T>(result: Result<T, NodeError>) -> Result<Result<T, NodeError>, NodeError> {
    match result {
        Err(error @ NodeError::Denied { .. }) => Err(error),
        Err(error) if error.retry() == Retry::Sweep => Ok(Err(error)),
        Err(error) => Err(error),
        Ok(value) => Ok(Ok(value)),
    }
}

pub(crate) fn take_renderings(
    member: &mut Member,
    rules: &[Arc<Rule>],
    replies: &mut Replies,
    context: &Context,
) -> Result<(), NodeError> {
    for rule in rules {
        // A rule that the node refuses shows again, with its reason, when the account is written.
        let set = passable(next(replies))?;
        let shown = passable(next(replies))?;
        let _ = passable(next(replies))?;
        match (set, shown) {
            (Ok(_), Ok(value)) => {
                if let Some(user) = reply::user(&value)? {
                    let text = rendering(&user, member.level(), context);
                    member.renderings.push((rule.key, text));
                }
            }
            (Err(error), _) | (_, Err(error)) => member.unrendered = Some(error),
        }
    }
    Ok(())
}

/// The short form of a user's rules as a node renders them.
pub(crate) fn rendering(user: &UserSeen, level: AclLevel, context: &Context) -> u64 {
    let mut hasher = context.salt.build_hasher();
    reply::hash_rules(&user.rules, level < AclLevel::Ordered, &mut hasher);
    hasher.finish()
}

/// From an answer to ACL GETUSER.
pub(crate) fn seen(reply: Reply, member: &Member, context: &Context) -> Result<Look, NodeError> {
    Ok(match reply::user(&reply?)? {
        None => Look::Absent,
        Some(user) => Look::Present(Seen {
            on: user.on,
            nopass: user.nopass,
            rules: rendering(&user, member.level(), context),
            digests: user.digests,
        }),
    })
}
