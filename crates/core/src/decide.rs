//! The whole state machine of accounts, as one pure function: what is held × what is asked →
//! what changes, or why not.

use crate::access::Authorized;
use crate::account::{Account, AccountKind, Life};
use crate::clock::Timestamp;
use crate::command::{Asked, Command, CreateAccount, DeleteAccount, ModifyAccount, Target};
use crate::engine::AclLevel;
use crate::ids::{AccountId, AccountName, Revision};
use crate::instance::{Held, Instance, InstanceState, NodeLogin};
use crate::outcome::Changed;
use crate::password::PasswordDigest;
use crate::refusal::Refusal;
use crate::rules::{Check, Rules};
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
        run_check(*check, held, command, found, rules)?;
    }
    let revision = held.instance.revision.next();
    let change = match (command, found) {
        (Command::Create(create), tombstone) => created(create, tombstone, revision, fresh)?,
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
    Ok(finish(held, ask, change, revision, fresh))
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
    change: Change,
    revision: Revision,
    fresh: Fresh,
) -> Decision {
    let task = Task {
        id: held.next_task,
        instance: held.instance.id.clone(),
        account: change.account.id,
        account_name: change.account.name.clone(),
        kind: ask.value().task_kind(),
        state: TaskState::Running,
        revision,
        by: ask.principal().key.clone(),
        created_at: fresh.at,
        finished_at: None,
    };
    let outcome = Changed {
        instance: held.instance.id.clone(),
        account: change.account.view(false),
        task: task.id,
    };
    Decision {
        revision,
        account: change.account,
        superseded: change.superseded,
        secrets: change.secrets,
        task,
        outcome,
        detail: change.detail,
    }
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

fn run_check(
    check: Check,
    held: &Held,
    command: &Command,
    found: Option<&Account>,
    rules: &Rules,
) -> Result<(), Refusal> {
    let ok = |fine: bool, refusal: Refusal| if fine { Ok(()) } else { Err(refusal) };
    let create = match command {
        Command::Create(create) => Some(create),
        Command::Modify(_) | Command::Delete(_) => None,
    };
    let of_default = found.is_some_and(|account| account.kind == AccountKind::Default);
    match check {
        Check::Engine => {
            let level = held.instance.engine.map(|engine| engine.acl_level());
            ok(
                of_default || level != Some(AclLevel::None),
                Refusal::EngineTooOld,
            )
        }
        Check::Running => ok(
            held.instance.state == InstanceState::Running,
            Refusal::InstanceNotRunning,
        ),
        Check::Name => ok(
            create.is_none_or(|c| (rules.name_ok)(&c.name, held.instance.id.as_str())),
            Refusal::NameInvalid,
        ),
        Check::Password => {
            let fine = new_password(command).is_none_or(|p| (rules.password_ok)(p.expose()));
            ok(fine, Refusal::PasswordInvalid)
        }
        Check::Privilege => ok(privilege_ok(command, rules), Refusal::PrivilegeInvalid),
        Check::Routing => ok(routing_ok(command), Refusal::RoutingInvalid),
        Check::Description => {
            let fine = description(command).is_none_or(|d| (rules.description_ok)(d));
            ok(fine, Refusal::DescriptionInvalid)
        }
        Check::Exists => ok(
            create.is_some() || found.is_some(),
            Refusal::AccountNotFound,
        ),
        Check::Free => create.map_or(Ok(()), |create| name_free(held, create, found)),
        Check::DefaultProtected => {
            let touched = match command {
                Command::Create(_) => false,
                Command::Modify(modify) => modify.privilege.is_some(),
                Command::Delete(_) => true,
            };
            ok(!(of_default && touched), Refusal::DefaultProtected)
        }
        Check::OldPassword => ok(old_password_ok(command, found), Refusal::OldPasswordWrong),
        Check::Quota => {
            let full = custom_accounts(held) >= rules.quota;
            ok(
                create.is_none() || !full,
                Refusal::QuotaExceeded { limit: rules.quota },
            )
        }
        Check::Idle => {
            let deleting = found.is_some_and(|account| account.life == Life::Deleting);
            ok(create.is_some() || !deleting, Refusal::AccountBusy)
        }
    }
}

/// Live custom accounts: one that is being deleted leaves its place at once.
fn custom_accounts(held: &Held) -> u32 {
    let live = |a: &&Account| a.kind == AccountKind::Custom && a.life == Life::Live;
    u32::try_from(held.accounts.iter().filter(live).count()).unwrap_or(u32::MAX)
}

/// A name whose old account is only waiting for its removal to be confirmed is free again.
fn name_free(held: &Held, create: &CreateAccount, found: Option<&Account>) -> Result<(), Refusal> {
    if found.is_some_and(|account| account.life == Life::Live) {
        return Err(Refusal::AccountExists);
    }
    let unmanaged = held
        .instance
        .unmanaged
        .iter()
        .any(|name| name.as_str() == create.name);
    if found.is_none() && unmanaged {
        return Err(Refusal::NameUnmanaged);
    }
    Ok(())
}

fn new_password(command: &Command) -> Option<&Secret> {
    match command {
        Command::Create(create) => Some(&create.password),
        Command::Modify(modify) => modify.password.as_ref().map(|change| &change.new),
        Command::Delete(_) => None,
    }
}

fn description(command: &Command) -> Option<&str> {
    match command {
        Command::Create(create) => create.description.as_deref(),
        Command::Modify(modify) => modify.description.as_deref(),
        Command::Delete(_) => None,
    }
}

fn privilege_ok(command: &Command, rules: &Rules) -> bool {
    let asked = match command {
        Command::Create(create) => Some(create.privilege),
        Command::Modify(modify) => modify.privilege,
        Command::Delete(_) => None,
    };
    asked.is_none_or(|p| matches!(p, Asked::Known(p) if rules.privileges.contains(&p)))
}

fn routing_ok(command: &Command) -> bool {
    match command {
        Command::Create(create) => create.routing != Asked::Unknown,
        Command::Modify(modify) => modify.routing != Some(Asked::Unknown),
        Command::Delete(_) => true,
    }
}

/// The old password, where one is given, must be the account's; an account whose password was
/// never set through us has none that could be proven.
fn old_password_ok(command: &Command, found: Option<&Account>) -> bool {
    let Command::Modify(ModifyAccount {
        password: Some(change),
        ..
    }) = command
    else {
        return true;
    };
    change.old.as_ref().is_none_or(|old| {
        let held = found.and_then(|account| account.password.as_ref());
        held.is_some_and(|digest| digest.matches(old))
    })
}

fn created(
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
        account.password = Some(PasswordDigest::of(&change.new));
        account.password_set_at = Some(fresh.at);
        if account.kind == AccountKind::Default {
            secrets = Some(secrets_after(instance, &change.new));
        }
    }
    // A description or routing alone is nothing that a node would have to confirm.
    let on_nodes = modify.privilege.is_some() || modify.password.is_some();
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
