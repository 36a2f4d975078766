//! DescribeInstances.
//!
//! Identity, region and search are the core's to answer. The other filters are compared with the
//! values shown: if one is given, the core is asked for all instances (up to its own bound), and
//! the rows that fit are counted and paged here.

use super::Action;
use crate::Shape;
use crate::aliyun::instance_view;
use crate::aliyun::params::{self, Paging, invalid, optional};
use crate::aliyun::wire::{Members, Value};
use crate::raw::Params;
use claviger_core::command::Ask;
use claviger_core::ids::InstanceId;
use claviger_core::outcome::Answer;
use claviger_core::query::{InstanceQuery, Page, Query, Rows};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DescribeInstances",
    echo: &[
        "PageNumber",
        "PageSize",
        "InstanceStatus",
        "ChargeType",
        "NetworkType",
        "EngineVersion",
        "InstanceClass",
        "VpcId",
        "VSwitchId",
        "InstanceType",
        "EditionType",
        "ArchitectureType",
        "NodeType",
        "ZoneId",
        "ResourceGroupId",
        "PrivateIp",
        "Expired",
        "GlobalInstance",
        "Tag.1.Key",
    ],
    decode,
    encode,
};

/// Filters that are members of the rows, by the same name.
const BY_MEMBER: [&str; 14] = [
    "InstanceStatus",
    "ChargeType",
    "NetworkType",
    "EngineVersion",
    "InstanceClass",
    "VpcId",
    "VSwitchId",
    "InstanceType",
    "EditionType",
    "ArchitectureType",
    "NodeType",
    "ZoneId",
    "ResourceGroupId",
    "PrivateIp",
];

/// Filters that ask for what no instance here is: expired, a child of a distributed instance,
/// or tagged.
const BY_OTHER: [&str; 3] = ["Expired", "GlobalInstance", "Tag.1.Key"];

/// The vendor's default.
const PAGE_SIZE: u64 = 30;

/// The vendor's bound.
const PAGE_SIZE_MAX: u64 = 50;

/// The vendor's bound on `InstanceIds`.
const IDS_MAX: usize = 30;

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let paging = Paging::read(params, 1..=PAGE_SIZE_MAX)?;
    let mut filtered = false;
    for name in BY_MEMBER.into_iter().chain(BY_OTHER) {
        params::check_echoed(params, name)?;
        filtered |= optional(params, name).is_some();
    }
    let Some(ids) = ids(params)? else {
        return Ok(Ask::Query(Query::Nothing));
    };
    let size = paging.size.unwrap_or(PAGE_SIZE);
    let page = Page {
        offset: paging.offset(size),
        limit: size,
    };
    let text = |name| optional(params, name).map(str::to_owned);
    Ok(Ask::Query(Query::Instances(InstanceQuery {
        ids,
        region: text("RegionId"),
        search: text("SearchKey"),
        page: if filtered { Page::ALL } else { page },
        ..InstanceQuery::default()
    })))
}

/// The identities asked for, none meaning any; `None` if they exclude one another. `InstanceId`
/// is not documented here; Terraform sends it.
fn ids(params: &Params) -> Result<Option<Vec<InstanceId>>, Refusal> {
    let list = optional(params, "InstanceIds").unwrap_or_default();
    let mut ids: Vec<&str> = list.split(',').map(str::trim).collect();
    ids.retain(|id| !id.is_empty());
    if ids.len() > IDS_MAX {
        return Err(invalid("InstanceIds", "it names more than 30"));
    }
    if let Some(one) = optional(params, "InstanceId") {
        if !ids.is_empty() && !ids.contains(&one) {
            return Ok(None);
        }
        ids = vec![one];
    }
    Ok(Some(ids.into_iter().map(InstanceId::new).collect()))
}

fn encode(shape: &Shape, answer: &Answer) -> Option<Members> {
    let none = Rows {
        rows: Vec::new(),
        total: 0,
    };
    let instances = match answer {
        Answer::Instances(rows) => rows,
        Answer::Nothing => &none,
        _ => return None,
    };
    let mut paging = Paging::echoed(shape);
    let size = *paging.size.get_or_insert(PAGE_SIZE);
    let given = |name: &&str| shape.echoed(name).is_some();
    let filtered = BY_MEMBER.iter().chain(&BY_OTHER).any(given);
    let rows = instances.rows.iter().map(instance_view::listed);
    let (rows, total) = if filtered {
        let fitting: Vec<Members> = rows.filter(|row| fits(shape, row)).collect();
        let total = fitting.len() as u64;
        (paging.slice(fitting), total)
    } else {
        (rows.collect(), instances.total)
    };
    let rows = rows.into_iter().map(Value::Object).collect();
    Some(vec![
        ("PageNumber", Value::Int(paging.number)),
        ("PageSize", Value::Int(size)),
        ("TotalCount", Value::Int(total)),
        ("Instances", Value::wrapped("KVStoreInstance", rows)),
    ])
}

fn fits(shape: &Shape, row: &Members) -> bool {
    let asks_true = |name| {
        shape
            .echoed(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    };
    if asks_true("Expired") || asks_true("GlobalInstance") || shape.echoed("Tag.1.Key").is_some() {
        return false;
    }
    BY_MEMBER.iter().all(|name| {
        shape.echoed(name).is_none_or(|asked| {
            let asked = match asked {
                // Cloud-native instances have other words for the same two things.
                "MASTER_SLAVE" => "double",
                "STAND_ALONE" => "single",
                asked => asked,
            };
            row.iter()
                .any(|(n, value)| n == name && matches!(value, Value::Text(v) if v == asked))
        })
    })
}
