//! What can go wrong beneath the port, before it becomes a [`StoreError`].

use crate::seal::SealError;
use claviger_core::ports::StoreError;
use rusqlite::ErrorCode;
use tokio_postgres::error::SqlState;

/// A failure inside the store. Its text may name tables and columns, never a stored value.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database said no.
    Sql(rusqlite::Error),
    /// PostgreSQL, or the way to it, said no.
    Postgres(tokio_postgres::Error),
    /// A sealed value did not open.
    Seal(SealError),
    /// Already said in the port's words.
    Store(StoreError),
}

impl Fault {
    /// A stored value that means nothing to this version.
    pub(crate) fn unreadable(what: &str) -> Self {
        Fault::Store(StoreError::Unreadable(format!("{what} is not understood")))
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Fault::Sql(error)
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Fault::Postgres(error)
    }
}

impl From<SealError> for Fault {
    fn from(error: SealError) -> Self {
        Fault::Seal(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Fault::Store(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => error,
            Fault::Seal(SealError::TooLarge) => {
                StoreError::Unavailable(SealError::TooLarge.to_string())
            }
            Fault::Seal(error) => StoreError::Unreadable(error.to_string()),
            Fault::Sql(error) => of_sql(&error),
            Fault::Postgres(error) => of_postgres(&error),
        }
    }
}

fn of_sql(error: &rusqlite::Error) -> StoreError {
    use rusqlite::Error as Sql;
    match error {
        Sql::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::ConstraintViolation => of_constraint(failure),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch => {
                StoreError::Unreadable(plain(failure))
            }
            _ => StoreError::Unavailable(plain(failure)),
        },
        Sql::FromSqlConversionFailure(..)
        | Sql::IntegralValueOutOfRange(..)
        | Sql::InvalidColumnType(..)
        | Sql::Utf8Error(..) => StoreError::Unreadable("a column is of another type".into()),
        other => StoreError::Unavailable(other.to_string()),
    }
}

fn of_constraint(failure: &rusqlite::ffi::Error) -> StoreError {
    use rusqlite::ffi;
    match failure.extended_code {
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE => StoreError::Exists,
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => StoreError::NotFound,
        _ => StoreError::Unavailable(plain(failure)),
    }
}

/// The result code's own text: it names no stored value.
fn plain(failure: &rusqlite::ffi::Error) -> String {
    failure.to_string()
}

/// Only the condition's name and code: the server's own text may quote a stored value.
fn of_postgres(error: &tokio_postgres::Error) -> StoreError {
    let Some(code) = error.code() else {
        // The network's or the client's own word: it quotes no value.
        let why = std::error::Error::source(error).map_or_else(String::new, |s| format!(": {s}"));
        return StoreError::Unavailable(format!("PostgreSQL cannot be used: {error}{why}"));
    };
    match *code {
        SqlState::UNIQUE_VIOLATION => StoreError::Exists,
        SqlState::FOREIGN_KEY_VIOLATION => StoreError::NotFound,
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED | SqlState::UNDEFINED_TABLE => {
            StoreError::Unreadable(format!("PostgreSQL error {}", code.code()))
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => {
            StoreError::Unavailable("PostgreSQL is read-only now (a standby?)".into())
        }
        SqlState::DISK_FULL => StoreError::Unavailable("PostgreSQL's disk is full".into()),
        _ => StoreError::Unavailable(format!("PostgreSQL error {}", code.code())),
    }
}

impl Fault {
    /// The connection is of no use any more, or leads to a server that takes no writes.
    pub(crate) fn is_lost(&self) -> bool {
        let Fault::Postgres(error) = self else {
            return false;
        };
        error.code().is_none_or(|code| {
            *code == SqlState::READ_ONLY_SQL_TRANSACTION
                || code.code().starts_with("08")
                || code.code().starts_with("57P")
        })
    }

    /// Another transaction was in the way: the same work may succeed when it is done again.
    pub(crate) fn is_passing(&self) -> bool {
        let Fault::Postgres(error) = self else {
            return false;
        };
        let code = error.code();
        let clash = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::IN_FAILED_SQL_TRANSACTION,
        ];
        // Two calls with one token, or one nonce, on different instances: the second time, the
        // first one's is found.
        let once = ["idempotency_pkey", "nonce_pkey"];
        let nonce = code == Some(&SqlState::NOT_NULL_VIOLATION)
            && error.as_db_error().and_then(|error| error.table()) == Some("nonce");
        nonce
            || code.is_some_and(|code| clash.contains(code))
            || error
                .as_db_error()
                .and_then(|error| error.constraint())
                .is_some_and(|name| once.contains(&name))
    }
}
