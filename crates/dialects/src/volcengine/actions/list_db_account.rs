//! ListDBAccount. A name filters exactly: Terraform takes the last row without comparing names.

use super::Action;
use crate::Shape;
use crate::raw::Params;
use crate::volcengine::params::{instance, text};
use crate::volcengine::wire::Value;
use claviger_core::account::{AccountKind, AccountStatus, AccountView};
use claviger_core::command::Ask;
use claviger_core::ids::InstanceId;
use claviger_core::outcome::Answer;
use claviger_core::query::{AccountQuery, Page, Query};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "ListDBAccount",
    echo: &[],
    decode,
    encode,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    Ok(Ask::Query(Query::Accounts(AccountQuery {
        instance: instance(params)?,
        name: text(params, "AccountName"),
        name_part: None,
        page: Page::ALL,
    })))
}

fn encode(_: &Shape, answer: &Answer) -> Option<Value> {
    let Answer::Accounts(instance, accounts) = answer else {
        return None;
    };
    let rows = accounts.rows.iter().map(|account| row(instance, account));
    Some(Value::Object(vec![(
        "Accounts",
        Value::List(rows.collect()),
    )]))
}

/// Members in the order of the sample.
fn row(instance: &InstanceId, account: &AccountView) -> Value {
    // Only `Available` is published; the other words are ours.
    let status = match account.status {
        AccountStatus::Available => "Available",
        AccountStatus::Creating => "Creating",
        AccountStatus::Changing => "Updating",
        AccountStatus::Deleting => "Deleting",
        AccountStatus::Disabled => "Disabled",
    };
    let role = match account.kind {
        AccountKind::Default => "Administrator",
        AccountKind::Custom => super::role_word(&account.privilege),
    };
    Value::Object(vec![
        ("AccountName", Value::text(account.name.as_str())),
        ("AccountStatus", status.into()),
        ("Description", Value::text(&account.description)),
        ("InstanceId", Value::text(instance.as_str())),
        ("RoleName", Value::text(role)),
    ])
}
