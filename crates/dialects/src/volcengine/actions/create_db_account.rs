//! CreateDBAccount.

use super::{Action, accepted};
use crate::raw::Params;
use crate::volcengine::params::{instance, required, text};
use crate::volcengine::rules::{description_ok, name_ok, password_ok};
use claviger_core::command::{Ask, Asked, Command, CreateAccount};
use claviger_core::privilege::Routing;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;

pub(super) const ACTION: Action = Action {
    name: "CreateDBAccount",
    echo: &[],
    decode,
    encode: accepted,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let instance = instance(params)?;
    let name = required(params, "AccountName")?;
    let role = required(params, "RoleName")?;
    let password = required(params, "Password")?;
    let create = CreateAccount {
        instance,
        name: name.to_owned(),
        password: Secret::new(password),
        privilege: super::role(role),
        routing: Asked::Known(Routing::PRIMARY),
        description: text(params, "Description"),
        expires_at: None,
    };
    let ask = super::command(Command::Create(create), params)?;
    // Formats come before the instance is looked for.
    if !name_ok(name) {
        return Err(Refusal::NameInvalid);
    }
    if !password_ok(password) {
        return Err(Refusal::PasswordInvalid);
    }
    if !text(params, "Description").is_none_or(|text| description_ok(&text)) {
        return Err(Refusal::DescriptionInvalid);
    }
    Ok(ask)
}
