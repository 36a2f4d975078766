//! Users that an old file has brought back after their account's end was recorded. The store
//! remembers for a while which passwords an account had: a user of its name that has none but
//! these is ours, and goes. Anything else is someone else's.

use crate::context::Context;
use crate::deeds::What;
use crate::desired::Desired;
use crate::errors::NodeError;
use crate::link::{Batch, Link};
use crate::member::{Member, Standing};
use crate::plan::untouchable;
use crate::reply;
use crate::stats::count;
use claviger_core::acl_equal::UserSeen;
use claviger_core::ids::{AccountName, InstanceId};
use std::collections::{BTreeMap, BTreeSet};

/// Users looked at in one batch.
const USERS_AT_ONCE: usize = 16;

/// By name, the digests that accounts of that name had.
type Past = BTreeMap<AccountName, BTreeSet<String>>;

/// Removes them. True if that has made room for an account of the same name: another pass is
/// needed.
pub(crate) async fn remove(
    members: &mut [Member],
    instance: &InstanceId,
    desired: &Desired,
    context: &Context,
) -> bool {
    let mut names = BTreeSet::new();
    for member in members.iter_mut() {
        let here = strangers(member, desired);
        member.judged.retain(|name| here.contains(name));
        let new = here
            .into_iter()
            .filter(|name| !member.judged.contains(name));
        names.extend(new);
    }
    if names.is_empty() || desired.only_reports() {
        return false;
    }
    let names: Vec<AccountName> = names.into_iter().collect();
    let found = match context.store.past_passwords(instance, &names).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%instance, "cannot read past passwords: {error}");
            return false;
        }
    };
    let mut past = Past::new();
    for (name, digest) in found {
        past.entry(name).or_default().insert(digest.expose_hex());
    }
    let mut room = false;
    for member in members.iter_mut() {
        match remove_from(member, desired, &past, context).await {
            Ok(made) => room |= made,
            // Nothing would change by trying again.
            Err(error @ (NodeError::Said { .. } | NodeError::Denied { .. })) => {
                tracing::warn!(node = %member.address, "a user that came back stays: {error}");
            }
            Err(error) => {
                member.error = Some(error);
                continue;
            }
        }
        member.judged.extend(strangers(member, desired));
    }
    room
}

/// Names under which someone else's users seem to be there.
fn strangers(member: &Member, desired: &Desired) -> BTreeSet<AccountName> {
    if !member.is_ready() || member.error.is_some() {
        return BTreeSet::new();
    }
    let clashes = desired.wants.iter();
    let clashes = clashes.filter(|want| member.foreign.contains(&want.key));
    let clashes = clashes.map(|want| want.name.clone());
    let unmanaged = member.unmanaged.iter().cloned();
    clashes
        .chain(unmanaged)
        .filter(|name| untouchable(name.as_str(), &desired.own_user).is_none())
        .collect()
}

async fn remove_from(
    member: &mut Member,
    desired: &Desired,
    past: &Past,
    context: &Context,
) -> Result<bool, NodeError> {
    let here = strangers(member, desired);
    let asked: Vec<&AccountName> = past.keys().filter(|name| here.contains(*name)).collect();
    let mut room = false;
    for names in asked.chunks(USERS_AT_ONCE) {
        let Some(link) = member.link.clone() else {
            return Err(NodeError::Lost);
        };
        let mut batch = Batch::new();
        for name in names {
            batch.add("ACL GETUSER", [name.as_str()]);
        }
        let replies = link.run(&batch).await?;
        for (name, reply) in names.iter().zip(replies) {
            let user = reply::user(&reply?)?;
            if !user.is_some_and(|user| is_ours(&user, past.get(*name))) {
                continue;
            }
            if !context.duty.may_act() {
                return Err(NodeError::NotOurs);
            }
            tracing::warn!(
                node = %member.address, user = %name,
                "a deleted account is back, from an old file; removing it"
            );
            let gone = end(&link, name).await?;
            member.saving.wanted = true;
            member.did(name, What::Removed, gone);
            count(&context.stats.repairs);
            if gone {
                room |= forget(member, name, desired);
            }
        }
    }
    Ok(room)
}

/// It has a password, and none that an account of its name did not have.
fn is_ours(user: &UserSeen, past: Option<&BTreeSet<String>>) -> bool {
    let known = past.is_some_and(|past| user.digests.is_subset(past));
    !user.nopass && !user.digests.is_empty() && known
}

/// Ends it with its sessions; whether it is gone.
async fn end(link: &Link, name: &AccountName) -> Result<bool, NodeError> {
    let mut batch = Batch::new();
    batch
        .add("CLIENT KILL", ["USER", name.as_str()])
        .add("ACL DELUSER", [name.as_str()])
        .add("ACL GETUSER", [name.as_str()]);
    let mut replies = link.run(&batch).await?.into_iter();
    // No right to end sessions: DELUSER ends them as well.
    let _killed = replies.next();
    replies.next().unwrap_or(Err(NodeError::Lost))?;
    let left = replies.next().unwrap_or(Err(NodeError::Lost))?;
    Ok(reply::user(&left)?.is_none())
}

/// The name is free again there; whether an account waits for it.
fn forget(member: &mut Member, name: &AccountName, desired: &Desired) -> bool {
    member.unmanaged.retain(|held| held != name);
    let mut wants = desired.wants.iter();
    let Some(want) = wants.find(|want| want.name == *name) else {
        return false;
    };
    member.foreign.remove(&want.key);
    for issue in member.issues.iter_mut().filter(|i| i.key == want.key) {
        issue.standing = Standing::Pending;
        issue.reason = format!("{name} is missing on {}", member.address);
    }
    true
}
