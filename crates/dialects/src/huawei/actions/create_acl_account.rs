//! CreateAclAccount.

use super::Action;
use crate::huawei::body::Body;
use crate::huawei::params::instance;
use crate::raw::Params;
use claviger_core::command::{Ask, Asked, Command, CreateAccount};
use claviger_core::privilege::Routing;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "CreateAclAccount",
    method: "POST",
    path: "/v2/{project_id}/instances/{instance_id}/accounts",
    query: &[],
    takes_body: true,
    decode,
    encode: super::accepted,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let body = Body::read(params)?;
    let instance = instance(params)?;
    let policy = body.optional("account_read_policy")?;
    let policy = policy.map(|policy| super::read_policy(policy.expose()));
    let create = CreateAccount {
        instance,
        name: body.required("account_name")?.expose().to_owned(),
        password: body.required("account_password")?.clone(),
        privilege: super::role(body.required("account_role")?.expose()),
        routing: policy.unwrap_or(Asked::Known(Routing::PRIMARY)),
        description: body
            .optional("description")?
            .map(|text| text.expose().to_owned()),
        expires_at: None,
    };
    Ok(super::command(Command::Create(create)))
}
