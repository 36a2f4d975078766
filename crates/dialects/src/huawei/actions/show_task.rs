//! One task, of an instance or of the task centre.

use super::Action;
use crate::Shape;
use crate::huawei::wire::Reply;
use crate::huawei::{params, task_view};
use crate::raw::Params;
use claviger_core::command::Ask;
use claviger_core::outcome::Answer;
use claviger_core::query::{Query, TaskQuery};
use claviger_core::refusal::Refusal;
use claviger_core::task::TaskView;

pub(super) const BACKGROUND: Action = Action {
    name: "ShowBackgroundTask",
    method: "GET",
    path: "/v2/{project_id}/instances/{instance_id}/tasks/{task_id}",
    query: &[],
    takes_body: false,
    decode: of_instance,
    encode: |_, answer| Some(found(answer)?.map(|task| Reply::Json(task_view::row(task, false)))),
};

pub(super) const CENTER: Action = Action {
    name: "ShowCenterTask",
    method: "GET",
    path: "/v2/{project_id}/tasks/{task_id}",
    query: &[],
    takes_body: false,
    decode: |params| Ok(Ask::Query(Query::Task(params::task(params, "task_id")?))),
    encode: of_center,
};

/// The task of that number, if it is that instance's.
pub(super) fn of_instance(params: &Params) -> Result<Ask, Refusal> {
    Ok(Ask::Query(Query::Tasks(TaskQuery {
        id: Some(params::task(params, "task_id")?),
        instance: Some(params::instance(params)?),
        ..TaskQuery::default()
    })))
}

/// The one that [`of_instance`] asked for.
pub(super) fn found(answer: &Answer) -> Option<Result<&TaskView, Refusal>> {
    match answer {
        Answer::Tasks(tasks) => Some(tasks.rows.first().ok_or(Refusal::TaskNotFound)),
        _ => None,
    }
}

fn of_center(_: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    match answer {
        Answer::Task(task) => Some(Ok(Reply::Json(task_view::row(task, true)))),
        _ => None,
    }
}
