//! The slow full check of a node, made cheap: what has not changed since it was confirmed is
//! recognised without having the server describe it again, which is the dear part
//! (`docs/engines.md`, "Cost").

use crate::context::Context;
use crate::desired::{DEFAULT_USER, Desired};
use crate::drive::Suspects;
use crate::errors::NodeError;
use crate::link::{Batch, Link};
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
    let lines_cheap = level >= Some(AclLevel::Selectors);
    // How many users there are is known from the last sweep; one round trip is enough then.
    let few = |count: Option<usize>| count.is_some_and(|count| count <= LIST_USERS_MAX);
    let mut seen = ask(member, &link, lines_cheap && few(member.users)).await?;
    if lines_cheap && seen.lines.is_none() && few(Some(seen.names.len())) {
        seen = ask(member, &link, true).await?;
    }
    member.users = Some(seen.names.len());
    member.unswept = false;
    note_names(member, desired, &seen.names);
    let mut suspects = Suspects::default();
    let present: HashSet<u64> = seen
        .names
        .iter()
        .map(|name| context.salt.hash_one(name.as_str()))
        .collect();
    for mark in member.marks.iter() {
        if present.contains(&mark.name) == (mark.print == GONE) {
            suspects.names.push(mark.name);
        }
    }
    remove_scratch(&link, &seen.names).await?;
    match &seen.lines {
        Some(lines) => compare_lines(member, lines, context, &mut suspects),
        None => compare_calls(member, seen.calls, link.acl_calls(), &mut suspects),
    }
    let default = context.salt.hash_one(DEFAULT_USER);
    member.default_suspect |= suspects.names.contains(&default);
    member.default_line = suspects.lines.get(&default).copied().unwrap_or(0);
    Ok(suspects)
}

/// What a node answered.
struct Swept {
    /// The names of its users.
    names: Vec<String>,
    /// Their lines of ACL LIST, if these are cheap.
    lines: Option<Vec<String>>,
    /// Else, how many ACL commands it has run.
    calls: Option<u64>,
}

/// Asks for the users, and on the same way how the node stands to others.
async fn ask(member: &mut Member, link: &Link, lines: bool) -> Result<Swept, NodeError> {
    let mut batch = Batch::new();
    batch.word("INFO replication");
    if lines {
        batch.word("ACL LIST");
    } else {
        batch.word("ACL USERS").word("INFO commandstats");
    }
    let mut replies = link.run(&batch).await?.into_iter();
    let mut next = || replies.next().unwrap_or(Err(NodeError::Lost));
    let replication = next()?;
    let replication = reply::text(&replication).ok_or(NodeError::Garbage("INFO"))?;
    if let Some(facts) = &mut member.facts {
        facts.relate(&replication);
    }
    let users = reply::texts(&next()?).ok_or(NodeError::Garbage("ACL USERS"))?;
    if lines {
        // `user NAME on ...`
        let names = users
            .iter()
            .filter_map(|line| line.split(' ').nth(1).map(str::to_owned));
        return Ok(Swept {
            names: names.collect(),
            lines: Some(users),
            calls: None,
        });
    }
    let stats = next().ok();
    let calls = stats.as_ref().and_then(reply::text);
    Ok(Swept {
        names: users,
        lines: None,
        calls: calls.and_then(|text| reply::acl_calls(&text)),
    })
}

/// Removes scratch users that a crash left behind.
async fn remove_scratch(link: &Link, names: &[String]) -> Result<(), NodeError> {
    let left: Vec<&String> = names
        .iter()
        .filter(|name| name.starts_with(SCRATCH_PREFIX))
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::new();
    batch.add("ACL DELUSER", left);
    link.run(&batch).await.map(drop)
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
fn compare_lines(member: &Member, lines: &[String], context: &Context, suspects: &mut Suspects) {
    for line in lines {
        let Some(name) = line.split(' ').nth(1) else {
            continue;
        };
        let name = context.salt.hash_one(name);
        let Some(mark) = member.marks.get(name) else {
            continue;
        };
        let now = context.salt.hash_one(line).max(1);
        if mark.line != now {
            suspects.lines.insert(name, now);
            suspects.names.push(name);
        }
    }
}

/// Before 7.0, and with many users, lines are too dear. But every change of a user is an ACL
/// command, and the server counts these: if there were no others than our own since all was last
/// compared, nothing has changed. Beside that a few users are described at each sweep in turn.
fn compare_calls(member: &mut Member, served: Option<u64>, own: u64, suspects: &mut Suspects) {
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
