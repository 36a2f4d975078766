//! Moving all of a store: to the other kind, into a backup, back from one.
//!
//! Content travels as rows of named tables and columns, the same for both kinds of store. Sealed
//! values travel sealed; each is checked to open under the master key of where it goes to. A
//! destination must be empty, is written in one transaction, and is read again and compared
//! before anything is said to be done.

mod file;
mod sqlite;

use crate::audit::end_place;
use crate::open::OpenError;
use crate::postgres;
use crate::seal::Sealer;
use crate::sealed;
use crate::{Place, fault::Fault};
use claviger_core::ports::{Entropy, StoreError};
use claviger_core::secret::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::mpsc;

pub use file::PASSPHRASE_LEN_MIN;

/// Pieces under way between reading and writing.
const PIECES_MAX: usize = 1_024;

/// Tables that are not content: the schema's own history, the proof of the master key, and what
/// only the processes that serve a store now mean.
pub(crate) const NOT_CONTENT: [&str; 7] = [
    "migration",
    "canary",
    "member",
    "lease",
    "seat",
    "mark",
    "audit_new",
];

/// The setting that holds the sequence of task numbers in the embedded store; a sequence of its
/// own in the shared one.
pub(crate) const TASK_FLOOR: &str = crate::settings::TASK_FLOOR;

/// Why all of a store was not moved. The destination is as it was.
#[derive(Debug, Error)]
pub enum TransferError {
    /// A store cannot be opened.
    #[error("{place}: {source}")]
    Open {
        /// Which; without user and password.
        place: String,
        /// Why.
        source: OpenError,
    },
    /// The destination holds something.
    #[error("{0} is not empty: nothing is ever written over")]
    NotEmpty(String),
    /// A service is running on the source; what it accepts meanwhile would be lost.
    #[error("a service is running on {0}: stop it first")]
    InUse(String),
    /// A sealed value does not open under the master key.
    #[error("{table} holds a value that does not open under this master key")]
    NotSealedByUs {
        /// The table.
        table: String,
    },
    /// What was read again is not what was written.
    #[error("{table} is not the same after it was written: nothing was kept")]
    Differs {
        /// The table.
        table: String,
    },
    /// The other side has a table or column that this one does not know.
    #[error("{0} is unknown here: it comes from another version of claviger")]
    Unknown(String),
    /// The file is no backup of claviger's.
    #[error("the file is not a backup made by claviger")]
    NotABackup,
    /// The passphrase is not the one, or the file's beginning is damaged.
    #[error("the passphrase is wrong, or the file is damaged at its beginning")]
    WrongPassphrase,
    /// The passphrase is too short.
    #[error("a passphrase of a backup has at least {PASSPHRASE_LEN_MIN} characters")]
    ShortPassphrase,
    /// The file is damaged.
    #[error("the backup is damaged")]
    Damaged,
    /// The file ends too soon.
    #[error("the backup is cut off: its end is missing")]
    Truncated,
    /// Reading or writing the file.
    #[error("the backup file: {0}")]
    Io(#[from] io::Error),
    /// A database refuses.
    #[error("{0}")]
    Store(StoreError),
}

impl From<Fault> for TransferError {
    fn from(fault: Fault) -> Self {
        TransferError::Store(fault.into())
    }
}

impl From<rusqlite::Error> for TransferError {
    fn from(error: rusqlite::Error) -> Self {
        Fault::from(error).into()
    }
}

impl From<tokio_postgres::Error> for TransferError {
    fn from(error: tokio_postgres::Error) -> Self {
        Fault::from(error).into()
    }
}

/// A value of either database. Truths are 0 and 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Null(()),
    Int(i64),
    Text(String),
    Blob {
        /// Hexadecimal.
        b: String,
    },
}

impl Value {
    pub(crate) fn blob(bytes: &[u8]) -> Self {
        use std::fmt::Write;
        let mut b = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(b, "{byte:02x}");
        }
        Value::Blob { b }
    }

    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let Value::Blob { b } = self else {
            return None;
        };
        let pairs = b.as_bytes().chunks(2);
        pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect()
    }
}

/// What travels, in this order: the start, tables with their rows, the end.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Piece {
    /// The version that wrote it, and the number of the next task.
    Start { by: String, next_task: i64 },
    /// A table begins; its columns by name.
    Table { name: String, columns: Vec<String> },
    /// A row of it.
    Row(Vec<Value>),
    /// All of it was sent: without this piece, what came is worth nothing.
    End(Contents),
}

/// What a store holds: rows and a digest of each table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// By table: rows, and the SHA-256 of all of them in the order of their primary key.
    pub tables: BTreeMap<String, (u64, String)>,
}

impl Contents {
    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.values().map(|(rows, _)| rows).sum()
    }

    /// # Errors
    /// [`TransferError::Differs`] with the first table that is not the same.
    pub(crate) fn compare(&self, other: &Contents) -> Result<(), TransferError> {
        let names = self.tables.keys().chain(other.tables.keys());
        for name in names {
            // A table that only one side has is the same if it is empty.
            let of = |contents: &Contents| contents.tables.get(name).cloned();
            let empty = |side: &Option<(u64, String)>| side.as_ref().is_none_or(|s| s.0 == 0);
            let (here, there) = (of(self), of(other));
            if here != there && !(empty(&here) && empty(&there)) {
                return Err(TransferError::Differs {
                    table: name.clone(),
                });
            }
        }
        Ok(())
    }
}

/// Counts and digests what passes.
#[derive(Default)]
pub(crate) struct Tally {
    contents: Contents,
    now: Option<(String, u64, Sha256)>,
}

impl Tally {
    pub(crate) fn table(&mut self, name: &str) {
        self.close();
        self.now = Some((name.to_owned(), 0, Sha256::new()));
    }

    pub(crate) fn row(&mut self, row: &[Value]) {
        if let Some((_, rows, digest)) = &mut self.now {
            *rows += 1;
            digest.update(serde_json::to_vec(row).unwrap_or_default());
            digest.update(b"\n");
        }
    }

    fn close(&mut self) {
        if let Some((name, rows, digest)) = self.now.take() {
            let mut text = String::new();
            if let Value::Blob { b } = Value::blob(&digest.finalize()) {
                text = b;
            }
            self.contents.tables.insert(name, (rows, text));
        }
    }

    pub(crate) fn end(mut self) -> Contents {
        self.close();
        self.contents
    }
}

/// Sends what is read; a receiver that is gone has failed and says so itself.
pub(crate) struct Outlet(mpsc::Sender<Piece>);

/// The other end failed; its own error counts.
pub(crate) fn broken_off() -> TransferError {
    TransferError::Store(StoreError::Unavailable(
        "the transfer was broken off".into(),
    ))
}

impl Outlet {
    pub(crate) async fn send(&self, piece: Piece) -> Result<(), TransferError> {
        self.0.send(piece).await.map_err(|_| broken_off())
    }

    pub(crate) fn send_blocking(&self, piece: Piece) -> Result<(), TransferError> {
        self.0.blocking_send(piece).map_err(|_| broken_off())
    }
}

/// Checks each row that is written.
pub(crate) struct Guard {
    sealer: Arc<Sealer>,
    table: String,
    /// Positions of sealed columns, with their names.
    sealed: Vec<(usize, String)>,
    columns: Vec<String>,
}

impl Guard {
    pub(crate) fn new(sealer: Arc<Sealer>) -> Self {
        Self {
            sealer,
            table: String::new(),
            sealed: Vec::new(),
            columns: Vec::new(),
        }
    }

    pub(crate) fn table(&mut self, name: &str, columns: &[String]) {
        name.clone_into(&mut self.table);
        self.columns = columns.to_vec();
        let sealed = columns.iter().enumerate();
        self.sealed = sealed
            .filter(|(_, column)| column.starts_with("sealed_"))
            .map(|(at, column)| (at, column.clone()))
            .collect();
    }

    /// # Errors
    /// [`TransferError::NotSealedByUs`] if a sealed value of the row does not open.
    pub(crate) fn row(&self, row: &[Value]) -> Result<(), TransferError> {
        for (at, column) in &self.sealed {
            let Some(blob) = row.get(*at).and_then(Value::bytes) else {
                continue;
            };
            if !self.opens(column, row, &blob) {
                return Err(TransferError::NotSealedByUs {
                    table: self.table.clone(),
                });
            }
        }
        Ok(())
    }

    fn opens(&self, column: &str, row: &[Value], blob: &[u8]) -> bool {
        let text = |name: &str| {
            let at = self.columns.iter().position(|column| column == name);
            match at.and_then(|at| row.get(at)) {
                Some(Value::Text(text)) => text.as_str(),
                _ => "",
            }
        };
        let place = match (self.table.as_str(), column) {
            ("account", "sealed_password") => {
                sealed::account_password(text("instance"), text("id"))
            }
            ("account", "sealed_leaving") => {
                sealed::leaving_passwords(text("instance"), text("id"))
            }
            ("account", "sealed_link") => sealed::link_password(text("instance"), text("id")),
            ("past_password", "sealed_password") => {
                sealed::account_password(text("instance"), text("id"))
            }
            ("instance", "sealed_login") => sealed::instance_login(text("id")),
            ("instance", "sealed_default_password") => sealed::default_password(text("id")),
            ("access_key", "sealed_secret") => sealed::key_secret(text("id")),
            ("access_key", "sealed_former") => sealed::former_secret(text("id")),
            ("audit_end", "sealed_end") => end_place(text("which")),
            // Its place is known elsewhere; under which key it is sealed shows on it.
            _ => return self.sealer.has_sealed(blob),
        };
        self.sealer.open(place, blob).is_ok()
    }
}

fn named(place: &Place) -> impl FnOnce(OpenError) -> TransferError {
    let place = place.to_string();
    move |source| match source {
        OpenError::Locked(_) => TransferError::InUse(place),
        source => TransferError::Open { place, source },
    }
}

/// How a source is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// While services run on it: one state of it.
    Beside,
    /// For good: nobody may run on it, since what is accepted later would be lost.
    ForGood,
}

async fn read(
    place: &Place,
    sealer: &Arc<Sealer>,
    reading: Reading,
    outlet: Outlet,
) -> Result<Contents, TransferError> {
    match place {
        Place::Sqlite(path) => {
            let (path, sealer, place) = (path.clone(), Arc::clone(sealer), place.clone());
            blocking(move || sqlite::read(&path, &sealer, reading, &outlet, named(&place))).await
        }
        Place::Postgres(url) => {
            postgres::transfer::read(url, sealer, reading, &outlet, named(place)).await
        }
    }
}

async fn write(
    place: &Place,
    sealer: &Arc<Sealer>,
    mut pieces: mpsc::Receiver<Piece>,
) -> Result<Contents, TransferError> {
    match place {
        Place::Sqlite(path) => {
            let (path, sealer, place) = (path.clone(), Arc::clone(sealer), place.clone());
            blocking(move || sqlite::write(&path, &sealer, pieces, named(&place))).await
        }
        Place::Postgres(url) => {
            postgres::transfer::write(url, sealer, &mut pieces, named(place)).await
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TransferError> + Send + 'static,
) -> Result<T, TransferError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(broken_off()))
}

/// The writer's error says more than the reader's, which only sees that nobody listens.
fn both<T, U>(
    read: Result<T, TransferError>,
    written: Result<U, TransferError>,
) -> Result<(T, U), TransferError> {
    match (read, written) {
        (Ok(read), Ok(written)) => Ok((read, written)),
        (Err(read), Err(written)) => {
            let silent = matches!(&read, TransferError::Store(StoreError::Unavailable(text))
                if text == "the transfer was broken off");
            Err(if silent { written } else { read })
        }
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}

/// Copies all of a store into an empty one of either kind. The source stays as it is.
///
/// # Errors
/// [`TransferError`]; the destination is then as empty as before.
pub async fn copy(from: &Place, to: &Place, sealer: Sealer) -> Result<Contents, TransferError> {
    let sealer = Arc::new(sealer);
    let (sender, pieces) = mpsc::channel(PIECES_MAX);
    let reading = read(from, &sealer, Reading::ForGood, Outlet(sender));
    let (read, written) = tokio::join!(reading, write(to, &sealer, pieces));
    let (read, written) = both(read, written)?;
    read.compare(&written)?;
    Ok(written)
}

/// Writes all of a store, as it is at one moment, into a new file, encrypted under a passphrase.
/// Services may run on it. The master key is not in it.
///
/// # Errors
/// [`TransferError`]; no file is left then.
pub async fn backup(
    from: &Place,
    sealer: Sealer,
    path: &Path,
    passphrase: &Secret,
    entropy: &Arc<dyn Entropy>,
) -> Result<Contents, TransferError> {
    let sealer = Arc::new(sealer);
    let (sender, pieces) = mpsc::channel(PIECES_MAX);
    let reading = read(from, &sealer, Reading::Beside, Outlet(sender));
    let (path, passphrase, entropy) = (path.to_owned(), passphrase.clone(), Arc::clone(entropy));
    let writing = blocking(move || file::write(&path, &passphrase, &*entropy, pieces));
    let (read, written) = tokio::join!(reading, writing);
    both(read, written).map(|(read, ())| read)
}

/// Reads a backup into an empty store of either kind.
///
/// # Errors
/// [`TransferError`]; the destination is then as empty as before.
pub async fn restore(
    path: &Path,
    passphrase: &Secret,
    to: &Place,
    sealer: Sealer,
) -> Result<Contents, TransferError> {
    let sealer = Arc::new(sealer);
    let (sender, pieces) = mpsc::channel(PIECES_MAX);
    let (path, passphrase) = (path.to_owned(), passphrase.clone());
    let reading = blocking(move || file::read(&path, &passphrase, &Outlet(sender)));
    let (read, written) = tokio::join!(reading, write(to, &sealer, pieces));
    let (read, written) = both(read, written)?;
    read.compare(&written)?;
    Ok(written)
}
