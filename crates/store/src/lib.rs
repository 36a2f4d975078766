//! Durable state: what [`claviger_core::ports::Store`] promises, kept in one SQLite file, or in a
//! PostgreSQL database that several processes share (`postgres`).
//!
//! Every write is one transaction with its task, its idempotency record, its nonce and its audit
//! row; waiting writes share one commit. Secrets are sealed under the installation's master key
//! and bound to their row. In reading order: `sqlite` (the port), `writer` (group commit),
//! `change` and `ops` (what is written), `readers` and `read`, `rows`, `seal`, `migrate`, `open`.
//!
//! SQL stands nowhere else in claviger, and nothing of SQLite is seen from outside: another
//! database follows by implementing the port and passing `tests/contract.rs`.

mod audit;
mod change;
mod confirm;
mod fault;
mod keys;
mod memo;
mod migrate;
mod observe;
mod open;
mod ops;
mod past;
mod postgres;
mod purge;
mod read;
mod readers;
mod reseal;
mod rows;
mod seal;
mod sealed;
mod settings;
mod sqlite;
mod strikes;
mod transfer;
mod views;
mod words;
mod writer;

pub use open::OpenError;
pub use postgres::{PostgresStats, PostgresStore};
pub use seal::Sealer;
pub use sqlite::{SqliteStore, Stats};
pub use transfer::{Contents, PASSPHRASE_LEN_MIN, TransferError, backup, copy, restore};

use claviger_core::ports::Store;
use claviger_core::secret::Secret;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Name of the embedded database's file in the data directory.
pub const SQLITE_FILE: &str = "claviger.db";

/// Which store.
#[derive(Clone, Debug)]
pub enum Place {
    /// The embedded one, in this file.
    Sqlite(PathBuf),
    /// The shared one, at this URL, in which there may be a password.
    Postgres(Secret),
}

impl Place {
    /// Reads `sqlite:PATH` or `postgres://...`.
    ///
    /// # Errors
    /// [`OpenError::UnknownStore`] or [`OpenError::BadUrl`]; neither repeats the text.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(OpenError::BadUrl("sqlite: needs a path after it".into()));
            }
            return Ok(Place::Sqlite(path.into()));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let url = Secret::new(text);
            postgres::check_url(&url)?;
            return Ok(Place::Postgres(url));
        }
        Err(OpenError::UnknownStore)
    }

    /// A password stands in it.
    pub fn has_password(&self) -> bool {
        matches!(self, Place::Postgres(url) if postgres::has_password(url))
    }
}

/// For people; no user and no password.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Sqlite(path) => path.display().fmt(f),
            Place::Postgres(url) => f.write_str(&postgres::shown(url)),
        }
    }
}

/// An open store, of either kind.
#[derive(Clone)]
pub enum Opened {
    /// Embedded.
    Sqlite(Arc<SqliteStore>),
    /// Shared.
    Postgres(Arc<PostgresStore>),
}

impl Opened {
    /// As the port sees it.
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Opened::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
            Opened::Postgres(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }
}

/// Opens a store, or makes it, bringing its schema up to this version. `me` is a name that no
/// other process on a shared store has. Must be called within a runtime.
///
/// # Errors
/// [`OpenError`], each with a line that says what to do.
pub async fn open(
    place: &Place,
    sealer: impl Into<Arc<Sealer>>,
    me: &str,
) -> Result<Opened, OpenError> {
    let sealer = sealer.into();
    match place {
        Place::Sqlite(path) => {
            let store = SqliteStore::open(path, sealer)?;
            Ok(Opened::Sqlite(Arc::new(store)))
        }
        Place::Postgres(url) => {
            let store = PostgresStore::open(url, sealer, me.to_owned()).await?;
            Ok(Opened::Postgres(Arc::new(store)))
        }
    }
}
