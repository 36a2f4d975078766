//! The actions, one file each: what is asked, and how the answer looks.

mod create_account;
mod delete_account;
mod describe_accounts;
mod describe_history_tasks;
mod describe_instance_attribute;
mod describe_instances;
mod describe_regions;
mod describe_zones;
mod grant_account_privilege;
mod modify_account_description;
mod modify_account_parameter;
mod modify_account_password;
mod reset_account_password;

use super::params;
use super::wire::{self, Members};
use crate::Shape;
use crate::raw::{Params, RawAnswer};
use claviger_core::command::{Ask, Asked, Command, ModifyAccount};
use claviger_core::ids::RequestId;
use claviger_core::outcome::Answer;
use claviger_core::privilege::Privilege;
use claviger_core::refusal::Refusal;

/// One action.
pub(super) struct Action {
    /// Its name, case as it is.
    pub(super) name: &'static str,
    /// Parameters that its answer repeats or is narrowed by.
    pub(super) echo: &'static [&'static str],
    /// Reads what is asked.
    pub(super) decode: fn(&Params) -> Result<Ask, Refusal>,
    /// The members of the answer after `RequestId`; `None` if the answer is not of this action.
    encode: fn(&Shape, &Answer) -> Option<Members>,
}

static ALL: [&Action; 13] = [
    &describe_accounts::ACTION,
    &create_account::ACTION,
    &delete_account::ACTION,
    &grant_account_privilege::ACTION,
    &modify_account_description::ACTION,
    &modify_account_parameter::ACTION,
    &modify_account_password::ACTION,
    &reset_account_password::ACTION,
    &describe_instances::ACTION,
    &describe_instance_attribute::ACTION,
    &describe_regions::ACTION,
    &describe_zones::ACTION,
    &describe_history_tasks::ACTION,
];

/// The action of that name.
pub(super) fn find(name: &str) -> Option<&'static Action> {
    ALL.iter().copied().find(|action| action.name == name)
}

/// The answer of the shape's action, if it is one.
pub(super) fn encode(shape: &Shape, request_id: RequestId, answer: &Answer) -> Option<RawAnswer> {
    let action = find(&shape.action)?;
    let mut members: Members = vec![("RequestId", request_id.upper().into())];
    // Never a top-level `Code` or `Success` here: several clients take them for an error.
    members.append(&mut (action.encode)(shape, answer)?);
    let root = format!("{}Response", action.name);
    Some(wire::answer(shape.xml, request_id, 200, &root, members))
}

/// The answer of an action that says nothing but that it was accepted.
fn accepted(_: &Shape, answer: &Answer) -> Option<Members> {
    matches!(answer, Answer::Changed(_)).then(Vec::new)
}

fn command(command: Command, params: &Params) -> Result<Ask, Refusal> {
    Ok(Ask::Command {
        command,
        token: params::token(params)?,
    })
}

/// A change of the account that `AccountName` means; `set` says which.
fn modify(
    params: &Params,
    set: impl FnOnce(&mut ModifyAccount) -> Result<(), Refusal>,
) -> Result<Ask, Refusal> {
    let instance = params::instance(params)?;
    let target = params::target(params, &instance)?;
    let mut change = ModifyAccount::of(instance, target);
    set(&mut change)?;
    command(Command::Modify(change), params)
}

/// `RoleRepl` is gone from current pages; the old Terraform resource still sends it.
fn privilege(word: &str) -> Asked<Privilege> {
    match word {
        "RoleReadOnly" => Asked::Known(Privilege::ReadOnly),
        "RoleReadWrite" => Asked::Known(Privilege::ReadWrite),
        "RoleRepl" => Asked::Known(Privilege::Replication),
        _ => Asked::Unknown,
    }
}

/// The vendor's word for a privilege, or the nearest one for those that only other dialects give.
fn privilege_word(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::ReadOnly => "RoleReadOnly",
        Privilege::ReadWrite
        | Privilege::WriteOnly
        | Privilege::Administrator
        | Privilege::NotDangerous
        | Privilege::Custom(_) => "RoleReadWrite",
        Privilege::Replication => "RoleRepl",
    }
}
