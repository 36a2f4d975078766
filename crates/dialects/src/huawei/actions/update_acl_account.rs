//! UpdateAclAccount: the role, or where reads go.

use super::Action;
use crate::Shape;
use crate::huawei::body::Body;
use crate::huawei::wire::Reply;
use crate::raw::Params;
use claviger_core::command::Ask;
use claviger_core::outcome::Answer;
use claviger_core::refusal::Refusal;
use serde_json::json;

pub(super) const ACTION: Action = Action {
    name: "UpdateAclAccount",
    method: "PUT",
    path: "/v2/{project_id}/instances/{instance_id}/accounts/{account_id}/role",
    query: &[],
    takes_body: true,
    decode,
    encode,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let body = Body::read(params)?;
    super::modify(params, |change| {
        let role = body.optional("account_role")?;
        let policy = body.optional("account_read_policy")?;
        change.privilege = role.map(|role| super::role(role.expose()));
        change.routing = policy.map(|policy| super::read_policy(policy.expose()));
        // Both are optional on the vendor's page; one must be there (ours).
        if role.is_none() && policy.is_none() {
            return Err(Refusal::ParameterMissing {
                name: "account_role",
            });
        }
        Ok(())
    })
}

fn encode(_: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    let Answer::Changed(changed) = answer else {
        return None;
    };
    Some(Ok(Reply::Json(json!({
        "instance_id": changed.instance.as_str(),
        "job_id": changed.task.to_string(),
    }))))
}
