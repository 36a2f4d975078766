//! DescribeRegions: the regions in which instances are registered.

use super::Action;
use crate::Shape;
use crate::volcengine::wire::Value;
use claviger_core::command::Ask;
use claviger_core::outcome::{Answer, Region};
use claviger_core::query::Query;

pub(super) const ACTION: Action = Action {
    name: "DescribeRegions",
    echo: &[],
    decode: |_| Ok(Ask::Query(Query::Regions)),
    encode,
};

fn encode(_: &Shape, answer: &Answer) -> Option<Value> {
    let Answer::Regions(regions) = answer else {
        return None;
    };
    let row = |region: &Region| {
        Value::Object(vec![
            ("RegionId", Value::text(&region.id)),
            ("RegionName", Value::text(&region.id)),
        ])
    };
    let rows = regions.iter().map(row).collect();
    Some(Value::Object(vec![("Regions", Value::List(rows))]))
}
