//! ShowJobInfo: the job that a change of role answers, which is its task.

use super::Action;
use crate::Shape;
use crate::huawei::wire::Reply;
use crate::huawei::{params, task_view};
use claviger_core::command::Ask;
use claviger_core::outcome::Answer;
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "ShowJobInfo",
    method: "GET",
    path: "/v2/{project_id}/jobs/{job_id}",
    query: &[],
    takes_body: false,
    decode: |params| Ok(Ask::Query(Query::Task(params::task(params, "job_id")?))),
    encode,
};

fn encode(_: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    match answer {
        Answer::Task(task) => Some(Ok(Reply::Json(task_view::job(task)))),
        _ => None,
    }
}
