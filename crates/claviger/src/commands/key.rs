//! `claviger key`: the access keys of API callers.

use super::{joined, moment, rows, text};
use crate::cli::{KeyCommand, KeyCreateArgs, KeyRotateArgs, KeySessionArgs};
use crate::client::{Call, Client, segment};
use crate::config::duration;
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;
use crate::secret_input;
use crate::when;
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
                    "LAST USED",
                    "TAGS",
                    "DESCRIPTION",
                ],
                &rows,
            )
        }
        KeyCommand::Rotate(args) => rotate(&args, env),
        KeyCommand::Session(args) => session(&args, env),
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
    if !args.tags.is_empty() {
        body["tags"] = super::tags(&args.tags)?.into();
    }
    if let Some(end) = &args.expires_at {
        body["expires_at"] = json!(when::later(end)?);
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

fn rotate(args: &KeyRotateArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.key.client, env)?;
    let overlap =
        duration(&args.overlap).map_err(|why| Failure::usage(format!("--overlap: {why}")))?;
    let path = format!("/keys/{}/rotate", segment(&args.key.id));
    let body = json!({ "overlap_s": overlap.as_secs() });
    let answer = client.call(Call::new("POST", path).with_body(body))?;
    let out = Out::new(args.key.client.json);
    if out.is_json() {
        return out.json(&answer.text);
    }
    let until = moment(&answer.value, "/former_secret_until");
    let until = if until.is_empty() {
        "now".to_owned()
    } else {
        until
    };
    out.pairs(&[
        ("access key", text(&answer.value, "/id")),
        ("secret key", text(&answer.value, "/secret")),
        ("the one before ends", until),
    ])?;
    out.line("The secret key is shown this once.")
}

fn session(args: &KeySessionArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.client, env)?;
    let lasts = duration(&args.duration);
    let lasts = lasts.map_err(|why| Failure::usage(format!("--duration: {why}")))?;
    let mut body = json!({ "duration_s": lasts.as_secs() });
    if let Some(path) = &args.policy {
        body["policy"] = json!(secret_input::text(path)?);
    }
    let key = args.key.clone().unwrap_or_else(|| client.key().to_owned());
    let path = format!("/keys/{}/sessions", segment(&key));
    let answer = client.call(Call::new("POST", path).with_body(body))?;
    let out = Out::new(args.client.json);
    if out.is_json() {
        return out.json(&answer.text);
    }
    out.line(&format!(
        "CLAVIGER_ACCESS_KEY={}",
        text(&answer.value, "/id")
    ))?;
    out.line(&format!(
        "CLAVIGER_SECRET_KEY={}",
        text(&answer.value, "/secret")
    ))?;
    out.line(&format!(
        "CLAVIGER_SESSION_TOKEN={}",
        text(&answer.value, "/token")
    ))?;
    out.line(&format!(
        "# until {}; shown this once",
        moment(&answer.value, "/expires_at")
    ))
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
    let (ends, former) = (
        moment(key, "/expires_at"),
        moment(key, "/former_secret_until"),
    );
    let state = match (revoked.as_str(), ends.as_str(), former.as_str()) {
        ("", "", "") => "active".to_owned(),
        ("", "", former) => format!("active, two secrets until {former}"),
        ("", ends, _) => format!("until {ends}"),
        (revoked, ..) => format!("revoked {revoked}"),
    };
    vec![
        text(key, "/id"),
        text(key, "/role"),
        instances(key),
        state,
        moment(key, "/created_at"),
        moment(key, "/last_used_at"),
        super::pairs_of(key, "/tags"),
        text(key, "/description"),
    ]
}
