//! GrantAccountPrivilege.

use super::{Action, accepted, modify};
use crate::aliyun::params::required;
use crate::raw::Params;
use claviger_core::command::Ask;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "GrantAccountPrivilege",
    echo: &[],
    decode,
    encode: accepted,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    modify(params, |change| {
        let word = required(params, "AccountPrivilege")?;
        change.privilege = Some(super::privilege(word));
        Ok(())
    })
}
