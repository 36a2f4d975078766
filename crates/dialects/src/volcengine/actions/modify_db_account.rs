//! ModifyDBAccount: role, password and description in one call. Absent or empty leaves what it
//! is, so a description cannot be cleared.

use super::{Action, accepted};
use crate::raw::Params;
use crate::volcengine::params::{instance, optional, target, text};
use crate::volcengine::rules::{description_ok, password_ok};
use claviger_core::command::{Ask, Asked, Command, ModifyAccount, PasswordChange, Target};
use claviger_core::privilege::Privilege;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;

pub(super) const ACTION: Action = Action {
    name: "ModifyDBAccount",
    echo: &[],
    decode,
    encode: accepted,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let mut change = ModifyAccount::of(instance(params)?, target(params)?);
    change.privilege = optional(params, "RoleName").map(super::role);
    // The role that the default account has in any case is no change of it.
    if change.target == Target::Default
        && change.privilege == Some(Asked::Known(Privilege::Administrator))
    {
        change.privilege = None;
    }
    let password = optional(params, "Password");
    change.password = password.map(|new| PasswordChange {
        old: None,
        new: Secret::new(new),
    });
    change.description = text(params, "Description");
    let description = change.description.clone();
    let ask = super::command(Command::Modify(change), params)?;
    // Formats come before the instance is looked for.
    if !password.is_none_or(password_ok) {
        return Err(Refusal::PasswordInvalid);
    }
    if !description.is_none_or(|text| description_ok(&text)) {
        return Err(Refusal::DescriptionInvalid);
    }
    Ok(ask)
}
