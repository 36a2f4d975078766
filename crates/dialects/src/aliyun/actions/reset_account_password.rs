//! ResetAccountPassword: the caller need not know the old password.

use super::{Action, accepted, modify};
use crate::aliyun::params::required;
use crate::raw::Params;
use claviger_core::command::{Ask, PasswordChange};
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;

pub(super) const ACTION: Action = Action {
    name: "ResetAccountPassword",
    echo: &[],
    decode,
    encode: accepted,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    modify(params, |change| {
        change.password = Some(PasswordChange {
            old: None,
            new: Secret::new(required(params, "AccountPassword")?),
        });
        Ok(())
    })
}
