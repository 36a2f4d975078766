//! ResetAclAccountPassWord. An `old_password` beside the new one is in the vendor's model; it is
//! ignored, as Terraform never sends it.

use super::Action;
use crate::Shape;
use crate::huawei::body::Body;
use crate::huawei::wire::Reply;
use crate::raw::Params;
use claviger_core::command::{Ask, PasswordChange};
use claviger_core::outcome::Answer;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "ResetAclAccountPassWord",
    method: "PUT",
    path: "/v2/{project_id}/instances/{instance_id}/accounts/{account_id}/password/reset",
    query: &[],
    takes_body: true,
    decode,
    encode,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let body = Body::read(params)?;
    super::modify(params, |change| {
        change.password = Some(PasswordChange {
            old: None,
            new: body.required("new_password")?.clone(),
        });
        Ok(())
    })
}

fn encode(_: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    Some(Ok(Reply::Json(super::reset_done(answer)?)))
}
