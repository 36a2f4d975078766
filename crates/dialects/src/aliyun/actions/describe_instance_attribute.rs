//! DescribeInstanceAttribute.

use super::Action;
use crate::Shape;
use crate::aliyun::wire::{Members, Value};
use crate::aliyun::{instance_view, params};
use crate::raw::Params;
use claviger_core::command::Ask;
use claviger_core::outcome::Answer;
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DescribeInstanceAttribute",
    echo: &[],
    decode,
    encode,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    Ok(Ask::Query(Query::Instance(params::instance(params)?)))
}

fn encode(_: &Shape, answer: &Answer) -> Option<Members> {
    let Answer::Instance(instance) = answer else {
        return None;
    };
    let row = Value::Object(instance_view::attribute(instance));
    Some(vec![(
        "Instances",
        Value::wrapped("DBInstanceAttribute", vec![row]),
    )])
}
