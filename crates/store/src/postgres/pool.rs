//! A few connections to PostgreSQL, each used by one piece of work at a time.
//!
//! A connection goes back only when its work ended cleanly; one that was broken off in the middle
//! is closed, and the server undoes what it had begun.

use crate::fault::Fault;
use crate::postgres::connect::Way;
use claviger_core::ports::StoreError;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

/// How long a caller waits for a free connection before it is told to try again.
const FREE_WAIT: Duration = Duration::from_secs(5);

/// For all of one piece of work, so that a server that hangs holds nobody for ever. Longer than a
/// planned switch-over stalls commits, shorter than clients wait.
pub(crate) const WORK_MAX: Duration = Duration::from_secs(10);

/// After a failed attempt to connect others fail at once for this long: a thousand callers must
/// not become a thousand attempts.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Prepared statements that one connection keeps; a query of many filters has many texts.
const STATEMENTS_MAX: usize = 256;

/// Connections.
pub(crate) struct Pool {
    target: Arc<Way>,
    idle: Mutex<Vec<Conn>>,
    free: Arc<Semaphore>,
    /// When the last attempt to connect failed.
    failed: Mutex<Option<Instant>>,
}

impl Pool {
    /// At most `size` at once.
    pub(crate) fn new(target: Arc<Way>, size: usize) -> Arc<Self> {
        Arc::new(Self {
            target,
            idle: Mutex::default(),
            free: Arc::new(Semaphore::new(size)),
            failed: Mutex::default(),
        })
    }

    /// A connection.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<Lease, Fault> {
        let unavailable = |text: &str| StoreError::Unavailable(text.into());
        let permit = timeout(FREE_WAIT, Arc::clone(&self.free).acquire_owned()).await;
        let permit = permit.map_err(|_| unavailable("all connections are busy"))?;
        let permit = permit.map_err(|_| unavailable("the store is closing"))?;
        let conn = match self.reuse() {
            Some(conn) => conn,
            None => self.connect().await?,
        };
        Ok(Lease {
            pool: Arc::clone(self),
            conn,
            _permit: permit,
        })
    }

    fn reuse(&self) -> Option<Conn> {
        let mut idle = self.idle();
        while let Some(conn) = idle.pop() {
            if !conn.client.is_closed() {
                return Some(conn);
            }
        }
        None
    }

    async fn connect(&self) -> Result<Conn, Fault> {
        let recent = *self.failed();
        if recent.is_some_and(|at| at.elapsed() < AGAIN_AFTER) {
            let text = "PostgreSQL could not be reached a moment ago";
            return Err(StoreError::Unavailable(text.into()).into());
        }
        let made = self.target.connect().await;
        *self.failed() = made.is_err().then(Instant::now);
        Ok(Conn::new(made?))
    }

    /// Whatever is idle leads to a server that went away: it is not tried one after the other.
    pub(crate) fn forget_idle(&self) {
        self.idle().clear();
    }

    /// Ends it: no more connections are given out.
    pub(crate) fn close(&self) {
        self.free.close();
        self.forget_idle();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Conn>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use; dropped in the middle of its work it is closed.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    pub(crate) conn: Conn,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// The work ended, well or not: the connection goes back if it is known to be in order.
    pub(crate) async fn settle<T>(self, answer: Result<T, Fault>) -> Result<T, Fault> {
        let clean = match &answer {
            Ok(_) => true,
            Err(fault) if fault.is_lost() => {
                self.pool.forget_idle();
                false
            }
            Err(Fault::Store(StoreError::Unavailable(_))) => false,
            Err(_) => {
                let undone = within(self.conn.run("ROLLBACK")).await;
                undone.is_ok()
            }
        };
        if clean && !self.pool.free.is_closed() {
            self.pool.idle().push(self.conn);
        }
        answer
    }
}

/// Waits for a piece of work, but not for ever.
pub(crate) async fn within<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let late = || StoreError::Unavailable("PostgreSQL did not answer in time".into());
    let answer = timeout(WORK_MAX, work).await;
    answer.unwrap_or_else(|_| Err(late().into()))
}

/// What a statement takes.
pub(crate) type Param<'a> = &'a (dyn ToSql + Sync);

/// One connection, with the statements that it has prepared.
pub(crate) struct Conn {
    pub(crate) client: Client,
    statements: HashMap<Box<str>, Statement>,
}

impl Conn {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            statements: HashMap::new(),
        }
    }

    /// The statement, prepared once.
    pub(crate) async fn prepared(&mut self, sql: &str) -> Result<Statement, Fault> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        if self.statements.len() >= STATEMENTS_MAX {
            self.statements.clear();
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.insert(sql.into(), statement.clone());
        Ok(statement)
    }

    /// How many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, Fault> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.execute(&statement, params).await?)
    }

    /// Its rows.
    pub(crate) async fn query(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Fault> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.query(&statement, params).await?)
    }

    /// Its first row.
    pub(crate) async fn first(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Option<Row>, Fault> {
        let rows = self.query(sql, params).await?;
        Ok(rows.into_iter().next())
    }

    /// Words without parameters and without an answer.
    pub(crate) async fn run(&self, sql: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(sql).await?)
    }
}
