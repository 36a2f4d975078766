//! DescribeZones: one zone in each region.

use super::Action;
use crate::Shape;
use crate::aliyun::instance_view::zone;
use crate::aliyun::params;
use crate::aliyun::wire::{Members, Value};
use crate::raw::Params;
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
    params::check_echoed(params, "RegionId")?;
    Ok(Ask::Query(Query::Regions))
}

fn encode(shape: &Shape, answer: &Answer) -> Option<Members> {
    let Answer::Regions(regions) = answer else {
        return None;
    };
    let asked = shape.echoed("RegionId");
    let row = |region: &Region| {
        Value::Object(vec![
            ("ZoneId", zone(&region.id).into()),
            ("ZoneName", zone(&region.id).into()),
            ("RegionId", Value::text(&region.id)),
            ("IsRds", Value::Bool(false)),
            ("SwitchNetwork", Value::Bool(false)),
            ("Disabled", Value::Bool(false)),
        ])
    };
    let rows = regions
        .iter()
        .filter(|region| asked.is_none_or(|asked| asked == region.id))
        .map(row)
        .collect();
    Some(vec![("Zones", Value::wrapped("KVStoreZone", rows))])
}
