//! Users that are on the servers already, taken over as accounts without a change on the wire.

use crate::account::{Account, AccountKind, Life};
use crate::acl::custom_tokens_ok;
use crate::clock::Timestamp;
use crate::ids::{AccountId, AccountName, InstanceId, NodeAddress, Revision};
use crate::instance::{CustomRole, Held, Instance, RolePolicy};
use crate::password::PasswordDigest;
use crate::privilege::{Privilege, RoleName, Routing};
use serde::{Deserialize, Serialize};

/// Which users are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsersAsk {
    /// These; empty means all that are not accounts.
    pub names: Vec<AccountName>,
    /// What this node holds is what counts; else all nodes must hold the same.
    pub from: Option<NodeAddress>,
}

/// What a user may do, as a role that gives exactly that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundRights {
    /// What a privilege of the instance gives.
    Known(Privilege),
    /// What these rules give.
    Rules(Vec<String>),
    /// What no role can give: it restricts databases, say, or the instance takes commands from
    /// every role that this user has.
    Beyond,
}

/// A user as the servers hold it.
#[derive(Clone, Debug)]
pub struct FoundUser {
    /// Its name.
    pub name: AccountName,
    /// The node that counts does not have it.
    pub absent: bool,
    /// It may log in.
    pub on: bool,
    /// It takes any password.
    pub nopass: bool,
    /// Its passwords.
    pub digests: Vec<PasswordDigest>,
    /// What it may do.
    pub rights: FoundRights,
    /// The nodes that hold it otherwise, and how, in plain words.
    pub differs: Vec<(NodeAddress, String)>,
}

/// What was found on the nodes of an instance.
#[derive(Clone, Debug)]
pub struct FoundUsers {
    /// The node that counts: the one that was named, else the primary.
    pub node: NodeAddress,
    /// Its users, by name.
    pub users: Vec<FoundUser>,
    /// Nodes that could not be asked, and why.
    pub away: Vec<(NodeAddress, String)>,
}

/// What becomes of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It becomes an account, as it is.
    Adopt,
    /// The nodes do not agree on it: it stays as it is, unless it is said which one counts.
    Conflict,
    /// It cannot become an account as it is.
    Refused,
}

/// One user of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedUser {
    /// Its name.
    pub name: AccountName,
    /// What becomes of it.
    pub verdict: Verdict,
    /// With this privilege.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privilege: Option<Privilege>,
    /// It may log in.
    pub enabled: bool,
    /// How many passwords it has.
    pub passwords: usize,
    /// Why not, or what will change on the nodes that differ; in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What taking over would do, or has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptionPlan {
    /// On this instance.
    pub instance: InstanceId,
    /// The node that counts.
    pub node: NodeAddress,
    /// Nothing was done.
    pub dry_run: bool,
    /// Every user that was looked at.
    pub users: Vec<PlannedUser>,
    /// The roles that are made for them.
    pub roles: Vec<CustomRole>,
}

/// An account that is taken over.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// The account; its revisions are set when it is written.
    pub account: Account,
    /// Every node was read to hold it exactly so.
    pub agreed: bool,
}

/// What is written when users are taken over.
#[derive(Clone, Debug, Default)]
pub struct Adoption {
    /// The accounts.
    pub accounts: Vec<Adopted>,
    /// Roles of the instance's own that they need.
    pub roles: Vec<CustomRole>,
}

/// An instance after an [`Adoption`].
#[derive(Clone, Debug)]
pub struct AfterAdoption {
    /// Its newest revision.
    pub revision: Revision,
    /// Its roles; existing accounts are not touched by what is new in them.
    pub roles: RolePolicy,
    /// The new accounts.
    pub accounts: Vec<Account>,
}

impl Adoption {
    /// Sets the revisions, within the transaction that writes it. `None` if another role has one
    /// of the names meanwhile.
    ///
    /// What every node agrees on counts as confirmed: it was read from all of them a moment ago,
    /// and the next look finds a difference. What is still to be made so on some nodes is ours
    /// on all of them, and changed by the next revision.
    pub fn after(&self, instance: &Instance) -> Option<AfterAdoption> {
        let mut roles = instance.roles.clone();
        for role in &self.roles {
            match roles.custom(&role.name) {
                None => roles.custom.push(role.clone()),
                Some(held) if held.rules == role.rules => {}
                Some(_) => return None,
            }
        }
        let taken = instance.revision.next();
        let mut revision = taken;
        let mut accounts = Vec::with_capacity(self.accounts.len());
        for adopted in &self.accounts {
            let mut account = adopted.account.clone();
            account.created_revision = taken;
            account.confirmed = taken;
            account.revision = taken;
            if !adopted.agreed {
                revision = taken.next();
                account.revision = revision;
            }
            accounts.push(account);
        }
        Some(AfterAdoption {
            revision,
            roles,
            accounts,
        })
    }
}

/// What may not be made by itself here.
pub struct Fresh<'a> {
    /// Now.
    pub at: Timestamp,
    /// A new identity.
    pub identity: &'a mut dyn FnMut() -> AccountId,
    /// How many accounts an instance may have.
    pub quota: usize,
}

/// Decides what becomes of each user that was found.
pub fn plan(
    held: &Held,
    found: &FoundUsers,
    ask: &UsersAsk,
    dry_run: bool,
    fresh: &mut Fresh<'_>,
) -> (AdoptionPlan, Adoption) {
    let mut adoption = Adoption::default();
    let mut users = Vec::with_capacity(found.users.len());
    let live = |a: &&Account| a.kind == AccountKind::Custom && a.life == Life::Live;
    let mut room = fresh
        .quota
        .saturating_sub(held.accounts.iter().filter(live).count());
    for user in &found.users {
        let mut planned = PlannedUser {
            name: user.name.clone(),
            verdict: Verdict::Adopt,
            privilege: None,
            enabled: user.on,
            passwords: user.digests.len(),
            reason: None,
        };
        let verdict = judge(held, found, user, ask, room)
            .and_then(|()| privilege_of(held, user, &mut adoption.roles));
        match verdict {
            Ok(privilege) => {
                room -= 1;
                planned.privilege = Some(privilege);
                planned.reason = changes(user);
                let agreed = user.differs.is_empty() && found.away.is_empty();
                let account = account(user, privilege, fresh);
                adoption.accounts.push(Adopted { account, agreed });
            }
            Err((verdict, reason)) => {
                planned.verdict = verdict;
                planned.reason = Some(reason);
            }
        }
        users.push(planned);
    }
    let plan = AdoptionPlan {
        instance: held.instance.id.clone(),
        node: found.node.clone(),
        dry_run,
        users,
        roles: adoption.roles.clone(),
    };
    (plan, adoption)
}

type No = (Verdict, String);

fn judge(
    held: &Held,
    found: &FoundUsers,
    user: &FoundUser,
    ask: &UsersAsk,
    room: usize,
) -> Result<(), No> {
    let refused = |reason: &str| Err((Verdict::Refused, reason.to_owned()));
    if held.account(user.name.as_str()).is_some() {
        return refused("an account of that name exists");
    }
    if user.absent && (ask.from.is_some() || user.differs.is_empty()) {
        return refused("there is no such user on the node that counts");
    }
    if user.nopass {
        return refused("it takes any password; give it one on the nodes first");
    }
    if !user.absent && user.digests.is_empty() {
        return refused("it has no password, so nobody can log in as it");
    }
    if !user.absent && user.rights == FoundRights::Beyond {
        return refused(
            "its rules cannot be those of a role: they restrict databases, say, or hold commands \
             that the instance takes from every role",
        );
    }
    if ask.from.is_none() {
        if let Some((node, why)) = user.differs.first() {
            let reason = match user.absent {
                true => format!("the nodes do not agree: it is missing on {}", found.node),
                false => format!("the nodes do not agree: it {why} on {node}"),
            };
            return Err((Verdict::Conflict, reason));
        }
        if let Some((node, why)) = found.away.first() {
            let reason = format!("{node} could not be asked: {why}");
            return Err((Verdict::Conflict, reason));
        }
    }
    if room == 0 {
        return refused("the instance has as many accounts as it may");
    }
    Ok(())
}

/// What will be written on nodes that hold it otherwise.
fn changes(user: &FoundUser) -> Option<String> {
    if user.differs.is_empty() {
        return None;
    }
    let nodes = user
        .differs
        .iter()
        .map(|(node, why)| format!("it {why} on {node}"));
    let nodes: Vec<String> = nodes.collect();
    Some(format!("will be changed where {}", nodes.join(", ")))
}

/// Its privilege; a role is made for rules that none gives yet.
fn privilege_of(
    held: &Held,
    user: &FoundUser,
    roles: &mut Vec<CustomRole>,
) -> Result<Privilege, No> {
    let rules = match &user.rights {
        FoundRights::Known(privilege) => return Ok(*privilege),
        FoundRights::Rules(rules) if custom_tokens_ok(rules) => rules,
        FoundRights::Rules(_) | FoundRights::Beyond => {
            let reason = "its rules cannot be those of a role".to_owned();
            return Err((Verdict::Refused, reason));
        }
    };
    let taken = &held.instance.roles;
    let mut all = taken.custom.iter().chain(roles.iter());
    if let Some(role) = all.find(|role| role.rules == *rules) {
        return Ok(Privilege::Custom(role.name));
    }
    if taken.custom.len() + roles.len() >= RolePolicy::CUSTOM_MAX {
        let reason = format!("an instance has {} roles at most", RolePolicy::CUSTOM_MAX);
        return Err((Verdict::Refused, reason));
    }
    let names = (1..).filter_map(|number: u32| RoleName::parse(&format!("adopted-{number}")));
    let free = |name: &RoleName| {
        taken.custom(name).is_none() && !roles.iter().any(|role| role.name == *name)
    };
    let Some(name) = names.take(2 * RolePolicy::CUSTOM_MAX).find(free) else {
        return Err((Verdict::Refused, "no name is free for its role".to_owned()));
    };
    let rules = rules.clone();
    roles.push(CustomRole { name, rules });
    Ok(Privilege::Custom(name))
}

fn account(user: &FoundUser, privilege: Privilege, fresh: &mut Fresh<'_>) -> Account {
    let mut digests = user.digests.iter().cloned();
    Account {
        id: (fresh.identity)(),
        name: user.name.clone(),
        kind: AccountKind::Custom,
        privilege,
        routing: Routing::PRIMARY,
        description: String::new(),
        password: digests.next(),
        more_passwords: digests.collect(),
        former_passwords: Vec::new(),
        leaving_passwords: Vec::new(),
        link_password: None,
        password_free: false,
        enabled: user.on,
        expires_at: None,
        life: Life::Live,
        replaces: false,
        created_revision: Revision::ZERO,
        revision: Revision::ZERO,
        confirmed: Revision::ZERO,
        created_at: fresh.at,
        // Nobody knows.
        password_set_at: None,
    }
}
