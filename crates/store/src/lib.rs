//! Durable state: what [`claviger_core::ports::Store`] promises, kept in one SQLite file.
//!
//! Every write is one transaction with its task, its idempotency record, its nonce and its audit
//! row; waiting writes share one commit. Secrets are sealed under the installation's master key
//! and bound to their row. In reading order: `sqlite` (the port), `writer` (group commit),
//! `change` and `ops` (what is written), `readers` and `read`, `rows`, `seal`, `migrate`, `open`.
//!
//! SQL stands nowhere else in claviger, and nothing of SQLite is seen from outside: another
//! database follows by implementing the port and passing `tests/contract.rs`.

mod change;
mod confirm;
mod fault;
mod keys;
mod memo;
mod migrate;
mod observe;
mod open;
mod ops;
mod purge;
mod read;
mod readers;
mod rows;
mod seal;
mod sealed;
mod settings;
mod sqlite;
mod strikes;
mod views;
mod words;
mod writer;

pub use open::OpenError;
pub use seal::Sealer;
pub use sqlite::{SqliteStore, Stats};

use claviger_core::ports::Store;
use std::path::Path;
use std::sync::Arc;

/// Name of the embedded database's file in the data directory.
pub const SQLITE_FILE: &str = "claviger.db";

/// Opens the store that `which` names: `sqlite` is the embedded one, in the data directory.
///
/// # Errors
/// [`OpenError::UnknownStore`], or why it cannot be opened.
pub fn open(which: &str, data_dir: &Path, sealer: Sealer) -> Result<Arc<dyn Store>, OpenError> {
    match which {
        "sqlite" => Ok(Arc::new(SqliteStore::open(
            &data_dir.join(SQLITE_FILE),
            sealer,
        )?)),
        _ => Err(OpenError::UnknownStore),
    }
}
