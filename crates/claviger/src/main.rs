//! The program: command line, configuration, wiring, life cycle.
//!
//! Parts meet in `wire_up` and nowhere else; `cli` is what a user types, `config` what a user
//! sets; `commands` are the clients of claviger's own API.

mod audit_stream;
mod cli;
mod cli_access;
mod cli_more;
mod cli_set;
mod cli_store;
mod client;
mod clock;
mod commands;
mod config;
mod credentials;
mod dev;
mod doctor;
mod entropy;
mod env;
mod failure;
mod figures;
mod http_client;
mod life;
mod master_key;
mod observe;
mod output;
mod private_file;
mod root_key;
mod secret_input;
mod serve;
mod store;
mod vault;
mod when;
mod wire_up;

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

/// Every request makes hundreds of small allocations on one thread and frees some on another:
/// with the system's allocator a read cost twice the CPU time (`docs/performance.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap knows which stream, and whether colours fit there. Asking for help is no
            // error; everything else is wrong usage.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match commands::run(cli, &env::ProcessEnv) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(text) = failure.text() {
                let _ = writeln!(std::io::stderr().lock(), "claviger: {text}");
            }
            failure.exit_code()
        }
    }
}
