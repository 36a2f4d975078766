//! One file per command.

mod account;
mod adopt;
mod audit;
mod call;
mod info;
mod instance;
mod instance_set;
mod key;
mod login_rules;
mod master_key;
mod plan;
mod policy;
mod status;
mod store;
mod task;

use crate::cli::{Cli, Command};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;
use clap::CommandFactory;
use serde_json::Value;

/// Does what the command line says.
///
/// # Errors
/// Why it was not done.
pub(crate) fn run(cli: Cli, env: &dyn Env) -> Result<(), Failure> {
    match cli.command {
        Command::Dev(args) => crate::dev::run(*args, env),
        Command::Serve(args) => crate::serve::run(&args, env),
        Command::Instance(command) => instance::run(command, env),
        Command::Account(command) => account::run(command, env),
        Command::Status(args) => status::run(&args, env),
        Command::Plan(args) => plan::run(&args, env),
        Command::Key(command) => key::run(command, env),
        Command::Task(command) => task::run(command, env),
        Command::Call(args) => call::run(&args, env),
        Command::Policy(command) => policy::run(command, env),
        Command::Audit(args) => audit::run(*args, env),
        Command::MasterKey(command) => master_key::run(&command, env),
        Command::Store(command) => store::run(&command, env),
        Command::Backup(args) => store::backup(&args, env),
        Command::Restore(args) => store::restore(&args, env),
        Command::Migrate(args) => store::migrate(&args, env),
        Command::Doctor(args) => crate::doctor::run(&args, env),
        Command::Info(args) => info::run(&args, env),
        Command::Version(args) => info::version(Out::new(args.json)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "claviger", &mut script);
            Out::new(false).bytes(&script)
        }
    }
}

/// Tags as they are given: `NAME=VALUE` each.
fn tags(texts: &[String]) -> Result<serde_json::Map<String, Value>, Failure> {
    let mut tags = serde_json::Map::new();
    for text in texts {
        let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Failure::usage(format!(
                "{text:?} is not a tag such as team=orders"
            )));
        };
        tags.insert(name.to_owned(), value.into());
    }
    Ok(tags)
}

/// An object's texts as `name=value`, joined.
fn pairs_of(value: &Value, pointer: &str) -> String {
    let object = value.pointer(pointer).and_then(Value::as_object);
    let pairs = object.into_iter().flatten();
    let pairs = pairs.map(|(name, value)| format!("{name}={}", text(value, "")));
    pairs.collect::<Vec<_>>().join(", ")
}

/// The text at a JSON pointer; empty if there is none, numbers and truths as written.
fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A moment given in milliseconds since the epoch, as people read it; empty if there is none.
fn moment(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::Number(millis)) => millis
            .as_i64()
            .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
            .map_or_else(String::new, |at| {
                at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
            }),
        _ => text(value, pointer),
    }
}

/// The rows of a list.
fn rows<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .unwrap_or(value)
        .as_array()
        .map_or(&[], Vec::as_slice)
}

/// The texts of a list, joined.
fn joined(value: &Value, pointer: &str) -> String {
    let items = value.pointer(pointer).and_then(Value::as_array);
    let texts = items.into_iter().flatten().map(|item| text(item, ""));
    texts.collect::<Vec<_>>().join(", ")
}
