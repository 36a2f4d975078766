//! DescribeDBInstances: what Terraform waits on after every change of an account.
//!
//! Identity, region, name, state and kind are the core's to answer. Filters on members that are
//! the same for all instances either let all pass or none. Two are compared with the values
//! shown: if one of them is given, the core is asked for all instances (up to its own bound), and
//! the rows that fit are counted and paged here.

use super::Action;
use crate::Shape;
use crate::raw::Params;
use crate::volcengine::instance_view::{
    self, CHARGE_TYPE, DATA_LAYOUT, PROJECT, SERVICE_TYPE, STATES,
};
use crate::volcengine::params::{Paging, invalid, number, optional, text};
use crate::volcengine::wire::Value;
use claviger_core::command::Ask;
use claviger_core::ids::InstanceId;
use claviger_core::instance::{InstanceView, Topology};
use claviger_core::outcome::Answer;
use claviger_core::query::{InstanceQuery, Page, Query, Rows};
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;

pub(super) const ACTION: Action = Action {
    name: "DescribeDBInstances",
    echo: &["PageNumber", "PageSize", "EngineVersion", "ZoneId"],
    decode,
    encode,
};

/// Compared with the values shown.
const BY_VALUE: [&str; 2] = ["EngineVersion", "ZoneId"];

/// Members that all instances have alike.
const FIXED: [(&str, &str); 4] = [
    ("ChargeType", CHARGE_TYPE),
    ("ProjectName", PROJECT),
    ("ServiceType", SERVICE_TYPE),
    ("DataLayout", DATA_LAYOUT),
];

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let paging = Paging::read(params)?;
    for name in BY_VALUE {
        if optional(params, name).is_some_and(|value| value.len() > Shape::ACTION_LEN_MAX) {
            return Err(invalid(name, "it is too long"));
        }
    }
    let topologies = match number(params, "ShardedCluster")? {
        None => Vec::new(),
        Some(0) => vec![
            Topology::Standalone,
            Topology::Replicated,
            Topology::Sentinel,
        ],
        Some(1) => vec![Topology::Cluster],
        Some(_) => return Err(invalid("ShardedCluster", "it is neither 0 nor 1")),
    };
    let other = |(name, value): &(&str, &str)| optional(params, name).is_some_and(|v| v != *value);
    let given = |name: &str| optional(params, name).is_some();
    if FIXED.iter().any(other) || given("VpcId") || given("TagFilters") {
        return Ok(Ask::Query(Query::Nothing));
    }
    let mut states = Vec::new();
    if let Some(asked) = optional(params, "Status") {
        match STATES.iter().find(|(_, word)| *word == asked) {
            Some((state, _)) => states.push(*state),
            None => return Ok(Ask::Query(Query::Nothing)),
        }
    }
    let page = Page {
        offset: paging.offset(),
        limit: paging.size,
    };
    let filtered = BY_VALUE.into_iter().any(given);
    Ok(Ask::Query(Query::Instances(InstanceQuery {
        ids: optional(params, "InstanceId")
            .map(InstanceId::new)
            .into_iter()
            .collect(),
        // The vendor narrows to the signature's region otherwise. Here a region is a word of the
        // operator's, and clients are often started with another one.
        region: text(params, "RegionId"),
        name_part: text(params, "InstanceName"),
        states,
        topologies,
        page: if filtered { Page::ALL } else { page },
        ..InstanceQuery::default()
    })))
}

fn encode(shape: &Shape, answer: &Answer) -> Option<Value> {
    let none = Rows {
        rows: Vec::new(),
        total: 0,
    };
    let instances = match answer {
        Answer::Instances(rows) => rows,
        Answer::Nothing => &none,
        _ => return None,
    };
    let filtered = BY_VALUE.iter().any(|name| shape.echoed(name).is_some());
    let rows: Vec<&InstanceView> = instances.rows.iter().collect();
    let (rows, total) = if filtered {
        let fitting: Vec<_> = rows.into_iter().filter(|row| fits(shape, row)).collect();
        let total = fitting.len() as u64;
        (paging(shape)?.slice(fitting), total)
    } else {
        (rows, instances.total)
    };
    let rows = rows.into_iter().map(instance_view::listed);
    let rows = rows.map(Value::Object).collect();
    Some(Value::Object(vec![
        ("Instances", Value::List(rows)),
        ("TotalInstancesNum", Value::Int(total)),
    ]))
}

/// The paging that was checked when it was read.
fn paging(shape: &Shape) -> Option<Paging> {
    let mut params = Params::default();
    for name in ["PageNumber", "PageSize"] {
        let value = shape.echoed(name).unwrap_or_default();
        params.push(name.to_owned(), Secret::new(value));
    }
    Paging::read(&params).ok()
}

fn fits(shape: &Shape, row: &InstanceView) -> bool {
    let version = shape.echoed("EngineVersion");
    let zone = shape.echoed("ZoneId");
    version.is_none_or(|asked| asked == instance_view::version(row))
        && zone.is_none_or(|part| instance_view::zone(&row.region).contains(part))
}
