//! The one writer: takes everything that waits, writes each in a savepoint of its own within one
//! transaction, commits once (one fsync), and only then answers them all.
//!
//! A write that fails takes only its savepoint with it. A commit that fails takes all of the
//! group: nobody is told of something that is not durable.

use crate::fault::Fault;
use crate::seal::Sealer;
use crate::views::{self, Views};
use crate::{audit, change, ops, reseal, settings};
use claviger_core::audit::{AuditEnd, AuditEntry};
use claviger_core::ids::{InstanceId, TaskId};
use claviger_core::ports::{Accepted, AccountWrite, Op, StoreError};
use claviger_core::refusal::Refusal;
use rusqlite::Connection;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};

/// The most writes in one commit: enough that the fsync no longer counts, few enough that the
/// first one does not wait long for the last.
pub(crate) const GROUP_MAX: usize = 64;

/// Writes that may wait; beyond it, callers wait for room.
pub(crate) const QUEUE_MAX: usize = 1_024;

/// Where an answer goes. A caller that has gone away is no reason to stop.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// A write and where its answer goes.
pub(crate) enum Job {
    /// A change of accounts.
    Change(Box<AccountWrite>, Reply<Result<Accepted, Refusal>>),
    /// Other operations.
    Apply(Vec<Op>, Option<Box<AuditEntry>>, Reply<()>),
    /// A setting, if it is not set.
    SettingOr(String, String, Reply<String>),
    /// So many secrets sealed again under the current master key.
    Reseal(u64, Reply<u64>),
}

/// Figures of the writer since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) group_max: AtomicU64,
    /// The next task's number, as readers may see it.
    pub(crate) next_task: AtomicI64,
}

/// What a write works with.
pub(crate) struct Desk {
    pub(crate) connection: Connection,
    pub(crate) sealer: Arc<Sealer>,
    /// The number that the next task gets. Never goes back; numbers of writes that failed are
    /// left out.
    pub(crate) next_task: TaskId,
    /// The newest row of the audit trail, as far as this transaction has come.
    pub(crate) audit: AuditEnd,
}

/// An answer that waits for the commit.
type Pending = Box<dyn FnOnce(Option<&str>)>;

/// The writer thread's state.
pub(crate) struct Writer {
    desk: Desk,
    counters: Arc<Counters>,
    views: Arc<Views>,
    /// Held for as long as anything may be written.
    _lock: File,
}

impl Writer {
    /// Takes over the connection and the lock.
    pub(crate) fn new(
        connection: Connection,
        lock: File,
        sealer: Arc<Sealer>,
        counters: Arc<Counters>,
        views: Arc<Views>,
    ) -> Result<Self, Fault> {
        let next_task = settings::next_task(&connection)?;
        counters.next_task.store(next_task.0, Ordering::Release);
        let audit = audit::head(&connection, &sealer)?;
        Ok(Self {
            desk: Desk {
                connection,
                sealer,
                next_task,
                audit,
            },
            counters,
            views,
            _lock: lock,
        })
    }

    /// Works until nobody can send any more.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while let Some(job) = queue.blocking_recv() {
            group.push(job);
            while group.len() < GROUP_MAX {
                match queue.try_recv() {
                    Ok(job) => group.push(job),
                    Err(_) => break,
                }
            }
            self.commit(&mut group);
        }
    }

    fn commit(&mut self, group: &mut Vec<Job>) {
        let size = group.len() as u64;
        let touched: Vec<InstanceId> = group.iter().flat_map(Job::touched).collect();
        let mut pending: Vec<Pending> = Vec::with_capacity(group.len());
        let failure = self.write(group, &mut pending).err().map(|fault| {
            let reason = match StoreError::from(fault) {
                StoreError::Unavailable(reason) => reason,
                other => other.to_string(),
            };
            tracing::error!(
                writes = size,
                reason,
                "a commit failed; nothing was written"
            );
            reason
        });
        if failure.is_none() {
            self.counters.commits.fetch_add(1, Ordering::Relaxed);
            self.counters.writes.fetch_add(size, Ordering::Relaxed);
            self.counters.group_max.fetch_max(size, Ordering::Relaxed);
            let next_task = self.desk.next_task.0;
            self.counters.next_task.store(next_task, Ordering::Release);
        }
        self.views.committed(&touched);
        for answer in pending {
            answer(failure.as_deref());
        }
        // Those that were not reached before the transaction was lost.
        for job in group.drain(..) {
            job.fail(failure.as_deref().unwrap_or_default());
        }
    }

    /// Moves jobs from `group` to `pending`; on an error nothing at all was written.
    ///
    /// A group of nothing but what is found again by looking (confirmations, observations) does
    /// not wait for the disk: the next change's commit takes it along, in order.
    fn write(&mut self, group: &mut Vec<Job>, pending: &mut Vec<Pending>) -> Result<(), Fault> {
        if !group.iter().all(Job::can_be_found_again) {
            return self.write_group(group, pending);
        }
        self.desk
            .connection
            .pragma_update(None, "synchronous", "NORMAL")?;
        let written = self.write_group(group, pending);
        self.desk
            .connection
            .pragma_update(None, "synchronous", "FULL")?;
        written
    }

    fn write_group(
        &mut self,
        group: &mut Vec<Job>,
        pending: &mut Vec<Pending>,
    ) -> Result<(), Fault> {
        self.desk.execute("BEGIN IMMEDIATE")?;
        let before = self.desk.audit;
        let written = self.write_each(group, pending);
        let committed = written
            .and_then(|()| self.desk.put_audit_head(before))
            .and_then(|()| self.desk.execute("COMMIT"));
        if committed.is_err() {
            self.desk.audit = before;
        }
        if committed.is_err() && !self.desk.connection.is_autocommit() {
            self.desk.execute("ROLLBACK")?;
        }
        committed
    }

    fn write_each(
        &mut self,
        group: &mut Vec<Job>,
        pending: &mut Vec<Pending>,
    ) -> Result<(), Fault> {
        for job in group.drain(..) {
            pending.push(self.desk.run(job));
            // The database gives up a whole transaction by itself on some errors, a full disk
            // among them; what went before in this group is then gone as well.
            if self.desk.connection.is_autocommit() {
                let lost = "the database gave up the transaction (disk full?)".to_owned();
                return Err(StoreError::Unavailable(lost).into());
            }
        }
        Ok(())
    }
}

impl Job {
    fn touched(&self) -> Vec<InstanceId> {
        match self {
            Job::Change(write, _) => vec![write.instance.clone()],
            Job::Apply(ops, _, _) => ops.iter().filter_map(views::touched).cloned().collect(),
            Job::SettingOr(..) | Job::Reseal(..) => Vec::new(),
        }
    }

    /// Losing it in a power failure costs nothing but another look at the nodes.
    fn can_be_found_again(&self) -> bool {
        matches!(self, Job::Apply(ops, None, _) if ops.iter().all(seen_of_nodes))
    }

    fn fail(self, reason: &str) {
        let error = StoreError::Unavailable(reason.to_owned());
        match self {
            Job::Change(_, reply) => drop(reply.send(Err(error))),
            Job::Apply(_, _, reply) => drop(reply.send(Err(error))),
            Job::SettingOr(_, _, reply) => drop(reply.send(Err(error))),
            Job::Reseal(_, reply) => drop(reply.send(Err(error))),
        }
    }
}

/// It only records what was seen of the nodes, or forgets what is past its time.
pub(crate) fn seen_of_nodes(op: &Op) -> bool {
    matches!(
        op,
        Op::Confirm(..)
            | Op::Observe(_)
            | Op::KeysUsed(_)
            | Op::Purge(_)
            | Op::Fence(..)
            | Op::Show(..)
    )
}

impl Desk {
    fn run(&mut self, job: Job) -> Pending {
        match job {
            Job::Change(write, reply) => {
                let answer = self.savepoint(|desk| change::change(desk, &write));
                later(reply, answer)
            }
            Job::Apply(ops, audit, reply) => {
                let answer = self.savepoint(|desk| ops::apply(desk, ops, audit.as_deref()));
                later(reply, answer)
            }
            Job::SettingOr(name, value, reply) => {
                let answer = self.savepoint(|desk| settings::setting_or(desk, &name, value));
                later(reply, answer)
            }
            Job::Reseal(limit, reply) => {
                let answer =
                    self.savepoint(|desk| reseal::reseal(&desk.connection, &desk.sealer, limit));
                later(reply, answer)
            }
        }
    }

    /// All of `write` or nothing of it, even if it panics.
    fn savepoint<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.execute("SAVEPOINT one")?;
        let audit = self.audit;
        let answer = catch_unwind(AssertUnwindSafe(|| write(self))).unwrap_or_else(|_| {
            tracing::error!("a write panicked; it was undone");
            let text = "a write was broken off by an internal error".to_owned();
            Err(StoreError::Unavailable(text).into())
        });
        if answer.is_err() {
            self.audit = audit;
        }
        if answer.is_err() && !self.connection.is_autocommit() {
            self.execute("ROLLBACK TO one")?;
        }
        if !self.connection.is_autocommit() {
            self.execute("RELEASE one")?;
        }
        Ok(answer?)
    }

    /// Writes the head of the audit trail, if this transaction has moved it.
    fn put_audit_head(&self, before: AuditEnd) -> Result<(), Fault> {
        if self.audit == before {
            return Ok(());
        }
        audit::put_end(&self.connection, &self.sealer, "head", self.audit)
    }

    /// A statement without parameters, kept prepared.
    pub(crate) fn execute(&self, sql: &str) -> Result<(), Fault> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

fn later<T: 'static>(reply: Reply<T>, answer: Result<T, StoreError>) -> Pending {
    Box::new(move |failure| {
        let answer = match failure {
            Some(reason) => Err(StoreError::Unavailable(reason.to_owned())),
            None => answer,
        };
        drop(reply.send(answer));
    })
}
