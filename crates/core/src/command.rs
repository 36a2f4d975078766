//! What may be asked: commands change something, queries do not.

use crate::access::Action;
use crate::clock::Timestamp;
use crate::ids::{InstanceId, TaskId};
use crate::policy::PolicyChange;
use crate::privilege::{Privilege, Routing};
use crate::query::Query;
use crate::secret::Secret;
use crate::task::TaskKind;

/// A word of the caller that may or may not mean something: judged in the vendor's own order,
/// so the decoder does not refuse it by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<T> {
    /// Understood.
    Known(T),
    /// Not one of the vendor's words.
    Unknown,
}

/// A password of the caller, as it came.
#[derive(Clone, Debug)]
pub struct PasswordChange {
    /// The current one, if the caller must prove it.
    pub old: Option<Secret>,
    /// The new one.
    pub new: Secret,
}

/// Which account is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By its name on the nodes.
    Name(String),
    /// By its opaque identity.
    Id(String),
    /// The server's default user, under whatever name the dialect has for it.
    Default,
}

/// Make an account.
#[derive(Clone, Debug)]
pub struct CreateAccount {
    /// On this instance.
    pub instance: InstanceId,
    /// With this name, not yet checked.
    pub name: String,
    /// With this password, not yet checked.
    pub password: Secret,
    /// With these rights.
    pub privilege: Asked<Privilege>,
    /// Reads served there.
    pub routing: Asked<Routing>,
    /// Free text, not yet checked.
    pub description: Option<String>,
    /// When it is to be disabled, if ever.
    pub expires_at: Option<Timestamp>,
}

/// Change an account; absent fields stay as they are.
#[derive(Clone, Debug)]
pub struct ModifyAccount {
    /// On this instance.
    pub instance: InstanceId,
    /// This account.
    pub target: Target,
    /// Other rights.
    pub privilege: Option<Asked<Privilege>>,
    /// Reads served elsewhere.
    pub routing: Option<Asked<Routing>>,
    /// Other free text; empty clears it.
    pub description: Option<String>,
    /// Another password.
    pub password: Option<PasswordChange>,
    /// Connections need no password (true), or one again (false): the new one, else the one that
    /// was last set. Only on the default account.
    pub password_free: Option<bool>,
    /// Switched on or off.
    pub enabled: Option<bool>,
    /// Another end, or none.
    pub expires_at: Option<Option<Timestamp>>,
}

impl ModifyAccount {
    /// One that changes nothing yet.
    pub fn of(instance: InstanceId, target: Target) -> Self {
        Self {
            instance,
            target,
            privilege: None,
            routing: None,
            description: None,
            password: None,
            password_free: None,
            enabled: None,
            expires_at: None,
        }
    }
}

/// End an account.
#[derive(Clone, Debug)]
pub struct DeleteAccount {
    /// On this instance.
    pub instance: InstanceId,
    /// This account.
    pub target: Target,
}

/// A change of accounts.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make one.
    Create(CreateAccount),
    /// Change one.
    Modify(ModifyAccount),
    /// End one.
    Delete(DeleteAccount),
}

impl Command {
    /// The instance concerned.
    pub fn instance(&self) -> &InstanceId {
        match self {
            Command::Create(c) => &c.instance,
            Command::Modify(c) => &c.instance,
            Command::Delete(c) => &c.instance,
        }
    }

    /// The account concerned, as the caller named it, for logs and the audit trail.
    pub fn account_label(&self) -> &str {
        let target = match self {
            Command::Create(c) => return &c.name,
            Command::Modify(c) => &c.target,
            Command::Delete(c) => &c.target,
        };
        match target {
            Target::Name(text) | Target::Id(text) => text,
            Target::Default => "default",
        }
    }

    /// The permissions that it needs, all of them.
    pub fn actions(&self) -> Vec<Action> {
        let modify = match self {
            Command::Create(_) => return vec![Action::CreateAccount],
            Command::Delete(_) => return vec![Action::DeleteAccount],
            Command::Modify(modify) => modify,
        };
        let wanted = [
            (Action::SetPrivilege, modify.privilege.is_some()),
            (Action::ResetPassword, modify.password.is_some()),
            (Action::SetPasswordFree, modify.password_free.is_some()),
            (Action::SetEnabled, modify.enabled.is_some()),
        ];
        let mut actions: Vec<_> = wanted.iter().filter(|w| w.1).map(|w| w.0).collect();
        let plain =
            modify.routing.is_some() || modify.description.is_some() || modify.expires_at.is_some();
        if plain || actions.is_empty() {
            actions.push(Action::ModifyAccount);
        }
        actions
    }

    /// The privilege that it asks for, if it is one that is known.
    pub fn asked_privilege(&self) -> Option<Privilege> {
        let asked = match self {
            Command::Create(c) => Some(c.privilege),
            Command::Modify(c) => c.privilege,
            Command::Delete(_) => None,
        };
        match asked {
            Some(Asked::Known(privilege)) => Some(privilege),
            _ => None,
        }
    }

    /// What its task is called.
    pub fn task_kind(&self) -> TaskKind {
        match self {
            Command::Create(_) => TaskKind::CreateAccount,
            Command::Modify(c) if c.password_free.is_some() => TaskKind::SwitchPasswordFree,
            Command::Modify(c) if c.password.is_some() => TaskKind::ChangePassword,
            Command::Modify(_) => TaskKind::ModifyAccount,
            Command::Delete(_) => TaskKind::DeleteAccount,
        }
    }
}

/// A decoded request.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Changes something. A token makes it happen once however often it is sent.
    Command {
        /// What to change.
        command: Command,
        /// The caller's idempotency token, if the dialect has one.
        token: Option<String>,
    },
    /// Changes how an instance treats its accounts.
    Policy {
        /// Of this instance.
        instance: InstanceId,
        /// What changes.
        change: PolicyChange,
    },
    /// Forgets a finished task.
    ForgetTask {
        /// Of this instance, if the caller named one.
        instance: Option<InstanceId>,
        /// The task.
        task: TaskId,
    },
    /// Reads.
    Query(Query),
}

impl Ask {
    /// The permissions that it needs, all of them.
    pub fn actions(&self) -> Vec<Action> {
        match self {
            Ask::Command { command, .. } => command.actions(),
            Ask::ForgetTask { .. } => vec![Action::ForgetTask],
            Ask::Policy { .. } => vec![Action::SetInstancePolicy],
            Ask::Query(query) => vec![query.action()],
        }
    }

    /// The instance concerned, if it is one.
    pub fn instance(&self) -> Option<&InstanceId> {
        match self {
            Ask::Command { command, .. } => Some(command.instance()),
            Ask::Policy { instance, .. } => Some(instance),
            Ask::ForgetTask { instance, .. } => instance.as_ref(),
            Ask::Query(query) => query.instance(),
        }
    }
}
