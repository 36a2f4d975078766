//! What may be answered, before a dialect gives it its form.

use crate::account::AccountView;
use crate::clock::Timestamp;
use crate::ids::{InstanceId, KeyId, TaskId};
use crate::instance::InstanceView;
use crate::query::Rows;
use crate::secret::Secret;
use crate::task::TaskView;
use serde::{Deserialize, Serialize};

/// An accepted change. Durably stored when anyone sees this; the nodes follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// On this instance.
    pub instance: InstanceId,
    /// The account as it is now meant to be.
    pub account: AccountView,
    /// Follow this task to see the nodes confirm.
    pub task: TaskId,
}

/// A region in which instances are registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// Region word, such as `cn-hangzhou`.
    pub id: String,
}

/// Who the caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The key that signed.
    pub key: KeyId,
    /// The installation's project, 32 hexadecimal digits.
    pub project: String,
    /// Now.
    pub now: Timestamp,
}

/// A token that stands for a key.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// Whose.
    pub caller: Caller,
    /// The token.
    pub token: Secret,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What a dialect encodes.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A change was accepted.
    Changed(Changed),
    /// Accounts of an instance.
    Accounts(InstanceId, Rows<AccountView>),
    /// Instances.
    Instances(Rows<InstanceView>),
    /// One instance.
    Instance(Box<InstanceView>),
    /// Regions.
    Regions(Vec<Region>),
    /// Tasks.
    Tasks(Rows<TaskView>),
    /// One task.
    Task(Box<TaskView>),
    /// A task was forgotten.
    TaskForgotten,
    /// An instance's policy was changed; the instance as it is now.
    PolicyChanged(Box<InstanceView>),
    /// Command categories, or commands of one, sorted.
    AclWords(Vec<String>),
    /// Who the caller is.
    Caller(Caller),
    /// A token for the caller's key.
    Token(IssuedToken),
    /// Known to be empty.
    Nothing,
}
