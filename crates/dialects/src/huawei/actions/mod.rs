//! The actions, one file each: where each one lives, what is asked, and how the answer looks.
//! Names are those of the vendor's SDKs, capital W in `PassWord` included.

mod create_acl_account;
mod delete_acl_account;
mod delete_task;
mod keystone;
mod keystone_token;
mod list_acl_accounts;
mod list_instances;
mod list_tasks;
mod reset_acl_account_password;
mod reset_password;
mod show_instance;
mod show_job_info;
mod show_task;
mod show_task_progress;
mod update_acl_account;
mod update_acl_account_password;
mod update_acl_account_remark;
mod update_password;

use super::params;
use super::rules::RULES;
use super::wire::Reply;
use crate::Shape;
use crate::raw::Params;
use claviger_core::command::{Ask, Asked, Command, ModifyAccount, Target};
use claviger_core::outcome::Answer;
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::refusal::Refusal;
use serde_json::{Value, json};

/// One action.
pub(super) struct Action {
    /// Its name.
    pub(super) name: &'static str,
    /// Its method.
    pub(super) method: &'static str,
    /// Its path; a segment in braces is a place for a value.
    pub(super) path: &'static str,
    /// Parameters of the query that it reads; others are signed and ignored.
    pub(super) query: &'static [&'static str],
    /// It reads a JSON body.
    pub(super) takes_body: bool,
    /// Reads what is asked.
    pub(super) decode: fn(&Params) -> Result<Ask, Refusal>,
    /// The answer; `None` if it is not one of this action.
    encode: fn(&Shape, &Answer) -> Option<Result<Reply, Refusal>>,
}

/// All of them; DCS's first.
pub(super) static ALL: &[&Action] = &[
    &list_acl_accounts::ACTION,
    &create_acl_account::ACTION,
    &delete_acl_account::ACTION,
    &update_acl_account::ACTION,
    &update_acl_account_password::ACTION,
    &reset_acl_account_password::ACTION,
    &update_acl_account_remark::ACTION,
    &list_tasks::BACKGROUND,
    &show_task::BACKGROUND,
    &show_task_progress::ACTION,
    &delete_task::BACKGROUND,
    &list_tasks::CENTER,
    &show_task::CENTER,
    &delete_task::CENTER,
    &show_job_info::ACTION,
    &list_instances::ACTION,
    &show_instance::ACTION,
    &update_password::ACTION,
    &reset_password::ACTION,
    &keystone::PROJECTS,
    &keystone::REGIONS,
    &keystone::DOMAINS,
    &keystone::USERS,
    &keystone_token::ACTION,
];

/// The action of that name.
pub(super) fn named(name: &str) -> Option<&'static Action> {
    ALL.iter().copied().find(|action| action.name == name)
}

/// The answer of the shape's action.
///
/// # Errors
/// What only shows in the answer, such as a task that is not there; [`Refusal::Internal`] if the
/// answer is not one of the action's.
pub(super) fn encode(shape: &Shape, answer: &Answer) -> Result<Reply, Refusal> {
    let reply = named(&shape.action).and_then(|action| (action.encode)(shape, answer));
    reply.unwrap_or(Err(Refusal::Internal))
}

/// Tries of a password that are left when none has failed.
pub(super) const TRIES: u32 = match RULES.old_password_lockout {
    Some(rule) => rule.tries_max,
    None => 0,
};

fn command(command: Command) -> Ask {
    Ask::Command {
        command,
        token: None,
    }
}

/// A change of the path's account; `set` says which.
fn modify(
    params: &Params,
    set: impl FnOnce(&mut ModifyAccount) -> Result<(), Refusal>,
) -> Result<Ask, Refusal> {
    modify_target(params, params::account(params), set)
}

fn modify_target(
    params: &Params,
    target: Target,
    set: impl FnOnce(&mut ModifyAccount) -> Result<(), Refusal>,
) -> Result<Ask, Refusal> {
    let mut change = ModifyAccount::of(params::instance(params)?, target);
    set(&mut change)?;
    Ok(command(Command::Modify(change)))
}

/// The answer of a change that says nothing: an empty object, since Terraform decodes it.
fn accepted(_: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    matches!(answer, Answer::Changed(_)).then(|| Ok(Reply::Json(json!({}))))
}

/// The answer of a password change with its old one.
fn password_changed(_: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    let body = || {
        json!({
            "result": "success",
            "message": "Modify DCSInstance password success.",
            "lock_time": "0",
            "lock_time_left": "0",
            "retry_times_left": TRIES.to_string(),
        })
    };
    matches!(answer, Answer::Changed(_)).then(|| Ok(Reply::Json(body())))
}

/// The members that both resets of a password answer.
fn reset_done(answer: &Answer) -> Option<Value> {
    matches!(answer, Answer::Changed(_)).then(|| {
        json!({
            "code": "1",
            "message": "success",
            "lock_time": "0",
            "lock_time_left": "0",
            "retry_times_left": TRIES.to_string(),
        })
    })
}

/// The vendor's two roles.
fn role(word: &str) -> Asked<Privilege> {
    match word {
        "read" => Asked::Known(Privilege::ReadOnly),
        "write" => Asked::Known(Privilege::ReadWrite),
        _ => Asked::Unknown,
    }
}

/// The vendor's word for a privilege, or the nearest one for those that only other dialects give.
fn role_word(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::ReadOnly => "read",
        Privilege::ReadWrite
        | Privilege::WriteOnly
        | Privilege::Replication
        | Privilege::Administrator
        | Privilege::NotDangerous
        | Privilege::Custom(_) => "write",
    }
}

/// Where reads go.
fn read_policy(word: &str) -> Asked<Routing> {
    let (primary, replica) = match word {
        "master" => (true, false),
        "replica" => (false, true),
        "master-replica" => (true, true),
        _ => return Asked::Unknown,
    };
    Asked::Known(Routing { primary, replica })
}

/// The word for it; the primary alone is what an account has that never asked for anything.
fn read_policy_word(routing: Routing) -> Option<&'static str> {
    match (routing.primary, routing.replica) {
        (true, true) => Some("master-replica"),
        (false, true) => Some("replica"),
        (_, false) => None,
    }
}
