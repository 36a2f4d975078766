//! Tasks as this vendor shows them.

use super::time;
use claviger_core::task::{TaskKind, TaskState, TaskView};
use serde_json::{Value, json};

/// The vendor's word. Only `DeleteAcl` and `modify` are documented; nobody reads the others.
pub(super) fn name(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::CreateAccount => "CreateAcl",
        TaskKind::ModifyAccount | TaskKind::ApplyRoles => "UpdateAclRole",
        TaskKind::ChangePassword | TaskKind::SwitchPasswordFree => "modify",
        TaskKind::DeleteAccount => "DeleteAcl",
    }
}

fn status(state: TaskState) -> &'static str {
    match state {
        TaskState::Running => "EXECUTING",
        TaskState::Succeeded => "SUCCESS",
        TaskState::Superseded => "FAILED",
    }
}

/// What a job's status is called, and why it failed.
pub(super) fn job(view: &TaskView) -> Value {
    let task = &view.task;
    let (status, fail_reason) = match task.state {
        TaskState::Running => ("RUNNING", Value::Null),
        TaskState::Succeeded => ("SUCCESS", Value::Null),
        TaskState::Superseded => ("FAIL", json!("the account was deleted meanwhile")),
    };
    let millis = |at: claviger_core::clock::Timestamp| at.as_millis().to_string();
    json!({
        "job_id": task.id.to_string(),
        "job_type": name(task.kind),
        "status": status,
        "begin_time": millis(task.created_at),
        "end_time": task.finished_at.map(millis),
        "fail_reason": fail_reason,
    })
}

/// One row; those of the task centre have two more members.
pub(super) fn row(view: &TaskView, of_center: bool) -> Value {
    let task = &view.task;
    let updated = task.finished_at.unwrap_or(task.created_at);
    let mut row = json!({
        "id": task.id.to_string(),
        "name": name(task.kind),
        "details": {"account_name": task.account_name.as_str()},
        "user_name": task.by.as_str(),
        "user_id": task.by.as_str(),
        "params": null,
        "status": status(task.state),
        "created_at": time::format_millis(task.created_at),
        "updated_at": time::format_millis(updated),
        "enable_show": false,
    });
    if of_center && let Some(members) = row.as_object_mut() {
        members.insert("error_code".into(), Value::Null);
        members.insert("job_id".into(), task.id.to_string().into());
    }
    row
}

/// Rows as they come, newest first. A deletion shows as done only once the older ones on the
/// same instance are: Terraform looks at the newest alone, whichever was its own.
pub(super) fn rows(views: &[TaskView], of_center: bool) -> Vec<Value> {
    let deletion = |view: &TaskView| view.task.kind == TaskKind::DeleteAccount;
    let running = |view: &TaskView| view.task.state == TaskState::Running;
    let shown = views.iter().enumerate().map(|(at, view)| {
        let waits = deletion(view)
            && views[at + 1..].iter().any(|older| {
                deletion(older) && running(older) && older.task.instance == view.task.instance
            });
        let mut row = row(view, of_center);
        if waits {
            row["status"] = status(TaskState::Running).into();
        }
        row
    });
    shown.collect()
}
