//! Long-running work: one task for each accepted change, done when every node has confirmed.

use crate::clock::Timestamp;
use crate::ids::{AccountId, AccountName, InstanceId, KeyId, NodeAddress, Revision, TaskId};
use serde::{Deserialize, Serialize};

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// A new account.
    CreateAccount,
    /// Privilege, routing or description of an account.
    ModifyAccount,
    /// An account's password.
    ChangePassword,
    /// The default account takes no password any more, or one again.
    SwitchPasswordFree,
    /// An account's end.
    DeleteAccount,
    /// The instance's role policy, on all accounts.
    ApplyRoles,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Some node has not confirmed yet.
    Running,
    /// Every node has confirmed by read-back.
    Succeeded,
    /// The account was deleted before every node had confirmed this change.
    Superseded,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its number.
    pub id: TaskId,
    /// The instance it works on.
    pub instance: InstanceId,
    /// The account it works on.
    pub account: AccountId,
    /// That account's name.
    pub account_name: AccountName,
    /// What was asked.
    pub kind: TaskKind,
    /// How far it is.
    pub state: TaskState,
    /// Done when the account is confirmed at this revision.
    pub revision: Revision,
    /// Who asked.
    pub by: KeyId,
    /// When.
    pub created_at: Timestamp,
    /// When the last node confirmed.
    pub finished_at: Option<Timestamp>,
}

/// A task as a caller may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskView {
    /// The task.
    #[serde(flatten)]
    pub task: Task,
    /// The nodes that have not confirmed yet, while it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_on: Vec<NodeAddress>,
    /// Why they have not, in plain words, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
