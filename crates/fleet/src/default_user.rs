//! The server's own user, once its password is set through us.
//!
//! Replicas log in to their primary as this user, and so may we, so its password changes in
//! three stages over the whole instance: the new one is added beside the old ones on every node;
//! every replica is told to use it; and only when both are true on every node do the old ones
//! go. While a node is away the old password stays valid on the others. The user's rules are
//! left as they are.
//!
//! To take no password at all there is nothing to wait for: every node takes none from now on,
//! and those that follow a primary forget the password that they had for it.

use crate::context::Context;
use crate::deeds::What;
use crate::desired::{DEFAULT_USER, DefaultWanted, Desired};
use crate::drive;
use crate::errors::NodeError;
use crate::join::join_all;
use crate::legacy;
use crate::link::{Batch, Link};
use crate::links::set_masterauth;
use crate::marks::{FIRST_PRINT, Mark};
use crate::member::{Issue, Member, Standing};
use crate::plan::{Look, Seen};
use crate::reply;
use crate::scratch;
use crate::sentinel_login::Watchers;
use crate::sessions::{self, Whose};
use crate::stats::count;
use claviger_core::clock::Timestamp;
use claviger_core::ids::{AccountName, Revision};
use claviger_core::node::NodeRole;
use claviger_core::policy::SessionPolicy;
use claviger_core::secret::Secret;
use std::collections::BTreeSet;
use std::hash::BuildHasher;

/// What is wanted of the default user in this pass.
pub(crate) struct Turn<'a> {
    pub(crate) wanted: &'a DefaultWanted,
    /// Its passwords, in hexadecimal digits; none if it takes no password.
    digests: BTreeSet<String>,
    pub(crate) key: u64,
    pub(crate) print: u64,
    /// There are replicas, which log in to a primary.
    pub(crate) replicated: bool,
    /// What someone changed is left as it is.
    only_reports: bool,
    sessions: SessionPolicy,
    /// Now.
    at: Timestamp,
    /// For an issue that says nothing against what was confirmed.
    next_revision: Revision,
}

impl<'a> Turn<'a> {
    fn new(
        wanted: &'a DefaultWanted,
        desired: &Desired,
        members: &[Member],
        context: &Context,
    ) -> Self {
        let digests: BTreeSet<String> = wanted.digests.iter().map(|d| d.expose_hex()).collect();
        // Once there are replicas, every node is told how they log in: also what was alone before.
        let replicated = members.len() > 1 || members.iter().any(|m| m.role() == NodeRole::Replica);
        let print = context.salt.hash_one((wanted.free, &digests, replicated));
        Self {
            wanted,
            digests,
            key: wanted.key,
            print: print.max(FIRST_PRINT),
            replicated,
            only_reports: desired.only_reports(),
            sessions: desired.policy.sessions,
            at: context.clock.now(),
            next_revision: desired.revision.next(),
        }
    }

    pub(crate) fn issue(&self, standing: Standing, reason: String) -> Issue {
        Issue {
            account: self.wanted.account.clone(),
            key: self.key,
            revision: self.wanted.revision,
            standing,
            reason,
            held: false,
        }
    }

    /// The clear password that a login has to use; `None` if it is not known.
    pub(crate) fn clear_password(&self) -> Option<&str> {
        if self.wanted.free {
            Some("")
        } else {
            self.wanted.password.as_ref().map(Secret::expose)
        }
    }

    /// The user is on and takes exactly these passwords, or none at all.
    fn holds(&self, seen: &Seen) -> bool {
        seen.on && seen.nopass == self.wanted.free && seen.digests == self.digests
    }

    /// The user takes these passwords, maybe beside others; or none at all.
    fn takes(&self, seen: &Seen) -> bool {
        seen.on && seen.nopass == self.wanted.free && self.digests.is_subset(&seen.digests)
    }

    /// The words that add what is wanted.
    fn tokens(&self) -> Vec<String> {
        if self.wanted.free {
            return vec!["nopass".to_owned()];
        }
        self.digests.iter().map(|d| format!("#{d}")).collect()
    }

    /// The words that leave nothing but what is wanted.
    fn exact_tokens(&self) -> Vec<String> {
        let mut tokens = vec![DEFAULT_USER.to_owned(), "on".to_owned()];
        if !self.wanted.free {
            tokens.push("resetpass".to_owned());
        }
        tokens.extend(self.tokens());
        tokens
    }

    /// Notes that sessions with the former password are to end, where the node is not known to
    /// have had the new one.
    fn end_sessions(&self, member: &mut Member) {
        let known = member.confirmed.max(member.stored_revision()) >= self.wanted.revision;
        let mark = member.marks.get(self.key);
        let right = mark.is_some_and(|mark| mark.print == self.print);
        if self.wanted.free || self.wanted.confirmed || known || right {
            return;
        }
        let whose = Whose {
            account: &self.wanted.account,
            user: DEFAULT_USER,
            key: self.key,
            off: false,
        };
        sessions::note(member, whose, self.sessions);
    }

    /// Someone changed it there, and it is left so.
    fn is_left(&self, member: &Member) -> bool {
        let left = |issue: &Issue| issue.key == self.key && issue.held;
        member.issues.iter().any(left)
    }

    fn is_confirmed(&self, member: &Member) -> bool {
        !member.default_suspect
            && member
                .marks
                .get(self.key)
                .is_some_and(|mark| mark.print == self.print)
    }

    /// Records that the node holds exactly what is wanted.
    pub(crate) fn confirm(&self, member: &mut Member) {
        member.marks.put(Mark {
            name: self.key,
            id: 0,
            print: self.print,
            line: std::mem::take(&mut member.default_line),
            revision: self.wanted.revision,
            at: self.at,
        });
        member.default_suspect = false;
        member.default_staged = Some(self.print);
        member.settle(self.key, None);
    }
}

/// How the default user differs from what is wanted, in plain words.
pub(crate) fn difference(wanted: &DefaultWanted, seen: &Seen) -> Option<&'static str> {
    let digests: BTreeSet<String> = wanted.digests.iter().map(|d| d.expose_hex()).collect();
    match (wanted.free, seen) {
        (_, seen) if !seen.on => Some("is switched off"),
        (true, seen) if seen.nopass => None,
        (true, _) => Some("wants a password"),
        (false, seen) if seen.nopass => Some("takes any password"),
        (false, seen) if !digests.is_subset(&seen.digests) => Some("has another password"),
        (false, seen) if seen.digests != digests => Some("has further passwords"),
        (false, _) => None,
    }
}

/// Brings the default user as far as it can go in this pass.
pub(crate) async fn advance(
    members: &mut [Member],
    desired: &Desired,
    context: &Context,
    told: &(dyn Fn(&Member) + Sync),
    mut watchers: Watchers<'_>,
) {
    let Some(wanted) = &desired.default else {
        return;
    };
    let turn = Turn::new(wanted, desired, members, context);
    for member in members
        .iter_mut()
        .filter(|member| turn.is_confirmed(member))
    {
        member.marks.advance(turn.key, wanted.revision);
    }
    let open = |member: &&mut Member| {
        member.is_ready() && member.error.is_none() && !turn.is_confirmed(member)
    };
    if members.iter_mut().filter(open).count() == 0 || !context.duty.may_act() {
        return;
    }
    let staging = members.iter_mut().filter(open);
    join_all(staging.map(|member| run_stage(member, &turn, context, false))).await;
    for member in members.iter() {
        let drifted = |issue: &Issue| {
            issue.key == turn.key && issue.standing == Standing::Drifted && !issue.held
        };
        if member.issues.iter().any(drifted) {
            told(member);
            count(&context.stats.repairs);
        }
    }
    // Once every node had this password, none depends on an older one any more.
    let missing = members.iter().find(|member| {
        let staged = member.default_staged == Some(turn.print);
        !member.is_ready() || member.error.is_some() || !staged
    });
    let missing = missing.map(|member| member.address.to_string());
    let missing = match &turn.wanted.password {
        // A Sentinel that sends a password where none is wanted is let in all the same.
        Some(password) if missing.is_none() && !turn.wanted.confirmed && !turn.wanted.free => {
            watchers.tell(members, password, turn.print).await
        }
        _ => missing,
    };
    match missing {
        // Taking no password breaks nobody who has one.
        Some(missing) if !turn.wanted.confirmed && !turn.wanted.free => {
            let reason = format!(
                "the former password stays valid until every node has the new one; waiting for \
                 {missing}"
            );
            for member in members.iter_mut().filter(open) {
                if !member.issues.iter().any(|issue| issue.key == turn.key) {
                    member
                        .issues
                        .push(turn.issue(Standing::Pending, reason.clone()));
                }
            }
        }
        _ => {
            let last = members.iter_mut().filter(open);
            let last = last.filter(|member| !turn.is_left(member));
            join_all(last.map(|member| run_stage(member, &turn, context, true))).await;
        }
    }
}

async fn run_stage(member: &mut Member, turn: &Turn<'_>, context: &Context, last: bool) {
    let Some(link) = member.link.clone() else {
        return;
    };
    if !context.duty.may_act() {
        member.error = Some(NodeError::NotOurs);
        return;
    }
    let result = match (drive::has_users(member), last) {
        (true, false) => prepare(member, &link, turn, context).await,
        (true, true) => finish(member, &link, turn, context).await,
        (false, false) => legacy::prepare(member, &link, turn).await,
        (false, true) => legacy::finish(member, &link, turn).await,
    };
    match result {
        // Before the last stage the former password is still good.
        Ok(()) if !last => {}
        Ok(()) => {
            let what = match turn.wanted.confirmed {
                true => What::Repaired,
                false => What::Set,
            };
            member.did(&AccountName::from(DEFAULT_USER), what, true);
        }
        Err(error @ (NodeError::Said { .. } | NodeError::Denied { .. })) => {
            let reason = format!("{}: {error}", member.address);
            let issue = turn.issue(Standing::Failed, reason);
            member.settle(turn.key, Some(issue));
        }
        Err(error) => member.error = Some(error),
    }
}

/// The new password beside the old ones, and replicas told of it.
async fn prepare(
    member: &mut Member,
    link: &Link,
    turn: &Turn<'_>,
    context: &Context,
) -> Result<(), NodeError> {
    let mut batch = Batch::new();
    batch.add("ACL GETUSER", [DEFAULT_USER]);
    let mut replies = link.run(&batch).await?.into_iter();
    let look = scratch::seen(
        replies.next().unwrap_or(Err(NodeError::Lost)),
        member,
        context,
    )?;
    let Look::Present(seen) = look else {
        return Err(NodeError::Garbage("ACL GETUSER"));
    };
    let mark = member.marks.get(turn.key).copied();
    let was_confirmed = mark.is_some_and(|mark| mark.print == turn.print);
    let right = turn.holds(&seen);
    if !right && turn.only_reports && (was_confirmed || was_stored(member, mark, turn)) {
        let reason = format!("the default user was changed on {}", member.address);
        let issue = Issue {
            held: true,
            revision: turn.next_revision,
            ..turn.issue(Standing::Drifted, reason)
        };
        member.settle(turn.key, Some(issue));
        return Ok(());
    }
    if was_confirmed && !right {
        member.marks.remove(turn.key);
        tracing::warn!(node = %member.address, "the default user was changed; putting it right");
        let reason = format!("the default user was changed on {}", member.address);
        member.settle(turn.key, Some(turn.issue(Standing::Drifted, reason)));
    }
    if !turn.takes(&seen) {
        let mut words = vec![DEFAULT_USER.to_owned(), "on".to_owned()];
        words.extend(turn.tokens());
        let mut batch = Batch::new();
        batch.add("ACL SETUSER", words);
        member.saving.wanted = true;
        link.run(&batch)
            .await?
            .pop()
            .unwrap_or(Err(NodeError::Lost))?;
    }
    if turn.replicated {
        replication_login(member, link, turn).await?;
    }
    member.default_staged = Some(turn.print);
    if right {
        clear_requirepass(member, link, turn).await?;
        turn.end_sessions(member);
        turn.confirm(member);
    } else if !was_confirmed {
        member.settle(turn.key, None);
    }
    Ok(())
}

/// This very process had confirmed it before this life of ours.
fn was_stored(member: &Member, mark: Option<Mark>, turn: &Turn<'_>) -> bool {
    mark.is_none() && member.was_stored_at(turn.wanted.revision)
}

/// Tells a node with which password to log in to its primary, if it does so as the default user:
/// with none where none is taken, since a primary refuses a password that it has no use for.
/// A primary is told as well: it may be the next replica.
pub(crate) async fn replication_login(
    member: &mut Member,
    link: &Link,
    turn: &Turn<'_>,
) -> Result<(), NodeError> {
    let Some(password) = turn.clear_password() else {
        return Ok(());
    };
    let mut batch = Batch::new();
    batch
        .add("CONFIG GET", ["masteruser"])
        .add("CONFIG GET", ["masterauth"]);
    let mut replies = link.run(&batch).await?.into_iter();
    let mut get = |name| -> Result<Option<String>, NodeError> {
        let value = replies.next().unwrap_or(Err(NodeError::Lost))?;
        Ok(reply::field(&value, name))
    };
    // Below 6.0 there is no masteruser; later it is empty when none is set.
    let user = get("masteruser")?.unwrap_or_default();
    let auth = Secret::new(get("masterauth")?.unwrap_or_default());
    if !(user.is_empty() || user == DEFAULT_USER) || auth.same_as(&Secret::new(password)) {
        return Ok(());
    }
    match set_masterauth(member, link, &Secret::new(password)).await {
        // It matters there only after a failover.
        Err(NodeError::Denied { .. }) if member.role() == NodeRole::Primary => Ok(()),
        result => result,
    }
}

/// The old passwords go.
async fn finish(
    member: &mut Member,
    link: &Link,
    turn: &Turn<'_>,
    context: &Context,
) -> Result<(), NodeError> {
    let mut batch = Batch::new();
    batch
        .add("ACL SETUSER", turn.exact_tokens())
        .add("ACL GETUSER", [DEFAULT_USER]);
    member.saving.wanted = true;
    let mut replies = link.run(&batch).await?.into_iter();
    let mut next = || replies.next().unwrap_or(Err(NodeError::Lost));
    next()?;
    match scratch::seen(next(), member, context)? {
        Look::Present(seen) if turn.holds(&seen) => {
            clear_requirepass(member, link, turn).await?;
            turn.end_sessions(member);
            member.default_line = 0;
            turn.confirm(member);
        }
        _ => {
            let reason = format!(
                "the default user differs on {} after it was written",
                member.address
            );
            member.settle(turn.key, Some(turn.issue(Standing::Pending, reason)));
        }
    }
    Ok(())
}

/// Empties a `requirepass` that no longer says the truth: it stands in the configuration file in
/// the clear, and misleads whoever reads it.
///
/// By itself, that would open the default user, so it is done together with putting the user
/// right again, in one transaction, which the server runs without anything in between. Nothing
/// depends on it: where the login may not do it, it stays, and the check names it.
async fn clear_requirepass(
    member: &mut Member,
    link: &Link,
    turn: &Turn<'_>,
) -> Result<(), NodeError> {
    let mut batch = Batch::new();
    // A transaction that may not begin must not lose its first line.
    batch
        .add("CONFIG GET", ["requirepass"])
        .word("MULTI")
        .word("DISCARD");
    let replies = link.run(&batch).await?;
    let [Ok(held), Ok(_), Ok(_)] = replies.as_slice() else {
        return Ok(());
    };
    if reply::field(held, "requirepass").is_none_or(|text| Secret::new(text).expose().is_empty()) {
        return Ok(());
    }
    let mut batch = Batch::new();
    batch
        .word("MULTI")
        .add("CONFIG SET", ["requirepass", ""])
        .add("ACL SETUSER", turn.exact_tokens())
        .word("EXEC");
    let rewrite = member.facts.as_ref().is_some_and(|facts| facts.config_file);
    let done = link.run(&batch).await?.pop();
    if let Some(Ok(_)) = done {
        tracing::info!(node = %member.address, "a stale requirepass was emptied");
        member.saving.wanted = true;
        if rewrite {
            let mut batch = Batch::new();
            batch.word("CONFIG REWRITE");
            if let Some(Err(error)) = link.run(&batch).await?.pop() {
                member.saving.error = Some(format!("requirepass not saved: {error}"));
            }
        }
    }
    Ok(())
}
