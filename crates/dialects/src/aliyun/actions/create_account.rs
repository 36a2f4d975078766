//! CreateAccount.

use super::Action;
use crate::Shape;
use crate::aliyun::params::{instance, invalid, optional, required};
use crate::aliyun::wire::{Members, Value};
use crate::raw::Params;
use claviger_core::command::{Ask, Asked, Command, CreateAccount};
use claviger_core::outcome::Answer;
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;

pub(super) const ACTION: Action = Action {
    name: "CreateAccount",
    echo: &[],
    decode,
    encode,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let instance = instance(params)?;
    let name = required(params, "AccountName")?;
    let password = required(params, "AccountPassword")?;
    if optional(params, "AccountType").is_some_and(|kind| kind != "Normal") {
        return Err(invalid("AccountType", "it is not Normal"));
    }
    if optional(params, "Parameters").is_some() {
        return Err(Refusal::NotSupported("Parameters of an account"));
    }
    let privilege = optional(params, "AccountPrivilege");
    let create = CreateAccount {
        instance,
        name: name.to_owned(),
        password: Secret::new(password),
        privilege: privilege.map_or(Asked::Known(Privilege::ReadWrite), super::privilege),
        routing: Asked::Known(Routing::PRIMARY),
        description: optional(params, "AccountDescription").map(str::to_owned),
        expires_at: None,
    };
    super::command(Command::Create(create), params)
}

fn encode(_: &Shape, answer: &Answer) -> Option<Members> {
    let Answer::Changed(changed) = answer else {
        return None;
    };
    let name = changed.account.name.as_str();
    // `AcountName` is the vendor's spelling. Old models read it alone, and Terraform builds its
    // resource id from it; newer models read both.
    Some(vec![
        ("InstanceId", Value::text(changed.instance.as_str())),
        ("AcountName", Value::text(name)),
        ("AccountName", Value::text(name)),
    ])
}
