//! `claviger instance adopt`: users that are on the nodes become accounts, as they are.

use super::{joined, rows, text};
use crate::cli::InstanceAdoptArgs;
use crate::client::{Answer, Call, Client, segment};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::{Out, printable};
use serde_json::{Value, json};
use std::time::Duration;

/// How much longer than other calls a look at all nodes may take.
const NODES_WAIT: Duration = Duration::from_secs(30);

/// Shows the plan, and does it unless it is only asked for.
///
/// # Errors
/// Why not; also if a user that was named does not become an account.
pub(super) fn run(args: &InstanceAdoptArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.client, env)?;
    let out = Out::new(args.client.json);
    if !out.is_json() {
        print(&ask(&client, args, true)?.value, out)?;
        if args.dry_run {
            return out.line("nothing was done");
        }
    }
    let answer = ask(&client, args, args.dry_run)?;
    let adopted = of(&answer.value, "adopt").count();
    if out.is_json() {
        out.json(&answer.text)?;
    } else {
        let of = rows(&answer.value, "users").len();
        out.line(&format!(
            "{adopted} of {of} users of {} are accounts now",
            args.id
        ))?;
    }
    let left = rows(&answer.value, "users").len() - adopted;
    match (args.users.is_empty(), left) {
        (true, _) | (false, 0) => Ok(()),
        (false, left) => Err(Failure::refused(format!(
            "{left} of the users that were named cannot be taken over"
        ))),
    }
}

fn ask(client: &Client, args: &InstanceAdoptArgs, dry_run: bool) -> Result<Answer, Failure> {
    let mut body = json!({ "users": args.users, "dry_run": dry_run });
    if let Some(from) = &args.from {
        body["from"] = json!(from);
    }
    let path = format!("/instances/{}/adopt", segment(&args.id));
    let mut call = Call::new("POST", path).with_body(body);
    call.waits = NODES_WAIT;
    client.call(call)
}

fn of<'a>(plan: &'a Value, verdict: &'a str) -> impl Iterator<Item = &'a Value> {
    let users = rows(plan, "users").iter();
    users.filter(move |user| user["verdict"] == verdict)
}

fn print(plan: &Value, out: Out) -> Result<(), Failure> {
    let users = rows(plan, "users");
    if users.is_empty() {
        return out.line("there are no users that are not accounts");
    }
    let lines: Vec<_> = users
        .iter()
        .map(|user| {
            let enabled = user["enabled"] == true;
            vec![
                printable(&text(user, "/name")),
                text(user, "/verdict"),
                text(user, "/privilege"),
                if enabled { "on" } else { "off" }.to_owned(),
                text(user, "/passwords"),
                printable(&text(user, "/reason")),
            ]
        })
        .collect();
    out.table(
        &[
            "USER",
            "VERDICT",
            "PRIVILEGE",
            "LOGIN",
            "PASSWORDS",
            "REASON",
        ],
        &lines,
    )?;
    for role in rows(plan, "roles") {
        let rules = joined(role, "/rules").replace(", ", " ");
        let rules = printable(&rules);
        out.line(&format!("role {}: {rules}", text(role, "/name")))?;
    }
    Ok(())
}
