//! DescribeInstanceSupportFeature.

use super::Action;
use crate::Shape;
use crate::tencent::args::{Args, Kind, not_allowed, required};
use crate::tencent::wire::{Members, Value};
use claviger_core::command::Ask;
use claviger_core::engine::AclLevel;
use claviger_core::outcome::Answer;
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DescribeInstanceSupportFeature",
    parameters: &[
        required("InstanceId", Kind::Text),
        required("FeatureName", Kind::Text),
    ],
    echo: &["FeatureName"],
    decode,
    encode,
};

const ACCOUNTS: &str = "multi-account";

/// The others belong to the cloud's proxies.
const FEATURES: [&str; 3] = [ACCOUNTS, "read-local-node-only", "auto-failback"];

fn decode(args: &Args) -> Result<Ask, Refusal> {
    if !FEATURES.contains(&args.must("FeatureName")?) {
        return Err(not_allowed("FeatureName", "it is not a feature"));
    }
    Ok(Ask::Query(Query::Instance(super::instance(args)?)))
}

fn encode(shape: &Shape, answer: &Answer) -> Option<Members> {
    let Answer::Instance(instance) = answer else {
        return None;
    };
    let level = instance.engine.map(|engine| engine.acl_level());
    let accounts = level != Some(AclLevel::None);
    let asked = shape.echoed("FeatureName") == Some(ACCOUNTS);
    Some(vec![("Support", Value::Bool(asked && accounts))])
}
