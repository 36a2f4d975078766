//! The embedded store, as the port sees it.

use crate::audit;
use crate::open::{OpenError, prepare};
use crate::past;
use crate::read;
use crate::readers::Readers;
use crate::reseal;
use crate::rows::Secrets;
use crate::seal::Sealer;
use crate::strikes;
use crate::views::Views;
use crate::writer::{Counters, Job, QUEUE_MAX, Reply, Writer};
use async_trait::async_trait;
use claviger_core::access::AccessKey;
use claviger_core::access_policy::AccessPolicy;
use claviger_core::audit::{AuditEnds, AuditEntry, AuditQuery, AuditRow};
use claviger_core::clock::Timestamp;
use claviger_core::ids::{AccountName, InstanceId, KeyId, TaskId};
use claviger_core::instance::{Held, Instance};
use claviger_core::node::NodeRecord;
use claviger_core::password::PasswordDigest;
use claviger_core::ports::{Accepted, AccountWrite, Op, Store, StoreError, Strikes};
use claviger_core::query::{InstanceQuery, Rows, TaskQuery};
use claviger_core::refusal::Refusal;
use claviger_core::task::Task;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// Figures of the writer since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commits that succeeded.
    pub commits: u64,
    /// Writes in them, refused ones included.
    pub writes: u64,
    /// The most writes that one commit carried.
    pub group_max: u64,
}

/// Durable state in one SQLite file.
///
/// One thread writes, all waiting writes in one commit; reads run beside it on connections of
/// their own, small ones in place on the caller's thread. Dropping it ends the thread after the
/// writes that wait and closes the file.
pub struct SqliteStore {
    /// `None` only while dropping.
    queue: Option<mpsc::Sender<Job>>,
    readers: Readers,
    sealer: Arc<Sealer>,
    counters: Arc<Counters>,
    views: Arc<Views>,
    thread: Option<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens the database at `path`, or makes it, with its directory, for this process alone.
    ///
    /// # Errors
    /// [`OpenError`], each with a line that says what to do.
    pub fn open(path: &Path, seal: impl Into<Arc<Sealer>>) -> Result<SqliteStore, OpenError> {
        let sealer = seal.into();
        let counters = Arc::new(Counters::default());
        let views = Arc::new(Views::default());
        let opened = prepare(path, &sealer)?;
        let writer = Writer::new(
            opened.writer,
            opened.lock,
            Arc::clone(&sealer),
            Arc::clone(&counters),
            Arc::clone(&views),
        )?;
        let readers = Readers::open(path)?;
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run(jobs))
            .map_err(|source| OpenError::Io {
                path: path.to_owned(),
                source,
            })?;
        Ok(SqliteStore {
            queue: Some(queue),
            readers,
            sealer,
            counters,
            views,
            thread: Some(thread),
        })
    }

    /// The writer's figures.
    pub fn stats(&self) -> Stats {
        Stats {
            commits: self.counters.commits.load(Ordering::Relaxed),
            writes: self.counters.writes.load(Ordering::Relaxed),
            group_max: self.counters.group_max.load(Ordering::Relaxed),
        }
    }

    async fn write<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        let ended = || StoreError::Unavailable("the writer has ended".into());
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(ended)?;
        queue.send(job(reply)).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    fn next_task(&self) -> TaskId {
        TaskId(self.counters.next_task.load(Ordering::Acquire))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.readers.close();
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // It answers what waits and then ends: one commit's time. A panic was logged there.
            let _ = thread.join();
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn change(&self, write: AccountWrite) -> Result<Result<Accepted, Refusal>, StoreError> {
        self.write(|reply| Job::Change(Box::new(write), reply))
            .await
    }

    async fn apply(&self, ops: Vec<Op>, audit: Option<AuditEntry>) -> Result<(), StoreError> {
        self.write(|reply| Job::Apply(ops, audit.map(Box::new), reply))
            .await
    }

    async fn held(&self, id: &InstanceId) -> Result<Option<Held>, StoreError> {
        let (secrets, next) = (Secrets::Open(&self.sealer), self.next_task());
        self.readers
            .point(|db| read::held(db, id, secrets, next))
            .await
    }

    /// A digest that is there reads as zeros, so that [`Account::is_managed`] holds; the login
    /// has its user name, which is no secret.
    ///
    /// [`Account::is_managed`]: claviger_core::account::Account::is_managed
    async fn viewed(&self, id: &InstanceId) -> Result<Option<Held>, StoreError> {
        let next_task = self.next_task();
        if let Some(kept) = self.views.find(id) {
            return Ok(Some(Held {
                next_task,
                ..Held::clone(&kept)
            }));
        }
        let since = self.views.begin();
        let read = self
            .readers
            .point(|db| read::held(db, id, Secrets::Absent, next_task))
            .await?;
        if let Some(held) = &read {
            self.views.keep(since, held);
        }
        Ok(read)
    }

    /// As in [`SqliteStore::viewed`], secrets stay closed.
    async fn instances(&self, query: &InstanceQuery) -> Result<Rows<Instance>, StoreError> {
        let query = query.clone();
        self.readers
            .list(move |db| read::instances(db, &query))
            .await
    }

    async fn instance_ids(&self) -> Result<Vec<InstanceId>, StoreError> {
        self.readers.list(read::instance_ids).await
    }

    async fn expiring(
        &self,
        until: Timestamp,
    ) -> Result<Vec<(InstanceId, AccountName)>, StoreError> {
        self.readers.list(move |db| read::expiring(db, until)).await
    }

    async fn past_passwords(
        &self,
        id: &InstanceId,
        names: &[AccountName],
    ) -> Result<Vec<(AccountName, PasswordDigest)>, StoreError> {
        let (id, names) = (id.clone(), names.to_vec());
        let sealer = Arc::clone(&self.sealer);
        self.readers
            .list(move |db| past::passwords(db, &sealer, &id, &names))
            .await
    }

    async fn nodes(&self, id: &InstanceId) -> Result<Vec<NodeRecord>, StoreError> {
        self.readers.point(|db| read::nodes(db, id)).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Rows<Task>, StoreError> {
        let query = query.clone();
        self.readers.list(move |db| read::tasks(db, &query)).await
    }

    async fn strikes(&self, scope: &str) -> Result<Strikes, StoreError> {
        self.readers.point(|db| strikes::strikes(db, scope)).await
    }

    async fn key(&self, id: &KeyId) -> Result<Option<AccessKey>, StoreError> {
        let sealer = &self.sealer;
        self.readers.point(|db| read::key(db, sealer, id)).await
    }

    async fn keys(&self) -> Result<Vec<AccessKey>, StoreError> {
        let sealer = Arc::clone(&self.sealer);
        self.readers.list(move |db| read::keys(db, &sealer)).await
    }

    async fn access_policies(&self) -> Result<Vec<AccessPolicy>, StoreError> {
        self.readers.list(read::access_policies).await
    }

    async fn audit(&self, query: &AuditQuery) -> Result<Rows<AuditRow>, StoreError> {
        let query = query.clone();
        self.readers.list(move |db| read::audit(db, &query)).await
    }

    async fn audit_ends(&self) -> Result<AuditEnds, StoreError> {
        let sealer = &self.sealer;
        self.readers.point(|db| audit::ends(db, sealer)).await
    }

    async fn reseal(&self, limit: u64) -> Result<u64, StoreError> {
        if limit > 0 {
            return self.write(|reply| Job::Reseal(limit, reply)).await;
        }
        let sealer = Arc::clone(&self.sealer);
        self.readers.list(move |db| reseal::left(db, &sealer)).await
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.readers.point(|db| read::setting(db, name)).await
    }

    async fn setting_or(&self, name: &str, value: String) -> Result<String, StoreError> {
        self.write(|reply| Job::SettingOr(name.to_owned(), value, reply))
            .await
    }
}
