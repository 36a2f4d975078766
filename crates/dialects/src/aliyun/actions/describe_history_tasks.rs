//! DescribeHistoryTasks: the vendor lists operations on instances here, never on accounts, so
//! the list is empty.

use super::Action;
use crate::Shape;
use crate::aliyun::params::{Paging, invalid, required};
use crate::aliyun::time;
use crate::aliyun::wire::{Members, Value};
use crate::raw::Params;
use claviger_core::command::Ask;
use claviger_core::outcome::Answer;
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DescribeHistoryTasks",
    echo: &["PageNumber", "PageSize"],
    decode,
    encode,
};

/// The vendor's default, and the least that it takes.
const PAGE_SIZE: u64 = 10;

/// The vendor's bound.
const PAGE_SIZE_MAX: u64 = 100;

fn decode(params: &Params) -> Result<Ask, Refusal> {
    for name in ["FromStartTime", "ToStartTime"] {
        let text = required(params, name)?;
        if time::parse(text).is_none() {
            return Err(invalid(name, "it is not of the form YYYY-MM-DDThh:mm:ssZ"));
        }
    }
    Paging::read(params, PAGE_SIZE..=PAGE_SIZE_MAX)?;
    Ok(Ask::Query(Query::Nothing))
}

fn encode(shape: &Shape, answer: &Answer) -> Option<Members> {
    if !matches!(answer, Answer::Nothing) {
        return None;
    }
    let paging = Paging::echoed(shape);
    Some(vec![
        // A bare list, unlike those of the older actions.
        ("Items", Value::List(Vec::new())),
        ("PageNumber", Value::Int(paging.number)),
        ("PageSize", Value::Int(paging.size.unwrap_or(PAGE_SIZE))),
        ("TotalCount", Value::Int(0)),
    ])
}
