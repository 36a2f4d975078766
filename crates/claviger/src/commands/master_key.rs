//! `claviger master-key`: which there is, and making another.

use super::{joined, text};
use crate::cli::MasterKeyCommand;
use crate::client::{Call, Client};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;

/// Does it.
///
/// # Errors
/// Why not.
pub(super) fn run(command: &MasterKeyCommand, env: &dyn Env) -> Result<(), Failure> {
    let (args, call) = match command {
        MasterKeyCommand::Show(args) => (args, Call::new("GET", "/master-key")),
        MasterKeyCommand::Rotate(args) => (args, Call::new("POST", "/master-key/rotate")),
    };
    let answer = Client::from_args(args, env)?.call(call)?;
    let out = Out::new(args.json);
    if out.is_json() {
        return out.json(&answer.text);
    }
    out.pairs(&[
        ("current", text(&answer.value, "/current")),
        ("former", joined(&answer.value, "/former")),
        (
            "sealed under former",
            text(&answer.value, "/sealed_under_former"),
        ),
    ])
}
