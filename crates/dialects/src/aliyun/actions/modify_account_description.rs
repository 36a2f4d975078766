//! ModifyAccountDescription.

use super::{Action, accepted, modify};
use crate::raw::Params;
use claviger_core::command::Ask;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "ModifyAccountDescription",
    echo: &[],
    decode,
    encode: accepted,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    modify(params, |change| {
        let name = "AccountDescription";
        // Present and empty clears: Terraform sends it when the argument is removed.
        let text = params.get(name).ok_or(Refusal::ParameterMissing { name })?;
        change.description = Some(text.to_owned());
        Ok(())
    })
}
