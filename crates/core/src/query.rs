//! What may be read.

use crate::access::Action;
use crate::clock::Timestamp;
use crate::ids::{InstanceId, KeyId, TaskId};
use crate::instance::{InstanceState, Topology};
use crate::task::{TaskKind, TaskState};

/// A slice of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many rows to pass over.
    pub offset: u64,
    /// How many to return at most.
    pub limit: u64,
}

impl Page {
    /// The most rows that any one answer carries.
    pub const LIMIT_MAX: u64 = 1_000;

    /// Everything, up to the bound.
    pub const ALL: Page = Page {
        offset: 0,
        limit: Self::LIMIT_MAX,
    };
}

/// Rows of a page, and how many there are in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<T> {
    /// The page.
    pub rows: Vec<T>,
    /// Rows in all pages together.
    pub total: u64,
}

/// Which accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountQuery {
    /// Of this instance.
    pub instance: InstanceId,
    /// With exactly this name.
    pub name: Option<String>,
    /// With this within the name.
    pub name_part: Option<String>,
    /// Which slice.
    pub page: Page,
}

/// Which instances; every given condition must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceQuery {
    /// One of these identities; empty means any.
    pub ids: Vec<InstanceId>,
    /// In this region.
    pub region: Option<String>,
    /// With this within the name or the identity.
    pub search: Option<String>,
    /// With exactly this name.
    pub name: Option<String>,
    /// With this within the name.
    pub name_part: Option<String>,
    /// In one of these states; empty means any.
    pub states: Vec<InstanceState>,
    /// Built in one of these ways; empty means any.
    pub topologies: Vec<Topology>,
    /// By age, youngest first; otherwise by identity.
    pub newest_first: bool,
    /// Only these may be seen at all; `None` means all (filled in by the service from the
    /// caller's scope, never by a dialect).
    pub visible: Option<Vec<InstanceId>>,
    /// Which slice.
    pub page: Page,
}

impl Default for InstanceQuery {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            region: None,
            search: None,
            name: None,
            name_part: None,
            states: Vec::new(),
            topologies: Vec::new(),
            newest_first: false,
            visible: None,
            page: Page::ALL,
        }
    }
}

/// Which tasks; newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskQuery {
    /// Exactly this one.
    pub id: Option<TaskId>,
    /// Of this instance.
    pub instance: Option<InstanceId>,
    /// Begun at or after.
    pub from: Option<Timestamp>,
    /// Begun before.
    pub until: Option<Timestamp>,
    /// Of one of these kinds; empty means any.
    pub kinds: Vec<TaskKind>,
    /// In one of these states; empty means any.
    pub states: Vec<TaskState>,
    /// Asked by one of these keys; empty means any.
    pub by: Vec<KeyId>,
    /// Of an instance of exactly this name for people.
    pub instance_name: Option<String>,
    /// As in [`InstanceQuery::visible`].
    pub visible: Option<Vec<InstanceId>>,
    /// Which slice.
    pub page: Page,
}

impl Default for TaskQuery {
    fn default() -> Self {
        Self {
            id: None,
            instance: None,
            from: None,
            until: None,
            kinds: Vec::new(),
            states: Vec::new(),
            by: Vec::new(),
            instance_name: None,
            visible: None,
            page: Page::ALL,
        }
    }
}

/// A read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Accounts of an instance.
    Accounts(AccountQuery),
    /// Instances. No match is an empty list.
    Instances(InstanceQuery),
    /// One instance. No match is a refusal.
    Instance(InstanceId),
    /// The regions in which instances are registered.
    Regions,
    /// Tasks.
    Tasks(TaskQuery),
    /// One task. No match is a refusal.
    Task(TaskId),
    /// The command categories that an instance's servers know, or the commands of one of them.
    AclWords(InstanceId, Option<String>),
    /// Who the caller is.
    Caller,
    /// A token that stands for the caller's key for a day.
    IssueToken,
    /// Something that the vendor has and claviger knows to be empty, on this instance if given:
    /// answered without looking.
    Nothing,
}

impl Query {
    /// What permission it needs.
    pub fn action(&self) -> Action {
        match self {
            Query::Accounts(_) => Action::ReadAccounts,
            Query::Tasks(_) | Query::Task(_) => Action::ReadTasks,
            Query::Instances(_) | Query::Instance(_) | Query::AclWords(..) => Action::ReadInstances,
            Query::Regions | Query::Caller | Query::IssueToken | Query::Nothing => {
                Action::ReadService
            }
        }
    }

    /// The instance concerned, if it is one.
    pub fn instance(&self) -> Option<&InstanceId> {
        match self {
            Query::Accounts(q) => Some(&q.instance),
            Query::Instance(id) | Query::AclWords(id, _) => Some(id),
            Query::Tasks(q) => q.instance.as_ref(),
            Query::Instances(_)
            | Query::Task(_)
            | Query::Regions
            | Query::Caller
            | Query::IssueToken
            | Query::Nothing => None,
        }
    }
}
