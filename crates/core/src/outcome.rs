//! What may be answered, before a dialect gives it its form.

use crate::account::AccountView;
use crate::ids::{InstanceId, TaskId};
use crate::instance::InstanceView;
use crate::query::Rows;
use crate::task::Task;
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

/// What a dialect encodes.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    Tasks(Rows<Task>),
    /// Known to be empty.
    Nothing,
}
