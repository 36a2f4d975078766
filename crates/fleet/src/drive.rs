//! Bringing one node to what is desired: look, decide, act, read back.

use crate::context::Context;
use crate::deeds::What;
use crate::desired::{Desired, Rule, Wanted};
use crate::errors::NodeError;
use crate::legacy;
use crate::link::{Batch, Link};
use crate::marks::{FIRST_PRINT, GONE, Mark, UNCERTAIN};
use crate::member::{Issue, Member, Standing};
use crate::plan::{self, Action, Claim, Look, Step, Target};
use crate::scratch::{add_get, add_scratch, next, passable, seen, take_renderings};
use crate::sessions::{self, Whose};
use crate::sweep::{self, Suspects};
use claviger_core::account::Life;
use claviger_core::clock::Timestamp;
use claviger_core::engine::AclLevel;
use claviger_core::ids::Revision;
use claviger_core::policy::SessionPolicy;
use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Users handled in one batch; a user takes at most four commands, a rule three.
const USERS_AT_ONCE: usize = 16;

/// One user to look at, or to write.
struct Job<'a> {
    want: &'a Wanted,
    rule: Arc<Rule>,
    digests: BTreeSet<String>,
    former: Vec<String>,
    print: u64,
    claim: Claim,
    /// It was confirmed before, so a difference is someone's doing.
    was_confirmed: bool,
    /// By this very process, so it is no restart's doing, and it is left as it is.
    left: Option<Revision>,
    /// It was changed, and this node is not known to have the change: what its sessions lose by
    /// it, they lose now.
    changed: bool,
    /// Its sessions are to end once it is confirmed.
    ends: bool,
    /// Now.
    at: Timestamp,
    look: Option<Look>,
    action: Action,
}

impl Job<'_> {
    fn target<'s>(&'s self, member: &Member) -> Target<'s> {
        Target {
            name: self.want.name.as_str(),
            on: self.want.on,
            digests: &self.digests,
            former: &self.former,
            rules: member.rendering(self.rule.key),
            gone: self.want.life == Life::Deleting,
            claim: self.claim,
        }
    }

    /// What follows SETUSER: the user as a whole, in one command.
    fn words(&self) -> Vec<String> {
        let on = if self.want.on { "on" } else { "off" };
        let start = [self.want.name.as_str(), "reset", on].map(str::to_owned);
        let digests = self.digests.iter().map(|digest| format!("#{digest}"));
        let rules = self.rule.tokens.iter().cloned();
        start.into_iter().chain(digests).chain(rules).collect()
    }

    fn issue(&self, standing: Standing, reason: String) -> Issue {
        Issue {
            account: self.want.account.clone(),
            key: self.want.key,
            // An account that this node never held is missing from its beginning on.
            revision: if self.claim.ours {
                self.want.revision
            } else {
                self.want.created_revision
            },
            standing,
            reason,
            held: false,
        }
    }
}

/// One pass over one node; what stands in the way as a whole becomes the member's error.
pub(crate) async fn node(
    member: &mut Member,
    desired: &Desired,
    context: &Context,
    sweep: bool,
    told: &(dyn Fn(&Member) + Sync),
) {
    if *member.own_user != *desired.own_user {
        member.own_user = desired.own_user.as_str().into();
    }
    sessions::recall(member, desired, context.clock.now());
    let result = if has_users(member) {
        with_users(member, desired, context, sweep, told).await
    } else {
        legacy::users(member, desired, context, sweep);
        Ok(())
    };
    member.error = result.err();
}

async fn with_users(
    member: &mut Member,
    desired: &Desired,
    context: &Context,
    sweep: bool,
    told: &(dyn Fn(&Member) + Sync),
) -> Result<(), NodeError> {
    let suspects = match member.swept.take() {
        Some(suspects) => Some(suspects),
        None if sweep || member.unswept => Some(sweep::suspects(member, context).await?),
        None => None,
    };
    if let Some(suspects) = &suspects {
        suspects.note_names(member, desired);
    }
    users(
        member,
        desired,
        context,
        &suspects.unwrap_or_default(),
        told,
    )
    .await
}

/// Makes the users of one node what they should be. `told` is called with the member once drift
/// is found, before it is repaired.
///
/// # Errors
/// When the node as a whole cannot be driven now. What concerns single users is in its issues.
async fn users(
    member: &mut Member,
    desired: &Desired,
    context: &Context,
    suspects: &Suspects,
    told: &(dyn Fn(&Member) + Sync),
) -> Result<(), NodeError> {
    let Some(link) = member.link.clone() else {
        return Err(NodeError::Lost);
    };
    let mut jobs = jobs(member, desired, context, suspects);
    for jobs in jobs.chunks_mut(USERS_AT_ONCE) {
        look(member, &link, jobs, context).await?;
        let mut drifted = 0;
        for job in jobs.iter_mut() {
            drifted += u64::from(judge(member, job, desired, suspects));
        }
        if drifted > 0 {
            told(member);
            context.stats.repairs.fetch_add(drifted, Ordering::Relaxed);
        }
        act(member, &link, jobs, desired, context).await?;
    }
    Ok(())
}

/// The users that are not known to be right.
fn jobs<'a>(
    member: &mut Member,
    desired: &'a Desired,
    context: &Context,
    suspects: &Suspects,
) -> Vec<Job<'a>> {
    let Some(engine) = member.facts.as_ref().map(|facts| facts.engine) else {
        return Vec::new();
    };
    let default = context.salt.hash_one(crate::desired::DEFAULT_USER);
    let known = |key: u64| key == default || desired.wants.iter().any(|want| want.key == key);
    member.marks.retain(known);
    member.issues.retain(|issue| known(issue.key));
    let before = member.stored_revision().max(member.confirmed);
    let open: HashSet<u64> = member.issues.iter().map(|issue| issue.key).collect();
    let at = context.clock.now();
    let mut jobs = Vec::new();
    for want in &desired.wants {
        let rule = context
            .rules
            .rule(want.rights, &desired.roles, engine, &context.salt);
        let digests: BTreeSet<String> = want.digests.iter().map(|d| d.expose_hex()).collect();
        let print = match want.life {
            Life::Live => print(want, &digests, &rule, context),
            Life::Deleting => GONE,
        };
        let mark = member.marks.get(want.key).copied();
        let same = mark.is_some_and(|mark| mark.id == want.id_key);
        let right = same && mark.is_some_and(|mark| mark.print == print);
        if right && !open.contains(&want.key) && !suspects.names.contains(&want.key) {
            member.marks.advance(want.key, want.revision);
            continue;
        }
        // A user that was seen to be gone says nothing of one that is there now.
        let held = mark.filter(|mark| mark.print != GONE);
        let confirmed_here = held.is_some_and(|mark| mark.id == want.id_key)
            || want.confirmed > Revision::ZERO
            || before >= want.created_revision;
        let same_process = right || (mark.is_none() && member.was_stored_at(want.revision));
        // An end is no one's to undo.
        let live = want.life == Life::Live;
        let changed = live
            && desired.policy.sessions != SessionPolicy::Keep
            && want.revision > want.created_revision
            && !want.is_settled()
            && before < want.revision
            && !right;
        let left = live && same_process && desired.only_reports();
        jobs.push(Job {
            digests,
            former: want.former.iter().map(|d| d.expose_hex()).collect(),
            print,
            claim: Claim {
                ours: held.is_some() || confirmed_here || want.replaces,
                foreign: member.foreign.contains(&want.key),
                end_sessions: (want.replaces || held.is_some()) && !confirmed_here,
            },
            was_confirmed: right || (mark.is_none() && before >= want.revision),
            left: left.then(|| desired.revision.next()),
            changed,
            ends: false,
            at,
            // Known to be ours and known to be out of date: no need to look first, unless to see
            // what is lost.
            look: (held.is_some() && !right && !changed).then_some(Look::Skipped),
            action: Action::Nothing,
            want,
            rule,
        });
    }
    jobs
}

fn print(want: &Wanted, digests: &BTreeSet<String>, rule: &Rule, context: &Context) -> u64 {
    let mut hasher = context.salt.build_hasher();
    (want.on, digests).hash(&mut hasher);
    rule.key.hash(&mut hasher);
    hasher.finish().max(FIRST_PRINT)
}

/// The rules among the jobs that this node has not rendered yet.
fn unrendered(member: &Member, jobs: &[Job<'_>]) -> Vec<Arc<Rule>> {
    let mut rules: Vec<Arc<Rule>> = Vec::new();
    for job in jobs {
        let known = member.rendering(job.rule.key).is_some();
        if !known && !rules.iter().any(|rule| rule.key == job.rule.key) {
            rules.push(Arc::clone(&job.rule));
        }
    }
    rules
}

/// Reads the users that are not known well enough.
async fn look(
    member: &mut Member,
    link: &Link,
    jobs: &mut [Job<'_>],
    context: &Context,
) -> Result<(), NodeError> {
    if jobs.iter().all(|job| job.look.is_some()) {
        return Ok(());
    }
    let mut batch = Batch::new();
    let rules = unrendered(member, jobs);
    for rule in &rules {
        add_scratch(&mut batch, rule);
    }
    for job in jobs.iter().filter(|job| job.look.is_none()) {
        add_get(&mut batch, job.want.name.as_str());
    }
    let mut replies = link.run(&batch).await?.into_iter();
    take_renderings(member, &rules, &mut replies, context)?;
    for job in jobs.iter_mut().filter(|job| job.look.is_none()) {
        job.look = Some(seen(next(&mut replies), member, context)?);
    }
    Ok(())
}

/// Decides on a user and notes what that says of the node; true if it was found changed.
fn judge(member: &mut Member, job: &mut Job<'_>, desired: &Desired, suspects: &Suspects) -> bool {
    let (own_user, policy) = (&desired.own_user, desired.policy.sessions);
    let look = job.look.take().unwrap_or(Look::Skipped);
    let target = job.target(member);
    let action = plan::decide(&target, &look, own_user);
    let differs = plan::difference(&target, &look);
    let incomparable = action == Action::Set && plan::is_incomparable(&target, &look);
    job.ends = job.changed
        && match &look {
            // Maybe written by us, and not ended any more.
            Look::Present(seen) if plan::holds(&target, seen) => true,
            Look::Present(seen) => !job.was_confirmed && sessions::loses(seen, &target),
            Look::Absent | Look::Skipped => false,
        };
    job.action = action;
    let name = job.want.name.as_str();
    // It was right, and what can be seen still is: no one's doing, and nothing to write.
    if job.was_confirmed && incomparable {
        job.action = Action::Nothing;
        let reason = format!("{name} {differs} on {}", member.unrendered());
        let issue = job.issue(Standing::Pending, reason);
        member.settle(job.want.key, Some(issue));
        return false;
    }
    let issue = match action {
        Action::Nothing => {
            let line = suspects.lines.get(&job.want.key).copied().unwrap_or(0);
            confirm(member, job, line, policy);
            return false;
        }
        Action::Clash => {
            member.foreign.insert(job.want.key);
            let open = matches!(&look, Look::Present(seen) if seen.on && seen.nopass);
            let open = if open { ", open to any password," } else { "" };
            let reason = format!(
                "a user named {name} exists{open} on {} and is not managed by claviger; it was \
                 left alone",
                member.address
            );
            job.issue(Standing::Failed, reason)
        }
        Action::Refuse(reason) => job.issue(Standing::Failed, reason.to_owned()),
        Action::Set | Action::Replace | Action::Remove => {
            member.foreign.remove(&job.want.key);
            if let Some(revision) = job.left.filter(|_| look != Look::Skipped) {
                job.action = Action::Nothing;
                let reason = format!("{name} {differs} on {}", member.address);
                let issue = Issue {
                    held: true,
                    revision,
                    ..job.issue(Standing::Drifted, reason)
                };
                member.settle(job.want.key, Some(issue));
                return false;
            }
            if job.was_confirmed && look != Look::Skipped {
                tracing::warn!(
                    node = %member.address, user = name, "user {name} {differs}; putting it right"
                );
                let reason = format!("{name} {differs} on {}", member.address);
                let issue = job.issue(Standing::Drifted, reason);
                member.settle(job.want.key, Some(issue));
                return true;
            }
            job.issue(
                Standing::Pending,
                format!("{name} {differs} on {}", member.address),
            )
        }
    };
    member.settle(job.want.key, Some(issue));
    false
}

fn confirm(member: &mut Member, job: &Job<'_>, line: u64, policy: SessionPolicy) {
    if job.ends {
        let whose = Whose {
            account: &job.want.account,
            user: job.want.name.as_str(),
            key: job.want.key,
            off: !job.want.on,
        };
        sessions::note(member, whose, policy);
    }
    member.settle(job.want.key, None);
    member.marks.put(Mark {
        name: job.want.key,
        id: job.want.id_key,
        print: job.print,
        line,
        revision: job.want.revision,
        at: job.at,
    });
}

/// Writes what has to be written, and reads it back in the same round trip.
async fn act(
    member: &mut Member,
    link: &Link,
    jobs: &[Job<'_>],
    desired: &Desired,
    context: &Context,
) -> Result<(), NodeError> {
    let todo: Vec<&Job<'_>> = jobs
        .iter()
        .filter(|job| !job.action.steps().is_empty())
        .collect();
    if todo.is_empty() {
        return Ok(());
    }
    if !context.duty.may_act() {
        return Err(NodeError::NotOurs);
    }
    let mut batch = Batch::new();
    let rules = unrendered(member, jobs);
    for rule in &rules {
        add_scratch(&mut batch, rule);
    }
    for job in &todo {
        let name = job.want.name.as_str();
        for step in job.action.steps() {
            match step {
                Step::Kill => batch.add("CLIENT KILL", ["USER", name]),
                Step::Delete => batch.add("ACL DELUSER", [name]),
                Step::Set => batch.add("ACL SETUSER", job.words()),
            };
        }
        add_get(&mut batch, name);
    }
    member.saving.wanted = true;
    let mut replies = link.run(&batch).await?.into_iter();
    take_renderings(member, &rules, &mut replies, context)?;
    for job in todo {
        let mut refusal = None;
        for step in job.action.steps() {
            let answer = passable(next(&mut replies));
            match (step, answer) {
                // No such user, or no right to end sessions: DELUSER ends them as well.
                (Step::Kill, Ok(_) | Err(NodeError::Denied { .. })) => {}
                (_, Ok(Err(error))) => refusal = Some(error),
                (_, Err(error)) => return Err(error),
                (_, Ok(Ok(_))) => {}
            }
        }
        let look = seen(next(&mut replies), member, context)?;
        read_back(member, job, &look, refusal, desired.policy.sessions);
    }
    Ok(())
}

/// Compares what the node now holds with what it should.
fn read_back(
    member: &mut Member,
    job: &Job<'_>,
    look: &Look,
    refusal: Option<NodeError>,
    policy: SessionPolicy,
) {
    let target = job.target(member);
    let right = match look {
        Look::Present(seen) => !target.gone && plan::holds(&target, seen),
        Look::Absent => target.gone,
        Look::Skipped => false,
    };
    let what = match (target.gone, job.was_confirmed) {
        (true, _) => What::Removed,
        (false, true) => What::Repaired,
        (false, false) => What::Set,
    };
    member.did(&job.want.account, what, right);
    if right {
        confirm(member, job, 0, policy);
        return;
    }
    // Written again at the next pass, and rendered anew; what we have written stays ours.
    member.renderings.retain(|(rule, _)| *rule != job.rule.key);
    if refusal.is_none() || member.marks.get(job.want.key).is_some() {
        member.marks.put(Mark {
            name: job.want.key,
            id: job.want.id_key,
            print: UNCERTAIN,
            line: 0,
            revision: Revision::ZERO,
            at: job.at,
        });
    }
    let name = job.want.name.as_str();
    let (standing, reason) = match refusal {
        Some(error) => (Standing::Failed, format!("{}: {error}", member.address)),
        None => {
            let differs = plan::difference(&target, look);
            let reason = format!(
                "{name} {differs} on {} after it was written",
                member.address
            );
            (Standing::Pending, reason)
        }
    };
    member.settle(job.want.key, Some(job.issue(standing, reason)));
}

/// The server knows users at all.
pub(crate) fn has_users(member: &Member) -> bool {
    member
        .facts
        .as_ref()
        .is_some_and(|facts| facts.engine.acl_level() > AclLevel::None)
}
