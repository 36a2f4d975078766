//! The slow full check of a node, made cheap: what has not changed since it was confirmed is
//! recognised without having the server describe it again, which is the dear part
//! (`docs/engines.md`, "Cost").

use crate::context::Context;
use crate::desired::{DEFAULT_USER, Desired};
use crate::drive::Suspects;
use crate::errors::NodeError;
use crate::link::Batch;
use crate::marks::GONE;
use crate::member::Member;
use crate::plan::SCRATCH_PREFIX;
use crate::reply;
use claviger_core::engine::AclLevel;
use claviger_core::ids::AccountName;
use std::collections::HashSet;
use std::hash::BuildHasher;

/// Above this many users ACL LIST may block a server for long.
const LIST_USERS_MAX: usize = 256;
/// How many users that are not ours are kept by name.
const UNMANAGED_MAX: usize = 256;
/// Users described again at each sweep of a server on which nothing cheaper shows a change.
const TURN_USERS: usize = 4;

/// Looks a node over: which of our users need a closer look, and which users are not ours.
/// Scratch users that a crash left behind are removed.
///
/// # Errors
/// When the node cannot be asked.
pub(crate) async fn suspects(
    member: &mut Member,
    desired: &Desired,
    context: &Context,
) -> Result<Suspects, NodeError> {
    let Some(link) = member.link.clone() else {
        return Err(NodeError::Lost);
    };
    let level = member.facts.as_ref().map(|facts| facts.engine.acl_level());
    let mut batch = Batch::new();
    batch.word("ACL USERS");
    let counted = level < Some(AclLevel::Selectors);
    if counted {
        batch.word("INFO commandstats");
    }
    let mut replies = link.run(&batch).await?.into_iter();
    let mut next = || replies.next().unwrap_or(Err(NodeError::Lost));
    let names = reply::texts(&next()?).ok_or(NodeError::Garbage("ACL USERS"))?;
    let stats = if counted { next().ok() } else { None };
    note_names(member, desired, &names);
    member.unswept = false;
    let mut suspects = Suspects::default();
    let present: HashSet<u64> = names
        .iter()
        .map(|name| context.salt.hash_one(name.as_str()))
        .collect();
    for mark in member.marks.iter() {
        if present.contains(&mark.name) == (mark.print == GONE) {
            suspects.names.push(mark.name);
        }
    }
    let left: Vec<&String> = names
        .iter()
        .filter(|n| n.starts_with(SCRATCH_PREFIX))
        .collect();
    let mut batch = Batch::new();
    if !left.is_empty() {
        batch.add("ACL DELUSER", left);
    }
    if !counted && names.len() <= LIST_USERS_MAX {
        batch.word("ACL LIST");
        let lines = link
            .run(&batch)
            .await?
            .pop()
            .unwrap_or(Err(NodeError::Lost))?;
        compare_lines(member, &lines, context, &mut suspects)?;
    } else {
        link.run(&batch).await?;
        compare_calls(member, stats.as_ref(), link.acl_calls(), &mut suspects);
    }
    let default = context.salt.hash_one(DEFAULT_USER);
    member.default_suspect |= suspects.names.contains(&default);
    member.default_line = suspects.lines.get(&default).copied().unwrap_or(0);
    Ok(suspects)
}

/// Users that are neither ours nor the server's own.
fn note_names(member: &mut Member, desired: &Desired, names: &[String]) {
    let mut unmanaged: Vec<&String> = names
        .iter()
        .filter(|name| !name.starts_with(SCRATCH_PREFIX) && !desired.knows(name))
        .collect();
    unmanaged.sort();
    unmanaged.truncate(UNMANAGED_MAX);
    let same = member.unmanaged.len() == unmanaged.len()
        && member
            .unmanaged
            .iter()
            .zip(&unmanaged)
            .all(|(a, b)| a.as_str() == b.as_str());
    if !same {
        member.unmanaged = unmanaged
            .into_iter()
            .map(|name| AccountName::new(name.as_str()))
            .collect();
    }
}

/// A user whose line is what it was when it was confirmed has not changed.
fn compare_lines(
    member: &Member,
    lines: &redis::Value,
    context: &Context,
    suspects: &mut Suspects,
) -> Result<(), NodeError> {
    let lines = reply::texts(lines).ok_or(NodeError::Garbage("ACL LIST"))?;
    for line in lines {
        let Some(name) = line.split(' ').nth(1) else {
            continue;
        };
        let name = context.salt.hash_one(name);
        let Some(mark) = member.marks.get(name) else {
            continue;
        };
        let now = context.salt.hash_one(&line).max(1);
        if mark.line != now {
            suspects.lines.insert(name, now);
            suspects.names.push(name);
        }
    }
    Ok(())
}

/// Before 7.0, and with many users, lines are too dear. But every change of a user is an ACL
/// command, and the server counts these: if there were no others than our own since all was last
/// compared, nothing has changed. Beside that a few users are described at each sweep in turn.
fn compare_calls(
    member: &mut Member,
    stats: Option<&redis::Value>,
    own: u64,
    suspects: &mut Suspects,
) {
    let served = stats
        .and_then(reply::text)
        .and_then(|text| reply::acl_calls(&text));
    let quiet = match (served, member.calls) {
        (Some(now), Some((then, own_then))) => now.checked_sub(then) == own.checked_sub(own_then),
        _ => false,
    };
    let count = member.marks.len();
    if served.is_some() && !quiet {
        suspects
            .names
            .extend(member.marks.iter().map(|mark| mark.name));
    } else if count > 0 {
        let turn = if served.is_some() { 1 } else { TURN_USERS }.min(count);
        let from = member.cursor % count;
        let names: Vec<u64> = member.marks.iter().map(|mark| mark.name).collect();
        suspects
            .names
            .extend(names.iter().cycle().skip(from).take(turn));
        member.cursor = (from + turn) % count;
    }
    member.calls = served.map(|now| (now, own));
}
