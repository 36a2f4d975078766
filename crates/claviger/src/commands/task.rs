//! `claviger task`: asynchronous work.

use super::{moment, rows, text};
use crate::cli::{TaskCommand, TaskWaitArgs};
use crate::client::{Answer, Call, Client, segment};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;
use serde_json::Value;
use std::time::{Duration, Instant};

/// The longest that the service is asked to wait in one call; a longer wait is several calls.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Does it.
///
/// # Errors
/// Why not.
pub(super) fn run(command: TaskCommand, env: &dyn Env) -> Result<(), Failure> {
    match command {
        TaskCommand::List(args) => {
            let query = args
                .instance
                .as_deref()
                .map_or_else(String::new, |id| format!("instance={}", segment(id)));
            let client = Client::from_args(&args.client, env)?;
            let answer = client.call(Call::new("GET", "/tasks").with_query(query))?;
            let out = Out::new(args.client.json);
            if out.is_json() {
                return out.json(&answer.text);
            }
            let rows: Vec<_> = rows(&answer.value, "rows").iter().map(row).collect();
            out.table(
                &[
                    "TASK", "KIND", "INSTANCE", "ACCOUNT", "STATE", "CREATED", "FINISHED",
                ],
                &rows,
            )
        }
        TaskCommand::Show(args) => {
            let client = Client::from_args(&args.client, env)?;
            let answer = client.get(format!("/tasks/{}", args.id))?;
            show(&answer, Out::new(args.client.json))
        }
        TaskCommand::Wait(args) => wait_command(&args, env),
    }
}

fn wait_command(args: &TaskWaitArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.task.client, env)?;
    let answer = wait(&client, &args.task.id.to_string(), timeout(&args.timeout)?)?;
    show(&answer, Out::new(args.task.client.json))
}

/// Reads the value of `--timeout`.
///
/// # Errors
/// It is no duration.
pub(super) fn timeout(text: &str) -> Result<Duration, Failure> {
    crate::config::duration(text).map_err(|why| Failure::usage(format!("--timeout: {why}")))
}

/// Waits until a task is done.
///
/// # Errors
/// It is not done in time, or the service refuses.
pub(super) fn wait(client: &Client, task: &str, timeout: Duration) -> Result<Answer, Failure> {
    let started = Instant::now();
    loop {
        let left = timeout.saturating_sub(started.elapsed()).min(WAIT_MAX);
        let mut call = Call::new("GET", format!("/tasks/{}", segment(task)));
        call.query = format!("wait={}", left.as_secs().max(1));
        call.waits = left;
        let answer = client.call(call)?;
        if text(&answer.value, "/state") != "running" {
            return Ok(answer);
        }
        if started.elapsed() >= timeout {
            let instance = text(&answer.value, "/instance");
            return Err(Failure::refused(format!(
                "task {task} is not done after {} s; the change is stored and will be applied \
                 (`claviger status {instance}` names the nodes that lack it)",
                timeout.as_secs()
            )));
        }
    }
}

fn show(answer: &Answer, out: Out) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(&answer.text);
    }
    let value = &answer.value;
    out.pairs(&[
        ("task", text(value, "/id")),
        ("kind", text(value, "/kind")),
        ("instance", text(value, "/instance")),
        ("account", text(value, "/account_name")),
        ("state", text(value, "/state")),
        ("created", moment(value, "/created_at")),
        ("finished", moment(value, "/finished_at")),
        ("by", text(value, "/by")),
    ])
}

fn row(task: &Value) -> Vec<String> {
    vec![
        text(task, "/id"),
        text(task, "/kind"),
        text(task, "/instance"),
        text(task, "/account_name"),
        text(task, "/state"),
        moment(task, "/created_at"),
        moment(task, "/finished_at"),
    ]
}
