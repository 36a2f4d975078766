//! DescribeInstanceAccount.

use super::{Action, LIMIT_PARAMETER, OFFSET_PARAMETER};
use crate::Shape;
use crate::tencent::args::{Args, Kind, required};
use crate::tencent::rules::ROOT;
use crate::tencent::time;
use crate::tencent::wire::{Members, Value};
use claviger_core::account::{AccountKind, AccountStatus, AccountView};
use claviger_core::command::Ask;
use claviger_core::ids::InstanceId;
use claviger_core::outcome::Answer;
use claviger_core::query::{AccountQuery, Query};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DescribeInstanceAccount",
    parameters: &[
        required("InstanceId", Kind::Text),
        LIMIT_PARAMETER,
        OFFSET_PARAMETER,
    ],
    echo: &[],
    decode,
    encode,
};

/// The vendor's bound.
const LIMIT_MAX: u64 = 100;

fn decode(args: &Args) -> Result<Ask, Refusal> {
    Ok(Ask::Query(Query::Accounts(AccountQuery {
        instance: super::instance(args)?,
        name: None,
        name_part: None,
        page: super::page(args, LIMIT_MAX)?,
    })))
}

fn encode(_: &Shape, answer: &Answer) -> Option<Members> {
    let Answer::Accounts(instance, accounts) = answer else {
        return None;
    };
    let rows = accounts.rows.iter();
    let rows = rows.map(|account| Value::Object(element(instance, account)));
    Some(vec![
        ("Accounts", Value::List(rows.collect())),
        ("TotalCount", Value::count(accounts.total)),
    ])
}

/// 1 changing, 2 valid. 4, deleted, is never needed: who is gone is not listed. A disabled
/// account cannot log in, so it is not valid; it shows as changing until it is enabled again.
fn status(status: AccountStatus) -> i64 {
    match status {
        AccountStatus::Available => 2,
        AccountStatus::Creating
        | AccountStatus::Changing
        | AccountStatus::Disabled
        | AccountStatus::Deleting => 1,
    }
}

fn element(instance: &InstanceId, account: &AccountView) -> Members {
    // The sample's default account has the remark `default` and no time.
    let is_root = account.kind == AccountKind::Default;
    let (name, created) = if is_root {
        (Value::from(ROOT), Value::from(""))
    } else {
        let created = time::format(account.created_at);
        (Value::text(account.name.as_str()), created.into())
    };
    let remark = if is_root && account.description.is_empty() {
        "default".into()
    } else {
        Value::text(&account.description)
    };
    let password_set = account.password_set_at.map(time::format);
    vec![
        ("InstanceId", Value::text(instance.as_str())),
        ("AccountName", name),
        ("Remark", remark),
        ("Privilege", super::privilege_word(account.privilege).into()),
        ("ReadonlyPolicy", super::routing_words(account.routing)),
        ("Status", Value::Int(status(account.status))),
        ("CreateTime", created),
        (
            "PasswordLastModifiedTime",
            password_set.unwrap_or_default().into(),
        ),
    ]
}
