//! The actions, one file each: what is asked, and how the answer looks.

mod create_db_account;
mod delete_db_account;
mod describe_db_instance_acl;
mod describe_db_instance_detail;
mod describe_db_instances;
mod describe_regions;
mod describe_tasks;
mod describe_zones;
mod list_db_account;
mod modify_db_account;
mod modify_db_instance_vpc_auth_mode;

use super::params;
use super::wire::{self, Value};
use crate::Shape;
use crate::raw::{Params, RawAnswer};
use claviger_core::command::{Ask, Asked, Command};
use claviger_core::ids::RequestId;
use claviger_core::outcome::Answer;
use claviger_core::privilege::{Privilege, RoleName};
use claviger_core::refusal::Refusal;

/// One action.
pub(super) struct Action {
    /// Its name, case as it is.
    pub(super) name: &'static str,
    /// Parameters by which its answer is narrowed.
    pub(super) echo: &'static [&'static str],
    /// Reads what is asked.
    pub(super) decode: fn(&Params) -> Result<Ask, Refusal>,
    /// The answer's `Result`; `None` if the answer is not of this action.
    encode: fn(&Shape, &Answer) -> Option<Value>,
}

static ALL: [&Action; 12] = [
    &create_db_account::ACTION,
    &modify_db_account::ACTION,
    &delete_db_account::ACTION,
    &list_db_account::ACTION,
    &describe_db_instances::ACTION,
    &describe_db_instance_detail::ACTION,
    &describe_db_instance_acl::CATEGORIES,
    &describe_db_instance_acl::COMMANDS,
    &describe_tasks::ACTION,
    &describe_regions::ACTION,
    &describe_zones::ACTION,
    &modify_db_instance_vpc_auth_mode::ACTION,
];

/// The action that deletes: one refusal has another code there.
pub(super) const DELETE: &str = delete_db_account::ACTION.name;

/// The action of that name.
pub(super) fn find(name: &str) -> Option<&'static Action> {
    ALL.iter().copied().find(|action| action.name == name)
}

/// The answer of the shape's action, if it is one.
pub(super) fn encode(shape: &Shape, request_id: RequestId, answer: &Answer) -> Option<RawAnswer> {
    let result = (find(&shape.action)?.encode)(shape, answer)?;
    Some(wire::success(shape, request_id, result))
}

/// The answer of an action that says nothing but that it was accepted: `null`, never `{}` and
/// never absent (seed).
fn accepted(_: &Shape, answer: &Answer) -> Option<Value> {
    matches!(answer, Answer::Changed(_)).then_some(Value::Null)
}

fn command(command: Command, params: &Params) -> Result<Ask, Refusal> {
    Ok(Ask::Command {
        command,
        token: params::token(params)?,
    })
}

/// `RoleName`: a built-in one, else a role of the instance's own, which need not exist.
fn role(word: &str) -> Asked<Privilege> {
    match word {
        "Administrator" => Asked::Known(Privilege::Administrator),
        "ReadWrite" => Asked::Known(Privilege::ReadWrite),
        "ReadOnly" => Asked::Known(Privilege::ReadOnly),
        "NotDangerous" => Asked::Known(Privilege::NotDangerous),
        own => match RoleName::parse(own) {
            Some(name) => Asked::Known(Privilege::Custom(name)),
            None => Asked::Unknown,
        },
    }
}

/// The vendor's word for a privilege, or the nearest one for those that only other dialects give.
fn role_word(privilege: &Privilege) -> &str {
    match privilege {
        Privilege::Administrator => "Administrator",
        Privilege::ReadWrite | Privilege::WriteOnly | Privilege::Replication => "ReadWrite",
        Privilege::ReadOnly => "ReadOnly",
        Privilege::NotDangerous => "NotDangerous",
        Privilege::Custom(name) => name.as_str(),
    }
}
