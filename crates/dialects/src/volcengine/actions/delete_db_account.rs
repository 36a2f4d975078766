//! DeleteDBAccount.

use super::{Action, accepted};
use crate::raw::Params;
use crate::volcengine::params::{instance, target};
use claviger_core::command::{Ask, Command, DeleteAccount};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DeleteDBAccount",
    echo: &[],
    decode,
    encode: accepted,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let instance = instance(params)?;
    let target = target(params)?;
    super::command(Command::Delete(DeleteAccount { instance, target }), params)
}
