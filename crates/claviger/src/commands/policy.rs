//! `claviger policy`: who may do what, in policies of one's own.

use super::{joined, moment, rows, text};
use crate::cli::{PolicyAddArgs, PolicyCommand, PolicyTestArgs};
use crate::client::{Call, Client, segment};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;
use crate::secret_input;
use serde_json::{Value, json};
use std::path::Path;

/// Does it.
///
/// # Errors
/// Why not.
pub(super) fn run(command: PolicyCommand, env: &dyn Env) -> Result<(), Failure> {
    match command {
        PolicyCommand::Add(args) => add(&args, env),
        PolicyCommand::List(args) => {
            let answer = Client::from_args(&args, env)?.get("/policies")?;
            let out = Out::new(args.json);
            if out.is_json() {
                return out.json(&answer.text);
            }
            let row = |policy: &Value| {
                let size = text(policy, "/text").len().to_string();
                let changed = moment(policy, "/changed_at");
                vec![
                    text(policy, "/name"),
                    size,
                    changed,
                    text(policy, "/changed_by"),
                ]
            };
            let rows: Vec<_> = rows(&answer.value, "rows").iter().map(row).collect();
            out.table(&["POLICY", "BYTES", "CHANGED", "BY"], &rows)
        }
        PolicyCommand::Show(args) => {
            let answer = Client::from_args(&args.client, env)?.get(path(&args.name))?;
            let out = Out::new(args.client.json);
            if out.is_json() {
                return out.json(&answer.text);
            }
            out.line(text(&answer.value, "/text").trim_end())
        }
        PolicyCommand::Test(args) => test(&args, env),
        PolicyCommand::Remove(args) => {
            let client = Client::from_args(&args.client, env)?;
            client.call(Call::new("DELETE", path(&args.name)))?;
            let out = Out::new(args.client.json);
            if out.is_json() {
                return out.json(&json!({ "name": args.name, "removed": true }).to_string());
            }
            out.line(&format!("policy {} is removed", args.name))
        }
        PolicyCommand::Schema => {
            Out::new(false).line(claviger_service::judge::schema::TEXT.trim_end())
        }
    }
}

fn path(name: &str) -> String {
    format!("/policies/{}", segment(name))
}

fn add(args: &PolicyAddArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.policy.client, env)?;
    let body = json!({ "text": secret_input::text(&args.file)? });
    let name = &args.policy.name;
    let answer = client.call(Call::new("PUT", path(name)).with_body(body))?;
    let out = Out::new(args.policy.client.json);
    if out.is_json() {
        return out.json(&answer.text);
    }
    out.line(&format!("policy {name} holds from now on"))
}

/// Exit status 1 if it would be denied, so that scripts can ask.
fn test(args: &PolicyTestArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.client, env)?;
    let mut body = json!({ "key": args.key, "action": args.action });
    for (field, value) in [
        ("instance", &args.instance),
        ("account", &args.account),
        ("privilege", &args.privilege),
        ("source", &args.source),
    ] {
        if let Some(value) = value {
            body[field] = json!(value);
        }
    }
    if args.tls {
        body["tls"] = json!(true);
    }
    if let Some(path) = &args.session {
        body["session"] = json!(secret_input::text(path)?);
    }
    let mut tried = Vec::new();
    for with in &args.with {
        let Some((name, path)) = with.split_once('=') else {
            return Err(Failure::usage(format!("--with: {with:?} is not NAME=FILE")));
        };
        tried.push(json!({ "name": name, "text": secret_input::text(Path::new(path))? }));
    }
    if !tried.is_empty() {
        body["policies"] = json!(tried);
    }
    let answer = client.call(Call::new("POST", "/policy-test").with_body(body))?;
    let out = Out::new(args.client.json);
    let allowed = answer.value["allowed"] == true;
    if out.is_json() {
        out.json(&answer.text)?;
    } else {
        if allowed {
            out.line(&text(&answer.value, "/reason"))?;
        }
        let errors = joined(&answer.value, "/errors");
        if !errors.is_empty() {
            out.line(&errors)?;
        }
    }
    match allowed {
        true => Ok(()),
        false => Err(Failure::refused(text(&answer.value, "/reason"))),
    }
}
