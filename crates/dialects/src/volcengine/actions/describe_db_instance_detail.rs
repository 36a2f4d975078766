//! DescribeDBInstanceDetail.

use super::Action;
use crate::Shape;
use crate::raw::Params;
use crate::volcengine::wire::Value;
use crate::volcengine::{instance_view, params};
use claviger_core::command::Ask;
use claviger_core::outcome::Answer;
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DescribeDBInstanceDetail",
    echo: &[],
    decode,
    encode,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    Ok(Ask::Query(Query::Instance(params::instance(params)?)))
}

fn encode(_: &Shape, answer: &Answer) -> Option<Value> {
    let Answer::Instance(instance) = answer else {
        return None;
    };
    Some(Value::Object(instance_view::detail(instance)))
}
