//! The commands that move a store, as types.

use crate::cli::ServeArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `claviger store`.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Copy all of one store into another, empty one, and compare
    Copy(Box<CopyArgs>),
}

/// `claviger store copy`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CopyArgs {
    /// From here: `sqlite`, `sqlite:PATH`, `postgres://...` without a password, or `@FILE` whose
    /// first line is one of these and may have a password. No service may run on it
    #[arg(value_name = "FROM")]
    pub(crate) from: String,
    /// To here, in the same form; both are read under the same master key
    #[arg(value_name = "TO")]
    pub(crate) to: String,
    /// Settings: of these, where the data directory and the master key are.
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// `claviger backup` and `claviger restore`.
#[derive(Clone, Debug, Args)]
pub(crate) struct BackupArgs {
    /// The backup; a new file when it is written
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// File whose first line is the passphrase, or - for standard input [env: CLAVIGER_BACKUP_PASSPHRASE]
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Settings: of these, where the store and the master key are.
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}
