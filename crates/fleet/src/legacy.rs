//! Servers before Redis 6.0: no users, one password, which is the default account's.

use crate::context::Context;
use crate::default_user::{Turn, replication_login};
use crate::desired::{Desired, Rights};
use crate::errors::NodeError;
use crate::link::{Batch, Link};
use crate::member::{Issue, Member, Standing};
use crate::reply;
use claviger_core::account::Life;
use claviger_core::secret::Secret;
use std::hash::BuildHasher;

/// Says of every account but the default one that this server cannot have it.
pub(crate) fn users(member: &mut Member, desired: &Desired, context: &Context, sweep: bool) {
    let default = context.salt.hash_one(crate::desired::DEFAULT_USER);
    member.issues.retain(|issue| issue.key == default);
    // There is no telling from outside whether the password is still ours.
    member.default_suspect |= sweep || member.unswept;
    member.unswept = false;
    let engine = member.facts.as_ref().map(|facts| facts.engine.to_string());
    for want in &desired.wants {
        // The mirror of the default account is a user, too; there it is simply not needed.
        if want.life == Life::Deleting || want.rights == Rights::Everything {
            continue;
        }
        let reason = format!(
            "{} runs {}, which has no users; they begin with Redis 6.0",
            member.address,
            engine.as_deref().unwrap_or("an old server")
        );
        member.issues.push(Issue {
            account: want.account.clone(),
            key: want.key,
            revision: want.revision,
            standing: Standing::Failed,
            reason,
            held: false,
        });
    }
}

/// Replicas first learn the password that the primary will ask for.
pub(crate) async fn prepare(
    member: &mut Member,
    link: &Link,
    turn: &Turn<'_>,
) -> Result<(), NodeError> {
    if turn.replicated {
        replication_login(member, link, turn).await?;
    }
    member.default_staged = Some(turn.print);
    if let Some(password) = turn.clear_password() {
        let mut batch = Batch::new();
        batch.add("CONFIG GET", ["requirepass"]);
        let mut replies = link.run(&batch).await?;
        let held = replies.pop().unwrap_or(Err(NodeError::Lost))?;
        let held = Secret::new(reply::field(&held, "requirepass").unwrap_or_default());
        if held.same_as(&Secret::new(password)) {
            turn.confirm(member);
        }
    }
    Ok(())
}

/// The server asks for the password from now on, or for none. It is sent in the clear, since
/// this server knows no digests; sessions that are open stay open.
pub(crate) async fn finish(
    member: &mut Member,
    link: &Link,
    turn: &Turn<'_>,
) -> Result<(), NodeError> {
    let Some(password) = turn.clear_password() else {
        return Err(NodeError::Said {
            command: "CONFIG SET requirepass".into(),
            text: "the clear password is not known; set it again".into(),
        });
    };
    let mut batch = Batch::new();
    batch.add("CONFIG SET", ["requirepass", password]);
    if !password.is_empty() {
        // The connection that changed it proves itself anew, on every version.
        batch.add("AUTH", [password]);
    }
    batch.add("CONFIG GET", ["requirepass"]);
    let mut last = Err(NodeError::Lost);
    for reply in link.run(&batch).await? {
        last = Ok(reply?);
    }
    let held = Secret::new(reply::field(&last?, "requirepass").unwrap_or_default());
    if held.same_as(&Secret::new(password)) {
        member.saving.wanted = true;
        turn.confirm(member);
    } else {
        let reason = format!(
            "requirepass differs on {} after it was written",
            member.address
        );
        member.settle(turn.key, Some(turn.issue(Standing::Pending, reason)));
    }
    Ok(())
}
