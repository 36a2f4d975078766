//! Accounts that links log in with: replicas (`masteruser`), and Sentinels (`auth-user`).
//!
//! An open link survives a change of the password and fails at the next reconnect. So a new
//! password of such an account comes in stages over the whole instance: beside the former one on
//! every node; then to everyone who logs in with it; and only when all have it does the former
//! one go. A node or a Sentinel that is away holds the last stage up. The clear password is there
//! if the account was known to be used so when it was set; else the former one stays valid for as
//! long as someone logs in with it, and the account says so.

use crate::context::Context;
use crate::crew::Crew;
use crate::desired::{DEFAULT_USER, Desired, Wanted};
use crate::drive::has_users;
use crate::errors::NodeError;
use crate::join::join_all;
use crate::link::{Batch, Link, Reply};
use crate::marks::FIRST_PRINT;
use crate::member::{Issue, Member, Standing};
use crate::observe::Facts;
use crate::reply;
use crate::sentinel_login::{self, Watchers};
use crate::watch::Post;
use claviger_core::account::Life;
use claviger_core::ids::{AccountId, AccountName, Revision};
use claviger_core::node::NodeRole;
use claviger_core::password::PasswordDigest;
use claviger_core::secret::Secret;
use std::hash::BuildHasher;

/// How many users that links log in as are kept by name.
const LINK_USERS_MAX: usize = 256;
/// How many of those who are waited for are named.
const NAMED_MAX: usize = 4;
/// Sentinels' logins are looked for at every so many quiet sweeps.
pub(crate) const POSTS_SWEEPS: u32 = 16;

/// How a node logs in to its primary, or would.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    user: String,
    digest: PasswordDigest,
}

impl Login {
    /// From CONFIG GET of `masteruser` and `masterauth`; what may not be asked is taken as unset.
    pub(crate) fn read(user: &Reply, auth: &Reply) -> Self {
        let field = |reply: &Reply, name| {
            let value = reply.as_ref().ok();
            value.and_then(|value| reply::field(value, name))
        };
        let auth = Secret::new(field(auth, "masterauth").unwrap_or_default());
        Self {
            user: field(user, "masteruser").unwrap_or_default(),
            digest: PasswordDigest::of(&auth),
        }
    }

    pub(crate) fn is_same(&self, other: &Login) -> bool {
        self.user == other.user && self.digest.same_as(&other.digest)
    }

    /// The user, if it is not the default one.
    fn own_user(&self) -> Option<&str> {
        let user = self.user.as_str();
        (!user.is_empty() && user != DEFAULT_USER).then_some(user)
    }

    /// It is this account's, with a password that is not one of its own now.
    fn is_behind(&self, want: &Wanted) -> bool {
        self.user == want.name.as_str() && !want.has(&self.digest)
    }
}

impl Facts {
    /// The node follows one, or is followed.
    pub(crate) fn is_linked(&self) -> bool {
        self.role == NodeRole::Replica || !self.replicas.is_empty()
    }
}

impl Member {
    fn is_linked(&self) -> bool {
        has_users(self) && self.facts.as_ref().is_some_and(Facts::is_linked)
    }

    /// It may log in as anybody: it was not asked in this life of the service.
    fn is_unasked(&self) -> bool {
        self.login.is_none() && !self.is_ready()
    }

    /// The account's user is there as it should be in this pass.
    fn accepts(&self, want: &Wanted) -> bool {
        let mark = self.marks.get(want.key).filter(|mark| {
            let right = mark.id == want.id_key && mark.print >= FIRST_PRINT;
            right && mark.revision >= want.revision
        });
        let open = self.issues.iter().any(|issue| issue.key == want.key);
        self.is_ready() && self.error.is_none() && !open && mark.is_some()
    }
}

impl Wanted {
    fn has(&self, digest: &PasswordDigest) -> bool {
        self.digests.iter().any(|own| own.same_as(digest))
    }

    /// Its last password is not confirmed everywhere yet.
    pub(crate) fn is_leaving(&self) -> bool {
        self.life == Life::Live && !self.is_settled() && !self.leaving.is_empty()
    }

    /// The clear password, if it is known.
    fn clear(&self) -> Option<&Secret> {
        let link = self.link.as_ref();
        link.filter(|link| self.has(&PasswordDigest::of(link)))
    }
}

/// The stages that are over, by account and revision: a node that goes away afterwards does not
/// bring a former password back.
pub(crate) type Done = Vec<(AccountId, Revision)>;

/// Asks the nodes how they log in: all of them before a password may go, else those that were not
/// asked; and the nodes as whom Sentinels have logged in, if `posts`.
pub(crate) async fn refresh(members: &mut [Member], posts: &mut [Post], all: bool, sweep: bool) {
    let asked = members.iter_mut().filter(|member| {
        member.is_ready() && member.is_linked() && (all || member.login.is_none())
    });
    join_all(asked.map(async |member| {
        if let Some(link) = member.link.clone()
            && let Ok(login) = ask(&link).await
        {
            member.login = Some(login);
        }
    }))
    .await;
    if !posts.is_empty() && (all || sweep) {
        sentinel_login::note_users(posts, members, all).await;
    }
}

async fn ask(link: &Link) -> Result<Login, NodeError> {
    let mut batch = Batch::new();
    batch
        .add("CONFIG GET", ["masteruser"])
        .add("CONFIG GET", ["masterauth"]);
    let replies = link.run(&batch).await?;
    match replies.as_slice() {
        [user, auth] => Ok(Login::read(user, auth)),
        _ => Err(NodeError::Lost),
    }
}

/// Keeps former passwords valid where links may still log in with them; the places in
/// `desired.wants` that this concerns. `stored` are the users that links were known to log in
/// with before this life of the service.
pub(crate) fn keep(
    members: &[Member],
    posts: &[Post],
    desired: &mut Desired,
    stored: &[AccountName],
    done: &mut Done,
) -> Vec<usize> {
    let mut staged = Vec::new();
    let standings = &desired.standings;
    done.retain(|(id, revision)| {
        let mut same = standings.iter().filter(|standing| standing.id == *id);
        same.any(|standing| standing.revision == *revision && !standing.confirmed)
    });
    for (at, want) in desired.wants.iter_mut().enumerate() {
        if !want.is_leaving() || done.contains(&(want.id, want.revision)) {
            continue;
        }
        let name = want.name.as_str();
        let known = stored.contains(&want.name);
        let logs_in = |member: &Member| match &member.login {
            Some(login) => login.user == name,
            None => known && member.is_unasked(),
        };
        let watches = |post: &Post| {
            post.users.contains(name) || (known && post.users.is_empty() && !post.is_ready())
        };
        if members.iter().any(logs_in) || posts.iter().any(watches) {
            let former = want.leaving.iter().filter(|digest| !want.has(digest));
            let former: Vec<PasswordDigest> = former.cloned().collect();
            want.kept = former.len();
            want.digests.extend(former);
            staged.push(at);
        }
    }
    staged
}

/// Tells those who log in with an account its new password once every node takes it. True if a
/// former password can go now: the nodes need another pass.
pub(crate) async fn advance(
    members: &mut [Member],
    watchers: &mut Watchers<'_>,
    desired: &mut Desired,
    staged: &[usize],
    (done, context): (&mut Done, &Context),
) -> bool {
    let mut finished = false;
    for at in staged {
        let Some(want) = desired.wants.get_mut(*at) else {
            continue;
        };
        let behind = members.iter().filter(|member| !member.accepts(want));
        let mut waits: Vec<String> = behind.map(|member| member.address.to_string()).collect();
        if waits.is_empty() {
            let valid = want.digests.len() - want.kept;
            let mut new = want.clone();
            new.digests.truncate(valid);
            waits = tell_all(members, watchers, &new, context).await;
            if waits.is_empty() {
                want.digests.truncate(valid);
                want.kept = 0;
                done.push((want.id, want.revision));
                finished = true;
                continue;
            }
        }
        let more = waits.len().saturating_sub(NAMED_MAX);
        waits.truncate(NAMED_MAX);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let reason = format!(
            "links log in with {}: its former password stays valid until everyone has the new \
             one; waiting for {}{more}",
            want.name,
            waits.join(", ")
        );
        for member in members.iter_mut().filter(|member| member.is_ready()) {
            if !member.issues.iter().any(|issue| issue.key == want.key) {
                member.issues.push(pending(want, reason.clone()));
            }
        }
    }
    finished
}

fn pending(want: &Wanted, reason: String) -> Issue {
    Issue {
        account: want.account.clone(),
        key: want.key,
        revision: want.revision,
        standing: Standing::Pending,
        reason,
        held: false,
    }
}

const UNKNOWN: &str = "claviger does not know the new password in the clear: set it once more";

/// Whom the account's password could not be told.
async fn tell_all(
    members: &mut [Member],
    watchers: &mut Watchers<'_>,
    want: &Wanted,
    context: &Context,
) -> Vec<String> {
    let mut waits = Vec::new();
    for member in members.iter_mut() {
        if let Err(why) = tell(member, want, context).await {
            waits.push(format!(
                "{}, which logs in to its primary ({why})",
                member.address
            ));
        }
    }
    let digests: Vec<String> = want
        .digests
        .iter()
        .map(|digest| digest.expose_hex())
        .collect();
    let print = context.salt.hash_one((want.key, digests));
    let name = watchers.name;
    for post in watchers.posts.iter_mut() {
        let logs_in = post.users.contains(want.name.as_str());
        let away = post.users.is_empty() && !post.is_ready();
        if post.told_link == Some(print) || !(logs_in || away) {
            continue;
        }
        let why = match want.clear() {
            Some(_) if !context.duty.may_act() => NodeError::NotOurs.to_string(),
            Some(clear) if logs_in => match sentinel_login::tell(post, name, clear).await {
                Ok(()) => {
                    post.told_link = Some(print);
                    continue;
                }
                Err(error) => error.to_string(),
            },
            Some(_) => "it does not answer".to_owned(),
            None => UNKNOWN.to_owned(),
        };
        waits.push(format!("the Sentinel {} ({why})", post.address));
    }
    waits
}

/// Has a node log in to its primary with the account's present password, if it does so as the
/// account and with another one.
async fn tell(member: &mut Member, want: &Wanted, context: &Context) -> Result<(), String> {
    let behind = member
        .login
        .as_ref()
        .is_some_and(|login| login.is_behind(want));
    if !behind {
        return Ok(());
    }
    let (Some(link), Some(clear)) = (member.link.clone(), want.clear()) else {
        return Err(UNKNOWN.to_owned());
    };
    if !context.duty.may_act() {
        return Err(NodeError::NotOurs.to_string());
    }
    match set_masterauth(member, &link, clear).await {
        Ok(()) => {}
        // It matters there only after a failover.
        Err(NodeError::Denied { .. }) if member.role() == NodeRole::Primary => return Ok(()),
        // A server's words may quote what they do not like, which is the password here.
        Err(NodeError::Said { .. }) => return Err("it refuses CONFIG SET masterauth".to_owned()),
        Err(error) => return Err(error.to_string()),
    }
    tracing::info!(node = %member.address, user = %want.name, "masterauth was set");
    member.login = Some(Login {
        user: want.name.to_string(),
        digest: PasswordDigest::of(clear),
    });
    Ok(())
}

/// Sets `masterauth`, and has the node write it to its configuration file, if it may.
pub(crate) async fn set_masterauth(
    member: &mut Member,
    link: &Link,
    password: &Secret,
) -> Result<(), NodeError> {
    let mut batch = Batch::new();
    batch.add("CONFIG SET", ["masterauth", password.expose()]);
    if member.may_rewrite() {
        batch.word("CONFIG REWRITE");
    }
    let mut replies = link.run(&batch).await?.into_iter();
    replies.next().unwrap_or(Err(NodeError::Lost))?;
    if let Some(Err(error)) = replies.next() {
        member.saving.error = Some(format!("masterauth not saved: {error}"));
    }
    Ok(())
}

/// A node that logs in as an account with a password that it does not have any more, or never
/// had, loses its link at the next reconnect: it is told the right one, or shown.
pub(crate) async fn mend(members: &mut [Member], desired: &Desired, context: &Context) {
    for member in members.iter_mut().filter(|member| member.is_ready()) {
        member.login_notice = None;
        let login = member.login.clone();
        let user = login.as_ref().and_then(Login::own_user);
        let (Some(login), Some(user)) = (&login, user) else {
            continue;
        };
        let mut wants = desired.wants.iter();
        let Some(want) = wants.find(|want| want.name.as_str() == user) else {
            continue;
        };
        if !login.is_behind(want) || want.life != Life::Live || member.error.is_some() {
            continue;
        }
        let told = match desired.only_reports() {
            true => Err("the policy is to report it".to_owned()),
            false => tell(member, want, context).await,
        };
        if let Err(why) = told {
            member.login_notice = Some(format!(
                "it logs in to its primary as {user}, with a password that {user} does not have \
                 ({why})"
            ));
        }
    }
}

impl Crew {
    /// The users that links log in with. What cannot be asked now is taken to be as it was.
    pub(crate) fn link_users(&self, stored: &[AccountName]) -> Vec<AccountName> {
        let logins = self.members.iter().filter_map(|m| m.login.as_ref());
        let users = logins.filter_map(Login::own_user);
        let watching = self.posts.iter().flat_map(|post| &post.users);
        let watching = watching.map(String::as_str);
        let users = users.chain(watching.filter(|user| *user != DEFAULT_USER));
        let mut names: Vec<AccountName> = users.map(AccountName::new).collect();
        let unasked = self.members.iter().any(Member::is_unasked)
            || self
                .posts
                .iter()
                .any(|post| post.users.is_empty() && !post.is_ready());
        if unasked {
            names.extend(stored.iter().cloned());
        }
        names.sort();
        names.dedup();
        names.truncate(LINK_USERS_MAX);
        names
    }
}
