//! ShowBackgroundTaskProgress. A change is one step on every node, so its progress is all or
//! nothing; how long an unreachable node stays away is not known.

use super::{Action, show_task};
use crate::Shape;
use crate::huawei::wire::Reply;
use claviger_core::outcome::Answer;
use claviger_core::refusal::Refusal;
use claviger_core::task::TaskState;
use serde_json::json;

pub(super) const ACTION: Action = Action {
    name: "ShowBackgroundTaskProgress",
    method: "GET",
    path: "/v2/{project_id}/instances/{instance_id}/tasks/{task_id}/progress",
    query: &[],
    takes_body: false,
    decode: show_task::of_instance,
    encode,
};

fn encode(_: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    let progress = show_task::found(answer)?.map(|view| {
        let done = view.task.state != TaskState::Running;
        Reply::Json(json!({
            "progress": if done { 100 } else { 0 },
            "remain_time": 0,
            "step_details": [],
        }))
    });
    Some(progress)
}
