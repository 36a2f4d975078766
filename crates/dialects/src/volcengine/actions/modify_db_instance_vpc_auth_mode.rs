//! ModifyDBInstanceVpcAuthMode: `open` lets connections in without a password, `close` does not.
//! It is the default account that such connections get.

use super::{Action, accepted};
use crate::raw::Params;
use crate::volcengine::params::{instance, invalid, required};
use claviger_core::command::{Ask, Command, ModifyAccount, Target};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "ModifyDBInstanceVpcAuthMode",
    echo: &[],
    decode,
    encode: accepted,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let mut change = ModifyAccount::of(instance(params)?, Target::Default);
    let mode = required(params, "VpcAuthMode")?;
    change.password_free = Some(if mode.eq_ignore_ascii_case("open") {
        true
    } else if mode.eq_ignore_ascii_case("close") {
        false
    } else {
        return Err(invalid("VpcAuthMode", "it is neither open nor close"));
    });
    super::command(Command::Modify(change), params)
}
