//! The slow full check of a node, made cheap: what has not changed since it was confirmed is
//! recognised without having the server describe it again, which is the dear part
//! (`docs/engines.md`, section 6).

use crate::context::Context;
use crate::desired::{DEFAULT_USER, Desired};
use crate::errors::NodeError;
use crate::link::{Batch, Link};
use crate::links::Login;
use crate::marks::GONE;
use crate::member::Member;
use crate::observe::Facts;
use crate::plan::SCRATCH_PREFIX;
use crate::reply;
use crate::sessions::Ending;
use claviger_core::engine::AclLevel;
use claviger_core::ids::AccountName;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

/// Above this many users ACL LIST may block a server for long.
const LIST_USERS_MAX: usize = 256;
/// How many users that are not ours are kept by name.
const UNMANAGED_MAX: usize = 256;
/// Users described again in a turn, where lines are too dear.
const TURN_USERS: usize = 4;
/// How many sweeps there are to one of these turns where the server counts its ACL commands.
const TURN_SWEEPS: u32 = 16;

/// What a sweep found. Users are named by the short forms of their names.
#[derive(Default)]
pub(crate) struct Suspects {
    /// Our users that are worth a closer look.
    pub(crate) names: Vec<u64>,
    /// Lines of ACL LIST that differ from what is known.
    pub(crate) lines: HashMap<u64, u64>,
    /// Users that were not confirmed here: someone else's, or ours that are still to come.
    strangers: Vec<String>,
    /// The node stands to others in another way than before.
    pub(crate) related: bool,
}

/// Looks a node over. Scratch users that a crash left behind are removed.
///
/// # Errors
/// When the node cannot be asked.
pub(crate) async fn suspects(
    member: &mut Member,
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
    if lines_cheap && !seen.lines && few(Some(seen.users.len())) {
        seen = ask(member, &link, true).await?;
    }
    member.users = Some(seen.users.len());
    member.unswept = false;
    let mut suspects = Suspects {
        related: seen.related,
        ..Suspects::default()
    };
    let mut present = HashSet::with_capacity(seen.users.len());
    for user in &seen.users {
        let name = seen.name(user);
        let key = context.salt.hash_one(name);
        present.insert(key);
        match member.marks.get(key) {
            Some(mark) if mark.print == GONE => suspects.names.push(key),
            Some(mark) if seen.lines => {
                // A user whose line is what it was when it was confirmed has not changed.
                let now = context.salt.hash_one(user).max(1);
                if mark.line != now {
                    suspects.lines.insert(key, now);
                    suspects.names.push(key);
                }
            }
            Some(_) => {}
            None => suspects.strangers.push(name.to_owned()),
        }
    }
    for mark in member.marks.iter() {
        if mark.print != GONE && !present.contains(&mark.name) {
            suspects.names.push(mark.name);
        }
    }
    if !seen.lines {
        compare_calls(member, seen.calls, link.acl_calls(), &mut suspects);
    }
    remove_scratch(member, &link, &suspects).await?;
    let default = context.salt.hash_one(DEFAULT_USER);
    member.default_suspect |= suspects.names.contains(&default);
    member.default_line = suspects.lines.get(&default).copied().unwrap_or(0);
    Ok(suspects)
}

/// What a node answered.
struct Swept {
    /// Its users: their names, or their lines of ACL LIST.
    users: Vec<String>,
    /// They are lines.
    lines: bool,
    /// Else, how many ACL commands it has run.
    calls: Option<u64>,
    /// It stands to others in another way than before.
    related: bool,
}

impl Swept {
    /// The name in `user NAME on ...`, or the name itself.
    fn name<'a>(&self, user: &'a str) -> &'a str {
        if self.lines {
            user.split(' ').nth(1).unwrap_or_default()
        } else {
            user
        }
    }
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
    let linked = member.facts.as_ref().is_some_and(Facts::is_linked);
    if linked {
        batch
            .add("CONFIG GET", ["masteruser"])
            .add("CONFIG GET", ["masterauth"]);
    }
    let mut replies = link.run(&batch).await?.into_iter();
    let mut next = || replies.next().unwrap_or(Err(NodeError::Lost));
    let replication = next()?;
    let replication = reply::text(&replication).ok_or(NodeError::Garbage("INFO"))?;
    let facts = member.facts.as_mut();
    let mut related = facts.is_some_and(|facts| facts.relate(&replication));
    let users = reply::into_texts(next()?).ok_or(NodeError::Garbage("ACL USERS"))?;
    let stats = if lines { None } else { next().ok() };
    let calls = stats.as_ref().and_then(reply::text);
    let login = linked.then(|| Login::read(&next(), &next()));
    related |= match (&member.login, &login) {
        (Some(before), Some(now)) => !before.is_same(now),
        (before, now) => before.is_some() != now.is_some(),
    };
    member.login = login;
    Ok(Swept {
        users,
        lines,
        calls: calls.and_then(|text| reply::acl_calls(&text)),
        related,
    })
}

/// Removes scratch users that a crash left behind: those that were there at the last sweep
/// already. Others belong to a change that someone else is just making on this server.
async fn remove_scratch(
    member: &mut Member,
    link: &Link,
    suspects: &Suspects,
) -> Result<(), NodeError> {
    let names = suspects.strangers.iter();
    let scratch: Vec<String> = names
        .filter(|name| name.starts_with(SCRATCH_PREFIX))
        .cloned()
        .collect();
    let before = std::mem::replace(&mut member.scratch, scratch);
    let left: Vec<&String> = member
        .scratch
        .iter()
        .filter(|name| before.contains(name))
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::new();
    batch.add("ACL DELUSER", left);
    link.run(&batch).await.map(drop)
}

impl Suspects {
    /// Nothing is different from what was confirmed, and nobody came or went.
    pub(crate) fn is_quiet(&self, member: &Member) -> bool {
        let foreign = || {
            let names = self.strangers.iter().map(String::as_str);
            names.filter(|name| *name != DEFAULT_USER && *name != &*member.own_user)
        };
        let known = |name: &str| {
            let held = member
                .unmanaged
                .binary_search_by(|held| held.as_str().cmp(name));
            held.is_ok()
        };
        self.names.is_empty()
            && !self.related
            && !member.endings.iter().any(Ending::is_due)
            && foreign().count().min(UNMANAGED_MAX) == member.unmanaged.len()
            && foreign().take(UNMANAGED_MAX).all(known)
    }

    /// Notes the users that are neither ours nor the server's own.
    pub(crate) fn note_names(&self, member: &mut Member, desired: &Desired) {
        let names = self.strangers.iter();
        let names = names.filter(|n| !n.starts_with(SCRATCH_PREFIX) && !desired.knows(n));
        let mut unmanaged: Vec<AccountName> =
            names.map(|name| AccountName::new(name.as_str())).collect();
        unmanaged.sort();
        unmanaged.truncate(UNMANAGED_MAX);
        member.unmanaged = unmanaged;
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
    } else if count > 0 && (served.is_none() || member.sweeps.is_multiple_of(TURN_SWEEPS)) {
        let turn = TURN_USERS.min(count);
        let from = member.cursor % count;
        let names: Vec<u64> = member.marks.iter().map(|mark| mark.name).collect();
        suspects
            .names
            .extend(names.iter().cycle().skip(from).take(turn));
        member.cursor = (from + turn) % count;
    }
    member.sweeps = member.sweeps.wrapping_add(1);
    member.calls = served.map(|now| (now, own));
}
