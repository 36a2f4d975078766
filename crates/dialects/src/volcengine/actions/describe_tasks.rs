//! DescribeTasks: each change of an account is a task, which is done when every node has
//! confirmed it. Whether the vendor lists changes of accounts is unknown; that they are here, and
//! under which names, is ours.

use super::Action;
use crate::Shape;
use crate::raw::Params;
use crate::volcengine::instance_view::PROJECT;
use crate::volcengine::params::{Paging, invalid, optional, required, text};
use crate::volcengine::time;
use crate::volcengine::wire::Value;
use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::{InstanceId, TaskId};
use claviger_core::outcome::Answer;
use claviger_core::query::{Page, Query, Rows, TaskQuery};
use claviger_core::refusal::Refusal;
use claviger_core::task::{TaskKind, TaskState, TaskView};

pub(super) const ACTION: Action = Action {
    name: "DescribeTasks",
    echo: &[],
    decode,
    encode,
};

/// Every kind with the action that makes such a task; a new password is a modification here.
const KINDS: [(TaskKind, &str); 6] = [
    (TaskKind::CreateAccount, "CreateDBAccount"),
    (TaskKind::ModifyAccount, "ModifyDBAccount"),
    (TaskKind::ChangePassword, "ModifyDBAccount"),
    (TaskKind::SwitchPasswordFree, "ModifyDBInstanceVpcAuthMode"),
    (TaskKind::DeleteAccount, "DeleteDBAccount"),
    (TaskKind::ApplyRoles, "ModifyDBRole"),
];

fn decode(params: &Params) -> Result<Ask, Refusal> {
    required(params, "PageNumber")?;
    required(params, "PageSize")?;
    let paging = Paging::read(params)?;
    let mut query = TaskQuery {
        instance: optional(params, "InstanceId").map(InstanceId::new),
        instance_name: text(params, "InstanceName"),
        from: moment(params, "CreationStartTime")?,
        until: moment(params, "CreationEndTime")?,
        page: Page {
            offset: paging.offset(),
            limit: paging.size,
        },
        ..TaskQuery::default()
    };
    if let Some(id) = optional(params, "TaskId") {
        // What is no number of ours names no task.
        match id.parse() {
            Ok(id) => query.id = Some(TaskId(id)),
            Err(_) => return Ok(Ask::Query(Query::Nothing)),
        }
    }
    if let Some(name) = optional(params, "TaskName") {
        let named = KINDS.iter().filter(|(_, action)| *action == name);
        query.kinds = named.map(|(kind, _)| *kind).collect();
        if query.kinds.is_empty() {
            return Ok(Ask::Query(Query::Nothing));
        }
    }
    if optional(params, "ProjectName").is_some_and(|name| name != PROJECT) {
        return Ok(Ask::Query(Query::Nothing));
    }
    Ok(Ask::Query(Query::Tasks(query)))
}

fn moment(params: &Params, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
    optional(params, name)
        .map(|text| {
            time::parse(text).ok_or(invalid(name, "it is not of the form yyyy-MM-ddTHH:mm:ssZ"))
        })
        .transpose()
}

fn encode(_: &Shape, answer: &Answer) -> Option<Value> {
    let none = Rows {
        rows: Vec::new(),
        total: 0,
    };
    let tasks = match answer {
        Answer::Tasks(rows) => rows,
        Answer::Nothing => &none,
        _ => return None,
    };
    let rows = tasks.rows.iter().map(row).collect();
    Some(Value::Object(vec![
        ("Tasks", Value::List(rows)),
        ("Total", Value::Int(tasks.total)),
    ]))
}

fn row(view: &TaskView) -> Value {
    let task = &view.task;
    let action = KINDS
        .iter()
        .find(|(kind, _)| *kind == task.kind)
        .map_or("", |(_, action)| action);
    // A superseded one has nothing left to do: a later change did it.
    let (status, progress) = match task.state {
        TaskState::Running => ("Running", 0),
        TaskState::Succeeded => ("Success", 100),
        TaskState::Superseded => ("Canceled", 100),
    };
    let took = task.finished_at.map_or(0, |end| {
        u64::try_from(end.as_millis() - task.created_at.as_millis()).unwrap_or(0)
    });
    let instance = vec![("InstanceID", Value::text(task.instance.as_str()))];
    let begun = time::format(task.created_at);
    let ended = task.finished_at.map(time::format).unwrap_or_default();
    let account = task.account_name.as_str();
    Value::Object(vec![
        ("TaskId", task.id.to_string().into()),
        ("TaskName", action.into()),
        ("TaskAction", action.into()),
        ("TaskDesc", format!("{action} {account}").into()),
        ("TaskParams", "".into()),
        ("TaskStatus", status.into()),
        ("Progress", Value::Int(progress)),
        ("CostTimeMS", Value::Int(took)),
        ("CreateTime", begun.clone().into()),
        ("StartTime", begun.into()),
        ("FinishTime", ended.into()),
        ("InstanceInfo", Value::Object(instance)),
        ("TaskStepInfo", Value::List(Vec::new())),
    ])
}
