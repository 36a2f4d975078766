//! `claviger info` and `claviger version`.

use super::{joined, text};
use crate::cli::ClientArgs;
use crate::client::Client;
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;
use serde_json::json;

/// Shows the running service.
///
/// # Errors
/// Why not.
pub(super) fn run(args: &ClientArgs, env: &dyn Env) -> Result<(), Failure> {
    let answer = Client::from_args(args, env)?.get("/info")?;
    let out = Out::new(args.json);
    if out.is_json() {
        return out.json(&answer.text);
    }
    out.pairs(&[
        ("version", text(&answer.value, "/version")),
        ("project id", text(&answer.value, "/project_id")),
        ("dialects", joined(&answer.value, "/dialects")),
    ])
}

/// Prints this program's version.
///
/// # Errors
/// Standard output is closed.
pub(super) fn version(out: Out) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if out.is_json() {
        return out.json(&json!({ "version": version }).to_string());
    }
    out.line(&format!("claviger {version}"))
}
