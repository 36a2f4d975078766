//! DescribeTaskList.

use super::{Action, LIMIT_PARAMETER, OFFSET_PARAMETER};
use crate::Shape;
use crate::tencent::args::{Args, Kind, not_allowed, optional};
use crate::tencent::time;
use crate::tencent::wire::{Members, Value};
use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::{InstanceId, KeyId};
use claviger_core::outcome::Answer;
use claviger_core::query::{Query, Rows, TaskQuery};
use claviger_core::refusal::Refusal;
use claviger_core::task::{TaskKind, TaskState, TaskView};

pub(super) const ACTION: Action = Action {
    name: "DescribeTaskList",
    parameters: &[
        optional("InstanceId", Kind::Text),
        optional("InstanceName", Kind::Text),
        LIMIT_PARAMETER,
        OFFSET_PARAMETER,
        optional("ProjectIds", Kind::Ints),
        optional("TaskTypes", Kind::Texts),
        optional("BeginTime", Kind::Text),
        optional("EndTime", Kind::Text),
        optional("TaskStatus", Kind::Ints),
        optional("Result", Kind::Ints),
        optional("OperatorUin", Kind::Ints),
        optional("OperateUin", Kind::Texts),
    ],
    echo: &["InstanceName"],
    decode,
    encode,
};

/// The vendor's bound.
const LIMIT_MAX: u64 = 100;

/// The vendor's codes, as far as there are such tasks here.
const KINDS: [(TaskKind, &str); 6] = [
    (TaskKind::CreateAccount, "037"),
    (TaskKind::ModifyAccount, "037"),
    (TaskKind::DeleteAccount, "037"),
    (TaskKind::ApplyRoles, "037"),
    (TaskKind::ChangePassword, "007"),
    (TaskKind::SwitchPasswordFree, "035"),
];

const STATES: [(TaskState, i64); 3] = [
    (TaskState::Running, 1),
    (TaskState::Succeeded, 2),
    (TaskState::Superseded, 4),
];

fn decode(args: &Args) -> Result<Ask, Refusal> {
    let page = super::page(args, LIMIT_MAX)?;
    let (from, until) = (at(args, "BeginTime")?, at(args, "EndTime")?);
    let (codes, results) = (args.texts("TaskTypes"), args.ints("Result"));
    let kinds: Vec<_> = KINDS
        .iter()
        .filter(|(_, code)| codes.contains(code))
        .map(|(kind, _)| *kind)
        .collect();
    let states: Vec<_> = STATES
        .iter()
        .filter(|(_, number)| results.contains(number))
        .map(|(state, _)| *state)
        .collect();
    let projects = args.ints("ProjectIds");
    let none = (!codes.is_empty() && kinds.is_empty())
        || (!results.is_empty() && states.is_empty())
        || (!projects.is_empty() && !projects.contains(&0));
    if none {
        return Ok(Ask::Query(Query::Nothing));
    }
    Ok(Ask::Query(Query::Tasks(TaskQuery {
        instance: args.text("InstanceId").map(InstanceId::new),
        instance_name: args.text("InstanceName").map(str::to_owned),
        from,
        // Up to and with that second.
        until: until.map(|t| Timestamp::from_secs(t.as_secs() + 1)),
        kinds,
        states,
        by: args
            .texts("OperateUin")
            .into_iter()
            .map(KeyId::new)
            .collect(),
        page,
        ..TaskQuery::default()
    })))
}

fn at(args: &Args, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
    args.text(name)
        .map(|text| {
            let why = "it is not of the form YYYY-MM-DD HH:MM:SS";
            time::parse(text).ok_or(not_allowed(name, why))
        })
        .transpose()
}

fn encode(shape: &Shape, answer: &Answer) -> Option<Members> {
    let none = Rows {
        rows: Vec::new(),
        total: 0,
    };
    let tasks = match answer {
        Answer::Tasks(rows) => rows,
        Answer::Nothing => &none,
        _ => return None,
    };
    // A task does not know its instance's name; asked for by one, it has that.
    let name = shape.echoed("InstanceName").unwrap_or_default();
    let rows = tasks.rows.iter();
    let rows = rows.map(|view| Value::Object(element(name, view)));
    Some(vec![
        ("TotalCount", Value::count(tasks.total)),
        ("Tasks", Value::List(rows.collect())),
    ])
}

fn element(name: &str, view: &TaskView) -> Members {
    let task = &view.task;
    let code = KINDS.iter().find(|(kind, _)| *kind == task.kind);
    let result = STATES.iter().find(|(state, _)| *state == task.state);
    let done = task.state != TaskState::Running;
    let ended = task.finished_at.map(time::format);
    vec![
        ("TaskId", Value::Int(task.id.0)),
        ("StartTime", time::format(task.created_at).into()),
        ("TaskType", code.map_or("037", |(_, code)| code).into()),
        ("InstanceName", Value::text(name)),
        ("InstanceId", Value::text(task.instance.as_str())),
        ("ProjectId", Value::Int(0)),
        ("Progress", Value::Float(if done { 1.0 } else { 0.0 })),
        ("EndTime", ended.unwrap_or_default().into()),
        ("Result", Value::Int(result.map_or(0, |(_, n)| *n))),
    ]
}
