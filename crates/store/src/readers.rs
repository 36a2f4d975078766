//! A few read-only connections beside the writer. In WAL mode readers wait for nobody and nobody
//! waits for them.

use crate::fault::Fault;
use crate::open::{self, OpenError};
use claviger_core::ports::StoreError;
use rusqlite::Connection;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Connections for small reads, which run in place on the caller's thread: one row, or the few
/// of one instance, from cached pages, in tens of microseconds; a hop to another thread would
/// cost as much again.
const POINT_READERS: std::ops::RangeInclusive<usize> = 2..=8;

/// Connections for lists, which run on threads that may block.
const LIST_READERS: usize = 2;

/// The readers.
pub(crate) struct Readers {
    points: Arc<Pool>,
    lists: Arc<Pool>,
}

impl Readers {
    /// Opens them.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let points = threads.clamp(*POINT_READERS.start(), *POINT_READERS.end());
        Ok(Self {
            points: Arc::new(Pool::open(path, points)?),
            lists: Arc::new(Pool::open(path, LIST_READERS)?),
        })
    }

    /// A small read.
    pub(crate) async fn point<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Fault> + Send,
    ) -> Result<T, StoreError> {
        let lease = Lease::take(&self.points).await?;
        Ok(lease.snapshot(read)?)
    }

    /// A list.
    pub(crate) async fn list<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let lease = Lease::take(&self.lists).await?;
        let answer = spawn_blocking(move || lease.snapshot(read)).await;
        let answer = answer.map_err(|_| StoreError::Unavailable("a read was broken off".into()))?;
        Ok(answer?)
    }

    /// Closes those that are not in use.
    pub(crate) fn close(&self) {
        for pool in [&self.points, &self.lists] {
            pool.free.close();
            pool.idle().clear();
        }
    }
}

struct Pool {
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
}

impl Pool {
    fn open(path: &Path, size: usize) -> Result<Self, OpenError> {
        let idle: Result<Vec<_>, _> = (0..size).map(|_| open::reader(path)).collect();
        Ok(Self {
            idle: Mutex::new(idle?),
            free: Arc::new(Semaphore::new(size)),
        })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection, given back when dropped, whatever happened.
struct Lease {
    pool: Arc<Pool>,
    connection: Option<Connection>,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl Lease {
    async fn take(pool: &Arc<Pool>) -> Result<Self, StoreError> {
        let closed = || StoreError::Unavailable("the store is closing".into());
        let permit = Arc::clone(&pool.free).acquire_owned().await;
        let permit = permit.map_err(|_| closed())?;
        let connection = pool.idle().pop().ok_or_else(closed)?;
        Ok(Self {
            pool: Arc::clone(pool),
            connection: Some(connection),
            _permit: permit,
        })
    }

    /// Runs all of `read` on one state of the database.
    fn snapshot<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let connection = self
            .connection
            .as_ref()
            .ok_or_else(|| StoreError::Unavailable("the store is closing".into()))?;
        connection.prepare_cached("BEGIN")?.execute([])?;
        let answer = read(connection);
        connection.prepare_cached("COMMIT")?.execute([])?;
        answer
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        // A read that panicked has left its transaction open.
        if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
            return;
        }
        if !self.pool.free.is_closed() {
            self.pool.idle().push(connection);
        }
    }
}
