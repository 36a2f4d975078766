//! `claviger status`: what is true on the nodes.

use super::{joined, rows, text};
use crate::cli::StatusArgs;
use crate::client::{Client, segment};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;
use claviger_core::sight::{AccountSight, InstanceSight, NodeSight, SentinelSight, SyncState};
use serde_json::Value;

/// Does it.
///
/// # Errors
/// Why not.
pub(super) fn run(args: &StatusArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.client, env)?;
    let out = Out::new(args.client.json);
    let path = match &args.instance {
        Some(id) => format!("/instances/{}/status", segment(id)),
        None => "/status".to_owned(),
    };
    let answer = client.get(path)?;
    if out.is_json() {
        return out.json(&answer.text);
    }
    if args.instance.is_none() {
        return all(rows(&answer.value, "rows"), out);
    }
    let sight: InstanceSight = serde_json::from_value(answer.value)
        .map_err(|error| Failure::refused(format!("the service's answer is not read: {error}")))?;
    one(&sight, out)
}

/// One line for each instance.
fn all(instances: &[Value], out: Out) -> Result<(), Failure> {
    let rows: Vec<_> = instances
        .iter()
        .map(|sight| {
            let nodes = rows(sight, "nodes");
            let synced = nodes.iter().filter(|n| n["in_sync"] == true).count();
            let accounts = rows(sight, "accounts");
            let open = accounts.iter().filter(|a| a["state"] != "in_sync");
            let open: Vec<_> = open
                .map(|a| format!("{} {}", text(a, "/name"), text(a, "/state")))
                .collect();
            vec![
                text(sight, "/instance"),
                text(sight, "/topology"),
                text(sight, "/revision"),
                yes(sight["in_sync"] == true),
                format!("{synced}/{}", nodes.len()),
                format!("{}/{}", accounts.len() - open.len(), accounts.len()),
                open.join(", "),
            ]
        })
        .collect();
    out.table(
        &[
            "INSTANCE", "TOPOLOGY", "REVISION", "IN SYNC", "NODES", "ACCOUNTS", "OPEN",
        ],
        &rows,
    )
}

fn yes(truth: bool) -> String {
    if truth { "yes" } else { "no" }.to_owned()
}

/// The nodes and accounts of one instance.
fn one(sight: &InstanceSight, out: Out) -> Result<(), Failure> {
    let value = serde_json::to_value(sight).unwrap_or_default();
    let mut head = vec![
        ("instance", text(&value, "/instance")),
        ("topology", text(&value, "/topology")),
        ("revision", text(&value, "/revision")),
        ("in sync", yes(sight.in_sync)),
    ];
    if let Some(error) = &sight.error {
        head.push(("error", error.clone()));
    }
    if !sight.unmanaged.is_empty() {
        head.push(("not ours", joined(&value, "/unmanaged")));
    }
    out.pairs(&head)?;
    out.line("")?;
    let nodes: Vec<_> = sight.nodes.iter().map(node).collect();
    out.table(
        &[
            "NODE",
            "ROLE",
            "REACHABLE",
            "ENGINE",
            "PERSISTENCE",
            "REVISION",
            "IN SYNC",
            "ERROR",
        ],
        &nodes,
    )?;
    if !sight.sentinels.is_empty() {
        out.line("")?;
        let sentinels: Vec<_> = sight.sentinels.iter().map(sentinel).collect();
        out.table(&["SENTINEL", "REACHABLE", "ERROR"], &sentinels)?;
    }
    out.line("")?;
    let accounts: Vec<_> = sight.accounts.iter().map(account).collect();
    out.table(
        &["ACCOUNT", "PRIVILEGE", "STATE", "PENDING ON", "REASON"],
        &accounts,
    )
}

fn node(node: &NodeSight) -> Vec<String> {
    let value = serde_json::to_value(node).unwrap_or_default();
    vec![
        node.address.to_string(),
        text(&value, "/role"),
        yes(node.reachable),
        node.engine.clone(),
        text(&value, "/persistence"),
        node.revision.0.to_string(),
        yes(node.in_sync),
        node.error.clone().unwrap_or_default(),
    ]
}

fn sentinel(sentinel: &SentinelSight) -> Vec<String> {
    vec![
        sentinel.address.to_string(),
        yes(sentinel.reachable),
        sentinel.error.clone().unwrap_or_default(),
    ]
}

fn account(account: &AccountSight) -> Vec<String> {
    let state = match account.state {
        SyncState::InSync => "in sync",
        SyncState::Pending => "pending",
        SyncState::Drifted => "drifted",
        SyncState::Failed => "failed",
    };
    let nodes: Vec<_> = account.pending_on.iter().map(ToString::to_string).collect();
    vec![
        account.name.to_string(),
        account.privilege.to_string(),
        state.to_owned(),
        nodes.join(", "),
        account.reason.clone().unwrap_or_default(),
    ]
}
