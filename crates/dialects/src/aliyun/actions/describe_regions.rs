//! DescribeRegions: the regions in which instances are registered.

use super::Action;
use crate::Shape;
use crate::aliyun::instance_view::zone;
use crate::aliyun::wire::{Members, Value};
use crate::raw::Params;
use claviger_core::command::Ask;
use claviger_core::outcome::{Answer, Region};
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DescribeRegions",
    echo: &[],
    decode,
    encode,
};

fn decode(_: &Params) -> Result<Ask, Refusal> {
    Ok(Ask::Query(Query::Regions))
}

fn encode(shape: &Shape, answer: &Answer) -> Option<Members> {
    let Answer::Regions(regions) = answer else {
        return None;
    };
    let row = |region: &Region| {
        Value::Object(vec![
            ("RegionId", Value::text(&region.id)),
            ("LocalName", Value::text(&region.id)),
            // Where this was asked, so that nobody is sent to the cloud.
            ("RegionEndpoint", Value::text(&shape.host)),
            ("ZoneIds", zone(&region.id).into()),
            (
                "ZoneIdList",
                Value::wrapped("ZoneId", vec![zone(&region.id).into()]),
            ),
        ])
    };
    let rows = regions.iter().map(row).collect();
    Some(vec![("RegionIds", Value::wrapped("KVStoreRegion", rows))])
}
