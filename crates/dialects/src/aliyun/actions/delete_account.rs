//! DeleteAccount.

use super::{Action, accepted};
use crate::aliyun::params::{instance, target};
use crate::raw::Params;
use claviger_core::command::{Ask, Command, DeleteAccount};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DeleteAccount",
    echo: &[],
    decode,
    encode: accepted,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let instance = instance(params)?;
    let target = target(params, &instance)?;
    super::command(Command::Delete(DeleteAccount { instance, target }), params)
}
