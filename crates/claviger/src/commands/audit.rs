//! `claviger audit`: who did what.

use super::{moment, rows, text};
use crate::cli::AuditArgs;
use crate::client::{Call, Client};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;

/// Does it.
///
/// # Errors
/// Why not.
pub(super) fn run(args: &AuditArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.client, env)?;
    let query = format!("limit={}", args.limit);
    let answer = client.call(Call::new("GET", "/audit").with_query(query))?;
    let out = Out::new(args.client.json);
    if out.is_json() {
        return out.json(&answer.text);
    }
    let rows: Vec<_> = rows(&answer.value, "rows")
        .iter()
        .map(|entry| {
            vec![
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
        })
        .collect();
    out.table(
        &[
            "TIME", "KEY", "SOURCE", "API", "ACTION", "INSTANCE", "ACCOUNT", "OUTCOME", "DETAIL",
        ],
        &rows,
    )
}
