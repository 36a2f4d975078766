//! ListInstances. Identity, name and state are the core's to answer; an address is compared with
//! what is shown, over all instances up to the core's own bound.

use super::Action;
use crate::Shape;
use crate::huawei::instance_view;
use crate::huawei::params::{self, optional};
use crate::huawei::wire::Reply;
use crate::raw::Params;
use claviger_core::command::Ask;
use claviger_core::ids::InstanceId;
use claviger_core::outcome::Answer;
use claviger_core::query::{InstanceQuery, Page, Query};
use claviger_core::refusal::Refusal;
use serde_json::{Value, json};

pub(super) const ACTION: Action = Action {
    name: "ListInstances",
    method: "GET",
    path: "/v2/{project_id}/instances",
    query: &[
        "instance_id",
        "name",
        "name_equal",
        "status",
        "ip",
        "tags",
        "capacity",
        "offset",
        "limit",
    ],
    takes_body: false,
    decode,
    encode,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let page = params::page(params)?;
    params::check_echoed(params, "ip")?;
    let exact = match optional(params, "name_equal") {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("true") => true,
        Some(word) if word.eq_ignore_ascii_case("false") => false,
        Some(_) => return Err(params::invalid("name_equal", "it is not true or false")),
    };
    let id = optional(params, "instance_id");
    if id.is_some_and(|id| !params::instance_ok(id)) {
        return Err(Refusal::InstanceIdMalformed);
    }
    let state = optional(params, "status").map(instance_view::state);
    // What no instance here is: tagged, of another size, in a state that only clouds have.
    let none = optional(params, "tags").is_some()
        || optional(params, "capacity").is_some_and(|asked| !instance_view::has_capacity(asked))
        || state == Some(None);
    if none {
        return Ok(Ask::Query(Query::Nothing));
    }
    let name = optional(params, "name").map(str::to_owned);
    let (name, name_part) = if exact { (name, None) } else { (None, name) };
    let by_address = optional(params, "ip").is_some();
    Ok(Ask::Query(Query::Instances(InstanceQuery {
        ids: id.map(InstanceId::new).into_iter().collect(),
        name,
        name_part,
        states: state.flatten().into_iter().collect(),
        page: if by_address { Page::ALL } else { page },
        ..InstanceQuery::default()
    })))
}

fn encode(shape: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    let (rows, total): (Vec<Value>, u64) = match answer {
        Answer::Nothing => (Vec::new(), 0),
        Answer::Instances(instances) => match shape.echoed("ip") {
            None => {
                let rows = instances.rows.iter().map(instance_view::listed).collect();
                (rows, instances.total)
            }
            Some(ip) => {
                let fitting = instances
                    .rows
                    .iter()
                    .filter(|instance| instance_view::ip(instance) == ip);
                let rows: Vec<Value> = fitting.map(instance_view::listed).collect();
                let total = rows.len() as u64;
                (params::slice(rows, params::page_echoed(shape)), total)
            }
        },
        _ => return None,
    };
    Some(Ok(Reply::Json(json!({
        "instance_num": total,
        "instances": rows,
    }))))
}
