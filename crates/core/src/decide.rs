//! The whole state machine of accounts, as one pure function: what is held × what is asked →
//! what changes, or why not.

use crate::access::Authorized;
use crate::account::{Account, AccountKind, Life};
use crate::audit::Facts;
use crate::checks;
use crate::clock::Timestamp;
use crate::command::{Asked, Command, CreateAccount, DeleteAccount, ModifyAccount, Target};
use crate::ids::{AccountId, AccountName, Revision};
use crate::instance::{Held, Instance, NodeLogin};
use crate::outcome::Changed;
use crate::password::PasswordDigest;
use crate::policy::{InstancePolicy, PolicyChange};
use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::secret::Secret;
use crate::task::{Task, TaskState};

/// What a decision may not make by itself.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// Now.
    pub at: Timestamp,
    /// Identity for an account that is made.
    pub account: AccountId,
}

/// Everything that an accepted command changes; the store writes it in one commit.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The instance's next revision.
    pub revision: Revision,
    /// The account as it is now; it replaces the one of that identity, if any.
    pub account: Account,
    /// An account of the same name whose removal was pending, now superseded.
    pub superseded: Option<AccountId>,
    /// The instance's secrets, if they change with the default account's password.
    pub secrets: Option<InstanceSecrets>,
    /// The task that follows the nodes.
    pub task: Task,
    /// What the caller is told.
    pub outcome: Changed,
    /// What changed, for the audit trail; no secrets.
    pub detail: String,
    /// What the account was before, where that differs; no secrets.
    pub before: Facts,
    /// What it is now, where that differs; no secrets.
    pub after: Facts,
}

/// The instance's secrets after a change of the default account's password.
#[derive(Clone, Debug)]
pub struct InstanceSecrets {
    /// Our login on the nodes.
    pub login: NodeLogin,
    /// Clear password of the default account.
    pub default_password: Secret,
}

/// How many former logins are kept: a node may come back with any state of its own file.
const FORMER_LOGINS_MAX: usize = 8;

/// Decides.
///
/// # Errors
/// The first [`Refusal`] in the order of `rules`.
pub fn decide(
    held: &Held,
    ask: &Authorized<Command>,
    rules: &Rules,
    fresh: Fresh,
) -> Result<Decision, Refusal> {
    let command = ask.value();
    let found = find(held, command);
    for check in rules.order {
        checks::run(*check, held, command, found, rules)?;
    }
    let revision = held.instance.revision.next();
    let change = match (command, found) {
        (Command::Create(create), tombstone) => {
            created(&held.instance, create, tombstone, revision, fresh)?
        }
        (Command::Modify(modify), Some(account)) => {
            modified(&held.instance, modify, account, revision, fresh)?
        }
        (Command::Delete(_), Some(account)) => {
            let account = Account {
                life: Life::Deleting,
                revision,
                ..account.clone()
            };
            Change {
                account,
                superseded: None,
                secrets: None,
                detail: "deleted".into(),
            }
        }
        (_, None) => return Err(Refusal::AccountNotFound),
    };
    Ok(finish(held, ask, found, change, revision, fresh))
}

struct Change {
    account: Account,
    superseded: Option<AccountId>,
    secrets: Option<InstanceSecrets>,
    detail: String,
}

fn finish(
    held: &Held,
    ask: &Authorized<Command>,
    found: Option<&Account>,
    change: Change,
    revision: Revision,
    fresh: Fresh,
) -> Decision {
    let done = change.account.life == Life::Live && change.account.is_confirmed();
    let task = Task {
        id: held.next_task,
        instance: held.instance.id.clone(),
        account: change.account.id,
        account_name: change.account.name.clone(),
        kind: ask.value().task_kind(),
        state: if done {
            TaskState::Succeeded
        } else {
            TaskState::Running
        },
        revision,
        by: ask.principal().key.clone(),
        created_at: fresh.at,
        finished_at: done.then_some(fresh.at),
    };
    let outcome = Changed {
        instance: held.instance.id.clone(),
        account: change.account.view(false),
        task: task.id,
    };
    let created = matches!(ask.value(), Command::Create(_));
    let (before, after) = differences(found.filter(|_| !created), &change);
    Decision {
        revision,
        account: change.account,
        superseded: change.superseded,
        secrets: change.secrets,
        task,
        outcome,
        detail: change.detail,
        before,
        after,
    }
}

/// What is told of an account in the audit trail: of its password only when it was set.
fn facts(account: &Account) -> Facts {
    let time = |at: Option<Timestamp>| at.map(|at| at.as_millis().to_string());
    let all = [
        ("privilege", Some(account.privilege.as_str().to_owned())),
        ("description", Some(account.description.clone())),
        ("reads_primary", Some(account.routing.primary.to_string())),
        ("reads_replica", Some(account.routing.replica.to_string())),
        ("enabled", Some(account.enabled.to_string())),
        ("password_free", Some(account.password_free.to_string())),
        ("expires_at", time(account.expires_at)),
        ("password_set_at", time(account.password_set_at)),
    ];
    let told = all
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    told.filter(|(_, value)| !value.is_empty()).collect()
}

fn differences(before: Option<&Account>, change: &Change) -> (Facts, Facts) {
    let mut old = before.map(facts).unwrap_or_default();
    let mut new = match change.account.life {
        Life::Live => facts(&change.account),
        Life::Deleting => Facts::new(),
    };
    // Twice within a millisecond is twice.
    let was = before.and_then(|before| before.password.as_ref());
    let renewed = match (was, &change.account.password) {
        (Some(was), Some(is)) => !was.same_as(is),
        _ => false,
    };
    let same: Vec<String> = old
        .keys()
        .filter(|k| old.get(*k) == new.get(*k) && !(renewed && *k == "password_set_at"))
        .cloned()
        .collect();
    for name in same {
        old.remove(&name);
        new.remove(&name);
    }
    (old, new)
}

/// The account that a command names: for a creation, the holder of that name.
fn find<'a>(held: &'a Held, command: &Command) -> Option<&'a Account> {
    let target = match command {
        Command::Create(CreateAccount { name, .. }) => return held.account(name),
        Command::Modify(ModifyAccount { target, .. })
        | Command::Delete(DeleteAccount { target, .. }) => target,
    };
    match target {
        Target::Name(name) => held.account(name),
        Target::Id(id) => {
            let id = AccountId::parse(id)?;
            held.accounts.iter().find(|account| account.id == id)
        }
        Target::Default => held
            .accounts
            .iter()
            .find(|a| a.kind == AccountKind::Default),
    }
}

/// Decides a change of an instance's policy.
///
/// # Errors
/// [`Refusal::PolicyInvalid`] for numbers out of their limits; [`Refusal::ReplicaReadsUsed`] when
/// an account's reads go where none would be served any more.
pub fn decide_policy(held: &Held, change: &PolicyChange) -> Result<InstancePolicy, Refusal> {
    let policy = held.instance.policy.with(change);
    if !policy.passwords.is_sound() {
        return Err(Refusal::PolicyInvalid);
    }
    let used = |a: &Account| a.life == Life::Live && a.routing.uses_replicas();
    if !policy.replica_reads && held.accounts.iter().any(used) {
        return Err(Refusal::ReplicaReadsUsed);
    }
    Ok(policy)
}

fn created(
    instance: &Instance,
    create: &CreateAccount,
    tombstone: Option<&Account>,
    revision: Revision,
    fresh: Fresh,
) -> Result<Change, Refusal> {
    let (Asked::Known(privilege), Asked::Known(routing)) = (create.privilege, create.routing)
    else {
        return Err(Refusal::PrivilegeInvalid);
    };
    let account = Account {
        id: fresh.account,
        name: AccountName::new(create.name.as_str()),
        kind: AccountKind::Custom,
        privilege,
        routing,
        description: create.description.clone().unwrap_or_default(),
        password: Some(PasswordDigest::of(&create.password)),
        more_passwords: Vec::new(),
        former_passwords: tombstone.map_or_else(Vec::new, Account::former_after_change),
        leaving_passwords: Vec::new(),
        link_password: instance
            .links_with(&create.name.as_str().into())
            .then(|| create.password.clone()),
        password_free: false,
        enabled: true,
        expires_at: create.expires_at,
        life: Life::Live,
        // One that no node has ever confirmed proves nothing of the user that is there.
        replaces: tombstone.is_some_and(|t| t.replaces || t.confirmed > Revision::ZERO),
        created_revision: revision,
        revision,
        confirmed: Revision::ZERO,
        created_at: fresh.at,
        password_set_at: Some(fresh.at),
    };
    let detail = format!("created with privilege {privilege}");
    Ok(Change {
        account,
        superseded: tombstone.map(|t| t.id),
        secrets: None,
        detail,
    })
}

fn modified(
    instance: &Instance,
    modify: &ModifyAccount,
    held: &Account,
    revision: Revision,
    fresh: Fresh,
) -> Result<Change, Refusal> {
    let mut account = held.clone();
    let mut detail = Vec::new();
    let mut secrets = None;
    if let Some(asked) = modify.privilege {
        let Asked::Known(privilege) = asked else {
            return Err(Refusal::PrivilegeInvalid);
        };
        detail.push(format!("privilege {} to {privilege}", account.privilege));
        account.privilege = privilege;
    }
    if let Some(asked) = modify.routing {
        let Asked::Known(routing) = asked else {
            return Err(Refusal::RoutingInvalid);
        };
        detail.push("routing".into());
        account.routing = routing;
    }
    if let Some(description) = &modify.description {
        detail.push("description".into());
        account.description.clone_from(description);
    }
    if let Some(change) = &modify.password {
        detail.push("password".into());
        account.set_password(&change.new, instance.links_with(&held.name));
        account.password_free = false;
        account.password_set_at = Some(fresh.at);
        if account.kind == AccountKind::Default {
            secrets = Some(secrets_after(instance, &change.new));
        }
    }
    if let Some(free) = modify.password_free {
        detail.push(format!("password-free {free}"));
        account.password_free = free;
    }
    if let Some(enabled) = modify.enabled {
        detail.push(if enabled { "enabled" } else { "disabled" }.into());
        account.enabled = enabled;
        // An end that is past would end it again at once.
        let past = account.expires_at.is_some_and(|end| end <= fresh.at);
        if enabled && past && modify.expires_at.is_none() {
            detail.push("expiry lifted".into());
            account.expires_at = None;
        }
    }
    if let Some(end) = modify.expires_at {
        detail.push("expiry".into());
        account.expires_at = end;
    }
    // What no node holds (description, routing, expiry) is nothing that a node would confirm.
    let on_nodes = modify.privilege.is_some()
        || modify.password.is_some()
        || account.password_free != held.password_free
        || account.enabled != held.enabled;
    let was_confirmed = account.is_confirmed();
    account.revision = revision;
    if !on_nodes && was_confirmed {
        account.confirmed = revision;
    }
    let detail = detail.join(", ");
    Ok(Change {
        account,
        superseded: None,
        secrets,
        detail,
    })
}

/// When the default account's password changes and claviger itself logs in as that user, its
/// login changes with it; the former ones stay, for a node that comes back with an old file.
fn secrets_after(instance: &Instance, new: &Secret) -> InstanceSecrets {
    let mut login = instance.login.clone();
    if login.is_default_user() {
        login.former.insert(0, login.password.replace(new.clone()));
        // The oldest stays: it may stand in the configuration of a server that keeps no users.
        while login.former.len() > FORMER_LOGINS_MAX {
            login.former.remove(FORMER_LOGINS_MAX - 1);
        }
    }
    InstanceSecrets {
        login,
        default_password: new.clone(),
    }
}
