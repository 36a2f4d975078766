//! Opening: the directory, the lock, the connections, the schema, the master key.

use crate::fault::Fault;
use crate::migrate::{MIGRATIONS, migrate};
use crate::seal::{SealError, Sealer};
use crate::sealed::{CANARY, CANARY_TEXT as TEXT};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Why the store cannot be opened. Nothing was changed, but for files that were made new.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A newer version of claviger has changed the database.
    #[error(
        "the database is of schema version {found}, this claviger knows up to {known}: \
         run the newer version"
    )]
    Newer {
        /// Its newest schema version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The database's history differs from this version's.
    #[error("schema version {version} of the database is not the one that this claviger knows")]
    Edited {
        /// Where they part.
        version: i64,
    },
    /// The secrets in the database are sealed under another master key.
    #[error("the master key is not the one that this database was made with")]
    WrongMasterKey,
    /// Another process has the store open.
    #[error("another process has this store open (lock file {})", .0.display())]
    Locked(PathBuf),
    /// The file is not a database, or damaged.
    #[error("{} is not a database, or is damaged", .0.display())]
    NotADatabase(PathBuf),
    /// The file is another application's database.
    #[error("the file is a database, but not claviger's")]
    Foreign,
    /// A kind of store that does not exist.
    #[error("unknown store: use `sqlite` or `postgres://...`")]
    UnknownStore,
    /// The URL of a database is of no use.
    #[error("the store's URL cannot be used: {0}")]
    BadUrl(String),
    /// A file or directory cannot be used.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database refuses.
    #[error("the database cannot be used: {0}")]
    Database(String),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        OpenError::Database(error.to_string())
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        OpenError::Database(claviger_core::ports::StoreError::from(fault).to_string())
    }
}

/// How long a connection waits for one that is not ours, such as a person's shell.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Page cache of the writer, KiB.
const WRITER_CACHE_KIB: i64 = 8 * 1024;

/// Page cache of each reader, KiB.
const READER_CACHE_KIB: i64 = 1024;

/// Prepared statements kept by each connection; there are about forty.
const STATEMENTS_MAX: usize = 96;

/// After how many pages the log is moved into the database: rarely enough that few commits wait
/// for it, and yet the log stays at about 16 MiB.
const CHECKPOINT_PAGES: i64 = 4_000;

/// The log file is cut back to this after a checkpoint, bytes.
const LOG_BYTES_MAX: i64 = 32 << 20;

/// What [`prepare`] yields: the writer's connection, and the lock, which lasts as long as it is
/// held.
pub(crate) struct Opened {
    pub(crate) writer: Connection,
    pub(crate) lock: File,
}

/// Makes or opens the database at `path` for writing, alone.
pub(crate) fn prepare(path: &Path, sealer: &Sealer) -> Result<Opened, OpenError> {
    if let Some(directory) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        make_directory(directory)?;
    }
    let lock = lock(&beside(path, ".lock"))?;
    drop(private_file(path)?);
    let (writer, mode) = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|writer| {
            let mode = tune_writer(&writer)?;
            Ok((writer, mode))
        })
        .map_err(|error| classify(path, error))?;
    if mode != "wal" {
        let text = "no write-ahead log can be kept on this file system";
        return Err(OpenError::Database(text.into()));
    }
    migrate(&writer, MIGRATIONS)?;
    check_canary(&writer, sealer)?;
    sync_directory(path)?;
    Ok(Opened { writer, lock })
}

/// Another connection that only reads.
pub(crate) fn reader(path: &Path) -> Result<Connection, OpenError> {
    let reader = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    reader.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    reader.pragma_update(None, "query_only", true)?;
    Ok(reader)
}

fn connect(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    // Each connection is used by one thread at a time, which our types see to.
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Without this, SQLite prepares many a cached statement again at each run, in case the new
    // parameters ask for another plan: as much work as all the rest of a small read. Ours want
    // one plan, whatever the parameters.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // Nothing of ours goes to temporary files.
    connection.pragma_update(None, "temp_store", "memory")?;
    Ok(connection)
}

/// The journal mode that it came to.
fn tune_writer(writer: &Connection) -> rusqlite::Result<String> {
    let mode = writer
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
    writer.pragma_update(None, "synchronous", "full")?;
    writer.pragma_update(None, "foreign_keys", true)?;
    writer.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    let ignore = |_: &rusqlite::Row<'_>| Ok(());
    writer.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, ignore)?;
    writer.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_MAX, ignore)?;
    Ok(mode)
}

fn classify(path: &Path, error: rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            OpenError::NotADatabase(path.to_owned())
        }
        _ => error.into(),
    }
}

/// A wrong master key is noticed here, not at the first account that does not open.
fn check_canary(writer: &Connection, sealer: &Sealer) -> Result<(), OpenError> {
    if !check_canary_of(writer, sealer)? {
        let blob = sealer.seal(CANARY, TEXT).map_err(Fault::from)?;
        writer.execute("INSERT INTO canary (id, sealed) VALUES (1, ?1)", [blob])?;
    }
    Ok(())
}

/// The same without writing; false if there is none yet.
pub(crate) fn check_canary_of(db: &Connection, sealer: &Sealer) -> Result<bool, OpenError> {
    let blob: Option<Vec<u8>> = db
        .query_row("SELECT sealed FROM canary WHERE id = 1", [], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(blob) = blob else {
        return Ok(false);
    };
    match sealer.open(CANARY, &blob) {
        Ok(text) if *text == TEXT => Ok(true),
        Err(SealError::OtherKey) => Err(OpenError::WrongMasterKey),
        Ok(_) => Err(Fault::Seal(SealError::Damaged).into()),
        Err(error) => Err(Fault::Seal(error).into()),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}

/// Readable by us alone if it is made now; one that is there already keeps its mode.
fn make_directory(path: &Path) -> Result<(), OpenError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(at(path))
}

/// Makes the file if need be, readable by us alone. SQLite gives its log and index files the
/// mode of the database.
fn private_file(path: &Path) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(at(path))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().map_err(at(path))?.permissions().mode();
        if mode & 0o077 != 0 {
            let private = fs::Permissions::from_mode(0o600);
            file.set_permissions(private).map_err(at(path))?;
        }
    }
    Ok(file)
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let file = private_file(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(at(path)(source)),
    }
}

/// The new files' names are durable too.
fn sync_directory(path: &Path) -> Result<(), OpenError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(at(directory))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use rusqlite::StatementStatus;

    #[test]
    fn cached_statements_are_prepared_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        drop(private_file(&path).unwrap());
        let db = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        migrate(&db, MIGRATIONS).unwrap();
        for _ in 0..3 {
            let sql = "SELECT id FROM account WHERE instance = ?1 ORDER BY name";
            let mut statement = db.prepare_cached(sql).unwrap();
            assert!(!statement.exists(["r-1"]).unwrap());
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        }
    }
}
