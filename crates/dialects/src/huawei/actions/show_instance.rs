//! ShowInstance.

use super::Action;
use crate::Shape;
use crate::huawei::wire::Reply;
use crate::huawei::{instance_view, params};
use claviger_core::command::Ask;
use claviger_core::outcome::Answer;
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "ShowInstance",
    method: "GET",
    path: "/v2/{project_id}/instances/{instance_id}",
    query: &[],
    takes_body: false,
    decode: |params| Ok(Ask::Query(Query::Instance(params::instance(params)?))),
    encode,
};

fn encode(_: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    match answer {
        Answer::Instance(instance) => Some(Ok(Reply::Json(instance_view::shown(instance)))),
        _ => None,
    }
}
