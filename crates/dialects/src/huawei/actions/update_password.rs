//! UpdatePassword: the instance's password, which is its default account's, with its old one.

use super::{Action, update_acl_account_password};
use crate::huawei::body::Body;
use crate::raw::Params;
use claviger_core::command::{Ask, Target};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "UpdatePassword",
    method: "PUT",
    path: "/v2/{project_id}/instances/{instance_id}/password",
    query: &[],
    takes_body: true,
    decode,
    encode: super::password_changed,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let body = Body::read(params)?;
    super::modify_target(params, Target::Default, |change| {
        change.password = Some(update_acl_account_password::proven(&body)?);
        Ok(())
    })
}
