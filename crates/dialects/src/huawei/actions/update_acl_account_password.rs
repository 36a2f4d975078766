//! UpdateAclAccountPassWord: always 200 when well formed; the outcome is in the body.

use super::Action;
use crate::huawei::body::Body;
use crate::raw::Params;
use claviger_core::command::{Ask, PasswordChange};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "UpdateAclAccountPassWord",
    method: "PUT",
    path: "/v2/{project_id}/instances/{instance_id}/accounts/{account_id}/password/modify",
    query: &[],
    takes_body: true,
    decode,
    encode: super::password_changed,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let body = Body::read(params)?;
    super::modify(params, |change| {
        change.password = Some(proven(&body)?);
        Ok(())
    })
}

/// A new password, and the old one that proves the right to set it.
pub(super) fn proven(body: &Body) -> Result<PasswordChange, Refusal> {
    Ok(PasswordChange {
        old: Some(body.required("old_password")?.clone()),
        new: body.required("new_password")?.clone(),
    })
}
