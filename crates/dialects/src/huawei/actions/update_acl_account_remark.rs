//! UpdateAclAccountRemark: 204 and nothing else, or Terraform takes it for a failure.

use super::Action;
use crate::Shape;
use crate::huawei::body::Body;
use crate::huawei::wire::Reply;
use crate::raw::Params;
use claviger_core::command::Ask;
use claviger_core::outcome::Answer;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "UpdateAclAccountRemark",
    method: "PUT",
    path: "/v2/{project_id}/instances/{instance_id}/accounts/{account_id}",
    query: &[],
    takes_body: true,
    decode,
    encode,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let body = Body::read(params)?;
    super::modify(params, |change| {
        change.description = Some(body.required("description")?.expose().to_owned());
        Ok(())
    })
}

fn encode(_: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    matches!(answer, Answer::Changed(_)).then_some(Ok(Reply::Empty))
}
