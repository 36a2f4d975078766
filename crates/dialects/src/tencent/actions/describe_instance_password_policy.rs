//! DescribeInstancePasswordPolicy.

use super::Action;
use crate::Shape;
use crate::tencent::args::{Args, Kind, required};
use crate::tencent::wire::{Members, Value};
use claviger_core::command::Ask;
use claviger_core::outcome::Answer;
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DescribeInstancePasswordPolicy",
    parameters: &[required("InstanceId", Kind::Text)],
    echo: &[],
    decode,
    encode,
};

fn decode(args: &Args) -> Result<Ask, Refusal> {
    Ok(Ask::Query(Query::Instance(super::instance(args)?)))
}

fn encode(_: &Shape, answer: &Answer) -> Option<Members> {
    let Answer::Instance(instance) = answer else {
        return None;
    };
    let policy = instance.policy.passwords;
    let policy = vec![
        ("Enabled", Value::Bool(policy.enabled)),
        ("MinDigitCount", Value::Int(policy.digits_min.into())),
        ("MinLength", Value::Int(policy.length_min.into())),
        ("MinLetterCount", Value::Int(policy.letters_min.into())),
        ("MinSpecialCount", Value::Int(policy.specials_min.into())),
    ];
    Some(vec![("PasswordPolicy", Value::Object(policy))])
}
