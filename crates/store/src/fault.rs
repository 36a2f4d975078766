//! What can go wrong beneath the port, before it becomes a [`StoreError`].

use crate::seal::SealError;
use claviger_core::ports::StoreError;
use rusqlite::ErrorCode;

/// A failure inside the store. Its text may name tables and columns, never a stored value.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database said no.
    Sql(rusqlite::Error),
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
