//! `claviger key`: the access keys of API callers.

use super::{joined, moment, rows, text};
use crate::cli::{KeyCommand, KeyCreateArgs};
use crate::client::{Call, Client, segment};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;
use serde_json::{Value, json};

/// Does it.
///
/// # Errors
/// Why not.
pub(super) fn run(command: KeyCommand, env: &dyn Env) -> Result<(), Failure> {
    match command {
        KeyCommand::Create(args) => create(&args, env),
        KeyCommand::List(args) => {
            let answer = Client::from_args(&args, env)?.get("/keys")?;
            let out = Out::new(args.json);
            if out.is_json() {
                return out.json(&answer.text);
            }
            let rows: Vec<_> = rows(&answer.value, "rows").iter().map(row).collect();
            out.table(
                &[
                    "ACCESS KEY",
                    "ROLE",
                    "INSTANCES",
                    "STATE",
                    "CREATED",
                    "DESCRIPTION",
                ],
                &rows,
            )
        }
        KeyCommand::Revoke(args) => {
            let client = Client::from_args(&args.client, env)?;
            client.call(Call::new("DELETE", format!("/keys/{}", segment(&args.id))))?;
            let out = Out::new(args.client.json);
            if out.is_json() {
                return out.json(&json!({ "id": args.id, "revoked": true }).to_string());
            }
            out.line(&format!("key {} is revoked", args.id))
        }
    }
}

fn create(args: &KeyCreateArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.client, env)?;
    let mut body = json!({ "role": args.role.as_str() });
    if !args.instances.is_empty() {
        body["instances"] = json!(args.instances);
    }
    if let Some(description) = &args.description {
        body["description"] = json!(description);
    }
    let answer = client.call(Call::new("POST", "/keys").with_body(body))?;
    let out = Out::new(args.client.json);
    if out.is_json() {
        return out.json(&answer.text);
    }
    out.pairs(&[
        ("access key", text(&answer.value, "/id")),
        ("secret key", text(&answer.value, "/secret")),
        ("role", text(&answer.value, "/role")),
        ("instances", instances(&answer.value)),
    ])?;
    out.line("The secret key is shown this once.")
}

fn instances(key: &Value) -> String {
    let list = joined(key, "/instances");
    if list.is_empty() {
        "all".to_owned()
    } else {
        list
    }
}

fn row(key: &Value) -> Vec<String> {
    let revoked = moment(key, "/revoked_at");
    let state = if revoked.is_empty() {
        "active".to_owned()
    } else {
        format!("revoked {revoked}")
    };
    vec![
        text(key, "/id"),
        text(key, "/role"),
        instances(key),
        state,
        moment(key, "/created_at"),
        text(key, "/description"),
    ]
}
