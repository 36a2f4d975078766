//! `claviger store copy`, `backup`, `restore`, `migrate`: the store as a whole.

use crate::cli::{BackupArgs, CopyArgs, ServeArgs, StoreCommand};
use crate::config::Config;
use crate::entropy::SystemEntropy;
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;
use crate::secret_input;
use crate::serve::in_runtime;
use crate::store;
use claviger_core::ports::Entropy;
use claviger_core::secret::Secret;
use claviger_store::{Contents, Place, SQLITE_FILE, TransferError};
use std::path::Path;
use std::sync::Arc;

/// Does it.
///
/// # Errors
/// Why not all of it was done; then nothing was.
pub(super) fn run(command: &StoreCommand, env: &dyn Env) -> Result<(), Failure> {
    match command {
        StoreCommand::Copy(args) => copy(args, env),
    }
}

fn entropy() -> Arc<dyn Entropy> {
    Arc::new(SystemEntropy)
}

fn failed(error: TransferError) -> Failure {
    Failure::refused(format!("{:#}", anyhow::Error::new(error)))
}

fn say(what: &str, contents: &Contents) -> Result<(), Failure> {
    let out = Out::new(false);
    for (table, (rows, digest)) in &contents.tables {
        if *rows > 0 {
            out.line(&format!("{rows:>9}  {table:14}  {}", &digest[..16]))?;
        }
    }
    out.line(&format!("{what}: {} rows", contents.rows()))
}

fn copy(args: &CopyArgs, env: &dyn Env) -> Result<(), Failure> {
    let config = Config::load(&args.serve, env)?;
    let from = place(&args.from, &config)?;
    let to = place(&args.to, &config)?;
    let sealer = store::sealer_in_use(&config, &entropy())?;
    in_runtime(async move {
        let copied = claviger_store::copy(&from, &to, sealer).await;
        say(
            &format!("{from} was copied to {to} and compared"),
            &copied.map_err(failed)?,
        )
    })
}

fn place(text: &str, config: &Config) -> Result<Place, Failure> {
    let wrong = |why: &dyn std::fmt::Display| Failure::usage(format!("a store: {why}"));
    if text == "sqlite" {
        return Ok(Place::Sqlite(config.data_dir.join(SQLITE_FILE)));
    }
    if let Some(path) = text.strip_prefix('@') {
        let text = secret_input::first_line(Path::new(path))?;
        return Place::parse(text.expose()).map_err(|error| wrong(&error));
    }
    let place = Place::parse(text).map_err(|error| wrong(&error))?;
    if place.has_password() {
        return Err(wrong(
            &"a password on the command line could be read by every user of this machine: give \
              @FILE",
        ));
    }
    Ok(place)
}

fn passphrase(args: &BackupArgs, env: &dyn Env) -> Result<Secret, Failure> {
    if let Some(path) = &args.passphrase_file {
        return secret_input::first_line(path);
    }
    let given = env.get("CLAVIGER_BACKUP_PASSPHRASE")?.map(Secret::new);
    given.ok_or_else(|| {
        Failure::usage(
            "a backup needs a passphrase: --passphrase-file or CLAVIGER_BACKUP_PASSPHRASE",
        )
    })
}

/// `claviger backup`.
///
/// # Errors
/// Why there is no backup.
pub(super) fn backup(args: &BackupArgs, env: &dyn Env) -> Result<(), Failure> {
    let config = Config::load(&args.serve, env)?;
    let passphrase = passphrase(args, env)?;
    let entropy = entropy();
    let sealer = store::sealer_in_use(&config, &entropy)?;
    let file = args.file.clone();
    in_runtime(async move {
        let from = &config.store;
        let made = claviger_store::backup(from, sealer, &file, &passphrase, &entropy).await;
        say(
            &format!("{from} was written to {}", file.display()),
            &made.map_err(failed)?,
        )
    })
}

/// `claviger restore`.
///
/// # Errors
/// Why nothing was restored.
pub(super) fn restore(args: &BackupArgs, env: &dyn Env) -> Result<(), Failure> {
    let config = Config::load(&args.serve, env)?;
    let passphrase = passphrase(args, env)?;
    let sealer = store::sealer_in_use(&config, &entropy())?;
    let file = args.file.clone();
    in_runtime(async move {
        let to = &config.store;
        let read = claviger_store::restore(&file, &passphrase, to, sealer).await;
        say(
            &format!("{} was read into {to} and compared", file.display()),
            &read.map_err(failed)?,
        )
    })
}

/// `claviger migrate`.
///
/// # Errors
/// Why the store does not open.
pub(super) fn migrate(args: &ServeArgs, env: &dyn Env) -> Result<(), Failure> {
    let config = Config::load(args, env)?;
    in_runtime(async move {
        drop(store::open(&config, &entropy(), "migrate").await?);
        let line = format!(
            "{} is of the schema of claviger {}",
            config.store,
            env!("CARGO_PKG_VERSION")
        );
        Out::new(false).line(&line)
    })
}
