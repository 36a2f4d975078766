//! DescribeDBInstanceAclCategories and DescribeDBInstanceAclCommands: what the servers' own
//! `ACL CAT` says, for those who write roles.

use super::Action;
use crate::Shape;
use crate::raw::Params;
use crate::volcengine::params::{instance, required};
use crate::volcengine::wire::Value;
use claviger_core::command::Ask;
use claviger_core::outcome::Answer;
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;

/// All categories.
pub(super) const CATEGORIES: Action = Action {
    name: "DescribeDBInstanceAclCategories",
    echo: &[],
    decode: |params| Ok(Ask::Query(Query::AclWords(instance(params)?, None))),
    encode: |_, answer| words("Categories", answer),
};

/// The commands of one.
pub(super) const COMMANDS: Action = Action {
    name: "DescribeDBInstanceAclCommands",
    echo: &[],
    decode: commands,
    encode: commands_of,
};

fn commands(params: &Params) -> Result<Ask, Refusal> {
    let instance = instance(params)?;
    let category = required(params, "Category")?.to_owned();
    Ok(Ask::Query(Query::AclWords(instance, Some(category))))
}

fn commands_of(_: &Shape, answer: &Answer) -> Option<Value> {
    words("Commands", answer)
}

fn words(name: &'static str, answer: &Answer) -> Option<Value> {
    let Answer::AclWords(words) = answer else {
        return None;
    };
    let words = words.iter().map(|word| Value::text(word)).collect();
    Some(Value::Object(vec![(name, Value::List(words))]))
}
