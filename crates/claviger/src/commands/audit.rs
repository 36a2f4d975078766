//! `claviger audit`: who did what, and whether the trail is whole.

use super::{moment, rows, text};
use crate::cli::ClientArgs;
use crate::cli::{AuditArgs, AuditCommand, AuditExportArgs, AuditFilterArgs, AuditListArgs};
use crate::client::{Call, Client, segment};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;
use crate::when;
use serde_json::Value;

/// Rows asked for at once by an export.
const PAGE: u64 = 1_000;

/// Does it.
///
/// # Errors
/// Why not.
pub(super) fn run(args: AuditArgs, env: &dyn Env) -> Result<(), Failure> {
    match args.command {
        None => list(&args.list, env),
        Some(AuditCommand::List(args)) => list(&args, env),
        Some(AuditCommand::Export(args)) => export(&args, env),
        Some(AuditCommand::Verify(args)) => verify(&args, env),
    }
}

/// The filter as a query.
fn query(filter: &AuditFilterArgs) -> Result<String, Failure> {
    let mut query = String::new();
    let texts = [
        ("instance", &filter.instance),
        ("account", &filter.account),
        ("key", &filter.key),
        ("outcome", &filter.outcome),
        ("action", &filter.action),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            query.push_str(&format!("&{name}={}", segment(value)));
        }
    }
    for (name, value) in [("since", &filter.since), ("until", &filter.until)] {
        if let Some(value) = value {
            query.push_str(&format!("&{name}={}", when::earlier(value)?));
        }
    }
    Ok(query)
}

fn list(args: &AuditListArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.client, env)?;
    let query = format!("limit={}{}", args.limit, query(&args.filter)?);
    let answer = client.call(Call::new("GET", "/audit").with_query(query))?;
    let out = Out::new(args.client.json);
    if out.is_json() {
        return out.json(&answer.text);
    }
    let rows: Vec<_> = rows(&answer.value, "rows").iter().map(row).collect();
    out.table(
        &[
            "ROW", "TIME", "KEY", "SOURCE", "API", "ACTION", "INSTANCE", "ACCOUNT", "OUTCOME",
            "DETAIL",
        ],
        &rows,
    )
}

fn row(entry: &Value) -> Vec<String> {
    vec![
        text(entry, "/seq"),
        moment(entry, "/at"),
        text(entry, "/key"),
        text(entry, "/source"),
        text(entry, "/dialect"),
        text(entry, "/action"),
        text(entry, "/instance"),
        text(entry, "/account"),
        text(entry, "/outcome"),
        text(entry, "/detail"),
    ]
}

/// All rows that are meant, one JSON object a line; pages follow each other by row number, so
/// rows that are added meanwhile move nothing.
fn export(args: &AuditExportArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.client, env)?;
    let filter = query(&args.filter)?;
    let out = Out::new(false);
    let mut after = 0;
    loop {
        let query = format!("order=oldest&limit={PAGE}&after={after}{filter}");
        let answer = client.call(Call::new("GET", "/audit").with_query(query))?;
        let found = rows(&answer.value, "rows");
        for row in found {
            out.line(&row.to_string())?;
            after = row["seq"].as_u64().unwrap_or(after);
        }
        if (found.len() as u64) < PAGE {
            return Ok(());
        }
    }
}

/// Exit status 1 if it does not hold.
fn verify(args: &ClientArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(args, env)?;
    let answer = client.get("/audit/verify")?;
    let out = Out::new(args.json);
    if out.is_json() {
        out.json(&answer.text)?;
    }
    if answer.value["holds"] != true {
        let broken = text(&answer.value, "/broken");
        return Err(Failure::refused(format!(
            "the audit trail does not hold: {broken}"
        )));
    }
    if out.is_json() {
        return Ok(());
    }
    out.line(&format!(
        "the audit trail holds: {} rows, up to row {} of digest {}",
        text(&answer.value, "/rows"),
        text(&answer.value, "/until"),
        text(&answer.value, "/hash"),
    ))
}
