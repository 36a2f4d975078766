//! ListBackgroundTask of one instance, ListCenterTask of all: newest first.

use super::Action;
use crate::Shape;
use crate::huawei::wire::Reply;
use crate::huawei::{params, task_view};
use crate::raw::Params;
use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::InstanceId;
use claviger_core::outcome::Answer;
use claviger_core::query::{Query, TaskQuery};
use claviger_core::refusal::Refusal;
use serde_json::json;

/// `begin_time` is in one example of the vendor's, `start_time` everywhere else.
const QUERY: &[&str] = &["offset", "limit", "start_time", "begin_time", "end_time"];

pub(super) const BACKGROUND: Action = Action {
    name: "ListBackgroundTask",
    method: "GET",
    path: "/v2/{project_id}/instances/{instance_id}/tasks",
    query: QUERY,
    takes_body: false,
    decode: |params| decode(params, Some(params::instance(params)?)),
    encode: |_, answer| encode(answer, false),
};

pub(super) const CENTER: Action = Action {
    name: "ListCenterTask",
    method: "GET",
    path: "/v2/{project_id}/tasks",
    query: QUERY,
    takes_body: false,
    decode: |params| decode(params, None),
    encode: |_: &Shape, answer| encode(answer, true),
};

fn decode(params: &Params, instance: Option<InstanceId>) -> Result<Ask, Refusal> {
    let from = params::moment(params, "start_time")?;
    let from = from.or(params::moment(params, "begin_time")?);
    // The second that is named belongs to what is asked for.
    let until = params::moment(params, "end_time")?
        .map(|end| Timestamp::from_millis(end.as_millis() + 1_000));
    Ok(Ask::Query(Query::Tasks(TaskQuery {
        instance,
        from,
        until,
        page: params::page(params)?,
        ..TaskQuery::default()
    })))
}

fn encode(answer: &Answer, of_center: bool) -> Option<Result<Reply, Refusal>> {
    let Answer::Tasks(tasks) = answer else {
        return None;
    };
    Some(Ok(Reply::Json(json!({
        // A text in the model.
        "task_count": tasks.total.to_string(),
        "tasks": task_view::rows(&tasks.rows, of_center),
    }))))
}
