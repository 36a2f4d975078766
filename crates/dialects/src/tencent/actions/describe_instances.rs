//! DescribeInstances. No match, of an unknown identity either, is an empty list.
//!
//! What the core can look for is asked of it. Filters on what every instance here has alike are
//! answered at once. The others are compared with the values shown: if one is given, the core is
//! asked for all instances (up to its own bound), and the rows that fit are paged here.

use super::{Action, LIMIT, LIMIT_PARAMETER, OFFSET_PARAMETER};
use crate::Shape;
use crate::tencent::args::{Args, Kind, Parameter, not_allowed, optional};
use crate::tencent::instance_view::{listed, states};
use crate::tencent::wire::{Members, Value};
use claviger_core::command::Ask;
use claviger_core::ids::InstanceId;
use claviger_core::outcome::Answer;
use claviger_core::query::{InstanceQuery, Page, Query, Rows};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DescribeInstances",
    parameters: PARAMETERS,
    echo: &[
        "Limit",
        "Offset",
        "Type",
        "TypeList",
        "TypeVersion",
        "EngineName",
        "SearchKeys",
    ],
    decode,
    encode,
};

const PARAMETERS: &[Parameter] = &[
    LIMIT_PARAMETER,
    OFFSET_PARAMETER,
    optional("InstanceId", Kind::Text),
    optional("InstanceIds", Kind::Texts),
    optional("InstanceName", Kind::Text),
    optional("SearchKey", Kind::Text),
    optional("SearchKeys", Kind::Texts),
    optional("OrderBy", Kind::Text),
    optional("OrderType", Kind::Uint),
    optional("Status", Kind::Ints),
    optional("Type", Kind::Uint),
    optional("TypeList", Kind::Ints),
    optional("TypeVersion", Kind::Text),
    optional("EngineName", Kind::Text),
    optional("ProjectIds", Kind::Ints),
    optional("VpcIds", Kind::Texts),
    optional("SubnetIds", Kind::Texts),
    optional("UniqVpcIds", Kind::Texts),
    optional("UniqSubnetIds", Kind::Texts),
    optional("RegionIds", Kind::Ints),
    optional("AutoRenew", Kind::Ints),
    optional("BillingMode", Kind::Text),
    optional("MonitorVersion", Kind::Text),
    optional("InstanceTags", Kind::Objects),
    optional("TagKeys", Kind::Texts),
    optional("ProductVersions", Kind::Texts),
    optional("AzMode", Kind::Text),
];

/// Filters that only the rows as shown can answer.
const BY_ROW: [&str; 5] = [
    "Type",
    "TypeList",
    "TypeVersion",
    "EngineName",
    "SearchKeys",
];

/// The vendor's bound.
const LIMIT_MAX: u64 = 1_000;

fn decode(args: &Args) -> Result<Ask, Refusal> {
    let limit = args.uint("Limit").unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(not_allowed("Limit", "it is out of range"));
    }
    let offset = args.uint("Offset").unwrap_or(0);
    let filtered = args.text("TypeVersion").is_some()
        || args.text("EngineName").is_some()
        || args.uint("Type").is_some()
        || args.has_items("TypeList")
        || args.has_items("SearchKeys");
    let wanted = args.ints("Status");
    let known: Vec<_> = wanted.iter().filter_map(|n| states(*n)).collect();
    let Some(ids) = ids(args).filter(|_| fits_all(args) && known.is_empty() == wanted.is_empty())
    else {
        return Ok(Ask::Query(Query::Nothing));
    };
    let descending = args.uint("OrderType").unwrap_or(1) == 1;
    let text = |name| args.text(name).map(str::to_owned);
    Ok(Ask::Query(Query::Instances(InstanceQuery {
        ids,
        name: text("InstanceName"),
        name_part: text("SearchKey"),
        states: known,
        newest_first: args.text("OrderBy") == Some("createtime") && descending,
        page: if filtered {
            Page::ALL
        } else {
            Page { offset, limit }
        },
        ..InstanceQuery::default()
    })))
}

/// The identities asked for, none meaning any; `None` if they exclude one another.
fn ids(args: &Args) -> Option<Vec<InstanceId>> {
    let mut ids = args.texts("InstanceIds");
    if let Some(one) = args.text("InstanceId") {
        if !ids.is_empty() && !ids.contains(&one) {
            return None;
        }
        ids = vec![one];
    }
    Some(ids.into_iter().map(InstanceId::new).collect())
}

/// Whether the filters on what every instance has alike are met.
fn fits_all(args: &Args) -> bool {
    let zero = |name| {
        let given = args.ints(name);
        given.is_empty() || given.contains(&0)
    };
    let zero_text = |name| {
        let given = args.texts(name);
        given.is_empty() || given.contains(&"0")
    };
    let word = |name, own: &str| {
        let given = args.text(name);
        given.is_none_or(|given| given.eq_ignore_ascii_case(own))
    };
    let versions = args.texts("ProductVersions");
    zero("ProjectIds")
        && zero("RegionIds")
        && zero("AutoRenew")
        && zero_text("VpcIds")
        && zero_text("SubnetIds")
        && word("BillingMode", "postpaid")
        && word("MonitorVersion", "5s")
        && word("AzMode", "singleaz")
        && (versions.is_empty() || versions.contains(&"local"))
        && ["UniqVpcIds", "UniqSubnetIds", "InstanceTags", "TagKeys"]
            .iter()
            .all(|name| !args.has_items(name))
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
    let rows = instances.rows.iter().map(listed);
    let filtered = BY_ROW.iter().any(|name| shape.echoed(name).is_some());
    let (rows, total) = if filtered {
        let number = |name, default| {
            let text = shape.echoed(name);
            text.and_then(|t| t.parse::<usize>().ok())
                .unwrap_or(default)
        };
        let fitting: Vec<Members> = rows.filter(|row| fits(shape, row)).collect();
        let total = fitting.len() as u64;
        let page = fitting
            .into_iter()
            .skip(number("Offset", 0))
            .take(number("Limit", 20))
            .collect();
        (page, total)
    } else {
        (rows.collect::<Vec<_>>(), instances.total)
    };
    let rows = rows.into_iter().map(Value::Object).collect();
    Some(vec![
        ("TotalCount", Value::count(total)),
        ("InstanceSet", Value::List(rows)),
    ])
}

fn fits(shape: &Shape, row: &Members) -> bool {
    let text = |name: &str| {
        let value = row.iter().find(|(n, _)| *n == name).map(|(_, v)| v);
        match value {
            Some(Value::Text(text)) => text.to_string(),
            Some(Value::Int(number)) => number.to_string(),
            _ => String::new(),
        }
    };
    let one_of = |filter: &str, member: &str| {
        let own = text(member);
        let given = shape.echoed(filter);
        given.is_none_or(|given| given.split(',').any(|item| item == own))
    };
    let version = text("CurrentRedisVersion");
    let engine = text("Engine");
    let (id, name, host) = (text("InstanceId"), text("InstanceName"), text("WanIp"));
    one_of("Type", "Type")
        && one_of("TypeList", "Type")
        && shape
            .echoed("TypeVersion")
            .is_none_or(|given| given.rsplit(' ').next() == Some(version.as_str()))
        && shape
            .echoed("EngineName")
            .is_none_or(|given| given.eq_ignore_ascii_case(&engine))
        && shape.echoed("SearchKeys").is_none_or(|given| {
            given
                .split(',')
                .any(|key| key == id || key == host || name.contains(key))
        })
}
