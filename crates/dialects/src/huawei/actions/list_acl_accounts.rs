//! ListAclAccounts: the whole list in one answer, the default account first.

use super::Action;
use crate::Shape;
use crate::huawei::params;
use crate::huawei::wire::Reply;
use crate::raw::Params;
use claviger_core::account::{AccountKind, AccountStatus, AccountView};
use claviger_core::command::Ask;
use claviger_core::ids::InstanceId;
use claviger_core::outcome::Answer;
use claviger_core::query::{AccountQuery, Page, Query};
use claviger_core::refusal::Refusal;
use serde_json::{Value, json};

pub(super) const ACTION: Action = Action {
    name: "ListAclAccounts",
    method: "GET",
    path: "/v2/{project_id}/instances/{instance_id}/accounts",
    query: &[],
    takes_body: false,
    decode,
    encode,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    Ok(Ask::Query(Query::Accounts(AccountQuery {
        instance: params::instance(params)?,
        name: None,
        name_part: None,
        page: Page::ALL,
    })))
}

fn encode(_: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    let Answer::Accounts(instance, accounts) = answer else {
        return None;
    };
    let rows = &accounts.rows;
    let of_name = |name: &str| rows.iter().filter(|row| row.name.as_str() == name).count();
    let shown: Vec<Value> = rows
        .iter()
        // Terraform takes the first row of a name: one that is leaving gives way to its
        // successor.
        .filter(|row| row.status != AccountStatus::Deleting || of_name(row.name.as_str()) == 1)
        .map(|row| element(instance, row))
        .collect();
    Some(Ok(Reply::Json(json!({ "accounts": shown }))))
}

fn element(instance: &InstanceId, account: &AccountView) -> Value {
    let status = match account.status {
        AccountStatus::Creating => "CREATING",
        AccountStatus::Available => "AVAILABLE",
        AccountStatus::Changing => "UPDATING",
        AccountStatus::Deleting => "DELETING",
        // This vendor cannot switch accounts off.
        AccountStatus::Disabled => "ERROR",
    };
    let (kind, role) = match account.kind {
        AccountKind::Default => ("default", "write"),
        AccountKind::Custom => ("normal", super::role_word(account.privilege)),
    };
    json!({
        "account_id": account.id,
        "account_name": account.name.as_str(),
        "account_type": kind,
        "instance_id": instance.as_str(),
        "status": status,
        "account_role": role,
        "description": account.description,
        "error_code": null,
        "account_read_policy": super::read_policy_word(account.routing),
    })
}
