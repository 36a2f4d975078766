//! DeleteAclAccount: the answer says that the task was delivered. The account stays in the list
//! as DELETING until every node has confirmed that it is gone.

use super::Action;
use crate::huawei::params;
use crate::raw::Params;
use claviger_core::command::{Ask, Command, DeleteAccount};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DeleteAclAccount",
    method: "DELETE",
    path: "/v2/{project_id}/instances/{instance_id}/accounts/{account_id}",
    query: &[],
    takes_body: false,
    decode,
    encode: super::accepted,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    Ok(super::command(Command::Delete(DeleteAccount {
        instance: params::instance(params)?,
        target: params::account(params),
    })))
}
