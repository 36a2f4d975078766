//! DescribeZones: one zone in each region.

use super::Action;
use crate::Shape;
use crate::raw::Params;
use crate::volcengine::instance_view::zone;
use crate::volcengine::params::{invalid, required};
use crate::volcengine::wire::Value;
use claviger_core::command::Ask;
use claviger_core::outcome::{Answer, Region};
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DescribeZones",
    echo: &["RegionId"],
    decode,
    encode,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    if required(params, "RegionId")?.len() > Shape::ACTION_LEN_MAX {
        return Err(invalid("RegionId", "it is too long"));
    }
    Ok(Ask::Query(Query::Regions))
}

fn encode(shape: &Shape, answer: &Answer) -> Option<Value> {
    let Answer::Regions(regions) = answer else {
        return None;
    };
    let row = |region: &Region| {
        Value::Object(vec![
            ("ZoneId", zone(&region.id).into()),
            ("ZoneName", zone(&region.id).into()),
            ("ZoneStatus", Value::Int(0)),
        ])
    };
    let asked = shape.echoed("RegionId");
    let rows = regions
        .iter()
        .filter(|region| asked == Some(region.id.as_str()))
        .map(row)
        .collect();
    Some(Value::Object(vec![("Zones", Value::List(rows))]))
}
