//! What is checked before a change is decided, one function for each kind of fault. The order is
//! the vendor's ([`Rules::order`]).

use crate::account::{Account, AccountKind, Life};
use crate::command::{Asked, Command, CreateAccount, ModifyAccount};
use crate::engine::AclLevel;
use crate::instance::{Held, InstanceState};
use crate::privilege::Privilege;
use crate::refusal::Refusal;
use crate::rules::{Check, NewPassword, Rules};

/// Makes one check of a command on what is held; `found` is the account that it names.
pub(crate) fn run(
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
            let fine = password_ok(held, command, found, rules);
            ok(fine, Refusal::PasswordInvalid)
        }
        Check::Privilege => {
            let fine = privilege_ok(held, command, rules);
            ok(fine, Refusal::PrivilegeInvalid)
        }
        Check::Routing => routing_ok(held, command),
        Check::Description => {
            let fine = description(command).is_none_or(|d| (rules.description_ok)(d));
            ok(fine, Refusal::DescriptionInvalid)
        }
        Check::Exists => ok(
            create.is_some() || found.is_some(),
            Refusal::AccountNotFound,
        ),
        Check::Free => create.map_or(Ok(()), |create| name_free(held, create, found)),
        Check::DefaultProtected => protected(held, command, found),
        Check::PasswordFree => password_free_ok(held, command, found),
        Check::OldPassword => old_password_ok(command, found, rules),
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

/// See [`Check::DefaultProtected`].
fn protected(held: &Held, command: &Command, found: Option<&Account>) -> Result<(), Refusal> {
    let Some(account) = found else { return Ok(()) };
    let (ended, regraded) = match command {
        Command::Create(_) => (false, false),
        Command::Modify(modify) => (
            modify.enabled == Some(false) || matches!(modify.expires_at, Some(Some(_))),
            modify.privilege.is_some(),
        ),
        Command::Delete(_) => (true, false),
    };
    match account.kind {
        AccountKind::Default if ended || regraded => Err(Refusal::DefaultProtected),
        AccountKind::Custom
            if ended && account.life == Life::Live && held.instance.links_with(&account.name) =>
        {
            Err(Refusal::AccountLinked)
        }
        AccountKind::Default | AccountKind::Custom => Ok(()),
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

/// The new password is of the vendor's form and meets the instance's own policy.
fn password_ok(held: &Held, command: &Command, found: Option<&Account>, rules: &Rules) -> bool {
    let (password, account) = match command {
        Command::Create(create) => (&create.password, create.name.as_str()),
        Command::Modify(ModifyAccount {
            password: Some(change),
            ..
        }) => (&change.new, found.map_or("", |a| a.name.as_str())),
        Command::Modify(_) | Command::Delete(_) => return true,
    };
    let asked = NewPassword {
        password: password.expose(),
        account,
        of_default: found.is_some_and(|a| a.kind == AccountKind::Default),
    };
    (rules.password_ok)(&asked) && held.instance.policy.passwords.admits(asked.password)
}

/// See [`Check::PasswordFree`].
fn password_free_ok(
    held: &Held,
    command: &Command,
    found: Option<&Account>,
) -> Result<(), Refusal> {
    let (Command::Modify(modify), Some(account)) = (command, found) else {
        return Ok(());
    };
    match modify.password_free {
        None => Ok(()),
        Some(_) if account.kind != AccountKind::Default => Err(Refusal::PasswordFreeCustom),
        Some(true) if held.instance.policy.passwords.enabled => Err(Refusal::PasswordFreeDenied),
        Some(false)
            if account.password_free && account.password.is_none() && modify.password.is_none() =>
        {
            Err(Refusal::PasswordNeeded)
        }
        Some(_) => Ok(()),
    }
}

fn description(command: &Command) -> Option<&str> {
    match command {
        Command::Create(create) => create.description.as_deref(),
        Command::Modify(modify) => modify.description.as_deref(),
        Command::Delete(_) => None,
    }
}

fn privilege_ok(held: &Held, command: &Command, rules: &Rules) -> bool {
    let asked = match command {
        Command::Create(create) => Some(create.privilege),
        Command::Modify(modify) => modify.privilege,
        Command::Delete(_) => None,
    };
    asked.is_none_or(|asked| match asked {
        Asked::Known(Privilege::Custom(name)) => {
            rules.custom_roles && held.instance.roles.custom(&name).is_some()
        }
        Asked::Known(privilege) => rules.privileges.contains(&privilege),
        Asked::Unknown => false,
    })
}

fn routing_ok(held: &Held, command: &Command) -> Result<(), Refusal> {
    let asked = match command {
        Command::Create(create) => Some(create.routing),
        Command::Modify(modify) => modify.routing,
        Command::Delete(_) => None,
    };
    match asked {
        Some(Asked::Unknown) => Err(Refusal::RoutingInvalid),
        Some(Asked::Known(routing))
            if routing.uses_replicas() && !held.instance.policy.replica_reads =>
        {
            Err(Refusal::ReplicaReadsOff)
        }
        Some(Asked::Known(_)) | None => Ok(()),
    }
}

/// The old password, where one is given, must be the account's; an account whose password was
/// never set through us has none that could be proven.
fn old_password_ok(
    command: &Command,
    found: Option<&Account>,
    rules: &Rules,
) -> Result<(), Refusal> {
    let Command::Modify(ModifyAccount {
        password: Some(change),
        ..
    }) = command
    else {
        return Ok(());
    };
    let Some(old) = &change.old else {
        return Ok(());
    };
    let held = found.and_then(|account| account.password.as_ref());
    if !held.is_some_and(|digest| digest.matches(old)) {
        return Err(Refusal::OldPasswordWrong { tries_left: None });
    }
    if rules.password_must_change && change.new.same_as(old) {
        return Err(Refusal::PasswordUnchanged);
    }
    Ok(())
}
