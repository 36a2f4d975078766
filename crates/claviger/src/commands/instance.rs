//! `claviger instance`: fleet members.

use super::{joined, moment, rows, text};
use crate::cli::{InstanceAddArgs, InstanceArgs, InstanceCommand};
use crate::client::{Call, Client, segment};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;
use crate::secret_input;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// How much longer than other calls a look at all nodes may take: each has its own deadline.
const CHECK_WAITS: Duration = Duration::from_secs(30);

/// Does it.
///
/// # Errors
/// Why not.
pub(super) fn run(command: InstanceCommand, env: &dyn Env) -> Result<(), Failure> {
    match command {
        InstanceCommand::Add(args) => add(&args, env),
        InstanceCommand::List(args) => {
            let answer = Client::from_args(&args, env)?.get("/instances")?;
            let out = Out::new(args.json);
            if out.is_json() {
                return out.json(&answer.text);
            }
            let rows: Vec<_> = rows(&answer.value, "rows").iter().map(row).collect();
            out.table(
                &[
                    "INSTANCE", "NAME", "REGION", "STATE", "TOPOLOGY", "ENGINE", "REVISION",
                ],
                &rows,
            )
        }
        InstanceCommand::Show(args) => {
            let answer = Client::from_args(&args.client, env)?.get(path(&args.id))?;
            let out = Out::new(args.client.json);
            if out.is_json() {
                return out.json(&answer.text);
            }
            show(&answer.value, out)
        }
        InstanceCommand::Remove(args) => remove(&args, env),
        InstanceCommand::Check(args) => check(&args, env),
        InstanceCommand::Set(args) => super::instance_set::run(&args, env),
        InstanceCommand::Adopt(args) => super::adopt::run(&args, env),
        InstanceCommand::LoginRules(args) => super::login_rules::run(Out::new(args.json)),
    }
}

pub(super) fn path(id: &str) -> String {
    format!("/instances/{}", segment(id))
}

fn add(args: &InstanceAddArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.client, env)?;
    let mut body = json!({
        "id": args.id,
        "nodes": args.nodes,
        "topology": args.topology.as_str(),
        "tls": { "ca": full(&args.ca)?, "cert": full(&args.cert)?, "key": full(&args.key)? },
        "force": args.force,
        "tags": super::tags(&args.tags)?,
    });
    for (field, value) in [
        ("name", &args.name),
        ("region", &args.region),
        ("master_name", &args.master_name),
        ("sentinel_user", &args.sentinel_user),
    ] {
        if let Some(value) = value {
            body[field] = json!(value);
        }
    }
    if let Some(password) = secret_input::node_password(args.password_file.as_deref(), env)? {
        body["password"] = json!(password.expose());
    }
    let file = args.sentinel_password_file.as_deref();
    if let Some(password) = secret_input::sentinel_password(file, env)? {
        body["sentinel_password"] = json!(password.expose());
    }
    if !args.map.is_empty() {
        body["map"] = json!(
            args.map
                .iter()
                .map(|pair| mapped(pair))
                .collect::<Result<Vec<_>, _>>()?
        );
    }
    let mut call = Call::new("POST", "/instances").with_body(body);
    call.waits = CHECK_WAITS;
    let answer = client.call(call)?;
    let out = Out::new(args.client.json);
    if out.is_json() {
        return out.json(&answer.text);
    }
    let check = answer.value.get("check").unwrap_or(&Value::Null);
    print_check(check, out)?;
    out.line(&format!("instance {} is registered", args.id))
}

/// `announced=reachable`.
fn mapped(pair: &str) -> Result<Value, Failure> {
    let (announced, reachable) = pair
        .split_once('=')
        .ok_or_else(|| Failure::usage(format!("--map {pair}: give ANNOUNCED=REACHABLE")))?;
    Ok(json!({ "announced": announced, "reachable": reachable }))
}

/// The service reads these files, maybe from another directory.
fn full(path: &Option<PathBuf>) -> Result<Option<PathBuf>, Failure> {
    path.as_deref()
        .map(std::path::absolute)
        .transpose()
        .map_err(|error| Failure::refused(format!("this directory cannot be told: {error}")))
}

fn remove(args: &InstanceArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.client, env)?;
    client.call(Call::new("DELETE", path(&args.id)))?;
    let out = Out::new(args.client.json);
    if out.is_json() {
        return out.json(&json!({ "id": args.id, "removed": true }).to_string());
    }
    out.line(&format!(
        "instance {} is forgotten; its nodes keep the users that they have",
        args.id
    ))
}

fn check(args: &InstanceArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.client, env)?;
    let mut call = Call::new("POST", format!("{}/check", path(&args.id)));
    call.waits = CHECK_WAITS;
    let answer = client.call(call)?;
    let out = Out::new(args.client.json);
    if out.is_json() {
        out.json(&answer.text)?;
    } else {
        print_check(&answer.value, out)?;
    }
    let nodes = rows(&answer.value, "nodes");
    let troubled = nodes.iter().filter(|n| !rows(n, "problems").is_empty());
    match (nodes.len(), troubled.count()) {
        (0, _) => Err(Failure::refused(format!("no node of {} answered", args.id))),
        (_, 0) => Ok(()),
        (all, some) => Err(Failure::refused(format!(
            "{some} of {all} nodes of {} cannot be driven",
            args.id
        ))),
    }
}

/// A check's findings: one line for each node, then what stands in the way or is noteworthy.
fn print_check(check: &Value, out: Out) -> Result<(), Failure> {
    let nodes = rows(check, "nodes");
    let lines: Vec<_> = nodes
        .iter()
        .map(|node| {
            let state = if rows(node, "problems").is_empty() {
                "fine"
            } else {
                "not usable"
            };
            vec![
                text(node, "/node/address"),
                text(node, "/node/role"),
                engine(node, "/node/engine"),
                text(node, "/node/persistence"),
                state.to_owned(),
            ]
        })
        .collect();
    let sentinels = rows(check, "sentinels");
    let watchers = sentinels.iter().map(|sentinel| {
        let fine = rows(sentinel, "problems").is_empty();
        let state = if fine { "fine" } else { "not usable" };
        let address = text(sentinel, "/address");
        vec![
            address,
            "sentinel".into(),
            String::new(),
            String::new(),
            state.into(),
        ]
    });
    let lines: Vec<_> = lines.into_iter().chain(watchers).collect();
    out.table(&["NODE", "ROLE", "ENGINE", "PERSISTENCE", "STATE"], &lines)?;
    let addressed = nodes.iter().map(|node| (text(node, "/node/address"), node));
    let watchers = sentinels
        .iter()
        .map(|sentinel| (text(sentinel, "/address"), sentinel));
    for (address, node) in addressed.chain(watchers) {
        for (kind, word) in [("problems", "problem"), ("warnings", "warning")] {
            for finding in rows(node, kind) {
                let finding = crate::output::printable(&text(finding, ""));
                out.line(&format!("{word}: {address}: {finding}"))?;
            }
        }
    }
    let unmanaged = joined(check, "/unmanaged");
    if !unmanaged.is_empty() {
        let names = crate::output::printable(&unmanaged);
        out.line(&format!(
            "users that are not ours and stay as they are: {names}"
        ))?;
    }
    Ok(())
}

pub(super) fn show(instance: &Value, out: Out) -> Result<(), Failure> {
    let nodes = rows(instance, "nodes").iter().map(|node| {
        let tls = if node["tls"] == true { " (TLS)" } else { "" };
        format!("{}{tls}", text(node, "/address"))
    });
    out.pairs(&[
        ("instance", text(instance, "/id")),
        ("name", text(instance, "/name")),
        ("region", text(instance, "/region")),
        ("tags", super::pairs_of(instance, "/tags")),
        ("state", text(instance, "/state")),
        ("topology", text(instance, "/topology")),
        ("engine", engine(instance, "/engine")),
        ("registered nodes", nodes.collect::<Vec<_>>().join(", ")),
        ("master name", text(instance, "/master_name")),
        ("address map", address_map(instance)),
        ("role profile", text(instance, "/roles/profile")),
        (
            "disabled commands",
            joined(instance, "/roles/disabled_commands"),
        ),
        ("administrator", text(instance, "/roles/administrator")),
        ("roles of its own", own_roles(instance)),
        ("drift", text(instance, "/policy/drift")),
        ("sessions", sessions(instance)),
        ("replica reads", text(instance, "/policy/replica_reads")),
        ("password policy", password_policy(instance)),
        ("revision", text(instance, "/revision")),
        ("registered", moment(instance, "/created_at")),
    ])
}

/// As `--map` takes it.
fn address_map(instance: &Value) -> String {
    let pairs = rows(instance, "map").iter();
    let pairs =
        pairs.map(|pair| format!("{}={}", text(pair, "/announced"), text(pair, "/reachable")));
    pairs.collect::<Vec<_>>().join(", ")
}

fn own_roles(instance: &Value) -> String {
    let roles = instance.pointer("/roles/custom").and_then(Value::as_array);
    let roles = roles.into_iter().flatten().map(|role| {
        let rules = joined(role, "/rules").replace(", ", " ");
        format!("{}=\"{rules}\"", text(role, "/name"))
    });
    roles.collect::<Vec<_>>().join(", ")
}

fn sessions(instance: &Value) -> String {
    match instance.pointer("/policy/sessions/kill-after") {
        Some(seconds) => format!("kill-after:{seconds}s"),
        None => text(instance, "/policy/sessions"),
    }
}

fn password_policy(instance: &Value) -> String {
    let Some(policy) = instance.pointer("/policy/passwords") else {
        return String::new();
    };
    if policy["enabled"] != true {
        return "off".to_owned();
    }
    format!(
        "letters={},digits={},specials={},length={}",
        policy["letters_min"], policy["digits_min"], policy["specials_min"], policy["length_min"]
    )
}

/// `redis 7.0.15`.
fn engine(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(engine) if engine.is_object() => format!(
            "{} {}.{}.{}",
            text(engine, "/family"),
            text(engine, "/major"),
            text(engine, "/minor"),
            text(engine, "/patch")
        ),
        _ => text(value, pointer),
    }
}

fn row(instance: &Value) -> Vec<String> {
    vec![
        text(instance, "/id"),
        text(instance, "/name"),
        text(instance, "/region"),
        text(instance, "/state"),
        text(instance, "/topology"),
        engine(instance, "/engine"),
        text(instance, "/revision"),
    ]
}
