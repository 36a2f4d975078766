//! ModifyAccountParameter: it sets `access-db-id` and `cu-limit` of a serverless product, of
//! which a server of one's own has neither.

use super::{Action, accepted, modify};
use crate::aliyun::params::required;
use crate::raw::Params;
use claviger_core::command::Ask;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "ModifyAccountParameter",
    echo: &[],
    decode,
    encode: accepted,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    modify(params, |_| {
        required(params, "Parameters")?;
        Err(Refusal::NotSupported("ModifyAccountParameter"))
    })
}
