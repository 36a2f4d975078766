//! DescribeAccounts.
//!
//! The server's one default user is shown as two accounts, named as the instance and `default`,
//! as the cloud shows them since version 6.0. So what is searched, counted and paged are the rows
//! shown here; the core is asked for all accounts, of which there are few.

use super::Action;
use crate::Shape;
use crate::aliyun::params::{self, Paging, optional};
use crate::aliyun::wire::{Members, Value};
use crate::raw::Params;
use claviger_core::account::{Account, AccountKind, AccountStatus, AccountView};
use claviger_core::command::Ask;
use claviger_core::ids::InstanceId;
use claviger_core::outcome::Answer;
use claviger_core::query::{AccountQuery, Page, Query};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DescribeAccounts",
    echo: &["AccountName", "SearchAccountName", "PageNumber", "PageSize"],
    decode,
    encode,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let instance = params::instance(params)?;
    for name in ["AccountName", "SearchAccountName"] {
        params::check_echoed(params, name)?;
    }
    Paging::read(params, 1..=Page::LIMIT_MAX)?;
    let name = optional(params, "AccountName").map(|name| {
        if params::is_default(name, &instance) {
            Account::DEFAULT_NAME.to_owned()
        } else {
            name.to_owned()
        }
    });
    Ok(Ask::Query(Query::Accounts(AccountQuery {
        instance,
        name,
        name_part: None,
        page: Page::ALL,
    })))
}

fn encode(shape: &Shape, answer: &Answer) -> Option<Members> {
    let Answer::Accounts(instance, accounts) = answer else {
        return None;
    };
    let name = shape.echoed("AccountName");
    let part = shape.echoed("SearchAccountName").unwrap_or_default();
    let shown: Vec<(&str, &AccountView)> = accounts
        .rows
        .iter()
        .flat_map(|account| names(instance, account))
        .filter(|(shown, _)| name.is_none_or(|name| name == *shown) && shown.contains(part))
        .collect();
    let total = shown.len() as u64;
    let paging = Paging::echoed(shape);
    let rows = paging.slice(shown);
    let rows = rows
        .into_iter()
        .map(|(name, account)| Value::Object(element(instance, name, account)))
        .collect();
    Some(vec![
        // The key is there even if the list is empty: Terraform takes its absence for a failure.
        ("Accounts", Value::wrapped("Account", rows)),
        ("PageNumber", Value::Int(paging.number)),
        ("PageSize", Value::Int(paging.size.unwrap_or(total))),
        ("TotalCount", Value::Int(total)),
    ])
}

/// The rows of an account.
fn names<'a>(
    instance: &'a InstanceId,
    account: &'a AccountView,
) -> impl Iterator<Item = (&'a str, &'a AccountView)> {
    let (first, second) = match account.kind {
        AccountKind::Default => (instance.as_str(), Some(Account::DEFAULT_NAME)),
        AccountKind::Custom => (account.name.as_str(), None),
    };
    std::iter::once(first)
        .chain(second)
        .map(move |name| (name, account))
}

/// Members in the order of the seed page's sample; `Super` is never explained, so never said.
fn element(instance: &InstanceId, name: &str, account: &AccountView) -> Members {
    let status = match account.status {
        AccountStatus::Available => "Available",
        AccountStatus::Creating
        | AccountStatus::Changing
        | AccountStatus::Disabled
        | AccountStatus::Deleting => "Unavailable",
    };
    let privilege = super::privilege_word(account.privilege);
    let privileges = Value::Object(vec![("AccountPrivilege", privilege.into())]);
    let mut members: Members = Vec::with_capacity(6);
    // The sample's default account has no description at all, its other account an empty one.
    if account.kind == AccountKind::Custom || !account.description.is_empty() {
        members.push(("AccountDescription", Value::text(&account.description)));
    }
    members.extend([
        ("AccountStatus", status.into()),
        ("InstanceId", Value::text(instance.as_str())),
        ("AccountType", "Normal".into()),
        (
            "DatabasePrivileges",
            Value::wrapped("DatabasePrivilege", vec![privileges]),
        ),
        ("AccountName", Value::text(name)),
    ]);
    members
}
