//! DeleteBackgroundTask, DeleteCenterTask: finished tasks only.

use super::Action;
use crate::Shape;
use crate::huawei::params;
use crate::huawei::wire::Reply;
use claviger_core::command::Ask;
use claviger_core::outcome::Answer;
use claviger_core::refusal::Refusal;

pub(super) const BACKGROUND: Action = Action {
    name: "DeleteBackgroundTask",
    method: "DELETE",
    path: "/v2/{project_id}/instances/{instance_id}/tasks/{task_id}",
    query: &[],
    takes_body: false,
    decode: |params| {
        Ok(Ask::ForgetTask {
            instance: Some(params::instance(params)?),
            task: params::task(params, "task_id")?,
        })
    },
    encode,
};

pub(super) const CENTER: Action = Action {
    name: "DeleteCenterTask",
    method: "DELETE",
    path: "/v2/{project_id}/tasks/{task_id}",
    query: &[],
    takes_body: false,
    decode: |params| {
        Ok(Ask::ForgetTask {
            instance: None,
            task: params::task(params, "task_id")?,
        })
    },
    encode,
};

fn encode(_: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    matches!(answer, Answer::TaskForgotten).then_some(Ok(Reply::Empty))
}
