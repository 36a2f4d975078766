//! The actions, one file each: what is asked, and how the answer looks.

mod create_instance_account;
mod delete_instance_account;
mod describe_instance_account;
mod describe_instance_password_policy;
mod describe_instance_support_feature;
mod describe_instances;
mod describe_task_info;
mod describe_task_list;
mod modify_instance_account;
mod modify_instance_password;
mod modify_instance_password_policy;
mod reset_password;

use super::args::{Args, Kind, Parameter, not_allowed, optional, plain_int, plain_truth};
use super::rules::ROOT;
use super::wire::{self, Members, Value};
use crate::Shape;
use crate::raw::RawAnswer;
use claviger_core::account::Account;
use claviger_core::command::{Ask, Asked, Command, Target};
use claviger_core::ids::{InstanceId, RequestId};
use claviger_core::outcome::Answer;
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::query::Page;
use claviger_core::refusal::Refusal;

/// One action.
pub(super) struct Action {
    /// Its name, case as it is.
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) parameters: &'static [Parameter],
    /// Parameters that its answer is narrowed by.
    pub(super) echo: &'static [&'static str],
    /// Reads what is asked.
    pub(super) decode: fn(&Args) -> Result<Ask, Refusal>,
    /// The members of the answer before `RequestId`; `None` if the answer is not of this action.
    encode: fn(&Shape, &Answer) -> Option<Members>,
}

static ALL: [&Action; 13] = [
    &create_instance_account::ACTION,
    &modify_instance_account::ACTION,
    &delete_instance_account::ACTION,
    &describe_instance_account::ACTION,
    &reset_password::ACTION,
    &modify_instance_password::ACTION,
    &modify_instance_password::MISSPELT,
    &describe_task_info::ACTION,
    &describe_task_list::ACTION,
    &describe_instances::ACTION,
    &describe_instance_password_policy::ACTION,
    &modify_instance_password_policy::ACTION,
    &describe_instance_support_feature::ACTION,
];

/// The action of that name.
pub(super) fn find(name: &str) -> Option<&'static Action> {
    ALL.iter().copied().find(|action| action.name == name)
}

/// Whether it is one of those about the instance's password, whose pages have a code of their own
/// for an instance that is not running.
pub(super) fn is_of_password(name: &str) -> bool {
    [
        reset_password::ACTION.name,
        modify_instance_password::ACTION.name,
        modify_instance_password::MISSPELT.name,
    ]
    .contains(&name)
}

/// The answer of the shape's action, if it is one.
pub(super) fn encode(shape: &Shape, request_id: RequestId, answer: &Answer) -> Option<RawAnswer> {
    let action = find(&shape.action)?;
    let members = (action.encode)(shape, answer)?;
    Some(wire::answer(shape, request_id, members))
}

/// The answer of a change: the task to follow, never null, which Terraform could not bear.
fn task(_: &Shape, answer: &Answer) -> Option<Members> {
    let Answer::Changed(changed) = answer else {
        return None;
    };
    Some(vec![("TaskId", Value::Int(changed.task.0))])
}

/// There is no idempotency token in this API.
fn command(command: Command) -> Ask {
    Ask::Command {
        command,
        token: None,
    }
}

/// `InstanceId`.
fn instance(args: &Args) -> Result<InstanceId, Refusal> {
    Ok(InstanceId::new(args.must("InstanceId")?))
}

/// The account that `AccountName` means: `root` is the servers' default user, whose own name
/// means nobody here.
fn target(args: &Args) -> Result<Target, Refusal> {
    Ok(match args.must("AccountName")? {
        ROOT => Target::Default,
        // By an identity that none has, so that its absence is found in due order.
        name @ Account::DEFAULT_NAME => Target::Id(name.to_owned()),
        name => Target::Name(name.to_owned()),
    })
}

/// The encoding of a password that has been asked for is not documented; taking it for the
/// password itself would lock the caller out (section 5.3 of the contract).
fn check_plain(args: &Args) -> Result<(), Refusal> {
    if args.truth("EncryptPassword") == Some(true) {
        return Err(Refusal::NotSupported("EncryptPassword"));
    }
    Ok(())
}

fn privilege(word: &str) -> Asked<Privilege> {
    match word {
        "r" => Asked::Known(Privilege::ReadOnly),
        "w" => Asked::Known(Privilege::WriteOnly),
        "rw" => Asked::Known(Privilege::ReadWrite),
        _ => Asked::Unknown,
    }
}

/// The vendor's word for a privilege, or the nearest one for those that only other dialects give.
fn privilege_word(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::ReadOnly => "r",
        Privilege::WriteOnly => "w",
        Privilege::ReadWrite
        | Privilege::Replication
        | Privilege::Administrator
        | Privilege::NotDangerous
        | Privilege::Custom(_) => "rw",
    }
}

/// The routing that a list means; `None` if it is empty. Both words at once are taken.
fn routing(words: &[&str]) -> Option<Asked<Routing>> {
    let mut routing = Routing {
        primary: false,
        replica: false,
    };
    for word in words {
        match *word {
            "master" => routing.primary = true,
            "replication" => routing.replica = true,
            _ => return Some(Asked::Unknown),
        }
    }
    (!words.is_empty()).then_some(Asked::Known(routing))
}

/// The vendor's words for a routing.
fn routing_words(routing: Routing) -> Value {
    let mut words = Vec::new();
    if routing.primary || !routing.replica {
        words.push("master".into());
    }
    if routing.replica {
        words.push("replication".into());
    }
    Value::List(words)
}

/// The vendor's default for every page.
const LIMIT: u64 = 20;

const LIMIT_PARAMETER: Parameter = optional("Limit", Kind::Uint);
const OFFSET_PARAMETER: Parameter = optional("Offset", Kind::Uint);

/// `Limit` and `Offset`; documented as required with defaults, so their absence is taken.
fn page(args: &Args, limit_max: u64) -> Result<Page, Refusal> {
    let limit = args.uint("Limit").unwrap_or(LIMIT);
    let offset = args.uint("Offset").unwrap_or(0);
    if !(1..=limit_max).contains(&limit) {
        return Err(not_allowed("Limit", "it is out of range"));
    }
    if !offset.is_multiple_of(limit) {
        return Err(not_allowed("Offset", "it is not a multiple of Limit"));
    }
    Ok(Page { offset, limit })
}

/// The JSON value of a parameter that came as text: of its documented type if it can be.
pub(super) fn json_value(action: &str, path: &[&str], text: &str) -> serde_json::Value {
    let mut parameters = find(action).map_or(&[][..], |action| action.parameters);
    let mut kind = Kind::Text;
    for name in path {
        match parameters.iter().find(|p| p.is(name)) {
            Some(parameter) => kind = parameter.kind(),
            None => continue,
        }
        if let Kind::Object(inner) = kind {
            parameters = inner;
        }
    }
    let typed = match kind {
        Kind::Uint | Kind::Ints => plain_int(text).map(Into::into),
        Kind::Bool => plain_truth(text).map(Into::into),
        _ => None,
    };
    typed.unwrap_or_else(|| text.into())
}
