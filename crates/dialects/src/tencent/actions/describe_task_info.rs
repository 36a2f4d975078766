//! DescribeTaskInfo.

use super::Action;
use crate::Shape;
use crate::tencent::args::{Args, Kind, required};
use crate::tencent::time;
use crate::tencent::wire::{Members, Value};
use claviger_core::command::Ask;
use claviger_core::ids::TaskId;
use claviger_core::outcome::Answer;
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;
use claviger_core::task::{TaskKind, TaskState, TaskView};

pub(super) const ACTION: Action = Action {
    name: "DescribeTaskInfo",
    parameters: &[required("TaskId", Kind::Uint)],
    echo: &[],
    decode,
    encode,
};

fn decode(args: &Args) -> Result<Ask, Refusal> {
    let number = args.uint("TaskId");
    let number = number.ok_or(Refusal::ParameterMissing { name: "TaskId" })?;
    let number = i64::try_from(number).map_err(|_| Refusal::TaskNotFound)?;
    Ok(Ask::Query(Query::Task(TaskId(number))))
}

fn encode(_: &Shape, answer: &Answer) -> Option<Members> {
    let Answer::Task(view) = answer else {
        return None;
    };
    Some(vec![
        ("Status", status(view.task.state).into()),
        ("StartTime", time::format(view.task.created_at).into()),
        ("TaskType", title(view.task.kind).into()),
        ("InstanceId", Value::text(view.task.instance.as_str())),
        ("TaskMessage", message(view).into()),
    ])
}

/// `succeed`, not `success`. There is no `preparing`: what is accepted is begun.
fn status(state: TaskState) -> &'static str {
    match state {
        TaskState::Running => "running",
        TaskState::Succeeded => "succeed",
        TaskState::Superseded => "failed",
    }
}

/// The vendor has names of its flows here; these are ours.
fn title(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::CreateAccount => "Create account",
        TaskKind::ModifyAccount => "Modify account",
        TaskKind::ChangePassword => "Change password",
        TaskKind::SwitchPasswordFree => "Switch password-free access",
        TaskKind::DeleteAccount => "Delete account",
        TaskKind::ApplyRoles => "Apply roles",
    }
}

/// Whom a running task waits for, and why; what became of one that did not succeed.
fn message(view: &TaskView) -> String {
    match view.task.state {
        TaskState::Succeeded => String::new(),
        TaskState::Superseded => "The account was deleted before every node had it.".to_owned(),
        TaskState::Running if view.waiting_on.is_empty() => String::new(),
        TaskState::Running => {
            let nodes: Vec<&str> = view.waiting_on.iter().map(|node| node.as_str()).collect();
            let reason = view.reason.as_deref();
            let reason = reason.map(|reason| format!(": {reason}"));
            format!(
                "Waiting for {}{}",
                nodes.join(", "),
                reason.unwrap_or_default()
            )
        }
    }
}
