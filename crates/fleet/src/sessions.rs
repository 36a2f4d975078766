//! Live sessions of accounts that were disabled, lost rights or got another password: servers
//! keep them (`docs/engines.md`, section 4), and an instance may want them ended.
//!
//! What is to be ended is derived from what every node still has to confirm: a node that confirms
//! a change for the first time ends the sessions before it counts as confirmed. So a crash in
//! between ends them twice rather than never. What is to be ended later is kept in memory, and
//! derived again after a restart of the service as far as the store tells: from the moment of
//! the last password, and from an account being disabled.
//!
//! Sessions are ended one by one, by their numbers. Links of replication are never among them,
//! nor is this process's own.

use crate::desired::{DEFAULT_USER, Desired};
use crate::errors::NodeError;
use crate::join::join_all;
use crate::link::{self, Batch, Link};
use crate::member::Member;
use crate::plan::{Seen, Target};
use crate::reply;
use claviger_core::clock::Timestamp;
use claviger_core::ids::AccountName;
use claviger_core::policy::SessionPolicy;
use std::time::Duration;
use tokio::time::Instant;

/// How many sessions are ended in one batch.
const KILLS_AT_ONCE: usize = 256;
/// How long after they should have ended, sessions are still looked for after a restart.
const RECALL_MS: i64 = 3_600_000;

/// Sessions that are to end on a node.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) account: AccountName,
    /// The user on the node.
    user: String,
    /// Short form of its name.
    key: u64,
    due: Instant,
    /// Since when they should not be there: later ones are of today's password and rights.
    /// `None`: all of them.
    since: Option<Instant>,
    /// Because the account was disabled; not if it is enabled again.
    off: bool,
}

impl Ending {
    /// It should have been done.
    pub(crate) fn is_due(&self) -> bool {
        self.due <= Instant::now()
    }
}

/// Whose sessions.
#[derive(Clone, Copy)]
pub(crate) struct Whose<'a> {
    pub(crate) account: &'a AccountName,
    pub(crate) user: &'a str,
    pub(crate) key: u64,
    /// The user is switched off.
    pub(crate) off: bool,
}

/// What a user could do that it should not any more. Rules that differ count as a loss: a server
/// tells that they differ, not in which direction.
pub(crate) fn loses(seen: &Seen, target: &Target<'_>) -> bool {
    (seen.on && !target.on)
        || seen.nopass
        || !seen.digests.is_subset(target.digests)
        || target.rules != Some(seen.rules)
}

/// Notes that the sessions of a user are to end now or later, as the policy says.
pub(crate) fn note(member: &mut Member, whose: Whose<'_>, policy: SessionPolicy) {
    let now = Instant::now();
    let (due, since) = match policy {
        SessionPolicy::Keep => return,
        SessionPolicy::Kill => (now, None),
        SessionPolicy::KillAfter(seconds) => {
            let due = now + Duration::from_secs(u64::from(seconds));
            (due, (!whose.off).then_some(now))
        }
    };
    put(member, whose, due, since);
}

fn put(member: &mut Member, whose: Whose<'_>, due: Instant, since: Option<Instant>) {
    let ending = Ending {
        account: whose.account.clone(),
        user: whose.user.to_owned(),
        key: whose.key,
        due,
        since,
        off: whose.off,
    };
    // One of each kind: an earlier one that is still to come is part of it.
    let same = |held: &Ending| held.key == ending.key && held.off == ending.off;
    member.endings.retain(|held| !same(held));
    member.endings.push(ending);
}

/// After a restart of the service: what was to be ended and may not have been.
pub(crate) fn recall(member: &mut Member, desired: &Desired, now: Timestamp) {
    if std::mem::replace(&mut member.recalled, true) {
        return;
    }
    let policy = desired.policy.sessions;
    if policy == SessionPolicy::Keep {
        return;
    }
    for want in desired.wants.iter().filter(|want| want.is_settled()) {
        let whose = Whose {
            account: &want.account,
            user: want.name.as_str(),
            key: want.key,
            off: !want.on,
        };
        match (want.on, policy) {
            (false, _) => note(member, whose, policy),
            (true, SessionPolicy::KillAfter(after)) => {
                recall_password(member, whose, want.password_set_at, after, now);
            }
            (true, _) => {}
        }
    }
    if let Some(default) = &desired.default
        && let SessionPolicy::KillAfter(after) = policy
        && default.confirmed
        && !default.free
    {
        let whose = Whose {
            account: &default.account,
            user: DEFAULT_USER,
            key: default.key,
            off: false,
        };
        recall_password(member, whose, default.password_set_at, after, now);
    }
}

/// Only what was set in the life of such a policy can be meant, so it is not looked far back.
fn recall_password(
    member: &mut Member,
    whose: Whose<'_>,
    set_at: Option<Timestamp>,
    after_s: u32,
    now: Timestamp,
) {
    let Some(set_at) = set_at else { return };
    let age = now.as_millis() - set_at.as_millis();
    let after = i64::from(after_s) * 1_000;
    if !(0..after + RECALL_MS).contains(&age) {
        return;
    }
    let millis = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    let here = Instant::now();
    let due = here + millis(after - age);
    put(member, whose, due, here.checked_sub(millis(age)));
}

/// Ends what is due on every node, and drops what is not wanted any more. What cannot be done
/// now stays.
pub(crate) async fn end_due(members: &mut [Member], desired: &Desired) {
    for member in members.iter_mut() {
        member.endings.retain(|ending| is_wanted(ending, desired));
    }
    let due = members.iter_mut().filter(|member| {
        member.is_ready() && member.error.is_none() && member.endings.iter().any(Ending::is_due)
    });
    join_all(due.map(end_on)).await;
}

fn is_wanted(ending: &Ending, desired: &Desired) -> bool {
    if desired.policy.sessions == SessionPolicy::Keep {
        return false;
    }
    if ending.user == DEFAULT_USER {
        return desired
            .default
            .as_ref()
            .is_some_and(|default| !default.free);
    }
    let want = desired.wants.iter().find(|want| want.key == ending.key);
    want.is_some_and(|want| !(ending.off && want.on))
}

/// When the next sessions are to end that are not due yet.
pub(crate) fn next_due(members: &[Member]) -> Option<Instant> {
    let endings = members.iter().flat_map(|member| &member.endings);
    endings
        .filter(|ending| !ending.is_due())
        .map(|ending| ending.due)
        .min()
}

async fn end_on(member: &mut Member) {
    let Some(link) = member.link.clone() else {
        return;
    };
    let due: Vec<Ending> = member
        .endings
        .iter()
        .filter(|e| e.is_due())
        .cloned()
        .collect();
    match end(&link, &due, &member.own_user).await {
        Ok(ended) => {
            member.notice = None;
            member
                .endings
                .retain(|held| !due.iter().any(|done| same(held, done)));
            if ended > 0 {
                tracing::info!(node = %member.address, sessions = ended, "sessions were ended");
            }
        }
        // Nothing would change by trying again; the check names what the login lacks.
        Err(error @ (NodeError::Denied { .. } | NodeError::Said { .. })) => {
            tracing::warn!(node = %member.address, "sessions not ended: {error}");
            member.notice = Some(format!("sessions not ended: {error}"));
            member
                .endings
                .retain(|held| !due.iter().any(|done| same(held, done)));
        }
        Err(error) => member.error = Some(error),
    }
}

fn same(one: &Ending, other: &Ending) -> bool {
    one.key == other.key && one.off == other.off && one.due == other.due
}

/// Ends the sessions; how many.
async fn end(link: &Link, endings: &[Ending], own_user: &str) -> Result<usize, NodeError> {
    let mut batch = Batch::new();
    batch.word("CLIENT ID").word("CLIENT LIST");
    let mut replies = link.run(&batch).await?.into_iter();
    let mut next = || replies.next().unwrap_or(Err(NodeError::Lost));
    let (own, list) = (next()?, next()?);
    let own = reply::text(&own).ok_or(NodeError::Garbage("CLIENT ID"))?;
    let list = reply::text(&list).ok_or(NodeError::Garbage("CLIENT LIST"))?;
    let now = Instant::now();
    let due: Vec<String> = list
        .lines()
        .filter_map(Session::read)
        .filter(|session| session.id != own && !session.is_ours(own_user))
        .filter(|session| endings.iter().any(|ending| session.ends_by(ending, now)))
        .map(|session| session.id.to_owned())
        .collect();
    for ids in due.chunks(KILLS_AT_ONCE) {
        let mut batch = Batch::new();
        for id in ids {
            batch.add("CLIENT KILL", ["ID", id]);
        }
        for reply in link.run(&batch).await? {
            match reply {
                // Gone by itself.
                Ok(_) | Err(NodeError::Said { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(due.len())
}

/// A line of CLIENT LIST.
struct Session<'a> {
    id: &'a str,
    user: &'a str,
    name: &'a str,
    /// Whole seconds since it was opened.
    age_s: u64,
}

impl<'a> Session<'a> {
    /// `None` for links of replication: S on a primary, M on a replica.
    fn read(line: &'a str) -> Option<Self> {
        let field = |name: &str| {
            let mut words = line.split(' ');
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        if field("flags")?.contains(['S', 'M']) {
            return None;
        }
        Some(Self {
            id: field("id")?,
            user: field("user")?,
            name: field("name").unwrap_or_default(),
            age_s: field("age")?.parse().ok()?,
        })
    }

    /// Another link of this process. The name counts only with our own login: anyone may take it.
    fn is_ours(&self, own_user: &str) -> bool {
        self.user == own_user && self.name == link::client_name()
    }

    fn ends_by(&self, ending: &Ending, now: Instant) -> bool {
        let old = ending
            .since
            .is_none_or(|since| self.age_s >= now.duration_since(since).as_secs());
        self.user == ending.user && old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_client_list() {
        let line = "id=7 addr=127.0.0.1:5 laddr=127.0.0.1:6 fd=8 name=x age=12 idle=0 flags=N \
                    db=0 cmd=client|list user=ape redir=-1";
        let read = Session::read(line).map(|s| (s.id, s.user, s.name, s.age_s));
        assert_eq!(read, Some(("7", "ape", "x", 12)));
        for link in ["flags=S", "flags=M", "flags=SP"] {
            assert!(Session::read(&line.replace("flags=N", link)).is_none());
        }
        assert!(Session::read("").is_none());
        // One that watches is a session like any other.
        assert!(Session::read(&line.replace("flags=N", "flags=O")).is_some());
    }
}
